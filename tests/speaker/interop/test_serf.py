# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""With serf, plain and encrypted: join both ways, leave, kill, partition, a state of 900 nodes; pause, new keys.

LANTERN_INTEROP_LONG=1 adds the rejoin of two halves that have forgotten each other, which takes a minute.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from lablib.netns import CLIENT_ADDRESS, NODE_ADDRESS, Lan, inside
from lantern.gossip import effects, packet, wire
from lantern.gossip.config import Timing
from lantern.gossip.endpoint import Endpoint
from lantern.gossip.keyring import Keyring
from lantern.gossip.members import MemberState

from interop.peers import SERF, SERF_VERSIONS, Ours, Serf, cut, mend, raw, until

pytestmark = pytest.mark.skipif(SERF is None, reason="serf is not installed")

KEY = bytes(range(32))
PLAIN_AND_ENCRYPTED = pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
Start = Callable[..., Serf]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts serf agents, which end with the test."""
    started: list[Serf] = []

    def one(name: str, *options: str, **settings: Any) -> Serf:
        started.append(Serf(name, tmp_path, *options, **settings))
        return started[-1]

    yield one
    for agent in started:
        agent.close()


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


def ours(name: str, **settings: Any) -> Ours:
    return Ours(name, delegate_versions=SERF_VERSIONS, **settings)


@pytest.mark.parametrize(
    ("key", "compress"), [(None, False), (KEY, False), (KEY[:16], True)], ids=["plain", "encrypted", "compressed"]
)
def test_join_both_ways_then_leave(start: Start, key: bytes | None, compress: bool) -> None:
    async def main() -> None:
        first = start("first", key=key)
        await first.ready()
        async with ours("ours", key=key, compress=compress) as node:
            node.join(first.host)
            await first.shows("ours", "alive", 3)
            second = start("second", f"-join={node.host}", key=key)
            await second.shows("ours", "alive", 5)
            await until(lambda: node.present() == {"ours", "first", "second"}, 3, "we see both")
            await until(lambda: {"first", "second"} <= set(node.net.node.round_trips), 5, "both answer pings")
            # serf's own gossip passes through us as opaque bytes.
            await first.run("event", "deploy", "payload")
            await until(lambda: node.saw(effects.UserMessage), 3, "its event reaches us")
            second.signal(signal.SIGINT)
            await until(lambda: node.saw(effects.MemberLeft, "second"), 5, "it leaves")
            assert not node.saw(effects.MemberFailed)
            node.net.leave()
            # serf knows a goodbye of its own kind only, and calls this one failed; but at once, not after a suspicion.
            assert await first.shows("ours", "failed", 2) < 1
            await until(lambda: node.saw(effects.LeaveFinished), 2, "our goodbye is said")
        assert node.drops() == set()
        assert "[ERR]" not in first.log().split("Marking ours as failed")[0]

    run(main())


def test_killed_ones_are_found_on_both_sides_and_come_back(start: Start) -> None:
    """Four clusters of three at the same time, plain and encrypted: in two serf is killed, in the others ours."""

    async def serf_dies(key: bytes | None) -> None:
        stays, dies = start("stays", key=key), start("dies", key=key)
        await asyncio.gather(stays.ready(), dies.ready())
        async with ours("ours", key=key) as node:
            node.join(stays.host, dies.host)
            await until(lambda: node.present() == {"ours", "stays", "dies"}, 5, "all are together")
            dies.kill()
            assert await until(lambda: node.saw(effects.MemberFailed, "dies"), 12, "we see it dead") > 3.5
            await stays.shows("dies", "failed", 3)
            assert node.present() == {"ours", "stays"}

    async def ours_dies(key: bytes | None) -> None:
        stays = start("watches", key=key)
        await stays.ready()
        async with ours("ours", key=key) as node:
            async with ours("victim", key=key) as victim:
                for one in (node, victim):
                    one.join(stays.host)
                await until(lambda: node.present() == {"ours", "victim", "watches"}, 5, "all are together")
            await stays.shows("victim", "failed", 12)
            await until(lambda: node.saw(effects.MemberFailed, "victim"), 3, "we see it dead")
            async with ours("victim", host=victim.host, key=key) as again:
                again.join(node.host)
                await stays.shows("victim", "alive", 5)
                await until(lambda: node.present() == {"ours", "victim", "watches"}, 3, "we have it back too")

    async def main() -> None:
        await asyncio.gather(*(case(key) for case in (serf_dies, ours_dies) for key in (None, KEY)))

    run(main())


def test_pause_shorter_than_a_suspicion_is_forgiven(start: Start) -> None:
    async def main() -> None:
        peer = start("peer")
        await peer.ready()
        async with ours("ours") as node:
            node.join(peer.host)
            await until(lambda: "peer" in node.present(), 3, "joined")
            peer.signal(signal.SIGSTOP)
            await until(lambda: node.saw(effects.MemberSuspected, "peer"), 5, "silence is noticed")
            peer.signal(signal.SIGCONT)
            await until(lambda: node.saw(effects.MemberRestored, "peer"), 4, "it objects")
            assert not node.saw(effects.MemberFailed)

    run(main())


def test_long_pause_is_a_death_and_we_find_each_other_again(start: Start) -> None:
    """We forget it at once, and nobody gives seeds anew."""
    quick = Timing(gossip_to_dead_seconds=0.5, join_interval_seconds=0.3, join_timeout_seconds=1.0)

    async def main() -> None:
        peer = start("peer")
        await peer.ready()
        async with ours("ours", timing=quick) as node:
            node.join(peer.host)
            await until(lambda: "peer" in node.present(), 3, "joined")
            node.join()
            peer.signal(signal.SIGSTOP)
            await until(lambda: node.saw(effects.MemberForgotten, "peer"), 12, "dead and forgotten")
            node.events.clear()
            peer.signal(signal.SIGCONT)
            await until(lambda: node.saw(effects.MemberJoined, "peer"), 4, "back")
            await peer.shows("ours", "alive", 8)

    run(main())


def test_encrypted_and_plain_ones_do_not_mix(start: Start) -> None:
    async def main() -> None:
        plain, encrypted = start("plain"), start("encrypted", key=KEY)
        await asyncio.gather(plain.ready(), encrypted.ready())
        async with (
            ours("keyless") as keyless,
            ours("keyed", key=KEY) as keyed,
            ours("other", key=KEY[::-1]) as other,
        ):
            keyless.join(encrypted.host)
            keyed.join(plain.host)
            other.join(encrypted.host)
            for node, reason in ((keyless, "noKey"), (keyed, "notEncrypted"), (other, "undecipherable")):
                await until(
                    lambda node=node, reason=reason: any(
                        isinstance(event, effects.ExchangeFailed) and event.reason.value == reason
                        for event in node.events
                    ),
                    5,
                    f"{node.name} is refused as {reason}",
                )
                assert node.present() == {node.name}
        assert set(await plain.members()) == {"plain"}
        assert set(await encrypted.members()) == {"encrypted"}

    run(main())


def test_wrong_delegate_versions_are_refused_by_both(start: Start) -> None:
    async def main() -> None:
        peer = start("peer")
        await peer.ready()
        async with Ours("metallb-like") as node:
            node.join(peer.host)

            def refused() -> bool:
                failed = [event for event in node.events if isinstance(event, effects.ExchangeFailed)]
                return any("delegate version" in event.detail for event in failed)

            await until(refused, 3, "we refuse")
            await until(lambda: "delegate protocol version" in peer.log(), 3, "it refuses")

    run(main())


def test_keys_are_rotated_without_a_restart(start: Start, tmp_path: Path) -> None:
    new = KEY[::-1]
    text = {key: base64.b64encode(key).decode() for key in (KEY, new)}
    ring = tmp_path / "keyring.json"
    ring.write_text(json.dumps([text[KEY]]))

    async def main() -> None:
        # With this profile serf waits half as long for answers to its queries.
        peer = start("peer", f"-keyring-file={ring}", "-profile=local")
        await peer.ready()
        async with ours("ours", key=KEY) as node:
            node.join(peer.host)
            await peer.shows("ours", "alive", 3)
            for command, keys in (
                (("keys", "-install", text[new]), [KEY, new]),
                (("keys", "-use", text[new]), [new, KEY]),
                (("keys", "-remove", text[KEY]), [new]),
            ):
                node.net.set_keys(keys)
                # serf asks all members by a query of its own, which we do not answer: it says so, and does it.
                await peer.run(command[0], f"{command[1]}={command[2]}")
            assert json.loads(ring.read_text()) == [text[new]]
            node.events.clear()
            await asyncio.sleep(2.5)
            assert not node.saw(effects.MemberSuspected)
            assert node.drops() == set()
            assert (await peer.members())["ours"] == "alive"
            third = start("third", f"-join={node.host}", key=new)
            await third.shows("ours", "alive", 5)

    run(main())


@PLAIN_AND_ENCRYPTED
def test_state_of_900_nodes_goes_through_serf_and_comes_back_the_same(start: Start, key: bytes | None) -> None:
    def fact(number: int) -> wire.Alive:
        address = raw(f"127.1.{number // 250}.{number % 250 + 1}")
        versions = bytes((1, 2, 2, *SERF_VERSIONS))
        return wire.Alive(number + 1, f"node-{number}", address, 7946, b"\xff\x80", versions)

    async def main() -> None:
        peer = start("peer", key=key)
        await peer.ready()
        async with ours("ours", key=key) as node, ours("reader", key=key) as reader:
            security = node.net._config.security
            sealing = packet.Sealing(security, Keyring(security.keys), False, node.net._rng)
            for number in range(900):
                datagram = packet.seal([wire.encode(fact(number))], sealing, checksum=False)
                node.net.datagram_received(datagram, Endpoint("127.0.0.1", 7946))
            node.join(peer.host)
            await until(lambda: node.saw(effects.StateExchanged), 5, "sent")
            while len(await peer.members()) < 901:
                await asyncio.sleep(0.05)
            reader.join(peer.host)
            await until(lambda: reader.saw(effects.StateExchanged), 5, "read back")
            read = {member.name: member for member in reader.net.node.members}
            assert {f"node-{number}" for number in range(900)} <= set(read)
            # Those that serf or we have probed meanwhile may be suspected already.
            for number in range(900):
                if read[f"node-{number}"].state is MemberState.ALIVE:
                    assert read[f"node-{number}"].as_alive() == fact(number)

    run(main())


@PLAIN_AND_ENCRYPTED
def test_partition_of_the_network(start: Start, lan: Lan, key: bytes | None) -> None:
    """Both see the other dead while their own network looks well; then both are together without new seeds."""

    async def main() -> None:
        peer = start("peer", host=CLIENT_ADDRESS, key=key, prefix=("ip", "netns", "exec", lan.client))
        await peer.ready()
        async with ours("ours", host=NODE_ADDRESS, key=key) as node:
            node.join(peer.host)
            await peer.shows("ours", "alive", 5)
            cut(lan)
            await asyncio.gather(
                until(lambda: node.saw(effects.MemberFailed, "peer"), 12, "we see it dead"),
                peer.shows("ours", "failed", 12),
            )
            if os.environ.get("LANTERN_INTEROP_LONG"):
                await until(lambda: node.saw(effects.MemberForgotten, "peer"), 60, "we forget it")
                # memberlist forgets after 30 s, and serf's own reconnecting is every 30 s.
                await asyncio.sleep(10)
            node.events.clear()
            mend(lan)
            await until(lambda: node.saw(effects.MemberJoined, "peer"), 8, "back")
            await peer.shows("ours", "alive", 8)

    inside(lan.node, lambda: asyncio.run(main()))
