# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Round-trip times of a member, smoothed as TCP does (RFC 6298 section 2)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """All in seconds. `variation` is the smoothed distance of samples from `smoothed`."""

    latest: float
    smoothed: float
    variation: float

    def after(self, sample: float) -> RoundTrip:
        """With one more sample."""
        return RoundTrip(
            latest=sample,
            smoothed=0.875 * self.smoothed + 0.125 * sample,
            variation=0.75 * self.variation + 0.25 * abs(self.smoothed - sample),
        )


def first(sample: float) -> RoundTrip:
    """With one sample only."""
    return RoundTrip(latest=sample, smoothed=sample, variation=sample / 2)
