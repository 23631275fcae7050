# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Services keep, what they change to, and who gets what they give up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.plans import assigned, decide, holders, kept, lost, refused, released
from fakes.records import labelled, pool, service
from lantern.core.decisions import AssignKind
from lantern.core.model import PoolSpec, ServiceAllocation
from lantern.reasons import Reason

HOME = pool("p", "1.2.3.0/30", created="1")
OTHER = pool("q", "1.2.4.0/30", created="2")
SPECIAL = pool("special", "9.9.9.0/30", created="3", auto_assign=False)
RESERVED = pool("reserved", "8.8.8.0/30", created="0", allocation=ServiceAllocation(namespaces=("ns1",), priority=1))


@pytest.mark.parametrize(
    ("wish", "reason", "words"),
    [
        ({"address-pool": "nowhere"}, Reason.UNKNOWN_POOL, 'unknown pool "nowhere"'),
        ({"address-pool": "reserved"}, Reason.POOL_NOT_COMPATIBLE, "pool reserved not compatible for ip assignment"),
        ({"address-pool": "six"}, Reason.POOL_WITHOUT_FAMILY, "no available IPs in pool six: it has no IPv4"),
        ({"address-pool": "full"}, Reason.NO_FREE_ADDRESS, "no available IPs in pool full: it is full"),
        ({"loadBalancerIPs": "7.7.7.7"}, Reason.NOT_IN_POOLS, '["7.7.7.7"] is not allowed in config'),
        ({"loadBalancerIPs": "6.6.6.6"}, Reason.ADDRESS_IN_USE, 'sharing key for "default/a", address also in use by'),
        ({"loadBalancerIPs": "fd00::1"}, Reason.FAMILY_MISMATCH, '["fd00::1"] does not fit the Service, which is IPv4'),
        ({"loadBalancerIPs": "1.2.3.1,1.2.3.2"}, Reason.BAD_REQUEST, "more than one address of a family"),
        ({"loadBalancerIPs": "first"}, Reason.BAD_REQUEST, '"first" is not an IP address'),
        ({"loadBalancerIPs": "1.2.3.2", "address-pool": "q"}, Reason.OTHER_POOL_REQUESTED, "requested address pool q"),
        ({"loadBalancerIPs": "1.2.3.2", "address-pool": "nowhere"}, Reason.UNKNOWN_POOL, 'unknown pool "nowhere"'),
        ({"loadBalancerIPs": "1.2.5.0"}, Reason.AVOIDED_ADDRESS, "pool buggy avoids addresses that end in .0"),
    ],
)
def test_quirk_beaten_an_infeasible_wish_costs_nobody_the_address_that_works(
    wish: dict[str, str], reason: Reason, words: str
) -> None:
    pools = [HOME, OTHER, RESERVED, pool("six", "fd00::/126"), pool("full", "6.6.6.6/32")]
    pools.append(pool("buggy", "1.2.5.0/24", avoid_buggy_ips=True))
    asking = service("a", "1.2.3.1", created="1", asks={**wish, "ip-allocated-from-pool": "p"})
    other = service("z", "6.6.6.6", pool="full", created="2")
    decided = decide([asking, other], *pools)
    assert kept(decided) == ["z", "a"] and decided.is_empty
    assert refused(decided)["a"][0] is reason and words in refused(decided)["a"][1]
    # Who has nothing is refused in the same words, and gets nothing else instead.
    fresh = replace(asking, addresses=(), annotations={f"metallb.io/{key}": value for key, value in wish.items()})
    decided = decide([fresh, other], *pools)
    assert holders(decided) == {"z": ["6.6.6.6"]}
    assert refused(decided)["a"][0] is reason


def test_a_feasible_wish_moves_the_service_and_says_why() -> None:
    by_address = service("a", "1.2.3.1", requested_ip="1.2.4.2", pool="p")
    by_pool = service("b", "1.2.3.2", asks={"address-pool": "special", "ip-allocated-from-pool": "p"})
    decided = decide([by_address, by_pool], HOME, OTHER, SPECIAL)
    assert assigned(decided) == {"a": ["1.2.4.2"], "b": ["9.9.9.0"]}
    assert lost(decided) == {"a": Reason.OTHER_ADDRESS_REQUESTED, "b": Reason.OTHER_POOL_REQUESTED}
    assert [item.kind for item in decided.assign] == [AssignKind.NEW, AssignKind.NEW]


