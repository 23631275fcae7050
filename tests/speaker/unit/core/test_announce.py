# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node announces what, and the reason for every "no"."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from fakes.records import advertisement, labelled, node, pool, service
from lantern.core.announce import Vantage, claims_by_address, decide, in_force
from lantern.core.elect import owner
from lantern.core.model import EXCLUDE_LABEL, Endpoint, Preference, ServiceKey, Snapshot
from lantern.reasons import Reason

WEB = ServiceKey("default", "web")
IP = ip_address("192.168.2.128")
NODES = ("node1", "node2", "node3")
OWNER = owner(IP, NODES) or ""


def snapshot(**changes: Any) -> Snapshot:
    """Three nodes, one Service with an address and endpoints on every node, announced everywhere."""
    base = Snapshot(
        pools=(pool("home", "192.168.2.128/25", "fd00::/64"),),
        services=(service("web", "192.168.2.128", pool="home"),),
        endpoints={WEB: tuple(Endpoint(name, True) for name in NODES)},
        nodes={name: node(name) for name in NODES},
        advertisements=(advertisement(),),
    )
    return replace(base, **changes)


def view(name: str, *interfaces: str, **more: Any) -> Vantage:
    return Vantage(node=name, interfaces=frozenset(interfaces or ("eth0",)), **more)


def announcers(state: Snapshot, **more: Any) -> list[str]:
    return [name for name in state.nodes if decide(state, view(name, **more)).claims]


def reasons(state: Snapshot, name: str, **more: Any) -> list[Reason]:
    return [item.denied.reason for item in decide(state, view(name, **more)).withheld]


def test_exactly_the_elected_node_announces_and_the_others_name_it() -> None:
    state = snapshot()
    assert announcers(state) == [OWNER]
    for name in NODES:
        if name != OWNER:
            (item,) = decide(state, view(name)).withheld
            assert item.denied.reason is Reason.NOT_OWNER and f'"{OWNER}"' in item.denied.sentence


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"labels": {EXCLUDE_LABEL: ""}}, Reason.NODE_EXCLUDED),
        ({"ready": False}, Reason.NODE_NOT_READY),
        ({"network_unavailable": True}, Reason.NODE_NETWORK_UNAVAILABLE),
    ],
)
def test_unfit_owner_is_replaced_by_the_next_and_knows_why(change: dict[str, Any], reason: Reason) -> None:
    nodes = {name: node(name, **(change if name == OWNER else {})) for name in NODES}
    state = snapshot(nodes=nodes)
    rest = [name for name in NODES if name != OWNER]
    assert announcers(state) == [owner(IP, rest)]
    assert reasons(state, OWNER) == [reason]


def test_exclude_label_can_be_ignored() -> None:
    nodes = {"node1": node("node1", labels={EXCLUDE_LABEL: ""})}
    state = snapshot(nodes=nodes)
    assert announcers(state) == []
    assert announcers(state, ignore_exclude_label=True) == ["node1"]


def test_node_that_the_cluster_does_not_know_is_silent() -> None:
    assert reasons(snapshot(), "elsewhere") == [Reason.NODE_NOT_READY]


def test_not_announced_without_any_advertisement() -> None:
    state = snapshot(advertisements=())
    assert announcers(state) == []
    assert reasons(state, "node1") == [Reason.NO_ADVERTISEMENT]


@pytest.mark.parametrize(
    "wanted",
    [{"pools": ("home",)}, {"pool_selectors": (labelled(zone="a"),)}, {"service_selectors": (labelled(app="web"),)}],
)
def test_advertisement_selects_pools_and_services(wanted: dict[str, Any]) -> None:
    fitting = snapshot(
        pools=(pool("home", "192.168.2.128/25", labels={"zone": "a"}),),
        services=(service("web", "192.168.2.128", pool="home", labels={"app": "web"}),),
        advertisements=(advertisement(**wanted),),
    )
    assert announcers(fitting) == [OWNER]
    other = snapshot(
        pools=(pool("other", "192.168.2.128/25", labels={"zone": "b"}),),
        services=(service("web", "192.168.2.128", labels={"app": "db"}),),
        advertisements=(advertisement(**wanted),),
    )
    assert reasons(other, "node1") == [Reason.NO_ADVERTISEMENT]


def test_node_selectors_limit_the_candidates() -> None:
    nodes = {name: node(name, labels={"edge": "yes"} if name == "node3" else {}) for name in NODES}
    state = snapshot(nodes=nodes, advertisements=(advertisement(node_selectors=(labelled(edge="yes"),)),))
    assert announcers(state) == ["node3"]
    assert reasons(state, "node1") == [Reason.NODE_NOT_SELECTED]


def test_local_traffic_policy_needs_an_endpoint_on_the_node() -> None:
    state = snapshot(
        services=(service("web", "192.168.2.128", local_traffic_only=True),),
        endpoints={WEB: (Endpoint("node2", True), Endpoint("node1", False))},
    )
    assert announcers(state) == ["node2"]
    assert reasons(state, "node1") == [Reason.NODE_WITHOUT_ENDPOINT]


