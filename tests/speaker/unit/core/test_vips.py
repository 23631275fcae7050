# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must have one owner, and who may be it; followed change by change."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from fakes.records import advertisement, labelled, node, pool, service
from lantern.core.candidates import Candidate, announced_part
from lantern.core.model import EXCLUDE_LABEL, Endpoint, L2Advertisement, Preference, Service, ServiceKey, Snapshot
from lantern.core.vips import Vip, VipIndex
from lantern.reasons import Reason

NODES = ("node1", "node2", "node3")
A, B, C, A6 = "10.9.0.1", "10.9.0.2", "10.9.0.3", "fd00::1"


def snapshot(*services: Service, **changes: Any) -> Snapshot:
    base = Snapshot(
        pools=(pool("home", "10.9.0.0/24", "fd00::/64"),),
        services=services,
        endpoints={item.key: tuple(Endpoint(name, True) for name in NODES) for item in services},
        nodes={name: node(name) for name in NODES},
        advertisements=(advertisement(),),
    )
    return replace(base, **changes)


def indexed(state: Snapshot, **more: Any) -> VipIndex:
    index = VipIndex(**more)
    index.update(state)
    return index


def shown(index: VipIndex) -> dict[str, tuple[list[str], list[str], list[str]]]:
    """Addresses, Services and candidates of each VIP."""

    def names(vip: Vip) -> tuple[list[str], list[str], list[str]]:
        return (
            [str(address) for address in vip.addresses],
            [key.name for key in vip.services],
            [item.node for item in vip.candidates],
        )

    return {str(vip.addresses[0]): names(vip) for vip in index.vips.values()}


def test_each_address_is_a_vip_of_its_own() -> None:
    index = indexed(snapshot(service("web", A), service("dns", B)))
    assert shown(index) == {A: ([A], ["web"], list(NODES)), B: ([B], ["dns"], list(NODES))}
    first, second = index.vips.values()
    assert first.candidates is second.candidates, "shared, so that much is worked out once"


def test_dual_stack_service_is_one_vip_named_after_its_ipv4_address() -> None:
    index = indexed(snapshot(service("web", A6, A, families=(6, 4))))
    assert shown(index) == {A: ([A, A6], ["web"], list(NODES))}
    assert index.vip_of[ip_address(A6).packed] is index.vip_of[ip_address(A).packed]


def test_services_that_share_an_address_are_one_vip_of_the_nodes_of_all() -> None:
    web = service("web", A, local_traffic_only=True)
    dns = service("dns", A, A6, local_traffic_only=True)
    endpoints = {
        web.key: (Endpoint("node1", True), Endpoint("node2", True)),
        dns.key: (Endpoint("node2", True), Endpoint("node3", True)),
    }
    index = indexed(snapshot(web, dns, endpoints=endpoints))
    assert shown(index) == {A: ([A, A6], ["dns", "web"], ["node2"])}


def test_service_that_would_leave_no_node_for_its_neighbours_stays_out_and_knows_why() -> None:
    web = service("web", A, local_traffic_only=True)
    dns = service("dns", A, local_traffic_only=True)
    endpoints = {web.key: (Endpoint("node1", True),), dns.key: (Endpoint("node2", True),)}
    index = indexed(snapshot(web, dns, endpoints=endpoints))
    assert shown(index) == {A: ([A], ["dns"], ["node2"])}
    assert index.denied[web.key].reason is Reason.SHARED_ELSEWHERE
    assert '"default/dns"' in index.denied[web.key].sentence


def test_service_that_cannot_be_announced_does_not_count_for_its_neighbours() -> None:
    web, dns = service("web", A), service("dns", A)
    index = indexed(snapshot(web, dns, endpoints={web.key: (Endpoint("node1", True),)}))
    assert shown(index) == {A: ([A], ["web"], list(NODES))}
    assert index.denied[dns.key].reason is Reason.NO_SERVING_ENDPOINT


def test_sharing_service_that_is_selected_by_labels_is_not_announced() -> None:
    ads = (advertisement(service_selectors=(labelled(app="web"),)),)
    shared = service("web", A, labels={"app": "web"}, asks={"allow-shared-ip": "key"})
    alone = service("dns", B, labels={"app": "web"})
    index = indexed(snapshot(shared, alone, advertisements=ads))
    assert index.denied[shared.key].reason is Reason.SHARED_AND_SELECTED
    assert list(shown(index)) == [B]


def preferring(weight: int, name: str = "all", **labels: str) -> L2Advertisement:
    return advertisement(name, preferences=(Preference(weight, labelled(**labels)),))


def test_preferences_of_all_matching_advertisements_add_up() -> None:
    nodes = {name: node(name, labels={"wired": "yes"} if name != "node3" else {}) for name in NODES}
    nodes["node1"] = node("node1", labels={"wired": "yes", "big": "yes"})
    both = (preferring(30, "a", wired="yes"), preferring(20, "b", big="yes"))
    index = indexed(snapshot(service("web", A), nodes=nodes, advertisements=both))
    (vip,) = index.vips.values()
    assert vip.candidates == (Candidate("node1", 50), Candidate("node2", 30), Candidate("node3", 0))


def test_preference_of_an_advertisement_for_other_nodes_does_not_count() -> None:
    ads = (advertisement("all"), replace(preferring(50), name="edge", node_selectors=(labelled(edge="yes"),)))
    (vip,) = indexed(snapshot(service("web", A), advertisements=ads)).vips.values()
    assert {item.weight for item in vip.candidates} == {0}


