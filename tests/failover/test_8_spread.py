# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nine Services on three equal nodes: each node carries three, and has them back some time after it was away.

An owner that nobody hears, but that answers for its addresses, keeps them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import pytest
from benchmarks.services import until
from home import HOLD_SECONDS, NODES, Home
from limits import CHANGE_SECONDS
from series import Series, ask
from vips import Vips
from wire import Lan

EACH = 3
AWAY_SECONDS = 3.0
# All that speakers say to each other.
GOSSIP = "meta l4proto { tcp, udp } th dport 7946"
GOSSIP_DEATH_SECONDS = 30.0
HELD_BACK = 'lantern_failovers_held_back_total{witness="wire"}'
DEAD = 'lantern_gossip_members{state="dead"}'


@pytest.fixture(scope="module", autouse=True)
def _hold_time_is_over(cluster: Home) -> None:
    cluster.settle()
    time.sleep(HOLD_SECONDS + CHANGE_SECONDS)


@pytest.fixture
def addresses(home: Home, lan: Lan, vips: Vips) -> list[str]:
    """Those of the nine Services, which are spread."""
    made = [vips.make().address for _ in range(EACH * NODES)]
    _each_has_its_share(home, lan, made)
    return made


def _each_has_its_share(home: Home, lan: Lan, addresses: list[str], seconds: float = CHANGE_SECONDS) -> None:
    share = dict.fromkeys(home.nodes, EACH)
    until(lambda: _carried(lan, addresses) == share, seconds, f"each node announces {EACH} addresses")


def _carried(lan: Lan, addresses: list[str]) -> Counter[str]:
    """How many of the addresses each node answers for."""
    with lan.watching(*addresses) as watch:
        time.sleep(1)
        return Counter(node for address in addresses for node in {claim.node for claim in watch.claims(address)})


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_owner_that_only_the_wire_hears_keeps_its_addresses(home: Home, lan: Lan, addresses: list[str]) -> None:
    node = home.workers[0]
    others = home.others(node)
    asked = next(address for address in addresses if lan.owner(address, CHANGE_SECONDS) == node)
    ask(asked)
    before = {other: home.metric(other, HELD_BACK) for other in others}
    with lan.watching(*addresses) as watch, Series(asked) as series:
        time.sleep(1)
        with home.parted(node, GOSSIP):
            held = "both others are held back by the wire"
            until(lambda: all(home.metric(one, HELD_BACK) > before[one] for one in others), CHANGE_SECONDS, held)
            lost = f"gossip holds {node} for dead"
            until(lambda: all(home.metric(one, DEAD) for one in others), GOSSIP_DEATH_SECONDS, lost)
            time.sleep(CHANGE_SECONDS)
        time.sleep(CHANGE_SECONDS)
    owners = {address: watch.owners(address) for address in addresses}
    assert {len(found) for found in owners.values()} == {1}, f"addresses went from one to the other: {owners}"
    series.assert_none_lost()


def _speaker_deleted(home: Home, node: str) -> float:
    home.delete_speaker(node)
    return time.monotonic()


def _power_cycled(home: Home, node: str) -> float:
    with home.no_power(node):
        time.sleep(AWAY_SECONDS)
        return time.monotonic()


@pytest.mark.parametrize(("family", "go_away"), [("IPv4", _speaker_deleted), ("IPv6", _power_cycled)])
def test_node_that_was_away_waits_for_its_share(
    home: Home, lan: Lan, addresses: list[str], go_away: Callable[[Home, str], float]
) -> None:
    """`go_away` returns before when the node's next speaker cannot have started."""
    node = home.workers[0]
    with lan.watching(*addresses, every=0.5) as watch:
        away = go_away(home, node)
        home.settle()
        back = time.monotonic()
        time.sleep(max(0.0, away + HOLD_SECONDS - back))
    for address in addresses:
        claims = watch.claims(address, since=away + CHANGE_SECONDS)
        owners = {claim.node for claim in claims if claim.at < away + HOLD_SECONDS}
        assert owners and node not in owners, f"{address} was announced by {owners}"
    _each_has_its_share(home, lan, addresses, back + HOLD_SECONDS - time.monotonic() + 2 * CHANGE_SECONDS)
    for address in addresses:
        lan.owner(address, CHANGE_SECONDS)
