# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All Services at once, while one after the other of what a home has is away."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest
from benchmarks import lab
from benchmarks.services import until
from faults import stopped_api_server
from home import Home
from limits import CHANGE_SECONDS, TAKEOVER_SECONDS
from series import Series
from vips import Vip, Vips
from wire import Lan

COUNT = 6
# All together as many as one Service gets in other tests.
RATE = 100 / COUNT
AWAY_SECONDS = 30.0
# Until a node that has died is known to be dead: its pods get no connections any more.
AFTER_SECONDS = 3.0


@pytest.fixture
def all_vips(vips: Vips) -> list[Vip]:
    """Several Services that are announced."""
    return [vips.announced(local=True)[0] for _ in range(COUNT)]


@contextlib.contextmanager
def _asked(all_vips: list[Vip]) -> Iterator[list[Series]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Series(vip.address, rate=RATE)) for vip in all_vips]


def _all_have_one_owner(lan: Lan, all_vips: list[Vip]) -> None:
    for vip in all_vips:
        lan.owner(vip.address, CHANGE_SECONDS)


def test_api_server_away(home: Home, lan: Lan, all_vips: list[Vip]) -> None:
    with _asked(all_vips) as asked, stopped_api_server(home.api):
        time.sleep(AWAY_SECONDS)
        _all_have_one_owner(lan, all_vips)
    for series in asked:
        series.assert_none_lost()


def test_router_rebooted(lan: Lan, all_vips: list[Vip]) -> None:
    with _asked(all_vips) as asked:
        lab.on("router", "systemctl reboot")
        time.sleep(AWAY_SECONDS)
    for series in asked:
        series.assert_none_lost()
    until(lambda: "active" in lab.on("router", "systemctl is-active dnsmasq || true"), 60, "the router is back")
    _all_have_one_owner(lan, all_vips)


def test_speakers_rolled(home: Home, lan: Lan, all_vips: list[Vip]) -> None:
    with _asked(all_vips) as asked:
        home.roll_speakers()
        home.settle()
    for series in asked:
        series.assert_none_lost()
    _all_have_one_owner(lan, all_vips)


@pytest.mark.parametrize("number", [3, 2, 1])
def test_node_without_power(home: Home, lan: Lan, all_vips: list[Vip], number: int) -> None:
    """Its own Services have a gap, the others none; all are served while it is away and when it is back."""
    node = f"node{number}"
    with _asked(all_vips) as asked:
        owners = [lan.owner(vip.address, CHANGE_SECONDS) for vip in all_vips]
        with home.no_power(node):
            time.sleep(AWAY_SECONDS)
            _all_have_one_owner(lan, all_vips)
        back = time.monotonic()
        until(home.api.answers, 120, "the API server answers")
        home.settle()
        time.sleep(AFTER_SECONDS)
    for series, owner in zip(asked, owners, strict=True):
        if owner == node:
            series.assert_gap_below(TAKEOVER_SECONDS)
            series.assert_none_lost(since=back)
        else:
            series.assert_none_lost()
    _all_have_one_owner(lan, all_vips)
    assert "echo-request" in lab.on(node, "nft list table inet lantern"), (
        "the rules about pings come back with the node"
    )