def test_preference_without_requirements_is_for_all_nodes() -> None:
    (vip,) = indexed(snapshot(service("web", A), advertisements=(preferring(7),))).vips.values()
    assert {item.weight for item in vip.candidates} == {7}


def test_candidates_know_which_interfaces_they_need() -> None:
    web, dns = service("web", A), service("dns", A)
    named = frozenset({"eth1", "eth2"})
    ads = (
        advertisement("a", interfaces=("eth1",)),
        advertisement("b", interfaces=("eth2",)),
    )
    (vip,) = indexed(snapshot(web, dns, advertisements=ads)).vips.values()
    assert vip.candidates[0] == Candidate("node1", 0, (named,))


def test_readiness_of_the_node_does_not_count_but_its_label_and_its_network_do() -> None:
    nodes = {
        "node1": node("node1", ready=False),
        "node2": node("node2", network_unavailable=True),
        "node3": node("node3", labels={EXCLUDE_LABEL: ""}),
    }
    state = snapshot(service("web", A), nodes=nodes)
    assert shown(indexed(state))[A][2] == ["node1"]
    assert shown(indexed(state, ignore_exclude_label=True))[A][2] == ["node1", "node3"]


def test_index_follows_changes_and_names_what_changed() -> None:
    web, dns = service("web", A), service("dns", B)
    index = VipIndex()
    assert index.update(snapshot(web, dns)) == {web.key, dns.key}
    assert index.update(snapshot(web, dns)) == frozenset()
    untouched = index.vip_of[ip_address(B).packed]
    assert index.update(snapshot(replace(web, addresses=(ip_address(C),)), dns)) == {web.key}
    assert list(shown(index)) == [B, C]
    assert index.vip_of[ip_address(B).packed] is untouched
    assert index.update(snapshot(dns)) == {web.key}
    assert list(shown(index)) == [B] and index.fit(web.key) is None
    excluded = {name: node(name, labels={EXCLUDE_LABEL: ""} if name == "node1" else {}) for name in NODES}
    assert index.update(snapshot(dns, nodes=excluded)) == {dns.key}
    assert shown(index)[B][2] == ["node2", "node3"]


def test_equal_candidates_stay_one_object_when_the_world_changes() -> None:
    web, dns = service("web", A), service("dns", B)
    index = indexed(snapshot(web))
    nodes = {name: node(name, ready=name != "node1") for name in NODES}
    assert index.update(snapshot(web, dns, nodes=nodes)) == {web.key, dns.key}
    first, second = index.vips.values()
    assert first.candidates is second.candidates


def test_change_that_makes_no_difference_leaves_the_entry_as_it_is() -> None:
    web, near = service("web", A), service("near", B, local_traffic_only=True)
    index = indexed(snapshot(web, near))
    before = dict(index.entries)
    fewer = {item.key: (Endpoint("node2", True),) for item in (web, near)}
    assert index.update(snapshot(web, near, endpoints=fewer)) == {near.key}
    assert index.entries[web.key] is before[web.key]
    assert shown(index) == {A: ([A], ["web"], list(NODES)), B: ([B], ["near"], ["node2"])}


def test_part_of_a_service_that_announcing_depends_on() -> None:
    whole = service(
        "web",
        A,
        asks={"allow-shared-ip": "key", "address-pool": "home"},
        labels={"app": "web"},
        lb_class="own",
        local_traffic_only=True,
        has_unreadable_ingress=True,
        resource_version="7",
        ports=(("TCP", 80),),
        selector={"app": "web"},
        requested_ip=A,
    )
    part = announced_part(whole)
    assert part == announced_part(replace(whole, resource_version="8", ports=(), selector={}, requested_ip=""))
    assert (part.key, part.uid, part.labels, part.addresses) == (whole.key, whole.uid, whole.labels, whole.addresses)
    assert (part.sharing_key, part.lb_class, part.is_load_balancer) == ("key", "own", True)
    assert part.local_traffic_only and part.has_unreadable_ingress


def test_vips_fall_apart_when_the_service_between_them_goes() -> None:
    web, dns = service("web", A), service("dns", A6, families=(6,))
    between = service("both", A, A6, families=(4, 6))
    index = indexed(snapshot(web, dns, between))
    assert shown(index) == {A: ([A, A6], ["both", "dns", "web"], list(NODES))}
    index.update(snapshot(web, dns))
    assert shown(index) == {A: ([A], ["web"], list(NODES)), A6: ([A6], ["dns"], list(NODES))}


def test_other_services_are_not_looked_at() -> None:
    others = (service("internal", A, is_load_balancer=False), service("cloud", B, lb_class="cloud"))
    index = indexed(snapshot(*others))
    assert not index.vips and not index.denied and not index.services


def test_why_a_node_is_no_candidate() -> None:
    web = service("web", A, local_traffic_only=True)
    nodes = {**{name: node(name) for name in NODES}, "node2": node("node2", network_unavailable=True)}
    index = indexed(snapshot(web, nodes=nodes, endpoints={web.key: (Endpoint("node1", True),)}))
    fit = index.fit(ServiceKey("default", "web"))
    assert fit is not None
    assert [index.candidacy.unfit(name, fit) for name in (*NODES, "stranger")] == [
        None,
        Reason.NODE_NETWORK_UNAVAILABLE,
        Reason.NODE_WITHOUT_ENDPOINT,
        Reason.NODE_NOT_READY,
    ]
