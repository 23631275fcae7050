# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a speaker's page of metrics says of takeovers."""

from __future__ import annotations

from benchmarks.partition import counted

HEAD = "# HELP lantern_takeovers_total Addresses taken over.\n# TYPE lantern_takeovers_total counter\n"
SAMPLE = 'lantern_takeovers_total{{cause="{}"}} {}\n'


def test_handovers_do_not_count() -> None:
    page = HEAD + SAMPLE.format("silence", 2.0) + SAMPLE.format("handover", 7.0) + SAMPLE.format("overdue", 1.0)
    assert counted(page) == 3


def test_none_yet_is_not_the_same_as_nothing_known() -> None:
    assert counted(HEAD) == 0
    assert counted("# TYPE other_total counter\nother_total 1.0\n") is None
    assert counted("") is None
