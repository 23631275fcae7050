# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changed between two states."""

from __future__ import annotations

from lantern.core.diff import difference


def test_difference() -> None:
    found = difference({"a": 1, "b": 2, "c": 3}, {"b": 2, "c": 4, "d": 5})
    assert (found.gained, found.changed, found.lost) == ({"d": 5}, {"c": 4}, frozenset({"a"}))


def test_no_difference() -> None:
    found = difference({"a": 1}, {"a": 1})
    assert not found.gained and not found.changed and not found.lost
