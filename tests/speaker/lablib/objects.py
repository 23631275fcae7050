# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of the cluster, written and read in few words."""

from __future__ import annotations

from typing import Any

from lablib.kube import NAMESPACE, ApiServer

VIP = "192.168.2.128"
SERVICES = "/api/v1/namespaces/default/services"
POOLS = f"/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}/ipaddresspools"
ADVERTISEMENTS = f"/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}/l2advertisements"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


def make_pool(kube: ApiServer, name: str = "home", *addresses: str, **spec: Any) -> None:
    meta = {"name": name, "namespace": NAMESPACE}
    body = {"addresses": list(addresses or ("192.168.2.128/25",)), **spec}
    kube.create(POOLS, {"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool", "metadata": meta, "spec": body})


def make_service(kube: ApiServer, name: str = "web", annotations: dict[str, str] | None = None, **spec: Any) -> None:
    meta = {"name": name, "annotations": annotations or {}}
    body = {"type": "LoadBalancer", "selector": {"app": name}, "ports": [{"port": 80}], **spec}
    kube.create(SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": body})


def ingress(kube: ApiServer, name: str = "web") -> list[dict[str, str]]:
    found: list[dict[str, str]] = kube.get(f"{SERVICES}/{name}")["status"]["loadBalancer"].get("ingress", [])
    return found


def address(kube: ApiServer, name: str = "web") -> str | None:
    return next((item["ip"] for item in ingress(kube, name)), None)


def events(kube: ApiServer, name: str = "web") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = kube.get("/api/v1/namespaces/default/events")["items"]
    return [item for item in items if item["involvedObject"]["name"] == name]


def everybody(kube: ApiServer) -> dict[str, list[str]]:
    """The addresses of all Services that have some."""
    found = {}
    for item in kube.get("/api/v1/services")["items"]:
        if given := item["status"]["loadBalancer"].get("ingress"):
            found[item["metadata"]["name"]] = [entry["ip"] for entry in given]
    return found


def told(kube: ApiServer, name: str) -> list[tuple[str, str]]:
    """Reason and message of what the controller says; the API server, too, writes Events about Services."""
    said = (item for item in events(kube, name) if item["source"].get("component") == "metallb-controller")
    return sorted((item["reason"], item["message"]) for item in said)


def reasons(kube: ApiServer, name: str = "web") -> list[str]:
    return [reason for reason, _message in told(kube, name)]


def make_node(kube: ApiServer, name: str, ready: bool = True, **labels: str) -> None:
    kube.create("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}})
    # The API server drops status on creation and marks new nodes unready.
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    kube.patch(f"/api/v1/nodes/{name}/status", {"status": {"conditions": conditions}})


def give_node_address(kube: ApiServer, name: str, address: str) -> None:
    addresses = [{"type": "InternalIP", "address": address}]
    kube.patch(f"/api/v1/nodes/{name}/status", {"status": {"addresses": addresses}})


def make_advertisement(kube: ApiServer, **spec: Any) -> None:
    meta = {"name": "all", "namespace": NAMESPACE}
    body = {"apiVersion": "metallb.io/v1beta1", "kind": "L2Advertisement", "metadata": meta, "spec": spec}
    kube.create(ADVERTISEMENTS, body)


def make_endpoints(kube: ApiServer, *nodes: str, service: str = "web") -> None:
    endpoints = [{"addresses": ["10.1.0.1"], "nodeName": name, "conditions": {"ready": True}} for name in nodes]
    meta = {"name": f"{service}-1", "labels": {"kubernetes.io/service-name": service}}
    body = {"addressType": "IPv4", "metadata": meta, "endpoints": endpoints, "ports": [{"port": 80}]}
    kube.create(SLICES, {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", **body})


def give_address(kube: ApiServer, address: str | None = VIP) -> None:
    status = {"loadBalancer": {"ingress": [{"ip": address}] if address else None}}
    kube.patch(f"{SERVICES}/web/status", {"status": status})
