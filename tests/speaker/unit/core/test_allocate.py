# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Service gets which address. The numbered cases are the worked vectors of MetalLB's observable behaviour."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.plans import assigned, decide, kept, refused, released
from fakes.records import applied, labelled, pool, service
from lantern.core.allocate import plan
from lantern.core.model import PoolSpec, ServiceAllocation, Snapshot
from lantern.reasons import Reason

FULL = "no available IPs: {} full. Add addresses or another pool."


def test_vector_1_first_address_is_the_first_of_the_pool() -> None:
    assert assigned(decide([service("a")], pool("p", "1.2.3.0/24"))) == {"a": ["1.2.3.0"]}


def test_vector_1_buggy_addresses_are_avoided_when_asked_for() -> None:
    assert assigned(decide([service("a")], pool("p", "1.2.3.0/24", avoid_buggy_ips=True))) == {"a": ["1.2.3.1"]}


@pytest.mark.parametrize("families", [(4, 6), (6, 4)])
def test_vector_2_dual_stack_gets_ipv4_first_whatever_the_order(families: tuple[int, ...]) -> None:
    one = service("a", families=families, requires_dual_stack=True)
    assert assigned(decide([one], pool("p", "1.2.3.0/24", "1000::/127"))) == {"a": ["1.2.3.0", "1000::"]}


def test_vector_3_beaten_an_infeasible_wish_keeps_the_old_address_and_says_so() -> None:
    asking = service("a", "1.2.3.1", pool="p", requested_ip="1.2.3.4", created="1")
    decided = decide([asking, service("b", created="2", requested_ip="1.2.3.1")], pool("p", "1.2.3.0/30"))
    assert kept(decided) == ["a"] and decided.is_empty
    assert refused(decided)["a"] == (Reason.NOT_IN_POOLS, '["1.2.3.4"] is not allowed in config: no pool holds it')
    # It stays its own.
    assert refused(decided)["b"][0] is Reason.ADDRESS_IN_USE


def test_vector_4_two_wishes_of_one_family_are_refused() -> None:
    decided = decide([service("a", asks={"loadBalancerIPs": "1.2.3.1,1.2.3.2"})], pool("p", "1.2.3.0/24"))
    assert refused(decided)["a"][0] is Reason.BAD_REQUEST


def test_vector_5_wish_outside_the_wished_pool_is_refused() -> None:
    one = service("a", asks={"loadBalancerIPs": "1.2.3.1", "address-pool": "pool2"})
    decided = decide([one], pool("pool1", "1.2.3.0/24"), pool("pool2", "1.2.4.0/24"))
    assert assigned(decided) == {}
    assert refused(decided)["a"][0] is Reason.OTHER_POOL_REQUESTED
    assert "pool2" in refused(decided)["a"][1]


def test_vector_8_pinned_pools_by_priority_then_general_ones() -> None:
    def pinned(name: str, address: str, priority: int) -> PoolSpec:
        allocation = ServiceAllocation(priority=priority, namespaces=("ns1",))
        return pool(name, f"{address}/32", allocation=allocation)

    pools = [
        pinned("p1", "1.0.0.1", 20),
        pinned("p2", "1.0.0.2", 10),
        pinned("p3", "1.0.0.3", 0),
        pool("general", "1.0.0.4/32"),
    ]
    services = [service(name, namespace="ns1", created=name) for name in "abcde"]
    decided = decide(services, *pools)
    assert assigned(decided) == {"a": ["1.0.0.2"], "b": ["1.0.0.1"], "c": ["1.0.0.3"], "d": ["1.0.0.4"]}
    assert refused(decided) == {"e": (Reason.NO_FREE_ADDRESS, FULL.format("pools p2, p1, p3 and 1 more are"))}


def test_vector_9_renamed_pool_keeps_the_address_and_gets_its_new_name_written() -> None:
    decided = decide([service("a", "1.2.3.7", pool="old")], pool("new", "1.2.3.0/24"))
    (item,) = decided.assign
    assert (item.pool, item.is_new, item.lost) == ("new", False, None)
    assert not decided.release and not decided.refuse


def test_vector_10_shrunk_pool_moves_the_service_to_another_pool() -> None:
    one = service("a", "1.2.3.7", pool="p")
    decided = decide([one], pool("p", "1.2.3.0/30"), pool("q", "1.2.4.0/30", created="2"))
    (item,) = decided.assign
    assert item.is_new and [str(ip) for ip in item.addresses] == ["1.2.3.0"]
    assert item.lost is not None and item.lost.reason is Reason.NOT_IN_POOLS


def test_vector_10_shrunk_pool_without_a_free_address_empties_the_status() -> None:
    decided = decide([service("a", "1.2.3.7", pool="p"), service("b", "1.2.3.0", pool="p")], pool("p", "1.2.3.0/32"))
    assert released(decided) == {"a": Reason.NOT_IN_POOLS}
    assert refused(decided) == {"a": (Reason.NO_FREE_ADDRESS, FULL.format("pool p is"))}


