# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses a packet filter lets through: at once by few ranges, and exactly once things have settled.

An address that is gained must be heard immediately, so the filter for it has to be made quickly: ranges, with strangers
in the gaps between. The addresses of a cluster lie in turns on its nodes, though, and by ranges alone each node would
wake up for all of them. A bitmap is exact and takes longer to make.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

RANGES = 24
BLOCKS = 500
"""Of a bitmap: as many as a program of 4,096 steps has room for."""
BLOCK_BITS = 5
_WORD = 1 << 32

Range = tuple[int, int]
"""First and last, both included, as 32-bit numbers."""


@dataclass(frozen=True, slots=True)
class Bitmap:
    """Addresses by their last 32 bits, in blocks of 32 bits each.

    Bit b of block n stands for the 2**shift neighbouring addresses from (32 n + b) * 2**shift.
    """

    shift: int
    blocks: tuple[tuple[int, int], ...]
    """Number and bits of each block that has any, sorted."""


def bitmap(words: Iterable[int], limit: int = BLOCKS) -> Bitmap:
    """The finest bitmap of these addresses with at most `limit` blocks (2 or more)."""
    shift, members = 0, set(words)
    while True:
        blocks: dict[int, int] = {}
        for word in members:
            block, bit = word >> BLOCK_BITS, word & (1 << BLOCK_BITS) - 1
            blocks[block] = blocks.get(block, 0) | 1 << bit
        if len(blocks) <= limit:
            return Bitmap(shift, tuple(sorted(blocks.items())))
        shift += 1
        members = {word >> 1 for word in members}


class Cover:
    """What the filters of one IP version let through, by the addresses' last 32 bits.

    An address that is added either is in a range already, or becomes one; then, if there are too many, the two with the
    smallest gap become one. Addresses that are removed stay in until they are half of all: a foreign packet more costs
    less than counting anew.
    """

    def __init__(self) -> None:
        self._words: dict[bytes, int] = {}
        self._ranges: list[Range] = []
        self._removed = 0
        self.exact = False
        """Set by whoever attaches filters: they are made of the bitmap now, and hear no address that is added."""

    @property
    def ranges(self) -> tuple[Range, ...]:
        """Sorted and disjoint, at most RANGES."""
        return tuple(self._ranges)

    @property
    def words(self) -> frozenset[int]:
        """The addresses themselves, the last 32 bits of each."""
        return frozenset(self._words.values())

    @property
    def has_strangers(self) -> bool:
        """Whether the ranges let other addresses through as well."""
        return sum(last + 1 - first for first, last in self._ranges) > len(self.words)

    def add(self, address: bytes) -> bool:
        """Cover an address, 4 or 16 bytes; whether filters have to be attached again for it."""
        word = int.from_bytes(address[-4:], "big")
        self._words[address] = word
        return self._cover(word) or self.exact

    def remove(self, address: bytes) -> bool:
        """Cover an address no more; whether the ranges have changed."""
        if self._words.pop(address, None) is None:
            return False
        self._removed += 1
        if self._removed <= len(self._words):
            return False
        before, self._ranges, self._removed = self._ranges, [], 0
        for word in sorted(self._words.values()):
            self._cover(word)
        return self._ranges != before

    def _cover(self, word: int) -> bool:
        at = bisect_right(self._ranges, (word, _WORD)) - 1
        if at >= 0 and word <= self._ranges[at][1]:
            return False
        if at >= 0 and word == self._ranges[at][1] + 1:
            self._ranges[at] = (self._ranges[at][0], word)
        else:
            at += 1
            self._ranges.insert(at, (word, word))
        if at + 1 < len(self._ranges) and self._ranges[at + 1][0] == word + 1:
            self._join(at)
        if len(self._ranges) > RANGES:
            gaps = [after[0] - before[1] for before, after in pairwise(self._ranges)]
            self._join(gaps.index(min(gaps)))
        return True

    def _join(self, at: int) -> None:
        """Make one range of this and the next, and of the gap between."""
        self._ranges[at : at + 2] = [(self._ranges[at][0], self._ranges[at + 1][1])]
