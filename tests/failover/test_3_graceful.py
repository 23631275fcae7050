# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An owner that goes as planned hands over first: of a hundred requests a second none is lost.

For IPv4 with kube-proxy over iptables, for IPv6 over nftables.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from benchmarks import lab
from benchmarks.services import until
from home import EXCLUDE, Home
from kube_proxy import FAMILY_IN_MODE
from limits import CHANGE_SECONDS
from series import Series
from vips import Vips
from wire import Lan

BEFORE_SECONDS, AFTER_SECONDS = 1.0, 3.0


@pytest.fixture
def family(proxy_mode: str) -> str:
    return FAMILY_IN_MODE[proxy_mode]


def test_speaker_s_pod_deleted(home: Home, lan: Lan, vips: Vips) -> None:
    vip, owner = vips.announced(local=True)
    _nothing_lost(home, lan, vip.address, lambda: home.delete_speaker(owner))


def test_speakers_rolled(home: Home, lan: Lan, vips: Vips) -> None:
    vip, _ = vips.announced(local=True)
    _nothing_lost(home, lan, vip.address, home.roll_speakers)


def test_owner_excluded(home: Home, lan: Lan, vips: Vips) -> None:
    vip, owner = vips.announced(local=True)
    with lan.watching(vip.address) as watch, Series(vip.address) as series:
        time.sleep(BEFORE_SECONDS)
        with home.labelled(owner, EXCLUDE):
            until(lambda: watch.owners(vip.address)[-1] != owner, CHANGE_SECONDS, "another node announces")
            time.sleep(AFTER_SECONDS)
        time.sleep(AFTER_SECONDS)
    series.assert_none_lost()
    lan.owner(vip.address, CHANGE_SECONDS)


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_node_shut_down(home: Home, lan: Lan, vips: Vips, protocol: str) -> None:
    """Its pods end with it, so the Service has others."""
    vip, owner = vips.owned_by(home.workers, selector={"app": "echo", "on": home.nodes[0]}, ports=[(protocol, 80)])
    try:
        with lan.watching(vip.address) as watch, Series(vip.address, protocol=protocol) as series:
            time.sleep(BEFORE_SECONDS)
            lab.on(owner, "systemctl poweroff")
            until(lambda: watch.owners(vip.address)[-1] != owner, 60, "another node announces")
            until(lambda: lab.run("status", "--json").count('"power": "off"') == 1, 60, f"{owner} is off")
            time.sleep(AFTER_SECONDS)
        series.assert_none_lost()
    finally:
        lab.run("power", owner, "on")


def _nothing_lost(home: Home, lan: Lan, address: str, happen: Callable[[], None]) -> None:
    with Series(address) as series:
        time.sleep(BEFORE_SECONDS)
        happen()
        home.settle()
        time.sleep(AFTER_SECONDS)
    series.assert_none_lost()
    lan.owner(address, CHANGE_SECONDS)
