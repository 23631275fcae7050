# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has which address, and the index of free ones."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest
from fakes.records import pool, service
from hypothesis import given
from hypothesis import strategies as st
from lantern.core.free_space import FreeSpace
from lantern.core.ledger import Ledger
from lantern.core.model import PoolSpec, Service
from lantern.core.pool_index import PoolIndex
from lantern.core.sharing import conflict
from lantern.pools import Address

A, B = service("a"), service("b")


def ledger(*pools: PoolSpec) -> Ledger:
    return Ledger(PoolIndex(pools))


def test_ranges_are_filled_in_the_order_written() -> None:
    book = ledger(pool("p", "1.0.0.8/31", "1.0.0.0/31"))
    found = []
    while (address := book.first_free("p", 4)) is not None:
        found.append(str(address))
        book.take(address, A)
    assert found == ["1.0.0.8", "1.0.0.9", "1.0.0.0", "1.0.0.1"]
    book.free(ip_address("1.0.0.9"), A)
    assert str(book.first_free("p", 4)) == "1.0.0.9"
    assert book.first_free("p", 6) is None


def test_an_address_is_free_when_its_last_user_has_left() -> None:
    book = ledger(pool("p", "1.0.0.0/32"))
    one = ip_address("1.0.0.0")
    book.take(one, A)
    book.take(one, B)
    assert book.users(one) == (A, B) and book.first_free("p", 4) is None
    book.free(one, A)
    assert book.users(one) == (B,) and book.first_free("p", 4) is None
    book.free(one, B)
    assert book.users(one) == () and book.first_free("p", 4) == one
    with pytest.raises(KeyError, match="1.0.0.0"):
        book.free(one, B)


def test_to_free_what_another_has_is_an_error() -> None:
    book = ledger(pool("p", "1.0.0.0/31"))
    book.take(ip_address("1.0.0.0"), A)
    with pytest.raises(KeyError, match="default/b does not have 1.0.0.0"):
        book.free(ip_address("1.0.0.0"), B)


def test_addresses_outside_of_all_pools_are_nobodys_business() -> None:
    book = ledger(pool("p", "1.0.0.0/31"))
    outside = ip_address("9.9.9.9")
    book.pin([outside])
    book.set_aside([outside])
    book.take(outside, A)
    book.block(outside, A)
    book.free(outside, A)
    assert book.users(outside) == ()


def test_pinned_and_set_aside_addresses_are_not_among_the_free() -> None:
    spec = pool("p", "1.0.0.0/30")
    book = ledger(spec)
    assert str(book.first_free("p", 4)) == "1.0.0.0"
    book.pin([ip_address("1.0.0.0")])
    book.set_aside(map(ip_address, ("1.0.0.2", "1.0.0.1", "1.0.0.0")))
    assert str(book.first_free("p", 4)) == "1.0.0.3"
    book.take(ip_address("1.0.0.3"), A)
    assert book.first_free("p", 4) is None
    assert str(book.last_resort(spec, 4)) == "1.0.0.2"
    book.take(ip_address("1.0.0.2"), A)
    assert str(book.last_resort(spec, 4)) == "1.0.0.1"
    book.take(ip_address("1.0.0.1"), A)
    assert book.last_resort(spec, 4) is None
    book.free(ip_address("1.0.0.2"), A)
    assert str(book.last_resort(spec, 4)) == "1.0.0.2" and book.first_free("p", 4) is None


def test_an_avoided_address_is_no_last_resort() -> None:
    spec = pool("p", "1.0.0.0/30", avoid_buggy_ips=True)
    book = ledger(spec)
    book.set_aside([ip_address("1.0.0.0")])
    assert book.last_resort(spec, 4) is None


def test_a_stranger_blocks_only_what_nobody_of_ours_has() -> None:
    book = ledger(pool("p", "1.0.0.0/31"))
    book.take(ip_address("1.0.0.0"), A)
    assert str(book.first_free("p", 4)) == "1.0.0.1"
    book.block(ip_address("1.0.0.0"), B)
    book.block(ip_address("1.0.0.1"), B)
    assert book.users(ip_address("1.0.0.0")) == (A,) and book.first_free("p", 4) is None


