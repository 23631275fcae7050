# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spans of time as Go and hence Kubernetes write them: "90s", "1m30s", "1.5h", "300ms". In whole microseconds."""

from __future__ import annotations

import re
from fractions import Fraction

_UNITS = {
    "ns": Fraction(1, 1000),
    "us": Fraction(1),
    "µs": Fraction(1),
    "ms": Fraction(1_000),
    "s": Fraction(1_000_000),
    "m": Fraction(60_000_000),
    "h": Fraction(3_600_000_000),
}
_PART = re.compile(r"(\d{1,12}(?:\.\d{0,12})?|\.\d{1,12})(ns|us|µs|ms|s|m|h)", re.ASCII)
SECOND = 1_000_000
"""Microseconds."""


def parse_duration(text: str) -> int | None:
    """Microseconds, None when the text is no duration. Negative ones are none."""
    if text == "0":
        return 0
    total, end = Fraction(0), 0
    for part in _PART.finditer(text):
        if part.start() != end:
            return None
        number = part[1] if part[1][0] != "." else f"0{part[1]}"
        total += Fraction(number.removesuffix(".")) * _UNITS[part[2]]
        end = part.end()
    return int(total) if text and end == len(text) else None


def format_duration(microseconds: int) -> str:
    """As Go prints it: 90 s are "1m30s"."""
    if 0 < microseconds < SECOND:
        unit, size = ("ms", 1000) if microseconds >= 1000 else ("µs", 1)
        return f"{_decimal(Fraction(microseconds, size))}{unit}"
    minutes, rest = divmod(microseconds, 60 * SECOND)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{_decimal(Fraction(rest, SECOND))}s"
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds


def _decimal(value: Fraction) -> str:
    whole, rest = divmod(value, 1)
    if not rest:
        return str(whole)
    return f"{whole}.{int(rest * SECOND):06}".rstrip("0")
