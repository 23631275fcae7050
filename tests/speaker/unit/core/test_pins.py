# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses that are held for one Service."""

from __future__ import annotations

from typing import Any

import pytest
from fakes.plans import assigned, decide, holders, kept, lost, notes, refused
from fakes.records import pool, service
from lantern.core.model import PoolSpec, ServiceAllocation
from lantern.core.pins import pin_problems
from lantern.reasons import Reason

PINNED = pool("p", "1.2.3.0/30", created="1", pins={"default/pihole": "1.2.3.0"})
OTHER = pool("q", "1.2.4.0/30", created="2")


def test_a_pinned_address_is_held_whether_its_owner_exists_or_not() -> None:
    services = [service(f"s{number}", created=str(number)) for number in range(4)]
    decided = decide(services, PINNED)
    assert assigned(decided) == {"s0": ["1.2.3.1"], "s1": ["1.2.3.2"], "s2": ["1.2.3.3"]}
    assert refused(decided)["s3"][0] is Reason.NO_FREE_ADDRESS
    assert assigned(decide([*services, service("pihole", created="9")], PINNED))["pihole"] == ["1.2.3.0"]


def test_nobody_else_gets_a_pinned_address_on_request() -> None:
    decided = decide([service("a", requested_ip="1.2.3.0")], PINNED)
    assert refused(decided)["a"] == (
        Reason.PINNED_FOR_ANOTHER,
        '["1.2.3.0"] is not available: it is pinned for default/pihole in pool p. '
        "Ask for another address, or change the pin.",
    )


def test_who_has_an_address_that_gets_pinned_for_another_is_moved() -> None:
    decided = decide([service("a", "1.2.3.0", pool="p"), service("pihole", created="9")], PINNED)
    assert assigned(decided) == {"a": ["1.2.3.1"], "pihole": ["1.2.3.0"]}
    assert lost(decided) == {"a": Reason.PINNED_FOR_ANOTHER}


def test_the_owner_is_moved_to_its_pinned_address() -> None:
    decided = decide([service("pihole", "1.2.4.2", pool="q")], PINNED, OTHER)
    assert assigned(decided) == {"pihole": ["1.2.3.0"]} and lost(decided) == {"pihole": Reason.PINNED_ELSEWHERE}
    assert kept(decide([service("pihole", "1.2.3.0", pool="p")], PINNED, OTHER)) == ["pihole"]


def test_pinned_addresses_can_be_swapped() -> None:
    swapped = pool("p", "1.2.3.0/30", pins={"default/a": "1.2.3.1", "default/b": "1.2.3.0"})
    decided = decide([service("a", "1.2.3.0", pool="p"), service("b", "1.2.3.1", pool="p")], swapped)
    assert assigned(decided) == {"a": ["1.2.3.1"], "b": ["1.2.3.0"]}


@pytest.mark.parametrize(
    ("asks", "expected"),
    [
        ({"loadBalancerIPs": "1.2.3.2"}, ["1.2.3.2"]),
        ({"address-pool": "q"}, ["1.2.4.0"]),
        ({"address-pool": "p"}, ["1.2.3.0"]),
        ({"loadBalancerIPs": "1.2.3.0"}, ["1.2.3.0"]),
    ],
)
def test_only_an_explicit_request_goes_before_the_pin(asks: dict[str, str], expected: list[str]) -> None:
    assert assigned(decide([service("pihole", asks=asks)], PINNED, OTHER)) == {"pihole": expected}
    held = service("pihole", "1.2.4.3", asks={**asks, "ip-allocated-from-pool": "q"})
    assert holders(decide([held], PINNED, OTHER))["pihole"] in (expected, ["1.2.4.3"])


def test_a_pin_opens_its_pool_for_the_owner() -> None:
    closed: dict[str, Any] = {"auto_assign": False, "allocation": ServiceAllocation(namespaces=("elsewhere",))}
    decided = decide([service("pihole")], pool("p", "1.2.3.0/30", pins={"default/pihole": "1.2.3.2"}, **closed), OTHER)
    assert assigned(decided) == {"pihole": ["1.2.3.2"]}


def test_a_pin_of_one_family_is_completed_from_the_same_pool() -> None:
    both = pool("p", "1.2.3.0/30", "fd00::/126", pins={"default/pihole": "fd00::2"})
    decided = decide([service("pihole", families=(4, 6), requires_dual_stack=True)], OTHER, both)
    assert assigned(decided) == {"pihole": ["1.2.3.0", "fd00::2"]}


def test_a_pin_of_both_families() -> None:
    both = pool("p", "1.2.3.0/30", "fd00::/126", pins={"default/pihole": "1.2.3.1 fd00::2"})
    services = [service("pihole", families=(4, 6), prefers_dual_stack=True), service("only4")]
    assert assigned(decide(services, both)) == {"only4": ["1.2.3.0"], "pihole": ["1.2.3.1", "fd00::2"]}
    assert assigned(decide([service("pihole", families=(6,))], both)) == {"pihole": ["fd00::2"]}