def test_60000_of_a_16_in_use_are_no_obstacle() -> None:
    book = ledger(pool("p", "10.0.0.0/16", "fd00::/64"))
    base = int(ip_address("10.0.0.0"))
    for offset in range(60_000):
        book.take(ip_address(base + offset), A)
    assert str(book.first_free("p", 4)) == "10.0.234.96"
    assert book.free_intervals() == {0: [(base + 60_000, base + 65_535)]}


def values(space: FreeSpace) -> set[int]:
    return {value for first, last in space.intervals for value in range(first, last + 1)}


@given(
    st.integers(240, 300),
    st.sets(st.integers(230, 310)),
    st.lists(st.tuples(st.booleans(), st.integers(240, 300))),
    st.booleans(),
)
def test_free_space_is_the_set_of_values_nobody_has(
    last: int, taken: set[int], steps: list[tuple[bool, int]], avoids: bool
) -> None:
    inside = {value for value in taken if 240 <= value <= last}
    space = FreeSpace(240, last, inside, avoids_buggy=avoids)
    model = set(range(240, last + 1)) - inside
    for frees, value in steps:
        if value <= last:
            (space.free if frees else space.take)(value)
            (model.add if frees else model.discard)(value)
        usable = [value for value in model if not (avoids and value & 0xFF in (0, 0xFF))]
        assert space.first() == min(usable, default=None)
        left = values(space)
        assert set(usable) <= left <= model
        ends = [number for interval in space.intervals for number in interval]
        assert ends == sorted(ends)
    rebuilt = FreeSpace(240, last, set(range(240, last + 1)) - model, avoids_buggy=avoids)
    assert values(rebuilt) - values(space) <= {0xFF, 0x100}


def sharer(name: str, key: str, *ports: int, **more: Any) -> Service:
    return service(name, asks={"allow-shared-ip": key}, ports=tuple(("TCP", port) for port in ports), **more)


USERS = (
    A,
    B,
    sharer("c", "k", 80),
    sharer("d", "k", 443),
    sharer("e", "k", 53, 853),
    sharer("f", "l", 80),
    sharer("g", "k", 443, local_traffic_only=True, selector={"app": "g"}),
    sharer("h", "k"),
)
PLACES = [ip_address(int(ip_address("1.0.0.0")) + offset) for offset in range(4)]
STEPS = st.lists(st.tuples(st.booleans(), st.sampled_from(PLACES), st.sampled_from(USERS)), max_size=40)


def answers(book: Ledger, specs: tuple[PoolSpec, ...]) -> list[object]:
    """All that can be asked of a ledger."""
    return [
        [book.users(address) for address in PLACES],
        [book.first_free(spec.pool.name, 4) for spec in specs],
        [book.last_resort(spec, 4) for spec in specs],
        [book.first_shared(spec.pool.name, 4, who) for spec in specs for who in USERS],
    ]


@given(STEPS, st.sets(st.sampled_from(PLACES), max_size=2), st.lists(st.sampled_from(PLACES), max_size=3))
def test_the_derived_indexes_are_what_new_ones_would_be(
    steps: list[tuple[bool, Address, Service]], pinned: set[Address], aside: list[Address]
) -> None:
    specs = (pool("p", "1.0.0.0/32", "1.0.0.2/31"), pool("q", "1.0.0.1/32"))
    book = ledger(*specs)
    book.pin(pinned)
    held: list[tuple[Address, Service]] = []
    for number, (takes, address, who) in enumerate(steps):
        if number == len(steps) // 2:
            book.set_aside(aside)
        answers(book, specs)
        users = book.users(address)
        if takes and who not in users and conflict(who, address, users) is None:
            book.take(address, who)
            held.append((address, who))
        elif not takes and users:
            leaver = users[0]
            book.free(address, leaver)
            held.remove((address, leaver))
    if not steps:
        book.set_aside(aside)
    rebuilt = ledger(*specs)
    rebuilt.pin(pinned)
    rebuilt.set_aside(aside)
    for address, who in held:
        rebuilt.take(address, who)
    assert answers(book, specs) == answers(rebuilt, specs)
    anew = rebuilt.free_intervals()
    assert {number: found for number, found in book.free_intervals().items() if number in anew} == anew
