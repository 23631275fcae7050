# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last good configuration stays in force."""

from __future__ import annotations

from fakes.records import advertisement, pool
from lantern.core.config import Configuration, adopt
from lantern.pools import Problem

GOOD = pool("home", "192.168.2.128/25")
OVERLAPPING = pool("other", "192.168.2.200-192.168.2.210")


def test_nothing_is_in_force_before_the_first_valid_one() -> None:
    start = Configuration()
    assert not start.is_loaded and not start.is_stale
    refused = adopt(start, [pool("home", "192.168.2.5")])
    assert refused.pools is None and refused.is_stale
    assert "192.168.2.5" in refused.problems[0].message


def test_bad_one_keeps_the_last_good_one_until_repaired() -> None:
    good = adopt(Configuration(), [GOOD])
    stale = adopt(good, [GOOD, OVERLAPPING])
    assert stale.pools == (GOOD,) and stale.is_stale
    assert stale.problems[0].code == "overlap"
    repaired = adopt(stale, [pool("other", "192.168.3.0/24"), GOOD])
    assert not repaired.is_stale and repaired.pools is not None
    assert [spec.pool.name for spec in repaired.pools] == ["home", "other"]


def test_object_that_cannot_be_read_refuses_the_whole() -> None:
    good = adopt(Configuration(), [GOOD])
    problem = Problem("unreadable", "ipaddresspools x", "ipaddresspools x cannot be read")
    stale = adopt(good, [], unreadable=[problem])
    assert stale.pools == (GOOD,) and stale.is_stale


def test_advertisements_stay_in_force_together_with_the_pools() -> None:
    good = adopt(Configuration(), [GOOD], [advertisement("b"), advertisement("a")])
    assert [item.name for item in good.advertisements] == ["a", "b"]
    stale = adopt(good, [GOOD, OVERLAPPING], [])
    assert stale.advertisements == good.advertisements
    assert adopt(stale, [GOOD], []).advertisements == ()


def test_no_pools_is_a_valid_configuration() -> None:
    assert adopt(adopt(Configuration(), [GOOD]), []) == Configuration(())
