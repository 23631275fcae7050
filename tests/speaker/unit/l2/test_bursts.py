# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schedule of gratuitous announcements, with numbers for a clock."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address, ip_address

import pytest
from lantern.l2.bursts import BATCH, Bursts, SendGratuitous

A = ip_address("192.168.2.128")
B = ip_address("192.168.2.129")


def run(bursts: Bursts, until: float) -> list[tuple[float, str]]:
    """Fire every timer up to `until`; when what was sent."""
    sent = []
    while (due := bursts.next_timer()) is not None and due <= until:
        bursts.handle_timer(now=due)
        sent += [(round(due, 3), str(effect.address)) for effect in bursts.drain()]
    return sent


def test_one_burst_is_now_and_every_1_1_seconds_within_5() -> None:
    bursts = Bursts()
    bursts.start(A, now=100.0)
    assert bursts.drain() == [SendGratuitous(A)]
    assert run(bursts, 1000.0) == [(101.1, str(A)), (102.2, str(A)), (103.3, str(A)), (104.4, str(A))]
    assert bursts.next_timer() is None


def test_bursts_do_not_disturb_each_other() -> None:
    bursts = Bursts()
    bursts.start(A, now=0.0)
    bursts.start(B, now=0.5)
    assert [effect.address for effect in bursts.drain()] == [A, B]
    assert run(bursts, 2.0) == [(1.1, str(A)), (1.6, str(B))]


def test_stopped_burst_sends_nothing_more_not_even_what_is_queued() -> None:
    bursts = Bursts()
    bursts.start(A, now=0.0)
    bursts.start(B, now=0.0)
    bursts.stop(A)
    assert bursts.drain() == [SendGratuitous(B)]
    assert {address for _, address in run(bursts, 100.0)} == {str(B)}
    bursts.stop(A)


def test_starting_again_begins_anew() -> None:
    bursts = Bursts()
    bursts.start(A, now=0.0)
    bursts.start(A, now=3.0)
    assert len(bursts.drain()) == 2
    assert [due for due, _ in run(bursts, 100.0)] == pytest.approx([4.1, 5.2, 6.3, 7.4])


def test_late_timer_sends_once_and_does_not_catch_up() -> None:
    bursts = Bursts()
    bursts.start(A, now=0.0)
    bursts.drain()
    bursts.handle_timer(now=3.6)
    assert bursts.drain() == [SendGratuitous(A)]
    assert bursts.next_timer() == pytest.approx(4.7)
    bursts.handle_timer(now=60.0)
    assert bursts.drain() == [SendGratuitous(A)]
    assert bursts.next_timer() is None


def test_early_timer_sends_nothing() -> None:
    bursts = Bursts()
    bursts.start(A, now=0.0)
    bursts.drain()
    bursts.handle_timer(now=1.0)
    assert bursts.drain() == []


def test_refresh_follows_the_burst_and_is_marked() -> None:
    bursts = Bursts(refresh_seconds=100.0)
    bursts.start(A, now=0.0)
    run(bursts, 5.0)
    due = bursts.next_timer()
    assert due is not None and 54.4 <= due <= 105.4
    bursts.handle_timer(now=due)
    assert bursts.drain() == [SendGratuitous(A, refresh=True)]
    assert bursts.next_timer() == pytest.approx(due + 100.0)
    bursts.stop(A)
    assert bursts.next_timer() is None


def test_refreshes_of_addresses_gained_together_are_spread() -> None:
    bursts = Bursts(refresh_seconds=100.0)
    for number in range(1000):
        bursts.start(IPv4Address(number), now=0.0)
    bursts.drain()
    run(bursts, 10.0)
    by_second = Counter(int(at) for at, _ in run(bursts, 1000.0))
    assert max(by_second.values()) <= 25


def test_refreshes_of_one_second_are_one_waking() -> None:
    bursts = Bursts(refresh_seconds=10.0)
    for number in range(200):
        bursts.start(IPv4Address(number), now=number / 1000)
    run(bursts, 20.0)
    sent = run(bursts, 100.0)
    assert len(sent) >= 1500
    assert len({at for at, _ in sent}) <= 81


def test_hundred_addresses_in_ten_milliseconds() -> None:
    bursts = Bursts()
    for number in range(250):
        bursts.start(IPv4Address(number), now=0.0)
    assert len(bursts.drain()) == BATCH == 100
    assert bursts.next_timer() == pytest.approx(0.01)
    sent = run(bursts, 1.0)
    assert Counter(at for at, _ in sent) == {0.01: 100, 0.02: 50}
    assert len({address for _, address in sent}) == 150