def test_a_wish_that_is_withdrawn_keeps_the_address() -> None:
    assert kept(decide([service("a", "9.9.9.3", pool="special")], HOME, SPECIAL)) == ["a"]


def test_nobody_is_moved_to_a_better_pool() -> None:
    held = service("a", "1.2.4.0", pool="q", namespace="ns1", created="9")
    assert kept(decide([held], RESERVED, HOME, OTHER)) == ["a"]


@pytest.mark.parametrize(
    "changed",
    [
        replace(HOME, pool=replace(HOME.pool, auto_assign=False)),
        replace(HOME, pool=replace(HOME.pool, addresses=("1.2.3.1/32",))),
        replace(HOME, pool=replace(HOME.pool, addresses=("1.2.0.0/16",))),
        replace(HOME, pool=replace(HOME.pool, addresses=("1.2.3.0-1.2.3.77",), avoid_buggy_ips=True)),
        replace(HOME, allocation=ServiceAllocation(namespaces=("default", "other"))),
        replace(HOME, allocation=ServiceAllocation(service_selectors=(labelled(app="web"),))),
    ],
    ids=["not automatic", "shrunk", "grown", "as range", "for its namespace", "for its labels"],
)
def test_a_pool_change_that_still_allows_the_address_keeps_it(changed: PoolSpec) -> None:
    held = service("a", "1.2.3.1", pool="p", labels={"app": "web"})
    assert kept(decide([held], changed, OTHER)) == ["a"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (replace(HOME, pool=replace(HOME.pool, addresses=("1.2.3.2/32",))), Reason.NOT_IN_POOLS),
        (replace(HOME, allocation=ServiceAllocation(namespaces=("other",))), Reason.POOL_NOT_COMPATIBLE),
        (
            replace(HOME, allocation=ServiceAllocation(service_selectors=(labelled(app="db"),))),
            Reason.POOL_NOT_COMPATIBLE,
        ),
        (pool("p", "1.2.3.1/32", pins={"default/x": "1.2.3.1"}), Reason.PINNED_FOR_ANOTHER),
    ],
    ids=["shrunk", "for another namespace", "for other labels", "pinned for another"],
)
def test_a_pool_change_that_forbids_the_address_moves_the_service(changed: PoolSpec, reason: Reason) -> None:
    held = service("a", "1.2.3.1", pool="p", labels={"app": "web"})
    decided = decide([held], changed, OTHER)
    assert lost(decided) == {"a": reason}
    assert list(assigned(decided)) == ["a"] and assigned(decided)["a"] != ["1.2.3.1"]
    # With nowhere to go it loses the address and is told.
    decided = decide([held], replace(changed, pool=replace(changed.pool, auto_assign=False)))
    assert released(decided) == {"a": reason}
    assert refused(decided)["a"][0] is Reason.NO_OPEN_POOL


def test_a_split_pool_keeps_addresses_and_writes_the_new_names() -> None:
    services = [service("a", "1.2.3.0", pool="p"), service("b", "1.2.3.2", pool="p")]
    decided = decide(services, pool("low", "1.2.3.0/31"), pool("high", "1.2.3.2/31"))
    assert [(item.pool, item.kind) for item in decided.assign] == [
        ("low", AssignKind.POOL_NAME),
        ("high", AssignKind.POOL_NAME),
    ]


def test_a_freed_address_goes_to_the_oldest_who_waits() -> None:
    waiting = [service("young", created="3"), service("old", created="2")]
    taken = service("z", "1.2.3.4", pool="one", created="1")
    one = pool("one", "1.2.3.4/32")
    assert kept(decide([*waiting, taken], one)) == ["z"]
    decided = decide(waiting, one)
    assert assigned(decided) == {"old": ["1.2.3.4"]} and list(refused(decided)) == ["young"]


