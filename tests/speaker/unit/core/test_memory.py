# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that come back under their name find their old address."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from fakes.plans import assigned, decide, holders, lost, refused
from fakes.records import pool, service
from lantern.core.allocate import plan
from lantern.core.memory import Memory, decode, encode, remember
from lantern.core.model import PoolSpec, Service, ServiceAllocation, ServiceKey, Snapshot
from lantern.pools import Problem
from lantern.reasons import Reason

HOME = pool("p", "1.2.3.0/30", created="1")
SIX: dict[str, Any] = {"families": (6,)}


def memory(**had: str) -> dict[ServiceKey, tuple[Any, ...]]:
    """Addresses by the name of the Service that had them, in this order."""
    return {ServiceKey("default", name): tuple(map(ip_address, text.split())) for name, text in had.items()}


def test_a_service_that_comes_back_gets_its_address_back() -> None:
    services = [service("new", created="1"), service("back", created="2")]
    assert assigned(decide(services, HOME, memory=memory(back="1.2.3.0"))) == {"new": ["1.2.3.1"], "back": ["1.2.3.0"]}


def test_remembered_addresses_are_handed_to_others_last_the_longest_unused_first() -> None:
    services = [service(f"s{number}", created=str(number)) for number in range(4)]
    found = assigned(decide(services, HOME, memory=memory(a="1.2.3.1", b="1.2.3.0", c="1.2.3.2")))
    assert found == {"s0": ["1.2.3.3"], "s1": ["1.2.3.1"], "s2": ["1.2.3.0"], "s3": ["1.2.3.2"]}


def test_of_two_that_had_an_address_the_later_counts() -> None:
    had = memory(a="1.2.3.0", b="1.2.3.1", c="1.2.3.0")
    services = [service(f"s{number}", created=str(number)) for number in range(3)]
    assert list(assigned(decide(services, HOME, memory=had)).values()) == [["1.2.3.2"], ["1.2.3.3"], ["1.2.3.1"]]


@pytest.mark.parametrize(
    ("back", "expected"),
    [
        (service("back", requested_ip="1.2.3.3"), ["1.2.3.3"]),
        (service("back", asks={"address-pool": "special"}), ["9.9.9.9"]),
        (service("back", asks={"address-pool": "p"}), ["1.2.3.2"]),
        (service("back", **SIX), ["fd00::"]),
    ],
)
def test_what_the_service_asks_for_comes_first(back: Service, expected: list[str]) -> None:
    pools = [HOME, pool("special", "9.9.9.9/32", auto_assign=False), pool("six", "fd00::/64", created="2")]
    assert assigned(decide([back], *pools, memory=memory(back="1.2.3.2"))) == {"back": expected}


def test_an_address_that_another_asks_for_is_not_taken_from_memory() -> None:
    services = [service("back", created="1"), service("b", created="2", requested_ip="1.2.3.2")]
    decided = decide(services, HOME, memory=memory(back="1.2.3.2"))
    assert assigned(decided) == {"back": ["1.2.3.0"], "b": ["1.2.3.2"]}


@pytest.mark.parametrize(
    "changed",
    [
        pool("p", "1.2.3.0/31", created="1"),
        pool("p", "1.2.3.0/30", created="1", auto_assign=False),
        pool("p", "1.2.3.0/30", created="1", allocation=ServiceAllocation(namespaces=("other",))),
        pool("p", "1.2.3.0/30", created="1", pins={"default/x": "1.2.3.2"}),
    ],
)
def test_an_address_that_would_not_be_given_any_more_is_not_given_back(changed: PoolSpec) -> None:
    decided = decide([service("back")], changed, pool("q", "1.2.4.0/30", created="2"), memory=memory(back="1.2.3.2"))
    assert assigned(decided)["back"] != ["1.2.3.2"]


def test_a_taken_address_is_not_given_back() -> None:
    services = [service("back"), service("holder", "1.2.3.2", pool="p", created="9")]
    assert assigned(decide(services, HOME, memory=memory(back="1.2.3.2"))) == {"back": ["1.2.3.0"]}


def test_a_dual_stack_service_gets_both_back() -> None:
    both = pool("p", "1.2.3.0/30", "fd00::/64")
    back = service("back", families=(4, 6), prefers_dual_stack=True)
    assert assigned(decide([back], both, memory=memory(back="1.2.3.2 fd00::7"))) == {"back": ["1.2.3.2", "fd00::7"]}
    assert assigned(decide([back], both, memory=memory(back="fd00::7"))) == {"back": ["1.2.3.0", "fd00::7"]}


def test_only_ipv6_addresses_have_a_host_part() -> None:
    follows = pool("p", "1.2.3.0/30", "2001:db8::10-2001:db8::1f", host_parts=("::10-::1f",))
    assert assigned(decide([service("a")], follows, memory=memory(a="9.9.9.16"))) == {"a": ["1.2.3.0"]}


