# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spans of time as Go writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lantern.core.durations import SECOND, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("90s", 90 * SECOND),
        ("1m30s", 90 * SECOND),
        ("1.5m", 90 * SECOND),
        ("1h", 3600 * SECOND),
        (".5s", SECOND // 2),
        ("2.s", 2 * SECOND),
        ("300ms", 300_000),
        ("7us", 7),
        ("7µs", 7),
        ("1500ns", 1),
    ],
)
def test_read(text: str, microseconds: int) -> None:
    assert parse_duration(text) == microseconds


@pytest.mark.parametrize(
    "text", ["", "120", "s", "1x", "-1s", "+1s", "1 s", "1s ", "1m 30s", "1s30", "١s", "1..5s", "."]
)
def test_what_is_none(text: str) -> None:
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (0, "0s"),
        (3 * SECOND, "3s"),
        (90 * SECOND, "1m30s"),
        (60 * SECOND, "1m0s"),
        (3600 * SECOND, "1h0m0s"),
        (2_500_000, "2.5s"),
        (300_000, "300ms"),
        (1_500, "1.5ms"),
        (7, "7µs"),
    ],
)
def test_written(microseconds: int, text: str) -> None:
    assert format_duration(microseconds) == text


@given(st.integers(0, 10**12))
def test_there_and_back(microseconds: int) -> None:
    assert parse_duration(format_duration(microseconds)) == microseconds
