# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long silence must last, by what was measured."""

from __future__ import annotations

from random import Random

import pytest
from lantern.watch.patience import Patience


def measured(answers: list[float | None]) -> Patience:
    """After these round trips; None: lost."""
    patience = Patience()
    for seconds in answers:
        if seconds is None:
            patience.lost()
        else:
            patience.answered(seconds)
    return patience


def test_nothing_measured_yet() -> None:
    patience = Patience()
    assert patience.round_trip_seconds is None
    assert patience.timeout_seconds == 0.25
    assert patience.probes == 5


def test_clean_lan_is_quick() -> None:
    patience = measured([0.0005] * 100)
    assert patience.probes == 5
    assert patience.timeout_seconds == 0.03
    assert patience.round_trip_seconds == pytest.approx(0.0005)


def test_times_follow_rfc_6298() -> None:
    patience = measured([0.1])
    assert patience.timeout_seconds == pytest.approx(0.1 + 4 * 0.05)
    patience.answered(0.2)
    # RTTVAR = 3/4 * 0.05 + 1/4 * |0.1 - 0.2|, then SRTT = 7/8 * 0.1 + 1/8 * 0.2
    assert patience.round_trip_seconds == pytest.approx(0.1125)
    assert patience.timeout_seconds == pytest.approx(0.1125 + 4 * 0.0625)


def test_one_late_answer_is_remembered_for_a_while() -> None:
    patience = measured([0.001] * 100 + [0.3] + [0.001] * 50)
    assert 0.25 < patience.timeout_seconds <= 0.3
    for _ in range(10_000):
        patience.answered(0.001)
    assert patience.timeout_seconds == pytest.approx(0.03)


def test_loss_asks_for_more_probes_and_is_forgotten() -> None:
    rng = Random(1)
    patience = measured([0.001 if rng.random() > 0.0975 else None for _ in range(1000)])
    assert 0.05 < patience.loss < 0.2
    assert 9 <= patience.probes <= 15
    for _ in range(1000):
        patience.answered(0.001)
    assert patience.probes == 5


def test_what_the_way_took_to_open_is_forgotten_soon() -> None:
    patience = Patience()
    patience.answered(0.3, way_is_open=False)
    for _ in range(60):
        patience.answered(0.001)
    assert patience.timeout_seconds == 0.03


def test_no_loss_asks_for_more_than_twenty() -> None:
    assert measured([None] * 1000).probes == 20


def test_no_false_silence_in_a_virtual_day_of_jitter_and_loss() -> None:
    """Ten probes a second, each answered within twice 0 to 200 ms or, one in ten, not at all.

    Every probe is taken for the first unanswered one, and those that would follow it in quick succession are drawn.
    """
    rng = Random(1)
    patience = Patience()
    lost = 1 - 0.95**2
    longest = 0
    for _ in range(864_000):
        if rng.random() < lost:
            patience.lost()
            run = 1
            while run < patience.probes and rng.random() < lost:
                run += 1
            assert run < patience.probes
            longest = max(longest, run)
        else:
            patience.answered(rng.uniform(0, 0.2) + rng.uniform(0, 0.2))
    assert 4 <= longest < 12