def test_when_the_prefix_changes_services_keep_their_host_part() -> None:
    def at(prefix: str) -> PoolSpec:
        return pool("p", f"{prefix}::10-{prefix}::1f", host_parts=("::10-::1f",))

    old = [
        service("a", "2001:db8:0:1::11", pool="p", created="1", **SIX),
        service("b", "2001:db8:0:1::10", pool="p", created="2", **SIX),
    ]
    new = at("2001:db8:0:2")
    decided = decide([service("waiting", created="0", **SIX), *old], new)
    expected = {"waiting": ["2001:db8:0:2::12"], "a": ["2001:db8:0:2::11"], "b": ["2001:db8:0:2::10"]}
    assert assigned(decided) == expected
    assert lost(decided) == {"a": Reason.NOT_IN_POOLS, "b": Reason.NOT_IN_POOLS}
    assert decided.assign[1].lost is not None
    assert decided.assign[1].lost.sentence.endswith("the IPv6 prefix of pool p has changed")
    # So does one that comes back only after the change.
    assert assigned(decide([service("a", **SIX)], new, memory=memory(a="2001:db8:0:1::11"))) == {"a": expected["a"]}


def test_while_the_prefix_is_unknown_addresses_stay_and_new_services_wait() -> None:
    pending = pool("p", host_parts=("::10-::1f",), pending="no node has an IPv6 address")
    held = service("a", "2001:db8:0:1::11", pool="p", **SIX)
    decided = decide([held, service("b", **SIX), service("c", asks={"address-pool": "p"}, **SIX)], pending)
    assert holders(decided) == {"a": ["2001:db8:0:1::11"]} and decided.is_empty
    assert refused(decided)["b"][0] is refused(decided)["c"][0] is Reason.POOL_PENDING
    assert refused(decided)["b"][1] == "no available IPs: pool p is pending: no node has an IPv6 address"


def after(had: Memory, *services: Service, limit: int = 100) -> list[tuple[str, str]]:
    """The memory after a plan for these Services."""
    decided = plan(Snapshot(pools=(HOME,), services=services, memory=had))
    return [(key.name, " ".join(map(str, held))) for key, held in remember(had, decided, limit).items()]


def test_who_has_an_address_is_remembered_behind_those_that_are_gone() -> None:
    had = memory(x="1.2.3.1", gone="1.2.3.2", y="1.2.3.3")
    services = [service("x", "1.2.3.1", pool="p"), service("new"), service("y", "1.2.3.3", pool="p")]
    assert after(had, *services) == [("gone", "1.2.3.2"), ("x", "1.2.3.1"), ("y", "1.2.3.3"), ("new", "1.2.3.0")]


def test_the_bound_forgets_who_is_gone_longest() -> None:
    had = memory(a="1.2.3.1", b="1.2.3.2")
    living = [service("c", "1.2.3.3", pool="p"), service("d", "1.2.3.0", pool="p")]
    assert after(had, *living, limit=1) == [("b", "1.2.3.2"), ("c", "1.2.3.3"), ("d", "1.2.3.0")]
    assert after(had, *living, limit=2)[:2] == [("a", "1.2.3.1"), ("b", "1.2.3.2")]
    assert after(had, *living, limit=0) == []


@pytest.mark.parametrize("living", [0, 4, 5, 6, 12])
def test_who_is_gone_is_remembered_however_many_live(living: int) -> None:
    wide = pool("p", "1.2.3.0/24")
    services = tuple(service(f"s{number}", f"1.2.3.{number}", pool="p") for number in range(living))
    had = memory(**{f"gone{number}": f"1.2.3.{100 + number}" for number in range(7)})
    decided = plan(Snapshot(pools=(wide,), services=services))
    first = remember(had, decided, 5)
    assert [key.name for key in first if key.name.startswith("gone")] == [f"gone{number}" for number in range(2, 7)]
    assert len(first) == 5 + living
    assert remember(first, decided, 5) == first
    # One more is gone: it is the latest of them.
    fewer = plan(Snapshot(pools=(wide,), services=services[1:]))
    assert [key.name for key in remember(first, fewer, 5)][4:5] == (["s0"] if living else ["gone6"])


def test_text_that_no_config_map_holds_loses_the_living() -> None:
    gone = {ServiceKey("n" * 60, f"gone{number}"): (ip_address("fd00::1"),) for number in range(2000)}
    living = {ServiceKey("n" * 60, f"s{number}"): (ip_address("fd00::1"),) for number in range(20_000)}
    text = encode(gone | living)
    read = decode(text)
    assert 999_800 < len(text) <= 1_000_000 and not isinstance(read, Problem)
    assert list(read)[:2000] == list(gone)
    assert encode(read) == text


def test_a_new_order_is_a_change_to_be_written() -> None:
    first, second = memory(a="1.2.3.1", b="1.2.3.2"), memory(b="1.2.3.2", a="1.2.3.1")
    empty = plan(Snapshot(pools=()))
    assert remember(first, empty, 9) != remember(second, empty, 9)
    assert remember(first, empty, 9) == remember(remember(first, empty, 9), empty, 9)


def test_text_form() -> None:
    had = memory(web="192.168.2.128 fd00::80", dns="192.168.2.129")
    text = "default/web 192.168.2.128 fd00::80\ndefault/dns 192.168.2.129\n"
    assert encode(had) == text and decode(text) == remember(had, plan(Snapshot(pools=())), 9)
    assert decode("") == {} and decode("\n  \n") == {}


@pytest.mark.parametrize(
    "line", ["default/web", "web 1.2.3.4", "default/web 1.2.3.4 oops", "\x00", "/ 1.2.3.4", "a/ 1.2.3.4"]
)
def test_damaged_text_is_a_problem_that_names_the_line(line: str) -> None:
    found = decode(f"default/good 1.2.3.4\n{line}\n")
    assert isinstance(found, Problem) and found.where == "line 2 of the remembered addresses"
    assert "remove the line" in found.message
