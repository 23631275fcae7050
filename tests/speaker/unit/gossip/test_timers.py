# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of timers, and the clock of time lived."""

from __future__ import annotations

from random import Random

import pytest
from lantern.gossip.timers import Clock, GossipTick, ProbeTick, Timers


def test_in_order_of_time_then_of_setting() -> None:
    timers = Timers()
    assert timers.next_due() is None
    for due, timer in ((2.0, ProbeTick()), (1.0, GossipTick()), (1.0, ProbeTick())):
        timers.set(due, timer)
    assert timers.next_due() == 1.0
    assert timers.pop_due(0.9) is None
    assert [timers.pop_due(2.0) for _ in range(4)] == [GossipTick(), ProbeTick(), ProbeTick(), None]


def test_runs_with_the_callers() -> None:
    clock = Clock(0.5)
    assert clock.lived(100.0, None) == 100.0
    assert clock.lived(101.3, 101.0) == 101.3, "a little late is late"


def test_sleep_is_not_lived() -> None:
    clock = Clock(0.5)
    clock.lived(100.0, None)
    assert clock.lived(3700.0, 101.0) == 101.0
    assert clock.lived(3700.5, 102.0) == 101.5
    assert clock.outside(102.0) == 3701.0


def test_jump_back_is_no_time_at_all() -> None:
    clock = Clock(0.5)
    clock.lived(100.0, 101.0)
    assert clock.lived(10.0, 101.0) == 100.0
    assert clock.lived(10.4, 101.0) == pytest.approx(100.4)
    assert clock.outside(101.0) == pytest.approx(11.0)


def test_never_runs_back() -> None:
    rng, clock = Random(1), Clock(0.5)
    before = clock.lived(0.0, None)
    for _ in range(1000):
        lived = clock.lived(rng.uniform(-1e6, 1e6), before + rng.random())
        assert lived >= before
        before = lived
