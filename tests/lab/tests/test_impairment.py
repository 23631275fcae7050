# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad cables as arithmetic: which frames come out of a line, and when."""

from __future__ import annotations

import dataclasses
import math
import statistics

import pytest
from homelab.cli import duration, share
from homelab.impairment import FRAMES_HELD, BadCable, Direction, Impairment, Line
from hypothesis import given
from hypothesis import strategies as st

shares = st.floats(0, 1)
times = st.floats(0, 60)
impairments = st.builds(
    Impairment, delay=times, jitter=times, loss=shares, duplicate=shares, reorder=shares, seed=st.integers(0, 99)
)


def frame(number: int) -> bytes:
    return number.to_bytes(4)


def through(
    impairment: Impairment, count: int, gap: float = 0.001, direction: Direction = "in"
) -> list[tuple[int, float]]:
    """Number and travel time, in the order of arrival, of `count` frames sent `gap` seconds apart."""
    line, arrived = Line(impairment, direction), []

    def deliver(until: float) -> None:
        while (now := line.next) is not None and now <= until:
            arrived.extend((int.from_bytes(data), now - int.from_bytes(data) * gap) for data in line.due(now))

    for number in range(count):
        line.put(frame(number), now=number * gap)
        deliver(until=number * gap)
    deliver(until=math.inf)
    return arrived


def test_a_good_line_passes_everything_at_once() -> None:
    assert through(Impairment(), 100) == [(number, 0.0) for number in range(100)]


@given(impairments)
def test_without_reordering_frames_keep_their_order_whatever_else_happens(impairment: Impairment) -> None:
    arrived = [number for number, _ in through(dataclasses.replace(impairment, reorder=0.0), 300)]
    assert arrived == sorted(arrived)


@given(impairments)
def test_the_same_seed_meets_the_same_frames(impairment: Impairment) -> None:
    assert through(impairment, 100) == through(impairment, 100)


@given(impairments)
def test_no_frame_is_early_nor_lost_for_ever(impairment: Impairment) -> None:
    times = [time for _, time in through(impairment, 200)]
    least = 0.0 if impairment.reorder else max(0.0, impairment.delay - impairment.jitter)
    assert all(least - 1e-9 <= time <= impairment.delay + impairment.jitter + 1e-9 for time in times)


def test_the_two_directions_and_other_seeds_lose_other_frames() -> None:
    rules = Impairment(loss=0.5)
    runs = (
        through(rules, 200),
        through(rules, 200, direction="out"),
        through(dataclasses.replace(rules, seed=1), 200),
    )
    assert len({tuple(run) for run in runs}) == 3


def test_loss_duplication_and_reordering_come_in_the_wanted_shares() -> None:
    count = 20_000
    assert len(through(Impairment(loss=0.05), count)) == pytest.approx(0.95 * count, rel=0.01)
    assert len(through(Impairment(duplicate=0.1), count)) == pytest.approx(1.1 * count, rel=0.01)
    hurried = [time for _, time in through(Impairment(delay=0.2, reorder=0.25), count) if time == 0]
    assert len(hurried) == pytest.approx(0.25 * count, rel=0.05)


def test_jitter_is_spread_evenly_around_the_delay_for_frames_far_apart() -> None:
    travel = [time for _, time in through(Impairment(delay=0.2, jitter=0.05), 2000, gap=1.0)]
    assert statistics.mean(travel) == pytest.approx(0.2, abs=0.003)
    assert min(travel) == pytest.approx(0.15, abs=0.001)
    assert max(travel) == pytest.approx(0.25, abs=0.001)


def test_what_is_lost_does_not_depend_on_when_frames_come() -> None:
    rules = Impairment(delay=0.1, jitter=0.1, loss=0.3)
    slowly, quickly = through(rules, 500, gap=1.0), through(rules, 500, gap=0.0001)
    assert [number for number, _ in slowly] == [number for number, _ in quickly]


def test_a_change_leaves_frames_under_way_alone_and_the_same_again_is_no_change() -> None:
    line = Line(Impairment(delay=1.0), "in")
    line.put(b"first", now=0.0)
    line.change(Impairment(loss=1.0))
    line.put(b"lost", now=0.1)
    assert (line.next, line.due(1.0)) == (1.0, [b"first"])

    halves = Impairment(loss=0.5)
    steady, told_again = Line(halves, "in"), Line(halves, "in")
    for number in range(100):
        steady.put(frame(number), now=0.0)
        told_again.change(dataclasses.replace(halves))
        told_again.put(frame(number), now=0.0)
    assert steady.due(0.0) == told_again.due(0.0)


def test_a_line_holds_only_so_many_frames() -> None:
    assert len(through(Impairment(delay=60.0), FRAMES_HELD + 500, gap=0.0)) == FRAMES_HELD


@pytest.mark.parametrize(
    ("rules", "message"), [({"loss": 1.2}, "loss 120 %"), ({"delay": 61}, "delay 61 s"), ({"jitter": -1}, "jitter -1")]
)
def test_impossible_cables_are_refused_by_name(rules: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Impairment(**rules)  # type: ignore[arg-type]


@given(impairments, impairments)
def test_the_file_form_keeps_everything(inbound: Impairment, outbound: Impairment) -> None:
    cable = BadCable(inbound=inbound, outbound=outbound)
    assert BadCable.from_json(cable.to_json()) == cable


def test_one_direction_is_changed_and_the_other_stays() -> None:
    cable = BadCable().changed(("in", "out"), Impairment(loss=0.05)).changed(("in",), Impairment(delay=0.02))
    assert str(cable) == "in: 20 ms; out: 5 % lost"
    assert str(cable.changed(("in",), cable.outbound)) == "5 % lost"


@pytest.mark.parametrize(("text", "seconds"), [("200ms", 0.2), ("0.2s", 0.2), ("200", 0.2), ("1s", 1.0)])
def test_times_are_milliseconds_unless_they_say_otherwise(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(("text", "part"), [("5%", 0.05), ("5", 0.05), ("0.1%", 0.001)])
def test_shares_are_percent(text: str, part: float) -> None:
    assert share(text) == pytest.approx(part)