def test_what_a_mover_gives_up_is_offered_in_the_same_plan_oldest_first() -> None:
    mover = service("mover", "1.2.3.4", asks={"address-pool": "q", "ip-allocated-from-pool": "one"}, created="3")
    waiting = [service("young", created="2"), service("old", created="1")]
    one = pool("one", "1.2.3.4/32", created="1")
    asks = [replace(item, annotations={"metallb.io/address-pool": "one"}) for item in waiting]
    decided = decide([mover, *asks], one, OTHER)
    assert assigned(decided) == {"mover": ["1.2.4.0"], "old": ["1.2.3.4"]}
    assert list(refused(decided)) == ["young"]


def test_a_chain_of_movers_is_followed_to_its_end() -> None:
    chain = [
        service("a", "1.2.3.0", requested_ip="1.2.3.1", pool="p", created="1"),
        service("b", "1.2.3.1", requested_ip="1.2.3.2", pool="p", created="2"),
        service("c", "1.2.3.2", requested_ip="1.2.3.3", pool="p", created="3"),
    ]
    assert assigned(decide(chain, HOME)) == {"a": ["1.2.3.1"], "b": ["1.2.3.2"], "c": ["1.2.3.3"]}


def test_two_that_want_each_others_address_both_keep_their_own() -> None:
    pair = [
        service("a", "1.2.3.0", requested_ip="1.2.3.1", pool="p", created="1"),
        service("b", "1.2.3.1", requested_ip="1.2.3.0", pool="p", created="2"),
    ]
    decided = decide(pair, HOME)
    assert kept(decided) == ["a", "b"] and sorted(refused(decided)) == ["a", "b"]


def test_an_address_that_somebody_asks_for_is_handed_to_others_last() -> None:
    services = [service("old", created="1"), service("young", created="2", requested_ip="1.2.3.0")]
    assert assigned(decide(services, HOME)) == {"old": ["1.2.3.1"], "young": ["1.2.3.0"]}
    # Who waits longer still goes first when nothing else is left.
    decided = decide(services, pool("one", "1.2.3.0/32"))
    assert assigned(decided) == {"old": ["1.2.3.0"]} and list(refused(decided)) == ["young"]


def test_an_emptied_status_gets_an_address_again() -> None:
    decided = decide([service("a", pool="p"), service("b", "1.2.3.0", pool="p")], HOME)
    assert assigned(decided) == {"a": ["1.2.3.1"]}


def test_a_wish_for_what_it_has_already_changes_nothing() -> None:
    wishes = {"address-pool": "p", "loadBalancerIPs": " 1.2.3.1 ", "ip-allocated-from-pool": "p"}
    decided = decide([service("a", "1.2.3.1", asks=wishes)], HOME, OTHER)
    assert kept(decided) == ["a"] and decided.is_empty and not decided.refuse


def test_what_is_no_address_in_the_status_counts_for_nothing() -> None:
    """Such as a host name, which another load balancer has left there."""
    services = [
        service("only", has_unreadable_ingress=True),
        service("beside", "1.2.3.2", pool="p", has_unreadable_ingress=True),
        service("outside", "9.9.9.9", has_unreadable_ingress=True),
    ]
    decided = decide(services, HOME)
    assert holders(decided) == {"only": ["1.2.3.0"], "beside": ["1.2.3.2"], "outside": ["1.2.3.1"]}


def test_two_addresses_of_one_family_are_cut_to_the_first() -> None:
    decided = decide([service("a", "1.2.3.2", "1.2.3.1", pool="p")], HOME)
    (item,) = decided.assign
    assert (assigned(decided), item.kind) == ({"a": ["1.2.3.2"]}, AssignKind.FEWER)
    assert item.lost is not None and item.lost.reason is Reason.FAMILY_MISMATCH


def test_addresses_of_another_load_balancers_services_are_not_handed_out() -> None:
    stranger = service("other", "1.2.3.0", lb_class="cilium")
    decided = decide([stranger, service("a"), service("b", requested_ip="1.2.3.0", created="2")], HOME)
    assert assigned(decided) == {"a": ["1.2.3.1"]}
    assert refused(decided)["b"][0] is Reason.ADDRESS_IN_USE
    assert "belongs to another load balancer" in refused(decided)["b"][1]
    # What we gave before is not taken back, though.
    assert kept(decide([stranger, service("a", "1.2.3.0", pool="p")], HOME)) == ["a"]


