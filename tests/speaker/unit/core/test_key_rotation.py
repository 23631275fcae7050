# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A shared key is exchanged without a moment in which two speakers cannot read each other."""

from __future__ import annotations

import itertools

from lantern.core.key_rotation import SPREAD_SECONDS, Keys, first, seen, step

OLD, NEW = b"old" * 11, b"new" * 11


def at(learned: float, now: float) -> Keys:
    """The keys at `now` of a speaker that learned of the new one at `learned`."""
    keys = first(OLD)
    if now >= learned:
        keys = seen(keys, NEW, now=learned)
        keys = step(keys, now=min(now, learned + SPREAD_SECONDS))
        keys = step(keys, now=now)
    return keys


def test_any_two_speakers_can_read_each_other_at_any_time() -> None:
    learned = (0.0, 60.0, SPREAD_SECONDS - 1)
    for now in range(0, int(4 * SPREAD_SECONDS), 7):
        for one, other in itertools.permutations(learned, 2):
            assert at(one, now).in_use[0] in at(other, now).in_use, (one, other, now)


def test_only_the_new_key_counts_in_the_end() -> None:
    assert at(0, 2 * SPREAD_SECONDS) == Keys((NEW,))


def test_same_key_again_changes_nothing() -> None:
    keys = first(OLD)
    assert seen(keys, OLD, now=5) is keys
    rotating = seen(keys, NEW, now=5)
    assert seen(rotating, NEW, now=50) is rotating


def test_missing_key_does_not_end_encryption_and_a_first_one_begins_it() -> None:
    assert seen(first(OLD), None, now=5) == first(OLD)
    assert first(None).in_use == ()
    assert seen(first(None), NEW, now=5) == Keys((NEW,))


def test_key_that_comes_back_while_it_is_exchanged() -> None:
    """Whoever takes the exchange back early ends where they began."""
    keys = seen(seen(first(OLD), NEW, now=0), OLD, now=10)
    assert keys.in_use[0] == OLD
