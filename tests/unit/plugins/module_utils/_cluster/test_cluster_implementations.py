# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other load balancers in the cluster: found where they serve Services, left alone where they do not."""

from __future__ import annotations

import json

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._cluster import implementations

LANTERN = {"app.kubernetes.io/managed-by": "lantern"}


def workload(kind, namespace, name, image, labels=None, env=None, args=None):
    container = {"image": image, "env": [{"name": k, "value": v} for k, v in (env or {}).items()], "args": args or []}
    return {
        "kind": kind,
        "metadata": {"namespace": namespace, "name": name, "labels": labels or {}},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def node(name, *arguments):
    return {"metadata": {"name": name, "annotations": {"k3s.io/node-args": json.dumps(arguments)}}}


def found(workloads=(), pods=(), nodes=(), cilium_pools=(), cilium_policies=()):
    snapshot = implementations.Snapshot(
        list(workloads), list(pods), list(nodes), list(cilium_pools), list(cilium_policies)
    )
    return {finding.key: finding for finding in implementations.findings(snapshot)}


@pytest.mark.parametrize(
    "image, name",
    [
        ("quay.io/metallb/speaker:v0.15.2", "metallb/speaker"),
        ("quay.io/metallb/speaker@sha256:00", "metallb/speaker"),
        ("registry.lan:5000/mirror/metallb/speaker:v1", "mirror/metallb/speaker"),
        ("localhost/lantern:0.1.0", "lantern"),
        ("nginx", "nginx"),
        ("library/nginx:1", "library/nginx"),
    ],
)
def test_image_name(image, name):
    assert implementations.image_name(image) == name


@pytest.mark.parametrize(
    "one",
    [
        workload("Deployment", "metallb-system", "controller", "quay.io/metallb/controller:v0.15.2"),
        workload("DaemonSet", "lb", "metallb-speaker", "mirror.lan/metallb/speaker:v0.15.2"),
        workload("Deployment", "metallb-system", "controller", "private/renamed:1"),
    ],
)
def test_metallb(one):
    finding = found([one])["metallb"]
    assert one["metadata"]["name"] in finding.evidence
    assert "lantern_replace_metallb: true" in finding.remedy and "Delete its Deployment" in finding.remedy


def test_lantern_is_not_taken_for_metallb():
    ours = workload("Deployment", "metallb-system", "controller", "localhost/lantern:1", LANTERN)
    unlabelled = workload("DaemonSet", "metallb-system", "speaker", "localhost/lantern:1")
    unlabelled["metadata"]["managedFields"] = [{"manager": "kubectl"}, {"manager": "lantern"}]
    assert found([ours, unlabelled]) == {}


def test_kube_vip_only_with_services():
    image = "ghcr.io/kube-vip/kube-vip:v1.0.0"
    control_plane_only = workload("DaemonSet", "kube-system", "kube-vip", image, env={"svc_enable": "false"})
    assert found([control_plane_only]) == {}
    by_environment = workload("DaemonSet", "kube-system", "kube-vip-ds", image, env={"svc_enable": "true"})
    assert "kube-vip-ds" in found([by_environment])["kube-vip"].evidence
    static_pod = workload("Pod", "kube-system", "kube-vip-n1", image, args=["manager", "--services"])
    static_pod["spec"] = static_pod["spec"]["template"]["spec"]
    assert "Pod kube-system/kube-vip-n1" in found(pods=[static_pod])["kube-vip"].evidence
    provider = workload("Deployment", "kube-system", "kvcp", "ghcr.io/kube-vip/kube-vip-cloud-provider:v0.0.12")
    assert "kube-vip" in found([provider])


@pytest.mark.parametrize(
    "arguments, serves",
    [
        (["server"], True),
        (["server", "--disable", "traefik"], True),
        (["server", "--disable", "traefik", "--disable", "servicelb"], False),
        (["server", "--disable=traefik,servicelb"], False),
        (["server", "--disable-cloud-controller"], False),
        (["agent"], False),
    ],
)
def test_servicelb_by_the_arguments_of_the_k3s_servers(arguments, serves):
    assert ("servicelb" in found(nodes=[node("n1", *arguments)])) is serves


def test_servicelb_by_its_daemonsets_shortened():
    many = [workload("DaemonSet", "kube-system", f"svclb-web{i}", "rancher/klipper-lb:v0.4") for i in range(5)]
    assert found(many)["servicelb"].evidence.endswith("svclb-web2 and 2 more")
    renamed = workload("DaemonSet", "lb", "web", "registry.home/rancher/mirrored-klipper-lb:v0.4.9")
    assert found([renamed])["servicelb"].evidence == "DaemonSet lb/web"
    assert "deploy_disable_servicelb" in found([renamed])["servicelb"].remedy
    broken = {"metadata": {"name": "n", "annotations": {"k3s.io/node-args": "{"}}}
    assert found(nodes=[broken]) == {}


def test_purelb_openelb_and_cilium():
    assert "purelb" in found([workload("DaemonSet", "purelb", "lbnodeagent", "ghcr.io/purelb/purelb/lbnodeagent:v1")])
    assert "openelb" in found([workload("Deployment", "openelb-system", "m", "kubesphere/openelb-controller:v0.6.0")])
    pool = {"metadata": {"name": "pool"}, "spec": {}}
    disabled = {"metadata": {"name": "off"}, "spec": {"disabled": True}}
    policy = {"metadata": {"name": "l2"}, "spec": {"loadBalancerIPs": True}}
    assert "CiliumLoadBalancerIPPool pool" in found(cilium_pools=[pool])["cilium"].evidence
    assert "CiliumL2AnnouncementPolicy l2" in found(cilium_policies=[policy])["cilium"].evidence
    agent = workload("DaemonSet", "kube-system", "cilium", "quay.io/cilium/cilium:v1.18")
    assert found([agent], cilium_pools=[disabled]) == {}


def test_a_plain_cluster_is_fine():
    proxy = workload("DaemonSet", "kube-system", "kube-proxy", "registry.k8s.io/kube-proxy:v1.34.4")
    assert found([proxy], nodes=[{"metadata": {"name": "n1"}}]) == {}


def test_every_finding_has_a_key_that_can_be_allowed():
    assert set(implementations.KEYS) == {"metallb", "kube-vip", "servicelb", "purelb", "openelb", "cilium"}
    assert len(implementations.RULES) == len(implementations.KEYS)