def test_a_pin_that_cannot_be_used_is_told_and_costs_no_address() -> None:
    six = service("pihole", "fd00::1", pool="six", families=(6,))
    decided = decide([six], PINNED, pool("six", "fd00::/126"))
    assert kept(decided) == ["pihole"]
    assert notes(decided)["pihole"] == [
        (
            "PinNotUsed",
            '["1.2.3.0"], pinned for the Service, is not used: ["1.2.3.0"] does not fit the Service, which is IPv6',
        )
    ]
    assert decided.notes[0].is_warning


def test_a_pin_in_a_pool_that_cannot_give_the_other_family_is_told() -> None:
    decided = decide(
        [service("pihole", families=(4, 6), requires_dual_stack=True)], PINNED, pool("d", "5.0.0.0/30", "fd00::/64")
    )
    assert assigned(decided) == {"pihole": ["5.0.0.0", "fd00::"]}
    assert decided.notes[0].denied.reason is Reason.POOL_WITHOUT_FAMILY


def test_host_part_pins_follow_the_prefix() -> None:
    def at(prefix: str) -> PoolSpec:
        pins = {"default/pihole": "::1f", "default/absent": "::10"}
        return pool("p", f"{prefix}::10-{prefix}::1f", host_parts=("::10-::1f",), pins=pins)

    six: dict[str, Any] = {"families": (6,)}
    services = [service("pihole", **six), service("b", **six)]
    first = decide(services, at("2001:db8:0:1"))
    assert assigned(first) == {"b": ["2001:db8:0:1::11"], "pihole": ["2001:db8:0:1::1f"]}
    moved = decide([service("pihole", "2001:db8:0:1::1f", pool="p", **six)], at("2001:db8:0:2"))
    assert assigned(moved) == {"pihole": ["2001:db8:0:2::1f"]}


@pytest.mark.parametrize(
    ("specs", "codes", "words"),
    [
        ([PINNED, OTHER], [], ""),
        ([pool("p", "1.2.3.0/30", pins={"default/a": "1.2.4.0"})], ["pin-outside-pool"], '"default/a=1.2.4.0"'),
        ([pool("p", "1.2.3.0/30", pins={"default/a": "1.2.4.0"}), OTHER], ["pin-outside-pool"], "does not hold"),
        ([pool("p", "1.2.3.0/30", avoid_buggy_ips=True, pins={"n/a": "1.2.3.0"})], ["pin-avoided"], "avoidBuggyIPs"),
        (
            [pool("p", "1.2.3.0/30", pins={"n/a": "1.2.3.1", "n/b": "1.2.3.1"})],
            ["pin-twice"],
            "pinned for n/a already",
        ),
        ([pool("p", "1.2.3.0/30", pins={"n/a": "1.2.3.1 1.2.3.2"})], ["pin-of-one-family"], "1.2.3.1 is pinned"),
        ([pool("p", "1.2.3.0/30", "fd00::/64", pins={"n/a": "1.2.3.1 fd00::1"})], [], ""),
        (
            [PINNED, pool("q", "1.2.4.0/30", created="2", pins={"default/pihole": "1.2.4.1"})],
            ["pin-in-two-pools"],
            'pinned in pool "p" too',
        ),
        (
            [PINNED, pool("q", "fd00::/64", created="2", pins={"default/pihole": "fd00::1"})],
            ["pin-in-two-pools"],
            'pinned in pool "p" too',
        ),
        ([pool("p", "2001:db8::/120", host_parts=("::/120",), pins={"n/a": "::7"})], [], ""),
        ([pool("p", "2001:db8::/120", host_parts=("::/120",), pins={"n/a": "::1:7"})], ["pin-outside-pool"], "::1:7"),
        (
            [pool("p", "2001:db8::/120", host_parts=("::/120",), pins={"n/a": "2001:db8::7"})],
            ["pin-with-prefix"],
            "such as ::10",
        ),
        ([pool("p", host_parts=("::/120",), pending="no prefix", pins={"n/a": "::7"})], [], ""),
    ],
)
def test_problems(specs: list[PoolSpec], codes: list[str], words: str) -> None:
    found = pin_problems(specs)
    assert [problem.code for problem in found] == codes
    assert all(words in problem.message and problem.where.startswith('pool "') for problem in found)


def test_contradicting_pins_still_give_one_answer() -> None:
    # They are refused as configuration; should they ever get here, nothing is given twice.
    twice = pool("p", "1.2.3.0/30", pins={"default/a": "1.2.3.1", "default/b": "1.2.3.1 1.2.9.9"})
    decided = decide([service("b", created="1"), service("a", created="2")], twice)
    assert assigned(decided) == {"b": ["1.2.3.0"], "a": ["1.2.3.1"]}
