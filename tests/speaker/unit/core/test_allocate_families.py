# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single, preferred and required dual stack."""

from __future__ import annotations

from typing import Any

import pytest
from fakes.plans import assigned, decide, holders, kept, lost, notes, refused, released
from fakes.records import applied, pool, service
from lantern.core.allocate import plan
from lantern.core.decisions import AssignKind
from lantern.core.model import Service, ServiceAllocation, Snapshot
from lantern.reasons import Reason

DUAL = pool("dual", "1.2.3.0/30", "fd00::/126", created="2")
FOUR = pool("four", "1.0.0.0/30", created="1")
SIX = pool("six", "fd01::/126", created="3")
REQUIRES: dict[str, Any] = {"families": (4, 6), "requires_dual_stack": True}
PREFERS: dict[str, Any] = {"families": (4, 6), "prefers_dual_stack": True}


@pytest.mark.parametrize(
    ("more", "pools", "expected"),
    [
        ({"families": (4,)}, [DUAL], ["1.2.3.0"]),
        ({"families": (6,)}, [DUAL], ["fd00::"]),
        ({"families": (6,)}, [FOUR, SIX], ["fd01::"]),
        (REQUIRES, [FOUR, DUAL, SIX], ["1.2.3.0", "fd00::"]),
        (PREFERS, [FOUR, DUAL, SIX], ["1.2.3.0", "fd00::"]),
        (PREFERS, [FOUR, SIX], ["1.0.0.0"]),
        ({**PREFERS, "families": (6, 4)}, [FOUR, SIX], ["fd01::"]),
        (PREFERS, [SIX], ["fd01::"]),
        ({"families": (4,), "prefers_dual_stack": True}, [DUAL], ["1.2.3.0"]),
        ({"families": (6,), "prefers_dual_stack": True}, [DUAL], ["fd00::"]),
        ({"families": (4,), "requested_ip": "1.2.3.2"}, [DUAL], ["1.2.3.2"]),
        ({**REQUIRES, "asks": {"loadBalancerIPs": "fd00::2, 1.2.3.2"}}, [DUAL], ["1.2.3.2", "fd00::2"]),
        ({**PREFERS, "asks": {"loadBalancerIPs": "fd00::2"}}, [DUAL], ["1.2.3.0", "fd00::2"]),
        ({**PREFERS, "requested_ip": "1.0.0.3"}, [FOUR, DUAL], ["1.0.0.3"]),
        ({**REQUIRES, "asks": {"address-pool": "dual"}}, [FOUR, DUAL], ["1.2.3.0", "fd00::"]),
        ({**PREFERS, "asks": {"address-pool": "four"}}, [FOUR, DUAL], ["1.0.0.0"]),
    ],
)
def test_what_a_new_service_gets(more: dict[str, Any], pools: list[Any], expected: list[str]) -> None:
    assert assigned(decide([service("a", **more)], *pools)) == {"a": expected}


@pytest.mark.parametrize(
    ("more", "pools", "reason"),
    [
        (REQUIRES, [FOUR, SIX], Reason.POOL_WITHOUT_FAMILY),
        ({"families": (6,)}, [FOUR], Reason.POOL_WITHOUT_FAMILY),
        ({"requires_dual_stack": True}, [DUAL], Reason.NOT_DUAL_STACK),
        ({"families": ()}, [DUAL], Reason.NO_CLUSTER_IP),
        ({**REQUIRES, "requested_ip": "1.2.3.1"}, [DUAL], Reason.FAMILY_MISMATCH),
        ({"asks": {"loadBalancerIPs": "1.2.3.1,fd00::1"}}, [DUAL], Reason.FAMILY_MISMATCH),
        ({**REQUIRES, "asks": {"loadBalancerIPs": "1.0.0.1,fd01::1"}}, [FOUR, SIX], Reason.SPLIT_OVER_POOLS),
        ({**REQUIRES, "asks": {"address-pool": "four"}}, [FOUR, DUAL], Reason.POOL_WITHOUT_FAMILY),
    ],
)
def test_what_a_new_service_is_refused(more: dict[str, Any], pools: list[Any], reason: Reason) -> None:
    decided = decide([service("a", **more)], *pools)
    assert holders(decided) == {} and refused(decided)["a"][0] is reason


def test_quirk_beaten_prefer_dual_stack_on_a_cluster_of_one_family_never_oscillates() -> None:
    services: tuple[Service, ...] = (service("a", families=(4,), prefers_dual_stack=True),)
    for _again in range(4):
        decided = plan(Snapshot(pools=(DUAL,), services=services))
        services = applied(services, decided)
        assert [str(ip) for ip in services[0].addresses] == ["1.2.3.0"] and not decided.notes
    assert decided.is_empty


def test_quirk_beaten_a_single_family_pool_is_told_in_the_same_words_every_time() -> None:
    held = service("a", "1.0.0.0", pool="four", **PREFERS)
    expected = {
        "a": [
            (
                "AdditionalAssignFailed",
                "cannot assign additional IP in PreferDualStack: pool four has no IPv6 addresses",
            )
        ]
    }
    first = decide([held], FOUR, DUAL)
    assert kept(first) == ["a"] and notes(first) == expected
    assert notes(decide([held], FOUR, DUAL)) == expected
    assert first.notes[0].is_warning is False and not first.refuse


