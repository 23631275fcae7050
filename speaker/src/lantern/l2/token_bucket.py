# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A limit on how often: so many at once, so many a second."""

from __future__ import annotations

_WHOLE = 1 - 1e-6
"""Of a token: who waits exactly as long as told must not find it missing by a rounding error."""


class TokenBucket:
    """Holds up to `burst` tokens and gains `rate` a second. It starts full."""

    def __init__(self, *, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._updated: float | None = None

    def take(self, *, now: float) -> bool:
        """Take one token; False when there is none."""
        self._fill(now)
        if self._tokens < _WHOLE:
            return False
        self._tokens = max(0.0, self._tokens - 1)
        return True

    def wait(self, *, now: float) -> float:
        """Seconds until there is a token, 0 when there is one."""
        self._fill(now)
        return max(0.0, (1 - self._tokens) / self._rate)

    def _fill(self, now: float) -> None:
        if self._updated is not None and now > self._updated:
            self._tokens = min(self._burst, self._tokens + (now - self._updated) * self._rate)
        self._updated = now
