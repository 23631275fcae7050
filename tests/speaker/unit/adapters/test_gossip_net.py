# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gossip nodes on real sockets of the loopback network."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import socket
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from lantern.adapters.gossip_net import GossipNet
from lantern.gossip import effects
from lantern.gossip.config import GossipConfig, Limits, Security, Timing
from lantern.gossip.endpoint import Endpoint

_hosts = itertools.count(1)
FAST = Timing(probe_interval_seconds=0.1, probe_timeout_seconds=0.05, gossip_interval_seconds=0.02,
              push_pull_interval_seconds=0.3, stream_timeout_seconds=0.5, join_interval_seconds=0.1,
              rejoin_interval_seconds=0.2)  # fmt: skip


class Member:
    """A node and what it has learned."""

    def __init__(self, name: str, address: bytes | None = None, **settings: Any) -> None:
        address = address or bytes((127, 192 + os.getpid() % 60, os.getpid() // 60 % 250, next(_hosts)))
        self.config = GossipConfig(name=name, address=address, timing=FAST, **settings)
        self.events: list[effects.Event] = []
        self.net = GossipNet(self.config, random.SystemRandom(), self.events.append)
        self.where = self.config.endpoint

    async def __aenter__(self) -> Member:
        await self.net.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.net.__aexit__(None, None, None)

    def present(self) -> set[str]:
        return {member.name for member in self.net.node.members if member.present}

    def saw(self, kind: type[effects.Event]) -> list[effects.Event]:
        return [event for event in self.events if isinstance(event, kind)]


async def until(check: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not check():
            await asyncio.sleep(0.005)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


@pytest.mark.parametrize("security", [Security(), Security(keys=(b"k" * 32,), label=b"home")], ids=["plain", "sealed"])
def test_join_message_leave(security: Security) -> None:
    async def main() -> None:
        async with AsyncExitStack() as stack:
            members = [await stack.enter_async_context(Member(f"n{i}", security=security)) for i in range(3)]
            one, two, three = members
            for member in (two, three):
                member.net.set_seeds([one.where])
            await until(lambda: all(len(member.present()) == 3 for member in members))
            await until(lambda: all(len(member.net.node.round_trips) == 2 for member in members))
            assert all(0 < trip.smoothed < 1 for trip in one.net.node.round_trips.values())
            one.net.broadcast("key", b"hello")
            await until(lambda: two.saw(effects.UserMessage) and three.saw(effects.UserMessage))
            two.net.node.set_user_state(b"state")
            await until(lambda: any(member.saw(effects.RemoteUserState) for member in (one, three)))
            number = one.net.ping("n2", 1.0)
            await until(lambda: any(event.seq_no == number for event in one.saw(effects.PingAnswered)))
            one.net.set_meta(b"meta")
            await until(lambda: any(member.meta == b"meta" for member in three.net.node.members))
            three.net.leave()
            await until(lambda: three.saw(effects.LeaveFinished) and one.saw(effects.MemberLeft))
            assert not any(member.saw(effects.Dropped) for member in members)

    run(main)


def test_death_and_return() -> None:
    async def main() -> None:
        async with Member("one") as one:
            async with Member("two") as two:
                two.net.set_seeds([one.where])
                await until(lambda: "two" in one.present())
            await until(lambda: one.saw(effects.MemberFailed))
            # Nobody gives seeds: the one that stayed looks for the other where it was.
            async with Member("two", two.config.address):
                await until(lambda: "two" in one.present())

    run(main)


def test_keys_are_exchanged_while_running() -> None:
    old, new = b"o" * 32, b"n" * 16

    async def main() -> None:
        async with (
            Member("one", security=Security(keys=(old,))) as one,
            Member("two", security=Security(keys=(old,))) as two,
        ):
            two.net.set_seeds([one.where])
            await until(lambda: "two" in one.present())
            for keys in ([old, new], [new, old], [new]):
                one.net.set_keys(keys)
                await asyncio.sleep(0.2)
                two.net.set_keys(keys)
                await asyncio.sleep(0.2)
            assert one.present() == two.present() == {"one", "two"}
            assert not one.saw(effects.Dropped) and not two.saw(effects.Dropped)
            with pytest.raises(ValueError, match="16, 24 or 32"):
                one.net.set_keys([b"short"])

    run(main)


def test_ipv6() -> None:
    async def main() -> None:
        loopback = bytes(15) + b"\x01"
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
            port = probe.getsockname()[1]
        async with Member("six", loopback, port=port) as one, Member("four") as four:
            assert one.where == Endpoint("::1", port)
            reader, writer = await asyncio.open_connection("::1", port)
            writer.write(b"GET / HTTP/1.1\r\n")
            await reader.read()
            writer.close()
            await until(lambda: one.saw(effects.Dropped))
            assert four.present() == {"four"}

    run(main)


def test_address_or_port_that_cannot_be_had_is_an_error_and_leaves_nothing_open() -> None:
    async def main() -> None:
        async with Member("one") as one:
            with pytest.raises(OSError, match="in use"):
                await Member("two", one.config.address).__aenter__()
        with pytest.raises(OSError, match=r"assign|available"):
            await Member("elsewhere", bytes((192, 0, 2, 1))).__aenter__()
        taken = Member("three")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as blocker:
            blocker.bind(taken.where)
            with pytest.raises(OSError, match="in use"):
                await taken.__aenter__()
        # The TCP port was freed again.
        async with taken:
            pass

    run(main)


def test_unwanted_connections_are_closed() -> None:
    async def main() -> None:
        async with Member("one", limits=Limits(streams=2)) as one:
            streams = [await asyncio.open_connection(*one.where) for _ in range(3)]
            # The third at once, as there are too many; the others at their deadline.
            assert await asyncio.wait_for(streams[2][0].read(), 0.4) == b""
            streams[0][1].write(b"\x06")
            for reader, _ in streams[:2]:
                assert await asyncio.wait_for(reader.read(), 2) == b""
            reasons = {event.reason.value for event in one.saw(effects.Dropped)}
            assert reasons == {"tooManyStreams", "streamTimeout"}
            for _, writer in streams:
                writer.close()

    run(main)


def test_peer_that_does_not_read_its_answer_is_not_waited_for() -> None:
    async def main() -> None:
        async with Member("one") as one, Member("two") as two:
            one.net.node.set_user_state(bytes(8 << 20))
            two.net.node.set_user_state(b"x")
            with socket.socket() as peer:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                peer.connect(one.where)
                peer.sendall(b"\x06\x83\xa4Join\xc2\xa5Nodes\x00\xacUserStateLen\x00")
                await until(lambda: one.saw(effects.StateExchanged))
                before = len(os.listdir("/proc/self/fd"))
                await until(lambda: len(os.listdir("/proc/self/fd")) < before)

    run(main)


def test_nothing_is_left_open() -> None:
    async def main() -> None:
        before = set(os.listdir("/proc/self/fd"))
        for _ in range(3):
            async with Member("one") as one, Member("two") as two:
                two.net.set_seeds([one.where, Endpoint("127.255.0.1", 1), replace_port(one.where)])
                await until(lambda: "two" in one.present())
                _, writer = await asyncio.open_connection(*one.where)
            writer.close()
            await asyncio.sleep(0.05)
        assert set(os.listdir("/proc/self/fd")) == before

    run(main)


def replace_port(where: Endpoint) -> Endpoint:
    return where._replace(port=9)


def test_config_is_kept_apart_from_the_wire() -> None:
    """Timing of one node says nothing about another's: both patient and hasty ones are one cluster."""

    async def main() -> None:
        hasty = Member("hasty")
        patient = Member("patient")
        patient.config = replace(patient.config, timing=Timing())
        patient.net = GossipNet(patient.config, random.SystemRandom(), patient.events.append)
        async with hasty, patient:
            hasty.net.set_seeds([patient.where])
            await until(lambda: hasty.present() == patient.present() == {"hasty", "patient"})

    run(main)