def test_vector_11_pool_that_begins_to_avoid_buggy_addresses_reassigns() -> None:
    decided = decide([service("a", "1.2.3.0", pool="p")], pool("p", "1.2.3.0/24", avoid_buggy_ips=True))
    assert assigned(decided) == {"a": ["1.2.3.1"]}


def test_vector_12_pool_without_auto_assign_serves_only_on_request() -> None:
    services = [service("a"), service("b", asks={"address-pool": "p"}), service("c", requested_ip="1.2.3.7")]
    decided = decide(services, pool("p", "1.2.3.0/24", auto_assign=False))
    assert assigned(decided) == {"b": ["1.2.3.0"], "c": ["1.2.3.7"]}
    assert refused(decided)["a"][0] is Reason.NO_OPEN_POOL
    assert refused(decided)["a"][1].startswith("no available IPs: every pool is reserved")


def test_services_are_served_by_age_then_namespace_then_name() -> None:
    services = [
        service("z", created="2026-01-01T00:00:00Z"),
        service("b", created="2026-01-02T00:00:00Z"),
        service("a", created="2026-01-02T00:00:00Z", namespace="zoo"),
    ]
    for order in (services, services[::-1]):
        decided = decide(order, pool("p", "1.2.3.0/24"))
        assert assigned(decided) == {"z": ["1.2.3.0"], "b": ["1.2.3.1"], "a": ["1.2.3.2"]}


def test_pools_are_used_by_age_then_name() -> None:
    pools = [
        pool("a", "1.0.0.1/32", created="2"),
        pool("c", "1.0.0.2/32", created="1"),
        pool("b", "1.0.0.3/32", created="1"),
    ]
    decided = decide([service(name, created=name) for name in "xyz"], *pools)
    assert assigned(decided) == {"x": ["1.0.0.3"], "y": ["1.0.0.2"], "z": ["1.0.0.1"]}


def test_ranges_are_used_in_the_order_written() -> None:
    decided = decide([service("a"), service("b")], pool("p", "1.0.0.9/32", "1.0.0.1/32"))
    assert assigned(decided) == {"a": ["1.0.0.9"], "b": ["1.0.0.1"]}


def test_whoever_has_an_address_keeps_it_even_when_younger() -> None:
    services = [service("old", created="1"), service("young", "1.2.3.0", pool="p", created="2")]
    decided = decide(services, pool("p", "1.2.3.0/24"))
    assert kept(decided) == ["young"]
    assert assigned(decided) == {"old": ["1.2.3.1"]}


def test_of_two_with_the_same_address_the_older_keeps_it() -> None:
    services = [service("b", "1.2.3.5", pool="p", created="2"), service("a", "1.2.3.5", pool="p", created="1")]
    decided = decide(services, pool("p", "1.2.3.0/24"))
    assert kept(decided) == ["a"]
    (item,) = decided.assign
    assert item.service.key.name == "b" and item.lost is not None and item.lost.reason is Reason.ADDRESS_IN_USE


def test_wish_for_a_taken_address_names_its_holder() -> None:
    services = [service("a", "1.2.3.5", pool="p"), service("b", requested_ip="1.2.3.5")]
    decided = decide(services, pool("p", "1.2.3.0/24"))
    reason, sentence = refused(decided)["b"]
    assert reason is Reason.ADDRESS_IN_USE
    assert sentence.startswith('can\'t change sharing key for "default/b", address also in use by default/a. ')


def test_unknown_pool_is_named() -> None:
    decided = decide([service("a", asks={"address-pool": "no"})], pool("p", "1.2.3.0/24"))
    assert refused(decided) == {"a": (Reason.UNKNOWN_POOL, 'unknown pool "no"')}


def test_old_annotation_prefix_is_read_and_the_new_one_wins() -> None:
    old = {"metallb.universe.tf/address-pool": "q"}
    both = {**old, "metallb.io/address-pool": "p"}
    pools = [pool("p", "1.0.0.0/24"), pool("q", "2.0.0.0/24")]
    assert assigned(decide([service("a", annotations=old)], *pools)) == {"a": ["2.0.0.0"]}
    assert assigned(decide([service("a", annotations=both)], *pools)) == {"a": ["1.0.0.0"]}


def test_annotation_and_field_together_are_refused_but_cost_nothing() -> None:
    asks = {"loadBalancerIPs": "1.2.3.4"}
    decided = decide([service("a", requested_ip="1.2.3.5", asks=asks)], pool("p", "1.2.3.0/24"))
    assert refused(decided)["a"][0] is Reason.BAD_REQUEST
    holder = service("a", "1.2.3.5", requested_ip="1.2.3.5", asks={**asks, "ip-allocated-from-pool": "p"})
    decided = decide([holder], pool("p", "1.2.3.0/24"))
    assert kept(decided) == ["a"]
    assert refused(decided)["a"][0] is Reason.BAD_REQUEST
    assert decided.is_empty