@pytest.mark.parametrize("endpoints", [{}, {WEB: (Endpoint("node1", False),)}])
def test_nothing_is_announced_without_a_serving_endpoint(endpoints: dict[ServiceKey, tuple[Endpoint, ...]]) -> None:
    state = snapshot(endpoints=endpoints)
    assert announcers(state) == []
    assert reasons(state, "node1") == [Reason.NO_SERVING_ENDPOINT]


def test_interfaces_are_the_union_of_the_matching_advertisements() -> None:
    state = snapshot(
        advertisements=(advertisement("a", interfaces=("eth1",)), advertisement("b", interfaces=("eth2",)))
    )
    decision = decide(state, view(OWNER, "eth0", "eth1", "eth2"))
    assert claims_by_address(decision) == {IP: frozenset({"eth1", "eth2"})}
    everywhere = replace(state, advertisements=(*state.advertisements, advertisement("c")))
    assert claims_by_address(decide(everywhere, view(OWNER, "eth0"))) == {IP: None}


def test_named_interface_that_does_not_exist_is_told_and_does_not_move_the_election() -> None:
    state = snapshot(advertisements=(advertisement(interfaces=("wlan0",)),))
    assert announcers(state) == []
    assert reasons(state, OWNER) == [Reason.NO_INTERFACE]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (service("web"), Reason.NO_ADDRESS),
        (service("web", has_unreadable_ingress=True), Reason.INVALID_ADDRESS),
        (service("web", "10.9.9.9"), Reason.ADDRESS_NOT_IN_POOL),
    ],
)
def test_service_without_a_usable_address(changed: Any, reason: Reason) -> None:
    assert reasons(snapshot(services=(changed,)), "node1") == [reason]


def test_services_of_other_types_and_classes_are_not_looked_at() -> None:
    services = (
        service("web", "192.168.2.128", is_load_balancer=False),
        service("cloud", "192.168.2.129", lb_class="cloud"),
    )
    decision = decide(snapshot(services=services), view("node1"))
    assert decision.claims == () and decision.withheld == ()


def test_dual_stack_service_has_one_owner() -> None:
    state = snapshot(services=(service("web", "192.168.2.128", "fd00::1", families=(4, 6)),))
    decision = decide(state, view(OWNER))
    assert [claim.address for claim in decision.claims] == [IP, ip_address("fd00::1")]
    assert decision.withheld == ()


def test_address_that_a_stranger_has_is_left_out_of_what_is_told() -> None:
    dual = service("web", "192.168.2.128", "fd00::1", families=(4, 6))
    decision = decide(snapshot(services=(dual,)), view(OWNER))
    ip_v6, none = ip_address("fd00::1"), set()
    assert in_force(decision, OWNER, in_use=none, probing=none) is decision
    assert [claim.address for claim in in_force(decision, OWNER, in_use={IP}, probing=none).claims] == [ip_v6]
    nothing = in_force(decision, OWNER, in_use={IP, ip_v6}, probing=none)
    assert nothing.claims == ()
    (item,) = nothing.withheld
    assert item.denied.reason is Reason.IN_USE_ELSEWHERE and f'"{OWNER}" owns "default/web"' in item.denied.sentence


def test_address_that_is_being_probed_is_left_out_of_what_is_told() -> None:
    dual = service("web", "192.168.2.128", "fd00::1", families=(4, 6))
    decision = decide(snapshot(services=(dual,)), view(OWNER))
    ip_v6 = ip_address("fd00::1")
    told = in_force(decision, OWNER, in_use=frozenset(), probing={ip_v6})
    assert [claim.address for claim in told.claims] == [IP]
    for in_use, probing in ((set(), {IP, ip_v6}), ({IP}, {ip_v6})):
        nothing = in_force(decision, OWNER, in_use=in_use, probing=probing)
        assert nothing.claims == () and [item.denied.reason for item in nothing.withheld] == [Reason.PROBING]


def test_services_that_share_an_address_share_its_interfaces() -> None:
    services = (
        service("web", "192.168.2.128", labels={"app": "web"}),
        service("dns", "192.168.2.128", labels={"app": "dns"}),
    )
    both = tuple(Endpoint(name, True) for name in NODES)
    state = snapshot(
        services=services,
        endpoints={WEB: both, ServiceKey("default", "dns"): both},
        advertisements=(
            advertisement("w", service_selectors=(labelled(app="web"),), interfaces=("eth1",)),
            advertisement("d", service_selectors=(labelled(app="dns"),), interfaces=("eth2",)),
        ),
    )
    merged = claims_by_address(decide(state, view(OWNER, "eth1", "eth2")))
    assert merged == {IP: frozenset({"eth1", "eth2"})}


def test_preferred_node_owns_before_the_hash() -> None:
    (loser, *_) = [name for name in NODES if name != OWNER]
    nodes = {name: node(name, labels={"wired": "yes"} if name == loser else {}) for name in NODES}
    preferred = advertisement(preferences=(Preference(10, labelled(wired="yes")),))
    assert announcers(snapshot(nodes=nodes, advertisements=(preferred,))) == [loser]


def test_sharing_service_that_is_selected_by_labels_is_not_announced() -> None:
    shared = service("web", "192.168.2.128", labels={"app": "web"}, asks={"allow-shared-ip": "key"})
    ads = (advertisement(service_selectors=(labelled(app="web"),)),)
    assert reasons(snapshot(services=(shared,), advertisements=ads), "node1") == [Reason.SHARED_AND_SELECTED]
