# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""With alertmanager, whose delegate versions are MetalLB's: join both ways, leave, kill, partition, labels.

All in plain text: its gossip knows no keys, only a transport of its own by TLS. Nothing of ours is noise in its log.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lablib.netns import CLIENT_ADDRESS, NODE_ADDRESS, Lan, inside
from lantern.gossip import effects
from lantern.gossip.config import Timing
from lantern.gossip.faults import DropReason

from interop.peers import ALERTMANAGER, Alertmanager, Ours, cut, mend, until

pytestmark = pytest.mark.skipif(ALERTMANAGER is None, reason="prometheus-alertmanager is not installed")

Start = Callable[..., Alertmanager]
NOISE = ("proto:", "unmarshal", "unknown state key")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts alertmanagers, which end with the test and have nothing to complain of."""
    started: list[Alertmanager] = []

    def one(*options: str, **settings: Any) -> Alertmanager:
        started.append(Alertmanager(tmp_path, *options, **settings))
        return started[-1]

    yield one
    for process in started:
        process.close()
    assert [noise for process in started for noise in NOISE if noise in process.log()] == []


def ours(name: str, **settings: Any) -> Ours:
    return Ours(name, meta=b"lantern1", capability=b"lantern", **settings)


def provoke(node: Ours) -> None:
    """What would be noise for alertmanager, were it sent."""
    node.net.node.set_user_state(b"\xffnot what it expects")
    node.net.broadcast("key", b"\xffnor this")


def refused(node: Ours) -> set[str]:
    """From where messages came that were dropped for their label."""
    return {
        event.source.host
        for event in node.events
        if isinstance(event, effects.Dropped) and event.reason is DropReason.LABEL
    }


def test_join_both_ways_then_leave(start: Start) -> None:
    async def main() -> None:
        first = start()
        await until(first.peers, 10, "it has started")
        async with ours("ours") as node:
            provoke(node)
            node.join(first.host)
            await until(lambda: node.host in first.peers(), 5, "we have joined it")
            second = start(peers=[node.host])
            await until(lambda: set(second.peers()) >= {node.host, first.host}, 15, "it has joined us")
            await until(lambda: len(node.present()) == 3, 5, "all are together")
            assert not node.net.node.broadcasts_allowed
            second.signal(signal.SIGTERM)
            await until(lambda: node.saw(effects.MemberLeft), 5, "it leaves")
            assert not node.saw(effects.MemberFailed)
            node.net.leave()
            assert await until(lambda: node.host not in first.peers(), 2, "it takes our goodbye") < 1
            assert node.drops() == set()

    asyncio.run(main())


def test_killed_ones_are_found_on_both_sides_and_come_back(start: Start) -> None:
    """Two clusters of three at the same time: in one alertmanager is killed, in the other ours."""

    async def alertmanager_dies() -> None:
        stays = start()
        await until(stays.peers, 10, "it has started")
        dies = start(peers=[stays.host])
        async with ours("ours") as node:
            node.join(stays.host)
            await until(lambda: len(node.present()) == len(stays.peers()) == 3, 15, "all are together")
            name = stays.peers()[dies.host]
            dies.kill()
            assert await until(lambda: node.saw(effects.MemberFailed, name), 12, "we see it dead") > 3.5
            await until(lambda: set(stays.peers()) == {node.host, stays.host}, 3, "so does the other")

    async def ours_dies() -> None:
        stays = start()
        await until(stays.peers, 10, "it has started")
        async with ours("ours") as node:
            async with ours("victim") as victim:
                for one in (node, victim):
                    one.join(stays.host)
                await until(lambda: len(node.present()) == len(stays.peers()) == 3, 5, "all are together")
            await until(lambda: victim.host not in stays.peers(), 12, "it sees ours dead")
            await until(lambda: node.saw(effects.MemberFailed, "victim"), 3, "so do we")
            async with ours("victim", host=victim.host) as again:
                provoke(again)
                again.join(node.host)
                await until(lambda: victim.host in stays.peers(), 5, "it is taken back")
                await until(lambda: len(node.present()) == len(again.present()) == 3, 3, "all are together again")
                assert again.drops() == set()

    async def main() -> None:
        await asyncio.gather(alertmanager_dies(), ours_dies())

    asyncio.run(main())


def test_partition_of_the_network(start: Start, lan: Lan) -> None:
    """Both see the other dead while their own network looks well; then both are together without new seeds."""
    quick = Timing(probe_interval_seconds=0.3, probe_timeout_seconds=0.15)

    async def main() -> None:
        peer = start(
            "--cluster.probe-interval=300ms", "--cluster.probe-timeout=150ms", host=CLIENT_ADDRESS, namespace=lan.client
        )
        await until(peer.peers, 10, "it has started")
        async with ours("ours", host=NODE_ADDRESS, timing=quick) as node:
            node.join(peer.host)
            await until(lambda: len(node.present()) == len(peer.peers()) == 2, 5, "together")
            cut(lan)
            await until(lambda: node.saw(effects.MemberFailed), 12, "we see it dead")
            await until(lambda: NODE_ADDRESS not in peer.peers(), 12, "it sees us dead")
            node.events.clear()
            mend(lan)
            await until(lambda: node.saw(effects.MemberJoined), 8, "back")
            await until(lambda: NODE_ADDRESS in peer.peers(), 8, "it has us back")
            assert node.drops() == set()

    inside(lan.node, lambda: asyncio.run(main()))


def test_labelled_ones_keep_to_themselves(start: Start) -> None:
    """Debian's alertmanager and serf have memberlist from before there were labels: theirs is always absent."""

    async def main() -> None:
        async with (
            ours("ours", label=b"home") as node,
            ours("fellow", label=b"home") as fellow,
            ours("stranger", label=b"away") as stranger,
        ):
            peer = start(peers=[node.host])
            await until(peer.peers, 10, "it has started")
            for one in (fellow, stranger):
                one.join(node.host)
            node.join(peer.host)
            both = {"ours", "fellow"}
            await until(lambda: node.present() == fellow.present() == both, 3, "the right label joins")
            await until(lambda: stranger.host in refused(node), 5, "a wrong one is dropped")
            await until(lambda: refused(node) - {stranger.host}, 5, "an absent one is dropped")
            await until(lambda: "msgType (244)" in peer.log(), 3, "it does not take ours either")
            assert node.present() == fellow.present() == both
            assert (stranger.present(), set(peer.peers())) == ({"stranger"}, {peer.host})

    asyncio.run(main())
