# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a suspected member has to object (memberlist suspicion.go, util.go:70).

The more members accuse it independently, the sooner it is declared dead.
"""

from __future__ import annotations

import math

from lantern.gossip.config import Timing


def shortest_seconds(timing: Timing, members: int) -> float:
    """The time to object when enough members accuse, in a cluster of so many."""
    scale = max(1.0, math.log10(max(1.0, members)))
    return timing.suspicion_multiplier * math.floor(scale * 1000) / 1000 * timing.probe_interval_seconds


def wanted_confirmations(timing: Timing, members: int) -> int:
    """How many accusers besides the first make it shortest; 0 where there are not enough members to be them."""
    wanted = timing.suspicion_multiplier - 2
    return wanted if members - 2 >= wanted else 0


class Suspicion:
    """One suspicion from its begin to the member's objection or death."""

    def __init__(self, accuser: str, timing: Timing, *, members: int, now: float) -> None:
        self._started = now
        self._wanted = wanted_confirmations(timing, members)
        self._shortest = shortest_seconds(timing, members)
        self._longest = timing.suspicion_max_multiplier * self._shortest
        # The first accuser's own repetitions confirm nothing.
        self._accusers = {accuser}

    @property
    def confirmations(self) -> int:
        return len(self._accusers) - 1

    @property
    def due(self) -> float:
        """When the member is declared dead unless it objects."""
        if not self._wanted:
            return self._started + self._shortest
        share = math.log(self.confirmations + 1) / math.log(self._wanted + 1)
        seconds = self._longest - share * (self._longest - self._shortest)
        return self._started + max(self._shortest, math.floor(1000 * seconds) / 1000)

    def confirm(self, accuser: str) -> bool:
        """Take an accusation; False if it changes nothing, because this member accused before or enough have."""
        if self.confirmations >= self._wanted or accuser in self._accusers:
            return False
        self._accusers.add(accuser)
        return True
