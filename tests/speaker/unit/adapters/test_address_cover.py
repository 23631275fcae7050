# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Few ranges that hold all addresses, whichever come and go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from lantern.adapters.address_cover import RANGES, Cover

words = st.integers(0, 0xFFFFFFFF)
near = st.integers(1000, 1100)


@given(st.lists(st.tuples(st.booleans(), st.one_of(words, near)), max_size=150))
def test_cover_holds_all_addresses_with_few_sorted_ranges(steps: list[tuple[bool, int]]) -> None:
    cover, present = Cover(), set()
    for add, value in steps:
        before = cover.ranges
        packed = value.to_bytes(4, "big")
        changed = cover.add(packed) if add else cover.remove(packed)
        (present.add if add else present.discard)(value)
        assert changed == (cover.ranges != before)
        assert len(cover.ranges) <= RANGES
        assert all(first <= last for first, last in cover.ranges)
        flat = [edge for pair in cover.ranges for edge in pair]
        assert flat == sorted(flat)
        assert all(any(first <= value <= last for first, last in cover.ranges) for value in present)


def test_neighbouring_addresses_are_one_range() -> None:
    cover = Cover()
    for value in (*range(1000, 6000, 2), *range(1001, 6000, 2)):
        cover.add(value.to_bytes(4, "big"))
    assert cover.ranges == ((1000, 5999),)
    for value in range(1000, 5990):
        cover.remove(value.to_bytes(4, "big"))
    assert cover.ranges[0][0] > 1000 and cover.ranges[-1] == (cover.ranges[-1][0], 5999)


def test_strangers_are_what_lies_in_the_gaps() -> None:
    cover = Cover()
    for value in range(0, 2 * RANGES, 2):
        cover.add(value.to_bytes(4, "big"))
    assert not cover.has_strangers
    cover.add((2 * RANGES).to_bytes(4, "big"))
    assert cover.has_strangers
    cover.add((1).to_bytes(4, "big"))
    assert cover.words == {*range(0, 2 * RANGES + 1, 2), 1}


def test_exact_filters_have_to_be_attached_again_for_an_address_in_a_gap() -> None:
    cover = Cover()
    for value in range(0, 4 * RANGES, 2):
        cover.add(value.to_bytes(4, "big"))
    gap = next(value for first, last in cover.ranges for value in range(first, last + 1) if value % 2)
    assert not cover.add(gap.to_bytes(4, "big"))
    cover.remove(gap.to_bytes(4, "big"))
    cover.exact = True
    assert cover.add(gap.to_bytes(4, "big"))
