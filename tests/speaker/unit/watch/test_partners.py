# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who watches whom closely."""

from __future__ import annotations

import pytest
from lantern.watch.partners import partners

WATCHERS = 2


def everybodys(names: set[str], lost: frozenset[str] = frozenset()) -> dict[str, set[str]]:
    return {me: partners(me, names - {me}, lost=lost, watchers=WATCHERS) for me in names - lost}


@pytest.mark.parametrize("size", [2, 3, 4, 8, 50])
def test_each_has_two_watchers_and_watches_them(size: int) -> None:
    names = {f"node{number}" for number in range(size)}
    close = everybodys(names)
    assert all(watched in close[watcher] for watched in names for watcher in close[watched])
    assert all(len(found) >= min(WATCHERS, size - 1) for found in close.values())
    assert sum(len(found) for found in close.values()) <= 2 * WATCHERS * size


def test_who_is_lost_watches_nobody_and_is_looked_for_by_two() -> None:
    names = {f"node{number}" for number in range(8)}
    close = everybodys(names, frozenset({"node3"}))
    assert sum("node3" in found for found in close.values()) == WATCHERS
    assert all(len(found - {"node3"}) >= WATCHERS for found in close.values())


def test_one_node_more_changes_few_pairs() -> None:
    names = {f"node{number}" for number in range(20)}
    before, after = everybodys(names), everybodys(names | {"new"})
    changed = sum(len(before[me] ^ (after[me] - {"new"})) for me in names)
    assert changed <= 2 * WATCHERS * 4
