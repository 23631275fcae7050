# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An owner that dies is succeeded at once, and nobody else is disturbed when it comes back.

For IPv4 with kube-proxy over iptables, for IPv6 over nftables.
"""

from __future__ import annotations

import contextlib
import socket
import statistics
import time
from collections.abc import Callable, Iterator

import pytest
import wire
from benchmarks import lab
from benchmarks.services import until
from faults import stopped_api_server
from home import Home
from kube_proxy import FAMILY_IN_MODE
from limits import CHANGE_SECONDS, HEAL_SECONDS, TAKEOVER_ROUNDS, TAKEOVER_SECONDS, USUAL_TAKEOVER_SECONDS
from series import Series
from vips import Vip, Vips
from wire import Lan

BEFORE_SECONDS, DEAD_SECONDS = 1.0, 5.0
# A node that is back announces nothing before it has listened to the others, and is given nothing for a while.
BACK_SECONDS = 10.0
# A speaker asks an API server that did not answer again after so long at most (`lantern.adapters.kube.reflector`).
RECONNECT_SECONDS = 5.0

Death = Callable[[Home, str], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def _killed(home: Home, node: str) -> Iterator[None]:
    home.kill_speaker(node)
    yield


# What is dead, by name; those whose kernel goes on forwarding lose nothing.
DEATHS: dict[str, Death] = {
    "cable": lambda home, node: home.pulled_cable(node),
    "switch-port": lambda home, node: home.pulled_cable(node, keep_carrier=True),
    "power": lambda home, node: home.no_power(node),
    "speaker-killed": _killed,
    "speaker-frozen": lambda home, node: home.frozen_speaker(node),
}


@pytest.fixture
def family(proxy_mode: str) -> str:
    return FAMILY_IN_MODE[proxy_mode]


@pytest.mark.parametrize("death", DEATHS)
def test_dead_owner_is_succeeded(home: Home, lan: Lan, vips: Vips, death: str) -> None:
    vip, owner = vips.owned_by(home.workers, local=True)
    _dies_and_comes_back(home, lan, vip, owner, DEATHS[death], home.settle)


def test_dead_owner_is_succeeded_while_the_api_server_is_down(home: Home, lan: Lan, vips: Vips) -> None:
    vip, owner = vips.owned_by(home.workers, local=True)
    with stopped_api_server(home.api):
        _dies_and_comes_back(home, lan, vip, owner, DEATHS["cable"], lambda: None)


def test_dead_owner_takes_the_api_server_with_it(home: Home, lan: Lan, vips: Vips) -> None:
    vip, owner = vips.owned_by(home.nodes[:1], local=True)
    # The others are to know of the Service: after the outage before they come back to the API server in their own time.
    time.sleep(RECONNECT_SECONDS)
    _dies_and_comes_back(home, lan, vip, owner, DEATHS["power"], home.settle)


def test_clients_are_not_sent_back_to_a_dead_owner(home: Home, lan: Lan, vips: Vips) -> None:
    """A kernel passes on what kube-proxy does not translate, as the end of a connection through an owner that has died.

    By IPv6 it would tell the client whom it holds for nearer; clients heed that.
    """
    vip, owner = vips.owned_by(home.workers, local=True, ipFamilies=["IPv6"])
    for node in home.others(owner):
        assert "1 received" in lab.on(node, f"ping -n -c 1 -W 2 {vip.address}"), "nodes know where the owner is"
    with (
        contextlib.closing(wire.at_client(lambda: socket.create_connection((vip.address, 80)))) as connection,
        wire.Capture(wire.IPV6_TYPE, wire.is_redirect) as redirects,
        Series(vip.address) as series,
    ):
        time.sleep(BEFORE_SECONDS)
        with home.pulled_cable(owner):
            connection.close()
            time.sleep(DEAD_SECONDS)
    assert not [lan.name(one.frame.src) for one in redirects.frames]
    series.assert_gap_below(TAKEOVER_SECONDS)


def _dies_and_comes_back(home: Home, lan: Lan, vip: Vip, owner: str, death: Death, wait: Callable[[], None]) -> None:
    """`wait` returns when the owner is as it was before."""
    with lan.watching(vip.address) as watch, Series(vip.address) as series:
        time.sleep(BEFORE_SECONDS)
        with death(home, owner):
            time.sleep(DEAD_SECONDS)
            heirs = {claim.node for claim in watch.claims(vip.address, since=time.monotonic() - 1)}
        back = time.monotonic()
        wait()
        time.sleep(BACK_SECONDS)
    series.assert_gap_below(TAKEOVER_SECONDS)
    assert len(heirs) == 1, f"{vip.address} was announced by {sorted(heirs) or 'nobody'}"
    lan.owner(vip.address, 1)
    # No flapping: at most the owner of before, once again.
    owners = watch.owners(vip.address, since=back + HEAL_SECONDS)
    assert len(owners) <= 2, f"after {owner} was back {vip.address} went from one to the other: {owners}"
    series.assert_none_lost(since=back + HEAL_SECONDS)


@pytest.mark.timeout(600 + 30 * TAKEOVER_ROUNDS)
def test_most_deaths_are_seen_soon(home: Home, lan: Lan, vips: Vips, capsys: pytest.CaptureFixture[str]) -> None:
    """Again and again the cable of whoever announces is pulled."""
    vip, _ = vips.announced(local=True)
    taken: list[float] = []
    while len(taken) < TAKEOVER_ROUNDS:
        owner = lan.owner(vip.address, CHANGE_SECONDS)
        # Nobody is asked: the client is to learn from what it is told.
        with (
            contextlib.ExitStack() as dead,
            lan.watching(vip.address, every=60) as watch,
            Series(vip.address) as series,
        ):
            time.sleep(BEFORE_SECONDS)
            dead.enter_context(home.pulled_cable(owner, keep_carrier=len(taken) % 2 == 0))
            cut = time.monotonic()
            time.sleep(TAKEOVER_SECONDS + 1)
        heirs = set(watch.owners(vip.address, since=cut)) - {owner}
        assert heirs, f"cable {len(taken) + 1}: nobody follows {owner}"
        series.assert_gap_below(TAKEOVER_SECONDS)
        taken.append(series.gap)
        until(
            lambda: all(home.members(node) == set(home.nodes) for node in home.nodes), 60, "all speakers are together"
        )
    shown = ", ".join(f"{seconds:.2f}" for seconds in sorted(taken))
    limit = statistics.quantiles(taken, n=20, method="inclusive")[-1] if len(taken) > 1 else taken[0]
    found = f"95 % of {len(taken)} takeovers within {limit:.2f} s: {shown} s"
    with capsys.disabled():
        print(f"\n{found}")
    assert limit < USUAL_TAKEOVER_SECONDS, found


def test_parted_nodes_that_meet_again_leave_it_to_one(home: Home, lan: Lan, vips: Vips) -> None:
    vip, owner = vips.owned_by(home.workers, local=True)
    with lan.watching(vip.address, every=0.05) as watch, Series(vip.address) as series:
        time.sleep(BEFORE_SECONDS)
        with home.parted(owner):
            time.sleep(DEAD_SECONDS)
            claimed = {claim.node for claim in watch.claims(vip.address, since=time.monotonic() - 1)}
        healed = time.monotonic()
        time.sleep(BACK_SECONDS)
    assert owner in claimed, "who is alone goes on with what it has"
    after = watch.owners(vip.address, since=healed + HEAL_SECONDS)
    assert len(after) == 1, f"after the parts had met again {vip.address} was announced by {after}"
    series.assert_none_lost()
