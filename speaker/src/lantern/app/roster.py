# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who belongs to the cluster, by gossip, and who is remembered beyond what gossip remembers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Presence(Enum):
    """What gossip says of a member."""

    SPEAKER = "speaker"
    """Present, and a speaker of Lantern."""
    FOREIGN = "foreign"
    """Present, but without our capability: MetalLB's speaker."""
    FAILED = "failed"
    """Declared dead. Who has left is no member any more."""


@dataclass(slots=True)
class Roster:
    """Gossip's view, and who is remembered beyond it."""

    remember_seconds: float
    present: dict[str, Presence] = field(default_factory=dict)
    failed: dict[str, float] = field(default_factory=dict)

    def update(self, members: Mapping[str, Presence], now: float) -> None:
        for name, presence in members.items():
            if presence is Presence.FAILED:
                self.failed.setdefault(name, now)
            else:
                self.failed.pop(name, None)
        gone = [name for name in self.present if name not in members and name not in self.failed]
        self.present = {name: item for name, item in members.items() if item is not Presence.FAILED}
        for name in gone:
            self.failed.pop(name, None)
        for name, since in list(self.failed.items()):
            if now - since > self.remember_seconds:
                del self.failed[name]

    def speakers(self) -> set[str]:
        named = {name for name, presence in self.present.items() if presence is Presence.SPEAKER}
        return named | self.failed.keys()

    def foreign(self) -> set[str]:
        return {name for name, presence in self.present.items() if presence is Presence.FOREIGN}
