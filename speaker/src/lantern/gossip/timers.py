# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Timers as values in a heap, and a clock that does not count time in which this node did not run.

A timer is never cancelled: whoever handles it looks whether what it was for still stands.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import count


@dataclass(frozen=True, slots=True)
class GossipTick:
    """Send queued broadcasts to a few members."""


@dataclass(frozen=True, slots=True)
class ProbeTick:
    """Begin the next probe round."""


@dataclass(frozen=True, slots=True)
class ProbeTimeout:
    """A direct ping got no answer in time: ask others, and try TCP."""

    seq_no: int


@dataclass(frozen=True, slots=True)
class ProbeDeadline:
    """The end of a probe round."""

    seq_no: int


@dataclass(frozen=True, slots=True)
class PingDeadline:
    """The end of a ping that the application or another member asked for."""

    seq_no: int


@dataclass(frozen=True, slots=True)
class SuspicionTimeout:
    """A suspicion about this member may have run out."""

    name: str


@dataclass(frozen=True, slots=True)
class PushPullTick:
    """Exchange states with somebody."""


@dataclass(frozen=True, slots=True)
class RejoinTick:
    """Look for members that are missing."""

    serial: int


@dataclass(frozen=True, slots=True)
class StreamDeadline:
    """A stream has had its time."""

    stream: int


Timer = (
    GossipTick
    | ProbeTick
    | ProbeTimeout
    | ProbeDeadline
    | PingDeadline
    | SuspicionTimeout
    | PushPullTick
    | RejoinTick
    | StreamDeadline
)


class Timers:
    """Timers by the time they are due, equal times in order of setting."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = count()

    def set(self, due: float, timer: Timer) -> None:
        heapq.heappush(self._heap, (due, next(self._order), timer))

    def next_due(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> Timer | None:
        """The earliest timer that is due, removed."""
        if not self._heap or self._heap[0][0] > now:
            return None
        return heapq.heappop(self._heap)[2]


class Clock:
    """Turns the caller's time into time lived.

    A node that was paused (a virtual machine, a stopped process, a starved container) finds all its deadlines passed
    at once and the answers to its pings still unread. Judged by the caller's clock it would declare its peers dead for
    its own sleep. So a jump beyond a due timer is taken out of the clock, and so is a jump back.
    """

    def __init__(self, stall_seconds: float) -> None:
        self._stall = stall_seconds
        self._skipped = 0.0
        self._latest: float | None = None

    def lived(self, now: float, next_due: float | None) -> float:
        """Time lived at the caller's `now`; never less than before."""
        lived = now - self._skipped
        late = lived - next_due if next_due is not None else 0.0
        if late > self._stall:
            self._skipped += late
        elif self._latest is not None and lived < self._latest:
            self._skipped -= self._latest - lived
        lived = now - self._skipped
        self._latest = lived if self._latest is None else max(lived, self._latest)
        return self._latest

    def outside(self, lived: float) -> float:
        """The caller's time for a moment of time lived."""
        return lived + self._skipped
