# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets addresses of which pool and family, and who shares one, against a real Kubernetes API server."""

from __future__ import annotations

from typing import Any

from lablib.kube import ApiServer
from lablib.objects import POOLS, SERVICES, address, events, everybody, ingress, make_pool, make_service, reasons, told
from lablib.process import Start, eventually

SHARED = {"metallb.io/allow-shared-ip": "together"}
DUAL = ("192.168.2.128/30", "fd00:2::/126")


def make_namespace(kube: ApiServer, name: str, **labels: str) -> None:
    # Nobody is there to finish the deletion of one, so that those of an earlier test are met again.
    if kube.send("GET", f"/api/v1/namespaces/{name}").status_code == 404:
        kube.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})


def make_in(kube: ApiServer, namespace: str, name: str, **labels: str) -> None:
    spec = {"type": "LoadBalancer", "selector": {"app": name}, "ports": [{"port": 80}]}
    meta = {"name": name, "labels": labels}
    kube.create(f"/api/v1/namespaces/{namespace}/services", {"metadata": meta, "spec": spec})


def only_for(**allocation: Any) -> dict[str, Any]:
    return {"serviceAllocation": allocation}


def test_pools_for_namespaces_and_services(kube: ApiServer, start: Start) -> None:
    make_namespace(kube, "media")
    make_namespace(kube, "blue", team="blue")
    make_pool(kube, "open", "10.0.0.0/30")
    make_pool(kube, "media", "10.0.1.0/30", **only_for(namespaces=["media"]))
    make_pool(kube, "blue", "10.0.2.0/30", **only_for(namespaceSelectors=[{"matchLabels": {"team": "blue"}}]))
    make_pool(kube, "shop", "10.0.3.0/30", **only_for(serviceSelectors=[{"matchLabels": {"app": "shop"}}]))
    make_in(kube, "media", "tv")
    make_in(kube, "blue", "board")
    make_in(kube, "default", "till", app="shop")
    make_in(kube, "default", "other", app="else")
    start("controller")
    wanted = {"tv": ["10.0.1.0"], "board": ["10.0.2.0"], "till": ["10.0.3.0"], "other": ["10.0.0.0"]}
    eventually(lambda: everybody(kube) == wanted, 10, "each has an address of its pool")
    make_service(kube, "intruder", {"metallb.io/address-pool": "media"})
    (event,) = eventually(lambda: events(kube, "intruder"), 5, "an event")
    assert event["reason"] == "AllocationFailed" and "media" in event["message"]
    # The label of a namespace is looked at when it changes.
    kube.patch("/api/v1/namespaces/media", {"metadata": {"labels": {"team": "blue"}}})
    kube.delete(f"{POOLS}/media")
    eventually(lambda: everybody(kube).get("tv") == ["10.0.2.1"], 5, "the pool of the label")
    kube.patch("/api/v1/namespaces/media", {"metadata": {"labels": {"team": None}}})
    eventually(lambda: everybody(kube).get("tv") == ["10.0.0.1"], 5, "the pool for all")


def test_lower_priority_number_comes_first_and_none_last(kube: ApiServer, start: Start) -> None:
    make_pool(kube, "anyone", "10.0.0.0/32")
    make_pool(kube, "last", "10.0.1.0/32", **only_for(namespaces=["default"]))
    make_pool(kube, "second", "10.0.2.0/32", **only_for(namespaces=["default"], priority=20))
    make_pool(kube, "first", "10.0.3.0/32", **only_for(namespaces=["default"], priority=10))
    start("controller")
    for name, expected in (("a", "10.0.3.0"), ("b", "10.0.2.0"), ("c", "10.0.1.0"), ("d", "10.0.0.0")):
        make_service(kube, name)
        assert eventually(lambda name=name: address(kube, name), 10, "an address") == expected  # type: ignore[misc]


