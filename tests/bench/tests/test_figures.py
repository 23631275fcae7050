# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How runs become figures, and how figures are written."""

from __future__ import annotations

import pytest
from benchmarks.figures import Row, Summary, bound, cell, mark, number, quantile, ratio, summary


def test_a_summary_tells_the_median_the_extremes_and_the_failures() -> None:
    assert summary([3.0, None, 1.0, 2.0]) == Summary(median=2.0, lowest=1.0, highest=3.0, runs=3, failed=1)
    assert summary([None]) is None
    assert summary([]) is None


@pytest.mark.parametrize(
    ("fraction", "expected"), [(0.5, 5), (0.99, 10), (0.1, 1), (1.0, 10)], ids=["p50", "p99", "p10", "max"]
)
def test_quantiles_are_by_nearest_rank(fraction: float, expected: float) -> None:
    assert quantile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], fraction) == expected


def test_no_values_have_no_quantile() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        quantile([], 0.5)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.01234, "0.0123"), (3.14159, "3.14"), (57.26, "57.3"), (99.96, "100"), (4512.3, "4,512")],
)  # fmt: skip
def test_numbers_have_three_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_cells_tell_failures_and_extremes_only_where_there_are_any() -> None:
    assert cell(summary([2.0])) == "2"
    assert cell(summary([2.0, 2.0, 2.0])) == "2"
    assert cell(summary([1.0, 2.0, 4.0])) == "2 (1–4)"
    assert cell(summary([1.0, 2.0, None])) == "1.5 (1–2), failed 1×"
    assert cell(None, 3) == "failed 3×"
    assert cell(None) == "–"


def test_a_ratio_is_theirs_by_ours() -> None:
    assert ratio(summary([2.0]), summary([9.0])) == "4.5×"
    assert ratio(summary([0.0]), summary([9.0])) == ""
    assert ratio(None, summary([9.0])) == ""
    assert ratio(summary([12.0]), summary([8.0]), greater=True) == "1.5×"


@pytest.mark.parametrize(
    ("row", "words", "good", "bad"),
    [
        (Row(key="k", what="w", target=1.0), "≤ 1", 1.004, 1.01),
        (Row(key="k", what="w", target=0), "0", 0.0, 1.0),
        (Row(key="k", what="w", target=12_000, greater=True), "≥ 12,000", 12_000.0, 11_999.0),
        (Row(key="k", what="w", rival=True), "≤ MetalLB", 5.0, 5.1),
    ],
    ids=["at most", "none", "at least", "as good"],
)
def test_a_target_is_told_and_judged(row: Row, words: str, good: float, bad: float) -> None:
    theirs = summary([5.0])
    assert bound(row) == words
    assert (mark(row, summary([good]), theirs), mark(row, summary([bad]), theirs)) == ("✓", "✗")
    assert mark(row, None, theirs) == ""


def test_what_cannot_be_judged_is_not() -> None:
    assert bound(Row(key="k", what="w")) == mark(Row(key="k", what="w"), summary([1.0]), None) == ""
    assert mark(Row(key="k", what="w", rival=True), summary([1.0]), None) == ""
