# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue of what is to be spread."""

from __future__ import annotations

import pytest
from lantern.gossip.broadcasts import BroadcastQueue, transmit_limit


@pytest.mark.parametrize(("members", "limit"), [(1, 4), (9, 4), (10, 8), (99, 8), (100, 12)])
def test_transmit_limit(members: int, limit: int) -> None:
    assert transmit_limit(4, members) == limit


def test_each_is_sent_its_number_of_times() -> None:
    queue = BroadcastQueue()
    queue.put("a", b"1")
    assert [queue.pick(100, 2, 3) for _ in range(4)] == [[b"1"], [b"1"], [b"1"], []]
    assert "a" not in queue and not queue


def test_news_replaces_what_is_older_and_starts_anew() -> None:
    queue = BroadcastQueue()
    queue.put("a", b"1")
    queue.pick(100, 2, 2)
    queue.put("a", b"2")
    assert [queue.pick(100, 2, 2) for _ in range(3)] == [[b"2"], [b"2"], []]


def test_fresh_before_sent_then_long_before_short_then_new_before_old() -> None:
    queue = BroadcastQueue()
    queue.put("sent", b"sent....")
    queue.pick(100, 2, 9)
    for key in ("old", "new", "longer"):
        queue.put(key, key.encode())
    assert queue.pick(100, 2, 9) == [b"longer", b"new", b"old", b"sent...."]


def test_what_does_not_fit_waits_and_what_fits_is_found() -> None:
    queue = BroadcastQueue()
    for size in (50, 40, 5):
        queue.put(str(size), bytes(size))
    assert [len(message) for message in queue.pick(60, 2, 1)] == [50, 5]
    assert [len(message) for message in queue.pick(41, 2, 1)] == []
    assert [len(message) for message in queue.pick(42, 2, 1)] == [40]


def test_full_queue_gives_up_what_was_sent_most() -> None:
    queue = BroadcastQueue(capacity=2)
    queue.put("a", b"a")
    queue.pick(100, 2, 9)
    queue.put("b", b"b")
    queue.put("c", b"c")
    assert "a" not in queue and len(queue) == 2
    queue.put("c", b"d")
    assert "b" in queue, "replacing takes no place"
