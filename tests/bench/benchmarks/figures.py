# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a table's row is, and how several runs become one figure. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table: a figure that is measured once in each run, the smaller the better unless `greater`."""

    key: str
    what: str
    how: str = ""
    unit: str = "s"
    target: float | None = None
    """What Lantern is to reach: at most this, or at least when the greater is the better."""
    greater: bool = False
    rival: bool = False
    """Lantern is to reach what MetalLB does."""
    counted: bool = False
    """How often it was measured within a run is told beside the figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One figure over all runs: median and extremes of those that gave one, and how many gave none."""

    median: float
    lowest: float
    highest: float
    runs: int
    failed: int = 0


def summary(values: Sequence[float | None]) -> Summary | None:
    """The figure of several runs; None stands for a run that failed. None when no run gave a figure."""
    good = [value for value in values if value is not None]
    if not good:
        return None
    return Summary(
        median=statistics.median(good),
        lowest=min(good),
        highest=max(good),
        runs=len(good),
        failed=len(values) - len(good),
    )


def quantile(values: Sequence[float], fraction: float) -> float:
    """The smallest value that at least `fraction` of all values do not exceed (nearest rank).

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values: nothing was measured")
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * fraction // 1))
    return ordered[int(rank) - 1]


def number(value: float) -> str:
    """A figure as people read it: three digits that count, or the whole number where it has more."""
    if value == 0:
        return "0"
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def cell(figure: Summary | None, failed: int = 0) -> str:
    """Median (lowest-highest), the extremes only where there were several runs; failures are told."""
    if figure is None:
        return f"failed {failed}×" if failed else "–"
    text = number(figure.median)
    if figure.runs > 1 and (figure.lowest, figure.highest) != (figure.median, figure.median):
        text += f" ({number(figure.lowest)}–{number(figure.highest)})"
    return text + (f", failed {figure.failed}×" if figure.failed else "")


def bound(row: Row) -> str:
    """What Lantern is to reach, in words; empty where there is nothing to reach."""
    sign = "≥" if row.greater else "≤"
    if row.rival:
        return f"{sign} MetalLB"
    if row.target is None:
        return ""
    return f"{sign} {number(row.target)}" if row.target else "0"


def mark(row: Row, ours: Summary | None, theirs: Summary | None) -> str:
    """✓ or ✗: whether Lantern's median reaches its target; empty where that cannot be said."""
    wanted = (theirs.median if theirs else None) if row.rival else row.target
    if ours is None or wanted is None:
        return ""
    # By what is shown: two writes for each Service and two in a thousand for the pool's counters are two.
    shown, wanted = _shown(ours.median), _shown(wanted) if row.rival else wanted
    return "✓" if (shown >= wanted if row.greater else shown <= wanted) else "✗"


def _shown(value: float) -> float:
    return float(number(value).replace(",", ""))


def ratio(ours: Summary | None, theirs: Summary | None, *, greater: bool = False) -> str:
    """How many times better ours is than the other's median; empty where there is nothing to divide."""
    if ours is None or theirs is None or ours.median == 0 or theirs.median == 0:
        return ""
    times = ours.median / theirs.median if greater else theirs.median / ours.median
    return f"{number(times)}×"
