# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of type LoadBalancer as verify sees them. PRIVATE to the homelab.lantern collection."""

from __future__ import annotations

import typing as t

Found = t.Dict[str, t.Any]

# The controller's record that it chose the addresses of a Service.
POOL_ANNOTATION = "metallb.io/ip-allocated-from-pool"


def is_loadbalancer(service: Found) -> bool:
    return (service.get("spec") or {}).get("type") == "LoadBalancer"


def addresses(service: Found) -> list[str]:
    """The IPs in the Service's status, in their order."""
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return [entry["ip"] for entry in ingress if entry.get("ip")]


def assigned_by_us(service: Found) -> bool:
    """True if the annotation says that Lantern chose this Service's addresses."""
    return POOL_ANNOTATION in (service["metadata"].get("annotations") or {})


def serving_endpoints(slices: list[Found]) -> int:
    """How many endpoints take traffic; an absent condition counts as true, a terminating pod that serves counts."""
    total = 0
    for one in slices:
        for endpoint in one.get("endpoints") or []:
            conditions = endpoint.get("conditions") or {}
            if conditions.get("ready", True) is not False or conditions.get("serving"):
                total += len(endpoint.get("addresses") or [])
    return total


def grouped(objects: t.Iterable[Found], key: t.Callable[[Found], t.Hashable]) -> dict[t.Any, list[Found]]:
    """Objects by what they are about, so that each Service's are found at once among those of thousands."""
    found: dict[t.Any, list[Found]] = {}
    for one in objects:
        found.setdefault(key(one), []).append(one)
    return found


def identity(service: Found) -> tuple[str, str]:
    """(namespace, name)."""
    return service["metadata"]["namespace"], service["metadata"]["name"]


def of_slice(one: Found) -> tuple[str, str]:
    """The identity of the Service that an EndpointSlice belongs to (label kubernetes.io/service-name)."""
    labels = one["metadata"].get("labels") or {}
    return one["metadata"].get("namespace", ""), labels.get("kubernetes.io/service-name", "")


def of_event(event: Found) -> str:
    """The UID of the object that an Event is about, "" if it names none."""
    return str((event.get("involvedObject") or {}).get("uid") or "")


def newest(events: t.Iterable[Found]) -> Found | None:
    """The Event that came last, None if there is none."""
    return max(events, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""), default=None)


def newest_warning(events: t.Iterable[Found]) -> str:
    """The text of the newest Warning among a Service's Events, "" if there is none."""
    found = newest(event for event in events if event.get("type") == "Warning")
    return " ".join(str(found.get("message", "")).split()) if found is not None else ""


def waiting_reason(warning: str, controller_ready: bool, pools: int) -> str:
    """Why a Service has no address yet, with the remedy."""
    if not controller_ready:
        return "Lantern's controller is not ready: run the deploy stage; `kubectl -n metallb-system get pods` shows it."
    if pools == 0:
        return "There is no IPAddressPool to take an address from: set lantern_pools and run the deploy stage."
    if warning:
        return f"{warning.rstrip('.')}. Enlarge lantern_pools or correct what the Service asks for."
    return "The controller has not said why: `kubectl -n metallb-system logs deployment/controller` does."


def endpoint_nodes(slices: list[Found]) -> list[str]:
    """The nodes with an endpoint that takes traffic, in the order of their names."""
    return sorted(
        {
            endpoint["nodeName"]
            for one in slices
            for endpoint in one.get("endpoints") or []
            if endpoint.get("nodeName") and serving_endpoints([{"endpoints": [endpoint]}])
        }
    )


def view(service: Found, slices: list[Found]) -> Found:
    """A Service with its own slices as the probe needs it; keys are those of loadbalancer_services_info's services."""
    metadata, spec = service["metadata"], service["spec"]
    ports = [
        {
            "port": p["port"],
            "protocol": p.get("protocol", "TCP"),
            "name": p.get("name", ""),
            "node_port": p.get("nodePort", 0),
        }
        for p in spec["ports"]
    ]
    listed = sum(len(endpoint.get("addresses") or []) for one in slices for endpoint in one.get("endpoints") or [])
    serving = serving_endpoints(slices)
    return {
        "name": f"{metadata['namespace']}/{metadata['name']}",
        "addresses": addresses(service),
        "ports": ports,
        "endpoints": serving,
        "endpoints_starting": listed - serving,
        "endpoint_nodes": endpoint_nodes(slices),
        "selector": ",".join(f"{key}={value}" for key, value in sorted((spec.get("selector") or {}).items())),
        "local": spec.get("externalTrafficPolicy") == "Local",
        "pool": (metadata.get("annotations") or {}).get(POOL_ANNOTATION, ""),
    }


def settled(services: list[Found]) -> bool:
    """True if every Service (as view() makes them) has an address and a pod that takes traffic."""
    return all(one["addresses"] and one["endpoints"] for one in services)
