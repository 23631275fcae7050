# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When each of many things is due: a heap, so that thousands of them cost no more than the one that is due."""

from __future__ import annotations

from collections.abc import Hashable
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Deadlines(Generic[K]):
    """One time for each key, in seconds of the caller's clock. Equal times come due in the order they were set."""

    def __init__(self) -> None:
        self._current: dict[K, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._serial = 0

    def __contains__(self, key: K) -> bool:
        return key in self._current

    def set(self, key: K, at: float) -> None:
        """`key` is due at `at`, and no more at an earlier set time."""
        self._serial += 1
        self._current[key] = (at, self._serial)
        heappush(self._heap, (at, self._serial, key))
        # What was set again or discarded stays in the heap until it surfaces; too much of it is swept.
        if len(self._heap) > 2 * len(self._current) + 64:
            self._heap = [(*when, key) for key, when in self._current.items()]
            heapify(self._heap)

    def discard(self, key: K) -> None:
        """`key` is not due any more."""
        self._current.pop(key, None)

    def next(self) -> float | None:
        """The earliest time; None when nothing is set."""
        while self._heap and self._current.get(self._heap[0][2]) != self._heap[0][:2]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop(self, *, now: float) -> tuple[K, float] | None:
        """One key that is due, the earliest, and since when; it is discarded. None when nothing is due."""
        at = self.next()
        if at is None or at > now:
            return None
        key = heappop(self._heap)[2]
        del self._current[key]
        return key, at
