# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The free addresses of one range as intervals, so that the first one is found without passing over those in use."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable


class FreeSpace:
    """Free values as disjoint intervals, sorted. The size of the range costs nothing: an IPv6 /64 is one interval.

    `first` takes constant time, `take` and `free` that of a bisection. `avoids_buggy`: values whose last byte is 0 or
    255 are never given out, as in IPAddressPool.spec.avoidBuggyIPs.
    """

    __slots__ = ("_avoids_buggy", "_firsts", "_lasts")

    def __init__(self, first: int, last: int, taken: Iterable[int] = (), avoids_buggy: bool = False) -> None:
        self._avoids_buggy = avoids_buggy
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for value in sorted(taken):
            if first < value:
                self._firsts.append(first)
                self._lasts.append(value - 1)
            first = value + 1
        if first <= last:
            self._firsts.append(first)
            self._lasts.append(last)

    @property
    def intervals(self) -> list[tuple[int, int]]:
        """First and last value of each interval."""
        return list(zip(self._firsts, self._lasts, strict=True))

    def first(self) -> int | None:
        """The lowest value that may be given out."""
        while self._firsts:
            value = self._firsts[0]
            if self._avoids_buggy:
                value += value & 0xFF == 0xFF
                value += value & 0xFF == 0
            if value <= self._lasts[0]:
                return value
            # Nothing but avoided values, which is what it will stay.
            del self._firsts[0], self._lasts[0]
        return None

    def take(self, value: int) -> None:
        """The value is not free any more. One that is not free already changes nothing."""
        at = bisect_right(self._firsts, value) - 1
        if at < 0 or value > self._lasts[at]:
            return
        first, last = self._firsts[at], self._lasts[at]
        if first == last:
            del self._firsts[at], self._lasts[at]
        elif value == first:
            self._firsts[at] = value + 1
        elif value == last:
            self._lasts[at] = value - 1
        else:
            self._lasts[at] = value - 1
            self._firsts.insert(at + 1, value + 1)
            self._lasts.insert(at + 1, last)

    def free(self, value: int) -> None:
        """The value is free again. One that is free already changes nothing."""
        at = bisect_right(self._firsts, value)
        if at > 0 and value <= self._lasts[at - 1]:
            return
        follows = at > 0 and self._lasts[at - 1] == value - 1
        precedes = at < len(self._firsts) and self._firsts[at] == value + 1
        if follows and precedes:
            self._lasts[at - 1] = self._lasts[at]
            del self._firsts[at], self._lasts[at]
        elif follows:
            self._lasts[at - 1] = value
        elif precedes:
            self._firsts[at] = value
        else:
            self._firsts.insert(at, value)
            self._lasts.insert(at, value)
