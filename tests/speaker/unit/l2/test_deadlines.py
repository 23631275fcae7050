# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A heap of deadlines."""

from __future__ import annotations

from lantern.l2.deadlines import Deadlines


def test_earliest_comes_first_and_equal_ones_in_the_order_they_were_set() -> None:
    due: Deadlines[str] = Deadlines()
    for key, at in (("b", 2.0), ("a", 1.0), ("c", 2.0)):
        due.set(key, at)
    assert due.next() == 1.0
    assert [due.pop(now=5.0) for _ in range(4)] == [("a", 1.0), ("b", 2.0), ("c", 2.0), None]
    assert due.next() is None


def test_what_is_set_again_or_discarded_is_not_due_at_the_old_time() -> None:
    due: Deadlines[str] = Deadlines()
    due.set("a", 1.0)
    due.set("b", 2.0)
    due.set("a", 3.0)
    due.discard("b")
    assert due.pop(now=2.5) is None and due.next() == 3.0
    assert "a" in due and "b" not in due
    due.set("a", 2.0)
    assert due.pop(now=2.0) == ("a", 2.0) and due.pop(now=9.0) is None


def test_setting_again_and_again_does_not_grow() -> None:
    due: Deadlines[int] = Deadlines()
    for number in range(100_000):
        due.set(number % 3, float(number))
    assert len(due._heap) < 100
    assert [due.pop(now=1e9) for _ in range(4)] == [(1, 99_997.0), (2, 99_998.0), (0, 99_999.0), None]