@pytest.mark.parametrize(("has", "gets"), [("1.2.3.1", "fd00::"), ("fd00::1", "1.2.3.0")])
def test_the_second_family_is_added_from_the_same_pool_ipv4_first(has: str, gets: str) -> None:
    decided = decide([service("a", has, pool="dual", **PREFERS)], FOUR, SIX, DUAL)
    (item,) = decided.assign
    assert sorted(assigned(decided)["a"]) == sorted([has, gets]) and item.addresses[0].version == 4
    assert (item.kind, item.lost) == (AssignKind.ADDITIONAL, None)


def test_the_second_family_comes_when_an_address_of_it_gets_free() -> None:
    small = pool("dual", "1.2.3.0/30", "fd00::1/128")
    held = service("a", "1.2.3.0", pool="dual", created="2", **PREFERS)
    other = service("b", "fd00::1", pool="dual", families=(6,), created="1")
    decided = decide([held, other], small)
    assert kept(decided) == ["b", "a"]
    assert notes(decided)["a"][0][1].endswith("no available IPs in pool dual: all of IPv6 are in use")
    assert assigned(decide([held], small)) == {"a": ["1.2.3.0", "fd00::1"]}


def test_the_second_family_of_a_pool_whose_prefix_is_unknown_is_awaited() -> None:
    awaiting = pool("dual", "1.2.3.0/30", host_parts=("::10",), pending="no prefix")
    decided = decide([service("a", "1.2.3.0", pool="dual", **PREFERS)], awaiting)
    assert notes(decided)["a"][0][1].endswith("no available IPs in pool dual: it is pending: no prefix")


def test_from_single_to_required_dual_stack_keeps_the_address_where_the_pool_has_both() -> None:
    decided = decide([service("a", "1.2.3.3", pool="dual", **REQUIRES)], FOUR, DUAL)
    assert assigned(decided) == {"a": ["1.2.3.3", "fd00::"]}
    assert decided.assign[0].kind is AssignKind.ADDITIONAL


def test_from_single_to_required_dual_stack_moves_to_a_pool_that_has_both() -> None:
    decided = decide([service("a", "1.0.0.1", pool="four", **REQUIRES)], FOUR, DUAL)
    assert assigned(decided) == {"a": ["1.2.3.0", "fd00::"]}
    assert lost(decided) == {"a": Reason.FAMILY_MISMATCH}


def test_required_dual_stack_that_nobody_can_give_keeps_what_there_is_and_says_so() -> None:
    decided = decide([service("a", "1.0.0.1", pool="four", **REQUIRES)], FOUR, SIX)
    assert kept(decided) == ["a"]
    assert refused(decided)["a"] == (
        Reason.POOL_WITHOUT_FAMILY,
        "no available IPs: pools four, six have no IPv4 and IPv6 addresses.",
    )


@pytest.mark.parametrize(("family", "stays"), [(4, "1.2.3.1"), (6, "fd00::1")])
def test_from_dual_to_single_keeps_the_family_that_stays(family: int, stays: str) -> None:
    decided = decide([service("a", "1.2.3.1", "fd00::1", pool="dual", families=(family,))], FOUR, DUAL)
    assert assigned(decided) == {"a": [stays]}
    assert decided.assign[0].kind is AssignKind.FEWER and lost(decided) == {"a": Reason.FAMILY_MISMATCH}


def test_of_two_addresses_the_one_that_is_still_allowed_stays() -> None:
    decided = decide([service("a", "1.2.3.1", "fd09::1", pool="dual", **REQUIRES)], FOUR, DUAL)
    assert assigned(decided) == {"a": ["1.2.3.1", "fd00::"]} and lost(decided) == {"a": Reason.NOT_IN_POOLS}


def test_addresses_that_came_to_be_in_different_pools_are_brought_together() -> None:
    decided = decide([service("a", "1.0.0.1", "fd01::1", pool="old", **REQUIRES)], FOUR, SIX, DUAL)
    assert assigned(decided) == {"a": ["1.2.3.0", "fd00::"]}


def test_another_family_altogether_starts_anew() -> None:
    assert assigned(decide([service("a", "1.0.0.1", pool="four", families=(6,))], FOUR, SIX)) == {"a": ["fd01::"]}


def test_what_a_service_without_cluster_addresses_had_is_released() -> None:
    decided = decide([service("a", "1.0.0.1", pool="four", families=())], FOUR)
    assert released(decided) == {"a": Reason.NO_CLUSTER_IP}
    decided = decide([service("a", "1.0.0.1", pool="four", requires_dual_stack=True)], FOUR)
    assert released(decided) == {"a": Reason.NOT_DUAL_STACK}


def test_the_order_of_addresses_in_the_status_is_left_alone() -> None:
    asks = {"loadBalancerIPs": "1.2.3.1,fd00::1", "ip-allocated-from-pool": "dual"}
    assert kept(decide([service("a", "fd00::1", "1.2.3.1", asks=asks, **REQUIRES)], DUAL)) == ["a"]


def test_a_reserved_pool_of_one_family_goes_before_a_general_one_of_both() -> None:
    reserved = pool("mine", "1.9.0.0/30", allocation=ServiceAllocation(namespaces=("default",)))
    assert assigned(decide([service("a", **PREFERS)], DUAL, reserved)) == {"a": ["1.9.0.0"]}
