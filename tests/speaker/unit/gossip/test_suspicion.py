# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a suspected member has; numbers are those of memberlist's own formulas."""

from __future__ import annotations

import pytest
from lantern.gossip import suspicion
from lantern.gossip.config import LAN
from lantern.gossip.suspicion import Suspicion


@pytest.mark.parametrize(("members", "seconds"), [(1, 4), (3, 4), (10, 4), (50, 6.792), (100, 8), (1000, 12)])
def test_shortest_time(members: int, seconds: float) -> None:
    assert suspicion.shortest_seconds(LAN, members) == pytest.approx(seconds)


@pytest.mark.parametrize(("members", "wanted"), [(1, 0), (3, 0), (4, 2), (100, 2)])
def test_confirmations_wanted(members: int, wanted: int) -> None:
    assert suspicion.wanted_confirmations(LAN, members) == wanted


def test_few_members_do_not_wait_for_confirmations() -> None:
    assert Suspicion("a", LAN, members=3, now=100.0).due == 104.0


def test_confirmations_shorten_the_time() -> None:
    case = Suspicion("a", LAN, members=5, now=100.0)
    assert case.due == 124.0
    assert not case.confirm("a"), "the accuser itself confirms nothing"
    assert case.confirm("b")
    assert case.due == pytest.approx(100 + 11.381)  # 24 - log(2)/log(3) * 20, in whole milliseconds
    assert not case.confirm("b")
    assert case.confirm("c")
    assert case.due == 104.0
    assert not case.confirm("d"), "enough have"
    assert case.confirmations == 2
