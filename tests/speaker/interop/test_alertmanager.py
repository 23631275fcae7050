# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""With alertmanager, whose delegate versions are MetalLB's: join both ways, kill, leave, and no noise in its log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lantern.gossip import effects

from interop.peers import ALERTMANAGER, Alertmanager, Ours, until

pytestmark = pytest.mark.skipif(ALERTMANAGER is None, reason="prometheus-alertmanager is not installed")

Start = Callable[..., Alertmanager]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts alertmanagers, which end with the test."""
    started: list[Alertmanager] = []

    def one(label: str, *peers: str) -> Alertmanager:
        started.append(Alertmanager(label, tmp_path, *peers))
        return started[-1]

    yield one
    for process in started:
        process.close()


def test_one_cluster_from_joining_to_the_end(start: Start) -> None:
    def ours(**settings: str) -> Ours:
        return Ours("ours", meta=b"lantern1", capability=b"lantern", **settings)

    def provoke(node: Ours) -> None:
        """What would be noise for alertmanager, were it sent."""
        node.net.node.set_user_state(b"\xffnot what it expects")
        node.net.broadcast("key", b"\xffnor this")

    async def main() -> None:
        first = start("first")
        await until(first.peers, 10, "it has started")
        async with ours() as node:
            provoke(node)
            node.join(first.host)
            await until(lambda: node.host in first.peers(), 5, "we have joined it")
            second = start("second", node.host)
            await until(lambda: set(second.peers()) >= {node.host, first.host}, 15, "it has joined us")
            await until(lambda: len(node.present()) == 3, 5, "all are together")
            assert not node.net.node.broadcasts_allowed
            assert node.drops() == set()
        await until(lambda: node.host not in first.peers(), 12, "it sees us dead")
        async with ours(host=node.host) as again:
            provoke(again)
            again.join(second.host)
            await until(lambda: len(again.present()) == 3, 5, "we have joined it again")
            await until(lambda: again.host in first.peers(), 5, "and are taken back")
            name = first.peers()[second.host]
            second.kill()
            await until(lambda: again.saw(effects.MemberFailed, name), 12, "we see it dead")
            again.net.leave()
            assert await until(lambda: again.host not in first.peers(), 2, "it takes our goodbye") < 1
            assert again.drops() == set()
        for noise in ("proto:", "unmarshal", "unknown state key"):
            assert noise not in first.log(), noise

    asyncio.run(main())
