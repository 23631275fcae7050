# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who of several controllers may write: a Lease (coordination.k8s.io/v1), judged by this process's own clock only.

A machine without I/O; `now` is monotonic seconds. Times inside the Lease are for people: clocks of two nodes may be
hours apart, or jump. What counts is for how long *this* process has seen the Lease unchanged. A holder counts from the
moment before it sent its renewal, everybody else from the moment they saw it, which is later; so a holder stops before
anybody takes over. It also stops when it was frozen (SIGSTOP, a suspended machine): monotonic time goes on.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds. A dead holder is replaced `duration` after its last renewal at the latest; it renews every `renew`."""

    duration: float = 3.0
    renew: float = 1.0
    margin: float = 0.75
    """The holder stops writing so long before its time is over, so that writes under way end in time."""


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """What the Lease says: `holder` is empty when it was given back; `version` its resourceVersion."""

    holder: str
    version: str
    transitions: int = 0
    duration: float = 0.0


@dataclass(frozen=True, slots=True)
class Take:
    """Write the Lease: create it when `version` is empty, else update exactly that version."""

    version: str
    transitions: int
    is_renewal: bool
    by_force: bool = False
    """Its holder fell silent. Told now, as the watch may bring what was written before the write has its answer."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do for so many seconds, unless the Lease changes."""

    seconds: float


class Leadership:
    """One contender."""

    def __init__(self, identity: str, timings: Timings) -> None:
        self._identity = identity
        self._timings = timings
        self._record: LeaseRecord | None = None
        self._known_absent = False
        self._seen_at = 0.0
        self._renewed_at: float | None = None
        self.by_force = False
        """Whether this process leads because the one before fell silent: that one may not know yet that it does not."""

    def saw(self, record: LeaseRecord | None, *, now: float) -> None:
        """The Lease as read or watched; None: there is none."""
        self._known_absent = record is None
        if record is None or self._record is None or record.version != self._record.version:
            self._seen_at = now
        self._record = record
        if record is None or record.holder != self._identity:
            self._renewed_at = None

    def took(self, record: LeaseRecord, take: Take, *, started: float, now: float) -> None:
        """The write that was decided on and begun at `started` succeeded; `record` is its answer."""
        if self._renewed_at is None:
            self.by_force = take.by_force
        self._record, self._seen_at, self._renewed_at, self._known_absent = record, now, started, False

    def resign(self) -> None:
        """This process writes no more, whatever becomes of the Lease."""
        self._renewed_at = None

    def decide(self, *, now: float) -> Take | Wait:
        """What to do next."""
        record = self._record
        if record is None:
            return Take("", 0, False) if self._known_absent else Wait(self._timings.renew)
        if self._renewed_at is not None:
            due = self._renewed_at + self._timings.renew
            return Take(record.version, record.transitions, True) if now >= due else Wait(due - now)
        if record.holder in ("", self._identity):
            # Given back; or this very pod held it before its container was restarted.
            return Take(record.version, record.transitions + 1, False)
        free_at = self._seen_at + max(record.duration, self._timings.duration)
        if now < free_at:
            return Wait(free_at - now)
        return Take(record.version, record.transitions + 1, is_renewal=False, by_force=True)

    def may_write(self, *, now: float) -> bool:
        """Whether this process is the one that writes, at this moment."""
        return self.seconds_left(now=now) > 0

    def seconds_left(self, *, now: float) -> float:
        """How long it stays so without a renewal; 0 when it is not so."""
        if self._renewed_at is None:
            return 0.0
        return max(0.0, self._renewed_at + self._timings.duration - self._timings.margin - now)

    @property
    def holds(self) -> bool:
        """Whether the Lease named this process when it was last seen, be its time over or not."""
        return self._renewed_at is not None

    @property
    def holder(self) -> str:
        """Who holds the Lease, as last seen; empty: nobody."""
        return self._record.holder if self._record else ""

    @property
    def version(self) -> str:
        """The resourceVersion last seen; empty: none."""
        return self._record.version if self._record else ""
