# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read out of requests and ARP answers over time."""

from __future__ import annotations

import pytest
from benchmarks.timeline import Answer, Presence, Visit, disturbed, longest_gap, lost, overlap, presences, takings


def _served(*ends: float) -> list[Visit]:
    return [Visit("a", end - 0.001, end, True) for end in ends]


def _heard(mac: str, since: float, until: float, every: float) -> list[Answer]:
    return [Answer(since + every * step, mac) for step in range(int((until - since) / every) + 1)]


def test_a_gap_reaches_from_the_last_page_before_to_the_first_one_after() -> None:
    visits = _served(0.0, 0.9, 4.0, 4.1)
    assert longest_gap(visits, since=1.0, until=4.2) == pytest.approx(3.1)


def test_requests_that_fail_do_not_end_a_gap() -> None:
    assert longest_gap([*_served(1.0, 3.0), Visit("a", 1.5, 2.0, False)], since=1.0, until=3.0) == 2.0


def test_a_gap_that_does_not_end_lasts_as_long_as_is_known() -> None:
    assert longest_gap(_served(1.0), since=1.0, until=26.0) == 25.0
    assert longest_gap([], since=1.0, until=26.0) == 25.0


def test_what_was_before_or_comes_after_is_no_gap() -> None:
    visits = _served(0.0, 9.99, 10.1, 10.2, 90.0)
    assert longest_gap(visits, since=10.0, until=10.3) == pytest.approx(0.11)


def test_the_order_in_which_requests_end_does_not_matter() -> None:
    visits = _served(1.0, 1.5, 2.0)
    assert longest_gap(visits[::-1], 1.0, 2.0) == longest_gap(visits, 1.0, 2.0) == 0.5


def test_one_who_keeps_answering_is_present_once_whatever_is_lost() -> None:
    answers = [answer for answer in _heard("a", 0, 10, 0.25) if not 3 < answer.moment < 4]
    assert presences(answers, quiet=2.0) == [Presence("a", 0, 10)]
    assert takings(answers, quiet=2.0) == []


def test_each_that_begins_or_begins_again_has_taken() -> None:
    answers = [*_heard("a", 0, 10, 0.25), *_heard("b", 10.5, 20, 0.25), *_heard("a", 20.5, 30, 0.25)]
    assert takings(answers, quiet=2.0) == [10.5, 20.5]
    false = [*_heard("a", 0, 30, 0.25), *_heard("b", 10.5, 12, 0.25)]
    assert takings(false, quiet=2.0) == [10.5], "somebody took what its owner went on with"


def test_two_answer_while_both_are_present() -> None:
    assert overlap(presences([*_heard("a", 0, 5, 0.02), *_heard("b", 4.5, 9, 0.02)], 0.1)) == pytest.approx(0.5)
    assert overlap(presences([*_heard("a", 0, 5, 0.02), *_heard("b", 5.02, 9, 0.02)], 0.1)) == 0.0
    assert overlap([]) == 0.0


def test_three_at_once_are_counted_as_two() -> None:
    assert overlap([Presence("a", 0, 4), Presence("b", 1, 3), Presence("c", 2, 5)]) == 3.0


def test_of_lost_requests_only_those_around_a_change_or_a_silence_are_the_load_balancers() -> None:
    answers = [*_heard("a", 0, 10, 0.25), *_heard("b", 10.25, 20, 0.25), *_heard("b", 25, 40, 0.25)]
    by_cable, by_change = Visit("a", 5, 6, False), Visit("a", 10, 11, False)
    after_change, by_silence = Visit("a", 12, 13, False), Visit("a", 22, 23, False)
    visits = [by_cable, by_change, after_change, by_silence, Visit("a", 10, 10.1, True), Visit("a", 30, 31, False)]
    assert disturbed(visits, answers, quiet=2.0) == [by_change, after_change, by_silence]
    assert len(lost(visits)) == 5


def test_while_nobody_answers_all_that_is_lost_is_the_load_balancers() -> None:
    visits = [Visit("a", 5, 6, False), Visit("a", 6, 6.1, True)]
    assert disturbed(visits, [], quiet=2.0) == visits[:1]
    assert disturbed(visits, _heard("a", 0, 1, 0.25), quiet=2.0) == visits[:1], "the last answer was long ago"
