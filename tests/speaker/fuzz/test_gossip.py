# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every decoder of the gossip machine on damaged input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from fuzz.damage import INPUTS, damage
from lantern.gossip import effects, lzw, packet, stream, wire
from lantern.gossip.config import GossipConfig, Limits, Security
from lantern.gossip.endpoint import Endpoint
from lantern.gossip.faults import PeerError
from lantern.gossip.keyring import Keyring
from lantern.gossip.node import Node
from lantern.gossip.packet import Sealing
from unit.gossip import vectors

KEY = b"k" * 32
SOURCE = Endpoint("10.0.0.9", 7946)
PLAIN = Sealing(Security(), Keyring([]), False, Random(1))
SEALED = Sealing(Security(keys=(KEY,)), Keyring([KEY]), False, Random(1))
LABELLED = Sealing(Security(keys=(KEY,), label=b"home"), Keyring([KEY]), True, Random(1))
VERSIONS = bytes((1, 5, 2, 0, 0, 0))

MESSAGES = [
    wire.encode(message)
    for message in (
        wire.Ping(7, "n1", b"\x0a\0\0\2", 7946, "n2"),
        wire.IndirectPing(7, b"\x0a\0\0\3", 7946, "n3", True, b"\x0a\0\0\2", 7946, "n2"),
        wire.Ack(7, b"payload"),
        wire.Nack(7),
        wire.Suspect(1, "n2", "n3"),
        wire.Alive(1, "n2", b"\x0a\0\0\2", 7946, b"meta", VERSIONS),
        wire.Dead(1, "n2", "n3"),
    )
]
DATAGRAMS = [
    *MESSAGES,
    packet.seal(MESSAGES, PLAIN, checksum=False),
    packet.compressed(packet.seal(MESSAGES, PLAIN, checksum=False)),
    packet.seal(MESSAGES, PLAIN, checksum=True),
    vectors.SERF_GOSSIP[5:],
    vectors.SERF_COMPRESSED,
    vectors.SERF_ACK,
]
STATE = stream.PushPull(
    tuple(
        wire.RemoteMember(f"n{number}", bytes((10, 0, 0, number)), 7946, b"meta", 1, number % 4, VERSIONS)
        for number in range(1, 6)
    ),
    b"user state",
    True,
)
STREAMS = [
    stream.encode(STATE),
    stream.encode(stream.UserPayload(b"payload")),
    stream.encode(wire.Ping(7, "n1")),
    stream.encode(wire.ErrorReport("no")),
    packet.compressed(stream.encode(STATE)),
    vectors.SERF_STATE,
    stream.frame(stream.encode(STATE), SEALED, dialler=True),
]
COMPRESSED = [lzw.compress(bytes(range(256)) * 4), lzw.compress(b"ab" * 3000), lzw.compress(MESSAGES[5])]


def fresh() -> Node:
    node = Node(GossipConfig(name="n1", address=b"\x0a\0\0\1"), Random(1))
    node.start(now=0.0)
    return node


class Machine:
    """A whole node, renewed now and then so that it does not fill with what it was told."""

    def __init__(self) -> None:
        self.node, self.now, self.count = fresh(), 0.0, 0

    def _next(self) -> None:
        self.count += 1
        self.now += 0.05
        if self.count % 500 == 0:
            self.node, self.now = fresh(), 0.0

    def datagram(self, data: bytes) -> None:
        self._next()
        self.node.receive_datagram(data, SOURCE, now=self.now)
        self.node.handle_timer(now=self.now)
        self._check()

    def stream(self, data: bytes) -> None:
        self._next()
        number = self.node.accept_stream(SOURCE, now=self.now)
        assert number is not None
        half = len(data) // 2
        self.node.receive_stream(number, data[:half], now=self.now)
        self.node.receive_stream(number, data[half:], now=self.now)
        self.node.stream_closed(number, now=self.now)
        self._check()

    def _check(self) -> None:
        for effect in self.node.drain():
            assert not isinstance(effect, effects.SendDatagram) or len(effect.data) <= 65507


def read_sealed(data: bytes) -> None:
    packet.open_datagram(SEALED.encrypt(data, b""), SEALED, Limits())


def read_labelled(data: bytes) -> None:
    packet.open_datagram(data, LABELLED, Limits())


def read_stream(data: bytes) -> None:
    stream.StreamReader(PLAIN, Limits(), dialled_by_peer=True).feed(data)


def read_sealed_stream(data: bytes) -> None:
    stream.StreamReader(SEALED, Limits(), dialled_by_peer=True).feed(stream.frame(data, SEALED, dialler=True))


DECODERS: dict[str, tuple[Callable[[], Callable[[bytes], object]], list[bytes]]] = {
    "message": (lambda: wire.decode, MESSAGES),
    "lzw": (lambda: lambda data: lzw.decompress(data, 1 << 16), COMPRESSED),
    "keyring": (lambda: lambda data: SEALED.keyring.decrypt(data, b""), [SEALED.encrypt(b"x" * 40, b"")]),
    "datagram": (lambda: lambda data: packet.open_datagram(data, PLAIN, Limits()), DATAGRAMS),
    "sealed datagram": (lambda: read_sealed, DATAGRAMS),
    "labelled datagram": (lambda: read_labelled, [packet.seal(MESSAGES, LABELLED, checksum=True)]),
    "stream": (lambda: read_stream, STREAMS),
    "sealed stream": (lambda: read_sealed_stream, STREAMS),
    "node: datagrams": (lambda: Machine().datagram, DATAGRAMS),
    "node: streams": (lambda: Machine().stream, STREAMS),
}


@pytest.mark.parametrize("name", DECODERS)
def test_decoder_refuses_or_takes_but_never_breaks(name: str) -> None:
    make, corpus = DECODERS[name]
    decode, rng, outcomes = make(), Random(name), Counter[str]()
    for _ in range(INPUTS):
        data = damage(rng, corpus)
        try:
            decode(data)
        except PeerError as error:
            outcomes[error.reason.value] += 1
        except Exception as error:
            raise AssertionError(f"{name} on {data.hex()}") from error
        else:
            outcomes["taken"] += 1
    print(f"{name}: {INPUTS} inputs, {dict(outcomes.most_common())}")
    assert outcomes["taken"], "not all damage is deadly"
