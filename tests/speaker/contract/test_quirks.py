# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What MetalLB is known to get wrong is right here, against a real Kubernetes API server."""

from __future__ import annotations

import json
import os
import re
import time

import pytest
from lablib.kube import ApiServer
from lablib.objects import (
    POOLS,
    SERVICES,
    address,
    events,
    everybody,
    ingress,
    make_advertisement,
    make_node,
    make_pool,
    make_service,
    reasons,
    told,
)
from lablib.process import Lantern, Start, eventually

FIRST = "192.168.2.128"


def version(kube: ApiServer, name: str = "web") -> int:
    """A Service's version: one row of numbers counts the changes of all objects."""
    return int(kube.get(f"{SERVICES}/{name}")["metadata"]["resourceVersion"])


def served(kube: ApiServer, *names: str) -> None:
    for name in names:
        eventually(lambda name=name: address(kube, name), 10, f"an address for {name}")  # type: ignore[misc]


def more_passes(kube: ApiServer, *names: str) -> None:
    """Each of these Services gets an address by a pass that looked at all Services."""
    for name in names:
        make_service(kube, name)
        served(kube, name)


def number(text: str, series: str) -> float:
    """The sum of the samples whose beginning matches."""
    return sum(map(float, re.findall(rf"^{series}\S* (\S+)$", text, re.MULTILINE)))


def passes(controller: Lantern) -> float:
    return number(controller.get("/metrics")[1], "lantern_plan_seconds_count")


def updates(process: Lantern) -> float:
    return number(process.get("/metrics")[1], "metallb_k8s_client_updates_total")


def requests(kube: ApiServer, verb: str, subresource: str = "") -> float:
    """How many such requests about pools the API server has answered."""
    labels = rf'resource="ipaddresspools",scope="\w+",subresource="{subresource}",verb="{verb}"'
    return number(kube.send("GET", "/metrics").text, rf"apiserver_request_total{{[^}}]*{labels}")


@pytest.mark.parametrize(
    ("wish", "reason", "words"),
    [
        ({"loadBalancerIPs": "192.168.2.140"}, "AllocationFailed", "default/other"),
        ({"loadBalancerIPs": "10.9.9.9"}, "AllocationFailed", '["10.9.9.9"] is not allowed in config'),
        ({"address-pool": "nowhere"}, "AllocationFailed", 'unknown pool "nowhere"'),
        ({"address-pool": "closed"}, "AllocationFailed", "pool closed not compatible for ip assignment"),
        ({"loadBalancerIPs": "192.168.2.150", "address-pool": "closed"}, "AllocationFailed", "pool closed"),
        ({"loadBalancerIPs": "fd00::1"}, "AllocationFailed", "IPv4"),
        ({"loadBalancerIPs": "192.168.2.150,192.168.2.151"}, "LoadBalancerFailed", "one of each"),
        ({"loadBalancerIPs": "home"}, "LoadBalancerFailed", '"home"'),
    ],
    ids=["taken", "outside", "unknown", "closed", "elsewhere", "family", "two", "unreadable"],
)
def test_infeasible_request_costs_nobody_its_address(
    kube: ApiServer, start: Start, wish: dict[str, str], reason: str, words: str
) -> None:
    make_pool(kube)
    make_pool(kube, "closed", "10.0.0.0/30", serviceAllocation={"namespaces": ["kube-system"]})
    make_service(kube, "other", {"metallb.io/loadBalancerIPs": "192.168.2.140"})
    make_service(kube)
    start("controller")
    served(kube, "other", "web")
    annotations = {f"metallb.io/{key}": value for key, value in wish.items()}
    asked = kube.patch(f"{SERVICES}/web", {"metadata": {"annotations": annotations}})
    eventually(lambda: reasons(kube) == sorted(["IPAllocated", reason]), 5, "told")
    assert words in dict(told(kube, "web"))[reason]
    more_passes(kube, "later")
    assert address(kube) == FIRST and version(kube) == int(asked["metadata"]["resourceVersion"])
    assert reasons(kube) == sorted(["IPAllocated", reason])


def test_prefer_dual_stack_on_a_cluster_of_one_family_does_not_oscillate(without_ipv6: ApiServer, start: Start) -> None:
    make_pool(without_ipv6, "dual", "192.168.2.128/25", "fd00:2::/64")
    make_service(without_ipv6, ipFamilyPolicy="PreferDualStack")
    start("controller", kubeconfig=without_ipv6.kubeconfig)
    served(without_ipv6, "web")
    before = version(without_ipv6)
    more_passes(without_ipv6, "second", "third")
    assert version(without_ipv6) == before and everybody(without_ipv6)["web"] == [FIRST]
    eventually(lambda: reasons(without_ipv6) == ["IPAllocated"], 5, "told once")


