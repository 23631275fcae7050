# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""So many at once, so many a second."""

from __future__ import annotations

import pytest
from lantern.l2.token_bucket import TokenBucket


def test_burst_then_rate() -> None:
    bucket = TokenBucket(rate=10, burst=3)
    assert [bucket.take(now=0.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.wait(now=0.0) == pytest.approx(0.1)
    assert not bucket.take(now=0.09)
    assert bucket.take(now=0.11)
    assert bucket.wait(now=100.0) == 0
    assert [bucket.take(now=100.0) for _ in range(4)] == [True, True, True, False]


def test_clock_that_stands_or_goes_back_gives_nothing() -> None:
    bucket = TokenBucket(rate=10, burst=1)
    assert bucket.take(now=5.0)
    assert not bucket.take(now=4.0) and not bucket.take(now=4.0)
