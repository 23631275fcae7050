# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A LAN that is slow and loses frames: nobody is taken for dead who lives.

What each node sends takes 0 to 400 ms and is lost one time in twenty: of the questions between two nodes one in ten has
no answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from benchmarks import lab
from home import HOLD_SECONDS, Home
from limits import CHANGE_SECONDS, IMPAIRED_MINUTES
from series import Series
from vips import Vips

RULES = ("--direction", "out", "--delay", "200ms", "--jitter", "200ms", "--loss", "5%")
COUNT = 3
RATE = 10.0
# TCP tries again after 1, 3, 7, 15 s: what is not answered then is not lost by chance.
PATIENCE_SECONDS = 30.0
SAMPLE_SECONDS = 10.0
TAKEOVERS = "lantern_takeovers_total"
HANDOVERS = TAKEOVERS + '{cause="handover"}'

pytestmark = pytest.mark.timeout(600 + 60 * IMPAIRED_MINUTES)


@pytest.fixture
def persistent_client(home: Home) -> Iterator[None]:
    """A client that asks for a lost address ten times and not three: one in a thousand lookups would fail by chance."""
    setting = "net.ipv4.neigh.eth0.mcast_solicit"
    before = lab.on("client", f"sysctl -n {setting}").strip()
    lab.on("client", f"sysctl -qw {setting}=10")
    yield
    lab.on("client", f"sysctl -qw {setting}={before}")


@pytest.mark.usefixtures("persistent_client")
def test_nobody_is_taken_for_dead(home: Home, vips: Vips) -> None:
    # From here on nothing is handed over to balance the load.
    time.sleep(HOLD_SECONDS + CHANGE_SECONDS)
    all_vips = [vips.announced(local=True) for _ in range(COUNT)]
    takeovers = _takeovers(home)
    addresses = [vip.address for vip, _ in all_vips]
    series = [Series(address, rate=RATE / COUNT, patience=PATIENCE_SECONDS) for address in addresses]
    with home.lan.watching(*addresses, every=0.5) as watch:
        with home.impaired(*RULES):
            with series[0], series[1], series[2]:
                _wait(home)
            time.sleep(1)
            for vip, owner in all_vips:
                assert watch.owners(vip.address) == [owner]
        time.sleep(CHANGE_SECONDS)
        for vip, owner in all_vips:
            assert watch.owners(vip.address) == [owner]
    assert _takeovers(home) == takeovers
    for one in series:
        one.assert_none_lost()


def _wait(home: Home) -> None:
    deadline = time.monotonic() + 60 * IMPAIRED_MINUTES
    while time.monotonic() < deadline:
        time.sleep(SAMPLE_SECONDS)
        failed = {node: home.metric(node, 'lantern_gossip_members{state="dead"}') for node in home.nodes}
        assert not any(failed.values()), f"members taken for dead: {failed}"


def _takeovers(home: Home) -> dict[str, float]:
    """How often each speaker has followed one that it held for dead."""
    return {node: home.metric(node, TAKEOVERS) - home.metric(node, HANDOVERS) for node in home.nodes}
