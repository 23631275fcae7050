# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a node doubts itself (Lifeguard): 0 is healthy; with more it waits longer before it accuses others."""

from __future__ import annotations


class Awareness:
    """A score from 0 to `maximum` - 1 (memberlist awareness.go)."""

    def __init__(self, maximum: int) -> None:
        self._greatest = maximum - 1
        self.score = 0

    def change(self, delta: int) -> None:
        self.score = min(max(self.score + delta, 0), self._greatest)

    def scaled(self, seconds: float) -> float:
        """The patience to have where a healthy node has `seconds`."""
        return seconds * (self.score + 1)
