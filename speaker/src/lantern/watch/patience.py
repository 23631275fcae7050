# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When silence is certain: how many probes must go unanswered, and for how long, by what was measured of a peer.

Let q be the part of the probes that stay without an answer while the peer lives: its estimate plus three standard
deviations, at least 1 %. Then k probes that are lost one by one all are lost with a probability of q**k, and

    k = ceil(ln(1e-9) / ln(q))

makes a false verdict rarer than 1 in 1e9 probes: 5 probes on a clean LAN, 9 to 13 at 5 % loss in both directions.
A probe counts as unanswered after SRTT + 4 RTTVAR (RFC 6298, section 2), but not before the longest time that an
answer took lately. At an even jitter of 200 ms that is longer than any answer takes.

Loss comes in runs, too: therefore silence alone is not yet a verdict, see `machine`.
"""

from __future__ import annotations

import math

_FALSE_VERDICT = 1e-9
_LEAST_LOSS = 0.01
_GREATEST_LOSS = 0.35
_LOSS_GAIN = 1 / 64
_SHORTEST_SECONDS = 0.03
_LONGEST_SECONDS = 2.0
_FIRST_SECONDS = 0.25
_WORST_CAP_SECONDS = 0.4
_WORST_DECAY = 0.5 ** (1 / 300)
"""Per answer: after 300 of them, two minutes of taking turns at five a second, a long one counts half."""


class Patience:
    """What is known of the way to one peer and back."""

    __slots__ = ("_loss", "_smoothed", "_variation", "_worst", "probes", "timeout_seconds")

    def __init__(self) -> None:
        self._smoothed: float | None = None
        self._variation = 0.0
        self._worst = 0.0
        self._loss = 0.0
        self.timeout_seconds = _FIRST_SECONDS
        """A probe without an answer after this is unanswered."""
        self.probes = _needed(0.0)
        """So many unanswered ones in a row are silence."""

    @property
    def round_trip_seconds(self) -> float | None:
        """Smoothed; None before the first answer."""
        return self._smoothed

    @property
    def loss(self) -> float:
        """The part of the probes that stay unanswered, 0 to 1."""
        return self._loss

    def answered(self, seconds: float, *, way_is_open: bool = True) -> None:
        """An answer took so long. `way_is_open`: frames went through when the probe was sent."""
        if self._smoothed is None:
            self._smoothed, self._variation = seconds, seconds / 2
        else:
            self._variation += (abs(self._smoothed - seconds) - self._variation) / 4
            self._smoothed += (seconds - self._smoothed) / 8
        lately = min(seconds, _WORST_CAP_SECONDS) if way_is_open else 0.0
        self._worst = max(lately, self._worst * _WORST_DECAY)
        usual = max(self._smoothed + 4 * self._variation, self._worst)
        self.timeout_seconds = min(max(usual, _SHORTEST_SECONDS), _LONGEST_SECONDS)
        if self._loss:
            self._count(0.0)

    def lost(self) -> None:
        """A probe of a living peer was never answered."""
        self._count(1.0)

    def _count(self, outcome: float) -> None:
        self._loss += (outcome - self._loss) * _LOSS_GAIN
        self.probes = _needed(self._loss)


def _needed(loss: float) -> int:
    deviation = math.sqrt(loss * (1 - loss) * _LOSS_GAIN / (2 - _LOSS_GAIN))
    bound = min(max(loss + 3 * deviation, _LEAST_LOSS), _GREATEST_LOSS)
    return math.ceil(math.log(_FALSE_VERDICT) / math.log(bound))
