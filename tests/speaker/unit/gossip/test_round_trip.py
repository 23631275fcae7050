# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Smoothing of round-trip times."""

from __future__ import annotations

import pytest
from lantern.gossip import round_trip


def test_smoothing_as_in_rfc_6298() -> None:
    one = round_trip.first(0.1)
    assert (one.latest, one.smoothed, one.variation) == (0.1, 0.1, 0.05)
    two = one.after(0.2)
    assert two.latest == 0.2
    assert two.smoothed == pytest.approx(0.1125)
    assert two.variation == pytest.approx(0.0625)
