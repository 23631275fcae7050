# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The range arithmetic against Python's sets of integers."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st
from lantern.pools import Address, AddressRange, Point, Problem, RangeSet, parse_range

SPACE = 40
BASE = {4: int(IPv4Address("10.0.0.0")), 6: int(IPv6Address("fd00::"))}


@st.composite
def ranges(draw: st.DrawFn) -> AddressRange:
    version = draw(st.sampled_from([4, 6]))
    first, last = sorted((draw(st.integers(0, SPACE)), draw(st.integers(0, SPACE))))
    return AddressRange(version, BASE[version] + first, BASE[version] + last)


def points(items: object) -> set[Point]:
    return {(item.version, value) for item in items for value in range(item.first, item.last + 1)}  # type: ignore[attr-defined]


def address(point: Point) -> Address:
    return IPv4Address(point[1]) if point[0] == 4 else IPv6Address(point[1])


lists = st.lists(ranges(), max_size=8)


@given(lists)
def test_a_set_is_its_addresses_in_as_few_sorted_ranges_as_possible(items: list[AddressRange]) -> None:
    made = RangeSet(items)
    assert points(made) == points(items)
    assert made.size == len(points(items))
    assert bool(made) is bool(items)
    listed = list(made)
    for left, right in zip(listed, listed[1:], strict=False):
        assert (left.version, left.last + 1) < (right.version, right.first)


@given(lists, lists)
def test_union_and_difference(left: list[AddressRange], right: list[AddressRange]) -> None:
    assert points(RangeSet(left).union(RangeSet(right))) == points(left) | points(right)
    assert points(RangeSet(left).difference(RangeSet(right))) == points(left) - points(right)


@given(lists, st.integers(-1, SPACE + 1), st.sampled_from([4, 6]))
def test_contains(items: list[AddressRange], offset: int, version: int) -> None:
    point = (version, BASE[version] + offset)
    assert (address(point) in RangeSet(items)) is (point in points(items))


@given(ranges())
def test_text_form_is_read_back_and_so_are_the_cidrs(item: AddressRange) -> None:
    assert parse_range(str(item)) == item
    networks = [parse_range(str(network)) for network in item.networks()]
    assert points(networks) == points([item])


@given(st.text(alphabet="0123456789abcdef.:-/ %", max_size=40))
def test_parsing_never_raises(text: str) -> None:
    found = parse_range(text)
    assert isinstance(found, (AddressRange, Problem))
    if isinstance(found, AddressRange):
        assert found.first <= found.last


def test_a_huge_pool_costs_nothing() -> None:
    huge = parse_range("fd00::/64")
    assert isinstance(huge, AddressRange)
    assert RangeSet([huge]).size == 2**64
