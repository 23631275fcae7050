# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of one other speaker, and when it is to be probed next."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum

from lantern.watch.effects import Cause
from lantern.watch.messages import NONE, Edition
from lantern.watch.patience import Patience
from lantern.watch.publication import Subscription

_NEVER = float("inf")


class Status(Enum):
    UNKNOWN = "unknown"
    """Never heard since it was named."""
    ALIVE = "alive"
    SUSPECT = "suspect"
    """Silent; witnesses are being asked."""
    LOST = "lost"


@dataclass(slots=True)
class Inquiry:
    """What is asked about a silent speaker."""

    began: float
    cause: Cause
    due: float
    wire_is_silent: bool = False
    """False: not known yet."""
    linked: bool | None = None
    """Whether anybody, of whatever kind, was heard meanwhile: then this node is not the one that is cut off."""


@dataclass(slots=True)
class Peer:
    """All times are of the watch's own clock."""

    name: str
    named: float
    """When this node was told of it."""
    probe_at: float
    status: Status = Status.UNKNOWN
    close: bool = False
    """Probed at the fast pace."""
    patience: Patience = field(default_factory=Patience)
    heard: float = -_NEVER
    met: float = -_NEVER
    """When it was first heard, or heard again after it was lost."""
    probed_us: float = -_NEVER
    sent: float = -_NEVER
    outstanding: dict[int, float] = field(default_factory=dict)
    """Probes without an answer by number, with the time they were sent."""
    unanswered: deque[float] = field(default_factory=lambda: deque(maxlen=64))
    """When the probes since it was last heard were sent."""
    urgent: bool = False
    """Probe in quick succession without waiting for the first timeout."""
    held_until: float = -_NEVER
    """Not to be suspected before."""
    held: int = 0
    """How often in a row it was held back."""
    inquiry: Inquiry | None = None
    askers: dict[str, float] = field(default_factory=dict)
    """Who wants to know whether it is heard, until when."""
    lost_at: float = -_NEVER
    subscription: Subscription = field(default_factory=Subscription)
    confirmed: bool = False
    """Its bulletin here is what it says now."""
    known: Edition = NONE
    """Which of our bulletins it has."""
    push_at: float = _NEVER
    pushed: float = -_NEVER
    pushes: int = 0

    def silence_at(self) -> float:
        """When its silence is certain unless it is heard; infinity while too few probes are under way."""
        needed = self.patience.probes
        if len(self.unanswered) < needed:
            return _NEVER
        return max(self.unanswered[needed - 1] + self.patience.timeout_seconds, self.held_until)

    def in_doubt(self, now: float) -> bool:
        """Whether an answer is overdue."""
        if not self.unanswered:
            return False
        return self.urgent or now >= self.unanswered[0] + self.patience.timeout_seconds

    def hurries_at(self, now: float, step_seconds: float) -> float:
        """When it is to be probed out of turn, as an answer is overdue; infinity while enough probes are under way."""
        few = len(self.unanswered) < self.patience.probes
        return self.sent + step_seconds if few and self.in_doubt(now) else _NEVER

    def due(self, now: float, step_seconds: float) -> float:
        """When something is to be done about it."""
        due = min(self.probe_at, self.push_at)
        if self.inquiry is not None:
            due = min(due, self.inquiry.due)
        elif self.status is Status.ALIVE:
            due = min(due, self.silence_at())
        if self.unanswered and not self.in_doubt(now):
            return min(due, self.unanswered[0] + self.patience.timeout_seconds)
        return min(due, self.hurries_at(now, step_seconds))

    def settle_outstanding(self, now: float) -> None:
        """Count probes that are lost: unanswered for long, although the peer was heard after they were sent."""
        patience = max(1.0, 3 * self.patience.timeout_seconds)
        for number, sent in list(self.outstanding.items()):
            if now - sent < patience:
                return
            del self.outstanding[number]
            if self.heard > sent:
                self.patience.lost()
