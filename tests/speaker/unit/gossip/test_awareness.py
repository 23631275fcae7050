# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's doubt about itself."""

from __future__ import annotations

from lantern.gossip.awareness import Awareness


def test_score_stays_in_its_range_and_scales() -> None:
    awareness = Awareness(8)
    awareness.change(-1)
    assert (awareness.score, awareness.scaled(1.0)) == (0, 1.0)
    awareness.change(100)
    assert (awareness.score, awareness.scaled(0.5)) == (7, 4.0)
    awareness.change(-1)
    assert awareness.score == 6