def test_prefer_dual_stack_does_not_oscillate_when_the_pool_gets_and_loses_a_family(
    kube: ApiServer, start: Start
) -> None:
    make_pool(kube)
    make_service(kube, ipFamilyPolicy="PreferDualStack")
    start("controller")
    served(kube, "web")
    for families, wanted in (
        (["192.168.2.128/25", "fd00:2::/64"], [FIRST, "fd00:2::"]),
        (["192.168.2.128/25"], [FIRST]),
    ):
        kube.patch(f"{POOLS}/home", {"spec": {"addresses": families}})
        eventually(lambda wanted=wanted: everybody(kube)["web"] == wanted, 5, "what the pool has")  # type: ignore[misc]
        before = version(kube)
        more_passes(kube, f"a{len(wanted)}", f"b{len(wanted)}")
        assert version(kube) == before


def test_events_are_about_changes_only(kube: ApiServer, start: Start) -> None:
    """Whatever is said of a Service: kept, refused, unreadable, half served, or asking in the old way."""
    make_pool(kube)
    make_service(kube, "kept")
    make_service(kube, "refused", {"metallb.io/address-pool": "nowhere"})
    make_service(kube, "unreadable", {"metallb.io/loadBalancerIPs": "home"})
    make_service(kube, "half", ipFamilyPolicy="PreferDualStack")
    make_service(kube, "old", {"metallb.universe.tf/address-pool": "home"})
    start("controller")
    wanted = {
        "kept": ["IPAllocated"],
        "refused": ["AllocationFailed"],
        "unreadable": ["LoadBalancerFailed"],
        "half": ["AdditionalAssignFailed", "IPAllocated"],
        "old": ["IPAllocated", "deprecatedAnnotation"],
    }
    eventually(lambda: {name: reasons(kube, name) for name in wanted} == wanted, 10, "all told")
    versions = {name: version(kube, name) for name in wanted}
    more_passes(kube, "second")
    kube.patch(f"{POOLS}/home", {"spec": {"addresses": ["192.168.2.128/26"]}})
    make_pool(kube, "more", "10.0.0.0/30", autoAssign=False)
    kube.patch(f"{SERVICES}/kept", {"metadata": {"labels": {"tier": "web"}}})
    more_passes(kube, "third", "fourth")
    # Events are written after addresses, and in the order in which they came up.
    eventually(lambda: reasons(kube, "fourth"), 5, "told")
    assert {name: reasons(kube, name) for name in wanted} == wanted
    assert {name: version(kube, name) for name in wanted if name != "kept"} == {
        name: seen for name, seen in versions.items() if name != "kept"
    }


def test_what_others_write_into_the_status_starts_no_fight(kube: ApiServer, start: Start) -> None:
    """Fields beside the addresses are not the controller's, and the order of addresses is whoever wrote it."""
    make_pool(kube, "dual", "192.168.2.128/25", "fd00:2::/64")
    make_service(kube, ipFamilyPolicy="RequireDualStack")
    start("controller")
    served(kube, "web")
    ports = [{"port": 80, "protocol": "TCP"}]
    theirs = [{"ip": "fd00:2::", "ipMode": "Proxy", "ports": ports}, {"ip": FIRST, "ipMode": "VIP"}]
    kube.patch(f"{SERVICES}/web/status", {"status": {"loadBalancer": {"ingress": theirs}}})
    before = version(kube)
    more_passes(kube, "second", "third")
    service = kube.get(f"{SERVICES}/web")
    assert service["status"]["loadBalancer"]["ingress"] == theirs
    assert version(kube) == before


def test_host_name_of_another_load_balancer_is_replaced_by_an_address(kube: ApiServer, start: Start) -> None:
    make_pool(kube)
    make_service(kube)
    theirs = {"loadBalancer": {"ingress": [{"hostname": "lb.example.com"}]}}
    kube.patch(f"{SERVICES}/web/status", {"status": theirs})
    start("controller")
    eventually(lambda: ingress(kube) == [{"ip": FIRST, "ipMode": "VIP"}], 10, "an address")


def test_equal_services_and_pools_have_an_order(kube: ApiServer, start: Start) -> None:
    """Age, then name: what is made within a second is equally old."""
    for name, third in (("zebra", 1), ("ant", 2), ("mole", 3)):
        make_pool(kube, name, f"10.0.{third}.0/31", serviceAllocation={"priority": 10, "namespaces": ["default"]})
    for name in ("f", "b", "d", "a", "e", "c"):
        make_service(kube, name)
    start("controller")
    eventually(lambda: len(everybody(kube)) == 6, 10, "addresses for all")

    def in_order(path: str) -> list[dict[str, str]]:
        metas = [item["metadata"] for item in kube.get(path)["items"]]
        return sorted(metas, key=lambda meta: (meta["creationTimestamp"], meta["name"]))

    ranges = {"zebra": "10.0.1", "ant": "10.0.2", "mole": "10.0.3"}
    addresses = [f"{ranges[meta['name']]}.{last}" for meta in in_order(POOLS) for last in (0, 1)]
    mine = [meta["name"] for meta in in_order(SERVICES) if meta["name"] != "kubernetes"]
    assert everybody(kube) == {name: [ip] for name, ip in zip(mine, addresses, strict=True)}


