# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kubernetes cluster made by kubeadm, so that it has what people's clusters have. Runs inside the world."""

from __future__ import annotations

import concurrent.futures
import json
from typing import Any

import yaml

from .artifacts import KUBERNETES_VERSION
from .container import Container
from .topology import POD_NETWORK, POD_NETWORK6, SERVICE_NETWORK, SERVICE_NETWORK6, Topology

TOKEN = "abcdef.0123456789abcdef"
ADMIN = "/etc/kubernetes/admin.conf"


def configuration(topology: Topology) -> str:
    """kubeadm's configuration: its defaults but for what a container on a shared kernel cannot have."""
    address = topology.nodes[0].address
    pods, services = str(POD_NETWORK), str(SERVICE_NETWORK)
    if topology.ipv6:
        pods, services = f"{pods},{POD_NETWORK6}", f"{services},{SERVICE_NETWORK6}"
    documents = (
        {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "InitConfiguration",
            "bootstrapTokens": [{"token": TOKEN, "ttl": "0s"}],
            "localAPIEndpoint": {"advertiseAddress": address},
            # No taint: the control plane takes pods as well, as on small clusters at home.
            "nodeRegistration": {"imagePullPolicy": "IfNotPresent", "taints": []},
        },
        {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "ClusterConfiguration",
            "kubernetesVersion": KUBERNETES_VERSION,
            "networking": {"podSubnet": pods, "serviceSubnet": services},
            # The data lies in memory; waiting for a disk would prove nothing.
            "etcd": {"local": {"extraArgs": [{"name": "unsafe-no-fsync", "value": "true"}]}},
        },
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "cgroupDriver": "cgroupfs",
            "failCgroupV1": False,
            "failSwapOn": False,
            "enforceNodeAllocatable": [],
            "evictionHard": {"memory.available": "50Mi"},
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
        },
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": topology.proxy_mode,
            # These limits belong to the whole machine.
            "conntrack": {"maxPerCore": 0, "min": 0},
        },
    )
    return yaml.safe_dump_all(documents, sort_keys=False)


def init(topology: Topology, control_plane: Container) -> str:
    """Make the first node the control plane; returns the administrator's kubeconfig."""
    control_plane.write("/etc/kubernetes/lab-kubeadm.yaml", configuration(topology))
    control_plane.exec(
        "kubeadm", "init", "--config=/etc/kubernetes/lab-kubeadm.yaml", "--ignore-preflight-errors=all",
        "--skip-phases=addon/coredns",
    )  # fmt: skip
    return (control_plane.root / ADMIN.lstrip("/")).read_text()


def join(topology: Topology, workers: list[Container]) -> None:
    """Join all workers at the same time."""
    command = [
        "kubeadm", "join", f"{topology.nodes[0].address}:6443", "--token", TOKEN,
        "--discovery-token-unsafe-skip-ca-verification", "--ignore-preflight-errors=all",
    ]  # fmt: skip
    with concurrent.futures.ThreadPoolExecutor(max(1, len(workers))) as pool:
        for joined in [pool.submit(worker.exec, *command) for worker in workers]:
            joined.result()


def readiness(control_plane: Container) -> dict[str, bool]:
    """Each node Kubernetes knows, and whether it is Ready and its kube-proxy runs.

    Empty while the API server does not answer.
    """
    command = ("kubectl", f"--kubeconfig={ADMIN}", "--request-timeout=5s", "get", "--output=json")
    try:
        nodes = json.loads(control_plane.exec(*command, "nodes", check=False))["items"]
        selector = ("--namespace=kube-system", "--selector=k8s-app=kube-proxy")
        proxies = json.loads(control_plane.exec(*command, "pods", *selector, check=False))["items"]
    except (ValueError, KeyError):
        return {}
    proxied = {pod["spec"].get("nodeName") for pod in proxies if _condition(pod, "Ready")}
    return {
        node["metadata"]["name"]: _condition(node, "Ready") and node["metadata"]["name"] in proxied for node in nodes
    }


def _condition(resource: dict[str, Any], kind: str) -> bool:
    conditions = resource.get("status", {}).get("conditions", [])
    return any(condition["type"] == kind and condition["status"] == "True" for condition in conditions)