def test_pools_of_equal_priority_are_used_by_age_then_name() -> None:
    def reserved(name: str, address: str, created: str) -> PoolSpec:
        allocation = ServiceAllocation(priority=5, namespaces=("default",))
        return pool(name, address, created=created, allocation=allocation)

    pools = [reserved("c", "1.0.0.3/32", "1"), reserved("b", "1.0.0.2/32", "2"), reserved("a", "1.0.0.1/32", "2")]
    for order in (pools, pools[::-1]):
        decided = decide([service(name, created=name) for name in "xyz"], *order)
        assert assigned(decided) == {"x": ["1.0.0.3"], "y": ["1.0.0.1"], "z": ["1.0.0.2"]}


def test_quirk_beaten_selectors_that_match_no_namespace_close_the_pool_also_to_requests() -> None:
    nobody = pool("nobody", "1.0.0.0/24", allocation=ServiceAllocation(namespace_selectors=(labelled(team="none"),)))
    services = [service("a"), service("b", asks={"address-pool": "nobody"}), service("c", requested_ip="1.0.0.1")]
    decided = decide(services, nobody, namespaces={"default": {"team": "red"}})
    assert holders(decided) == {}
    assert refused(decided)["a"][0] is Reason.NO_OPEN_POOL
    assert refused(decided)["b"][0] is refused(decided)["c"][0] is Reason.POOL_NOT_COMPATIBLE
    assert "does not admit namespace default" in refused(decided)["b"][1]


RED = labelled(team="red")
WEB, DB = labelled(app="web"), labelled(app="db")


@pytest.mark.parametrize(
    ("allocation", "admitted"),
    [
        (ServiceAllocation(priority=3), "ns1/plain ns1/web ns2/plain ns2/web"),
        (ServiceAllocation(namespaces=("ns1",)), "ns1/plain ns1/web"),
        (ServiceAllocation(namespace_selectors=(RED,)), "ns2/plain ns2/web"),
        (ServiceAllocation(namespaces=("ns1",), namespace_selectors=(RED,)), "ns1/plain ns1/web ns2/plain ns2/web"),
        (ServiceAllocation(service_selectors=(WEB,)), "ns1/web ns2/web"),
        (ServiceAllocation(service_selectors=(WEB, DB)), "ns1/web ns2/web"),
        (ServiceAllocation(namespaces=("ns1",), service_selectors=(WEB,)), "ns1/web"),
    ],
)
def test_whom_a_service_allocation_admits(allocation: ServiceAllocation, admitted: str) -> None:
    services = [
        service(name, namespace=space, labels={"app": name}, created=space + name)
        for space in ("ns1", "ns2")
        for name in ("plain", "web")
    ]
    decided = decide(services, pool("r", "1.0.0.0/24", allocation=allocation), namespaces={"ns2": {"team": "red"}})
    assert [str(item.service.key) for item in decided.assign] == admitted.split()


@pytest.mark.parametrize(
    ("addresses", "avoids", "expected"),
    [
        (["1.2.3.77/24"], False, ["1.2.3.0", "1.2.3.1"]),
        (["1.2.3.255-1.2.4.1"], True, ["1.2.4.1"]),
        (["1.2.3.254-1.2.4.1"], True, ["1.2.3.254", "1.2.4.1"]),
        (["1.2.3.7/32", "1.2.3.5/32"], False, ["1.2.3.7", "1.2.3.5"]),
        ([" 1.2.3.7 - 1.2.3.8 "], False, ["1.2.3.7", "1.2.3.8"]),
        (["1.2.3.0/32", "1.2.3.255/32"], True, []),
    ],
)
def test_addresses_in_the_order_of_the_pool(addresses: list[str], avoids: bool, expected: list[str]) -> None:
    services = [service(f"s{number}", created=str(number)) for number in range(2)]
    decided = decide(services, pool("p", *addresses, avoid_buggy_ips=avoids))
    assert [ip for found in assigned(decided).values() for ip in found] == expected


def test_ipv6_addresses_are_never_buggy_and_a_single_one_is_a_pool() -> None:
    six = service("a", families=(6,))
    assert assigned(decide([six], pool("p", "fd00::ff/128", avoid_buggy_ips=True))) == {"a": ["fd00::ff"]}
    assert assigned(decide([six], pool("p", "fd00::/64", avoid_buggy_ips=True))) == {"a": ["fd00::"]}