def test_addresses_that_old_devices_mistake_are_avoided(kube: ApiServer, start: Start) -> None:
    make_pool(kube, "home", "10.0.0.255-10.0.1.1", "fd00:2::/126")
    make_service(kube)
    start("controller")
    assert eventually(lambda: address(kube), 10, "an address") == "10.0.0.255"
    kube.patch(f"{POOLS}/home", {"spec": {"avoidBuggyIPs": True}})
    eventually(lambda: address(kube) == "10.0.1.1", 5, "another address")
    eventually(lambda: reasons(kube) == ["ClearAssignment", "IPAllocated", "IPAllocated"], 5, "told")
    make_service(kube, "six", ipFamilies=["IPv6"])
    assert eventually(lambda: address(kube, "six"), 5, "an address") == "fd00:2::"


def test_second_family_where_both_are_preferred(kube: ApiServer, start: Start) -> None:
    make_pool(kube, "dual", *DUAL)
    make_service(kube, ipFamilyPolicy="PreferDualStack", ipFamilies=["IPv6", "IPv4"])
    start("controller")
    eventually(lambda: everybody(kube) == {"web": ["192.168.2.128", "fd00:2::"]}, 10, "both, IPv4 first")
    make_service(kube, "single")
    eventually(lambda: address(kube, "single") == "192.168.2.129", 5, "an address")
    kube.patch(f"{SERVICES}/single", {"spec": {"ipFamilyPolicy": "PreferDualStack"}})
    eventually(lambda: everybody(kube)["single"] == ["192.168.2.129", "fd00:2::1"], 5, "the second added")
    eventually(lambda: ("IPAllocated", 'Assigned additional IP "fd00:2::1"') in told(kube, "single"), 5, "told")
    kube.patch(f"{SERVICES}/single", {"spec": {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"]}})
    eventually(lambda: everybody(kube)["single"] == ["192.168.2.129"], 5, "the first stays")


def test_second_family_where_the_pool_has_one(kube: ApiServer, start: Start) -> None:
    make_pool(kube)
    make_service(kube, ipFamilyPolicy="PreferDualStack")
    controller = start("controller")
    eventually(lambda: reasons(kube) == ["AdditionalAssignFailed", "IPAllocated"], 10, "told")
    version = kube.get(f"{SERVICES}/web")["metadata"]["resourceVersion"]
    for name in ("second", "third"):
        make_service(kube, name)
        eventually(lambda name=name: address(kube, name), 5, "an address")  # type: ignore[misc]
    controller.stop()
    assert kube.get(f"{SERVICES}/web")["metadata"]["resourceVersion"] == version
    assert reasons(kube) == ["AdditionalAssignFailed", "IPAllocated"]


def test_pods_decide_about_sharing_where_traffic_stays_local(kube: ApiServer, start: Start) -> None:
    make_pool(kube)
    start("controller")
    for port, name in enumerate(("one", "two", "local", "same", "other"), start=80):
        policy = "Cluster" if name in ("one", "two") else "Local"
        selector = {"app": "else" if name == "other" else "web"}
        make_service(kube, name, SHARED, ports=[{"port": port}], selector=selector, externalTrafficPolicy=policy)
        eventually(lambda name=name: ingress(kube, name), 10, "an address")  # type: ignore[misc]
    assert everybody(kube) == {
        "one": ["192.168.2.128"],
        "two": ["192.168.2.128"],
        "local": ["192.168.2.129"],
        "same": ["192.168.2.129"],
        "other": ["192.168.2.130"],
    }
    # It may not stay with a Service whose traffic goes to all nodes, and joins those with its pods.
    kube.patch(f"{SERVICES}/two", {"spec": {"externalTrafficPolicy": "Local", "selector": {"app": "web"}}})
    eventually(lambda: everybody(kube)["two"] == ["192.168.2.129"], 5, "the address of its like")
    eventually(lambda: reasons(kube, "two") == ["ClearAssignment", "IPAllocated", "IPAllocated"], 5, "told")
    assert everybody(kube)["one"] == ["192.168.2.128"] and reasons(kube, "one") == ["IPAllocated"]