@pytest.mark.parametrize(
    ("left", "moved_to", "after"),
    [("192.168.2.192/26", "192.168.2.192", "IPAllocated"), ("fd00:2::/64", None, "AllocationFailed")],
)
def test_address_that_a_pool_change_takes_is_told_of_before_and_after(
    kube: ApiServer, start: Start, left: str, moved_to: str | None, after: str
) -> None:
    make_pool(kube)
    make_service(kube)
    start("controller")
    eventually(lambda: reasons(kube) == ["IPAllocated"], 10, "told")
    (first,) = events(kube)
    kube.patch(f"{POOLS}/home", {"spec": {"addresses": [left]}})
    eventually(lambda: address(kube) == moved_to, 5, "moved")
    moved = version(kube)
    eventually(lambda: len(events(kube)) == 3, 5, "told")
    order = {item["reason"]: int(item["metadata"]["resourceVersion"]) for item in events(kube) if item != first}
    assert order["ClearAssignment"] < moved < order[after]


def test_services_that_swap_addresses_never_have_the_same_one(kube: ApiServer, start: Start) -> None:
    make_pool(kube, "home", "192.168.2.128/31")
    for name in ("one", "two"):
        make_service(kube, name)
    start("controller")
    served(kube, "one", "two")
    before = everybody(kube)
    wanted = {"one": before["two"], "two": before["one"]}
    since = kube.get("/api/v1/services")["metadata"]["resourceVersion"]
    pins = ",".join(f"default/{name}={addresses[0]}" for name, addresses in wanted.items())
    kube.patch(f"{POOLS}/home", {"metadata": {"annotations": {"lantern.homelab/pinned": pins}}})
    eventually(lambda: everybody(kube) == wanted, 5, "swapped")
    history = kube.send("GET", f"/api/v1/services?watch=1&resourceVersion={since}&timeoutSeconds=1").text
    now = {name: addresses[0] for name, addresses in before.items()}
    for line in map(json.loads, history.splitlines()):
        entries = line["object"]["status"]["loadBalancer"].get("ingress", [{"ip": ""}])
        now[line["object"]["metadata"]["name"]] = entries[0]["ip"]
        assert now["one"] != now["two"]
    assert [[ip] for ip in now.values()] == list(wanted.values())


def test_freed_address_goes_to_the_oldest_that_waits(kube: ApiServer, start: Start) -> None:
    make_pool(kube, "home", "192.168.2.128/31")
    make_service(kube, "first")
    make_service(kube, "second")
    start("controller")
    served(kube, "first", "second")
    for name in ("z-oldest", "m-younger", "a-youngest"):
        make_service(kube, name)
        eventually(lambda name=name: reasons(kube, name) == ["AllocationFailed"], 5, "told")  # type: ignore[misc]
        time.sleep(1.1)  # creationTimestamp counts whole seconds
    for leaver, heir in (("first", "z-oldest"), ("second", "m-younger")):
        freed = address(kube, leaver)
        kube.delete(f"{SERVICES}/{leaver}")
        assert eventually(lambda heir=heir: address(kube, heir), 5, "the freed address") == freed  # type: ignore[misc]
    assert address(kube, "a-youngest") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="packet sockets need root")
def test_pool_status_is_no_news_to_anybody(kube: ApiServer, start: Start) -> None:
    """In MetalLB each change of it makes every speaker read its whole configuration anew and write about that."""
    make_node(kube, "node1")
    make_pool(kube)
    make_advertisement(kube)
    for count in range(40):
        make_service(kube, f"s{count}")
    controller, speaker = start("controller"), start("speaker", "--node-name=node1")
    pool = f"{POOLS}/home"
    told_so = {"assignedIPv4": 40, "assignedIPv6": 0, "availableIPv4": 88, "availableIPv6": 0}
    eventually(lambda: kube.get(pool).get("status") == told_so, 15, "the pool's counters")
    eventually(lambda: speaker.get("/readyz")[0] == 200, 15, "ready")
    time.sleep(1)

    def seen() -> tuple[float, ...]:
        return (passes(controller), updates(controller), updates(speaker), requests(kube, "LIST"))

    before, writes = seen(), requests(kube, "PATCH", "status")
    assert all(before)
    for wrong in range(10):
        kube.patch(f"{pool}/status", {"status": {**told_so, "assignedIPv4": wrong}})
    time.sleep(2)
    assert seen() == before
    assert requests(kube, "PATCH", "status") == writes + 10
    # The next change finds that it is wrong, and one write repairs it.
    make_service(kube)
    eventually(lambda: kube.get(pool)["status"]["assignedIPv4"] == 41, 5, "the pool's counters")
    assert requests(kube, "PATCH", "status") == writes + 11
    assert requests(kube, "LIST") == before[-1]
