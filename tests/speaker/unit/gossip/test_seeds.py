# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where missing members are looked for."""

from __future__ import annotations

from lantern.gossip.endpoint import Endpoint
from lantern.gossip.seeds import Seeds

HERE, THERE, ELSEWHERE = (Endpoint("10.0.0.1", 1), Endpoint("10.0.0.2", 1), Endpoint("10.0.0.3", 1))


def test_given_and_remembered_ones_that_are_not_found() -> None:
    seeds = Seeds(remember_seconds=100)
    seeds.give([HERE, THERE, HERE])
    seeds.remember("x", THERE, now=0)
    seeds.remember("y", ELSEWHERE, now=50)
    assert seeds.missing([HERE], now=60) == [THERE, ELSEWHERE]
    seeds.give([])
    assert seeds.missing([], now=60) == [THERE, ELSEWHERE]
    seeds.forget("x")
    assert seeds.missing([], now=150) == [ELSEWHERE]
    assert seeds.missing([], now=151) == []


def test_memory_has_an_end() -> None:
    seeds = Seeds(remember_seconds=100)
    for number in range(5000):
        seeds.remember(f"n{number}", Endpoint("10.0.0.1", number), now=0)
    missing = seeds.missing([], now=0)
    assert len(missing) == 4096
    assert missing[-1].port == 4999