def test_ipv6_service_gets_an_ipv6_address_from_a_huge_pool() -> None:
    decided = decide([service("a", families=(6,)), service("b", families=(6,))], pool("p", "10.0.0.0/24", "fd00::/64"))
    assert assigned(decided) == {"a": ["fd00::"], "b": ["fd00::1"]}


def test_family_that_no_longer_fits_is_given_up() -> None:
    decided = decide([service("a", "1.2.3.0", pool="p", families=(6,))], pool("p", "1.2.3.0/24", "fd00::/64"))
    assert assigned(decided) == {"a": ["fd00::"]}


def test_prefer_dual_stack_takes_one_family_when_no_pool_has_both() -> None:
    one = service("a", families=(6, 4), prefers_dual_stack=True)
    decided = decide([one], pool("four", "1.2.3.0/24"), pool("six", "fd00::/64"))
    assert assigned(decided) == {"a": ["fd00::"]}
    after = applied((one,), decided)
    assert decide(list(after), pool("four", "1.2.3.0/24"), pool("six", "fd00::/64")).is_empty


def test_require_dual_stack_without_both_cluster_addresses_is_refused() -> None:
    decided = decide([service("a", requires_dual_stack=True)], pool("p", "1.2.3.0/24"))
    assert refused(decided)["a"][0] is Reason.NOT_DUAL_STACK


def test_service_without_cluster_address_is_refused() -> None:
    decided = decide([service("a", "1.2.3.0", pool="p", families=())], pool("p", "1.2.3.0/24"))
    assert released(decided) == {"a": Reason.NO_CLUSTER_IP}
    assert refused(decided)["a"][0] is Reason.NO_CLUSTER_IP


def test_reserved_pool_is_closed_to_other_namespaces_and_labels() -> None:
    by_label = ServiceAllocation(service_selectors=(labelled(tier="web"),))
    by_namespace = ServiceAllocation(namespace_selectors=(labelled(team="red"),))
    pools = [pool("web", "1.0.0.0/24", allocation=by_label), pool("red", "2.0.0.0/24", allocation=by_namespace)]
    services = [service("plain"), service("web", labels={"tier": "web"}), service("red", namespace="red")]
    decided = decide(services, *pools, namespaces={"red": {"team": "red"}})
    assert assigned(decided) == {"web": ["1.0.0.0"], "red": ["2.0.0.0"]}
    asking = service("plain", asks={"address-pool": "red"})
    assert refused(decide([asking], *pools))["plain"][0] is Reason.POOL_NOT_COMPATIBLE


def test_pool_closed_later_is_given_up() -> None:
    closed = pool("p", "1.2.3.0/24", allocation=ServiceAllocation(namespaces=("other",)))
    decided = decide([service("a", "1.2.3.0", pool="p")], closed, pool("q", "1.2.4.0/24"))
    assert assigned(decided) == {"a": ["1.2.4.0"]}


def test_only_services_of_our_class_are_touched() -> None:
    services = [service("ours", lb_class="lantern"), service("plain"), service("other", "9.9.9.9", lb_class="cloud")]
    assert assigned(decide(services, pool("p", "1.2.3.0/24"), lb_class="lantern")) == {"ours": ["1.2.3.0"]}
    assert assigned(decide(services, pool("p", "1.2.3.0/24"))) == {"plain": ["1.2.3.0"]}


def test_service_that_changes_type_loses_only_what_it_got_here() -> None:
    ours = service("ours", "1.2.3.0", pool="p", is_load_balancer=False)
    foreign = service("foreign", "9.9.9.9", is_load_balancer=False)
    assert released(decide([ours, foreign], pool("p", "1.2.3.0/24"))) == {"ours": Reason.NOT_LOAD_BALANCER}


def test_without_pools_everything_is_released_and_refused() -> None:
    decided = decide([service("a", "1.2.3.0", pool="p")])
    assert released(decided) == {"a": Reason.NOT_IN_POOLS}
    assert refused(decided)["a"][0] is Reason.NO_POOL


def test_a_plan_leaves_nothing_to_do_once_applied() -> None:
    pools = (pool("p", "1.2.3.0/30"), pool("q", "fd00::/126"))
    services = tuple(service(f"s{i}", created=str(i), families=(4 if i % 2 else 6,)) for i in range(12))
    first = plan(Snapshot(pools=pools, services=services))
    assert len(first.assign) == 8 and len(first.refuse) == 4
    second = plan(Snapshot(pools=pools, services=applied(services, first)))
    assert second.is_empty and len(second.keep) == 8 and len(second.refuse) == 4


def test_resource_version_decided_on_is_carried_along() -> None:
    one = replace(service("a"), resource_version="42")
    assert decide([one], pool("p", "1.2.3.0/24")).assign[0].service.resource_version == "42"
