# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One node, driven by hand: peers are played by the test, time is a number."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any, TypeVar

from lantern.gossip import effects, packet, stream, wire
from lantern.gossip.config import GossipConfig, Limits
from lantern.gossip.effects import Effect
from lantern.gossip.endpoint import Endpoint
from lantern.gossip.faults import DropReason
from lantern.gossip.members import Member
from lantern.gossip.node import Node

E = TypeVar("E")
VERSIONS = bytes((1, 5, 2, 0, 0, 0))


def address(number: int) -> bytes:
    return bytes((10, 0, 0, number))


def place(number: int) -> Endpoint:
    return Endpoint(f"10.0.0.{number}", 7946)


def alive(number: int, incarnation: int = 1, meta: bytes = b"", versions: bytes = VERSIONS) -> wire.Alive:
    """That peer n<number> is alive."""
    return wire.Alive(incarnation, f"n{number}", address(number), 7946, meta, versions)


def entry(number: int, state: int = 0, incarnation: int = 1, meta: bytes = b"") -> wire.RemoteMember:
    """Peer n<number> in a push/pull."""
    return wire.RemoteMember(f"n{number}", address(number), 7946, meta, incarnation, state, VERSIONS)


class Driver:
    """The node is n1 at 10.0.0.1; peers are n2, n3, … `sent` holds datagrams since the last look."""

    def __init__(self, peers: int = 0, *, seed: int = 1, **settings: Any) -> None:
        self.now = 1000.0
        self.config = GossipConfig(name="n1", address=address(1), **settings)
        self.node = Node(self.config, Random(seed))
        self.effects: list[Effect] = []
        self.node.start(now=self.now)
        for number in range(2, peers + 2):
            self.give(alive(number), source=number)
        self.collect()

    def collect(self) -> list[Effect]:
        """What the node has wanted and learned since the last call."""
        self.effects += self.node.drain()
        collected, self.effects = self.effects, []
        return collected

    def give(self, *messages: wire.Message, source: int = 2) -> None:
        """A datagram of a peer."""
        sealed = packet.seal([wire.encode(message) for message in messages], self.sealing, checksum=False)
        self.node.receive_datagram(sealed, place(source), now=self.now)

    @property
    def sealing(self) -> packet.Sealing:
        return packet.Sealing(self.config.security, packet.Keyring(self.config.security.keys), False, Random(2))

    def pass_time(self, seconds: float) -> list[Effect]:
        """Fire every timer that comes due; what happened."""
        end = self.now + seconds
        while (due := self.node.next_timer()) is not None and due <= end:
            self.now = max(due, self.now)
            self.node.handle_timer(now=self.now)
            self.effects += self.node.drain()
        self.now = end
        return self.collect()

    def member(self, number: int) -> Member | None:
        return next((member for member in self.node.members if member.name == f"n{number}"), None)

    def messages(self, happened: Iterable[Effect]) -> list[tuple[Endpoint, wire.Message | bytes]]:
        """All messages in the datagrams sent; user messages as bytes."""
        found: list[tuple[Endpoint, wire.Message | bytes]] = []
        for effect in of(happened, effects.SendDatagram):
            for message in packet.open_datagram(effect.data, self.sealing, Limits()).messages:
                found.append((effect.to, message[1:] if message[0] == 8 else wire.decode(message)))
        return found

    def read(self, data: bytes, *, dialled: bool) -> stream.StreamMessage | None:
        """What the node has sent on a stream."""
        return stream.StreamReader(self.sealing, Limits(), dialled_by_peer=dialled).feed(data)

    def frame(self, message: stream.StreamMessage, *, dialler: bool) -> bytes:
        return stream.frame(stream.encode(message), self.sealing, dialler=dialler)


def of(happened: Iterable[Effect], kind: type[E]) -> list[E]:
    """The effects of one kind."""
    return [effect for effect in happened if isinstance(effect, kind)]


def dropped(happened: Iterable[Effect]) -> list[DropReason]:
    return [effect.reason for effect in of(happened, effects.Dropped)]
