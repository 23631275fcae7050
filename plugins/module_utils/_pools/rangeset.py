# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of addresses as sorted disjoint ranges. PRIVATE to the collection."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from .ranges import Address, AddressRange, point


class RangeSet:
    """An immutable set of addresses of both families. Iterating gives its ranges: sorted, disjoint, as few as possible.

    It has no len(): Python limits that to 2^63, and an IPv6 /64 has more addresses. Use `size`.
    """

    __slots__ = ("_ranges",)

    def __init__(self, ranges: Iterable[AddressRange] = ()) -> None:
        merged: list[AddressRange] = []
        for item in sorted(ranges):
            last = merged[-1] if merged else None
            if last is not None and last.version == item.version and item.first <= last.last + 1:
                merged[-1] = AddressRange(last.version, last.first, max(last.last, item.last))
            else:
                merged.append(item)
        self._ranges: tuple[AddressRange, ...] = tuple(merged)

    def __iter__(self) -> Iterator[AddressRange]:
        return iter(self._ranges)

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RangeSet) and self._ranges == other._ranges

    def __hash__(self) -> int:
        return hash(self._ranges)

    def __repr__(self) -> str:
        return "RangeSet({})".format(", ".join(str(item) for item in self._ranges))

    def __contains__(self, address: Address) -> bool:
        version, value = point(address)
        # The range that may hold it is the last one beginning at or before it.
        index = bisect_right(self._ranges, AddressRange(version, value, 1 << 128)) - 1
        return index >= 0 and address in self._ranges[index]

    @property
    def size(self) -> int:
        """How many addresses."""
        return sum(item.size for item in self._ranges)

    def union(self, other: RangeSet) -> RangeSet:
        return RangeSet(self._ranges + other._ranges)

    def difference(self, other: RangeSet) -> RangeSet:
        """What is in this set and not in the other, in O(ranges of both)."""
        left: list[AddressRange] = []
        cuts = list(other)
        index = 0
        for item in self._ranges:
            start = item.first
            while index < len(cuts) and (cuts[index].version, cuts[index].last) < (item.version, start):
                index += 1
            # One cut may reach into several ranges, so it is passed over only when the next range begins behind it.
            at = index
            while at < len(cuts) and cuts[at].version == item.version and cuts[at].first <= item.last:
                if start < cuts[at].first:
                    left.append(AddressRange(item.version, start, cuts[at].first - 1))
                start = max(start, cuts[at].last + 1)
                at += 1
            if start <= item.last:
                left.append(AddressRange(item.version, start, item.last))
        return RangeSet(left)
