# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers of a datagram: real peers' packets, our own, and broken ones with the reason for each."""

from __future__ import annotations

import struct
import zlib
from random import Random

import pytest
from lantern.gossip import lzw, packet, wire
from lantern.gossip.config import Limits, Security
from lantern.gossip.faults import DropReason, PeerError
from lantern.gossip.keyring import Keyring, metallb_key
from lantern.gossip.packet import Sealing, open_datagram, seal
from unit.gossip import vectors

KEY = b"k" * 32
PING = wire.encode(wire.Ping(1, "n1"))
ACK = wire.encode(wire.Ack(2))


def sealing(*keys: bytes, label: bytes = b"", compress: bool = False, **security: bool) -> Sealing:
    return Sealing(Security(label=label, **security), Keyring(keys), compress, Random(1))


def messages(datagram: bytes, how: Sealing) -> list[wire.Message]:
    opened = open_datagram(datagram, how, Limits())
    assert opened.dropped == []
    return [wire.decode(message) for message in opened.messages]


def refused(datagram: bytes, how: Sealing) -> DropReason:
    with pytest.raises(PeerError) as caught:
        open_datagram(datagram, how, Limits())
    return caught.value.reason


def alive(name: str, last: int, meta: bytes, delegate: tuple[int, int, int]) -> wire.Alive:
    return wire.Alive(1, name, bytes((127, 0, 0, last)), 7946, meta, bytes((1, 5, 2, *delegate)))


SERF_ALIVE = [alive("s1", 21, b"\xff\x80", (2, 5, 5)), alive("l1", 22, b"", (2, 5, 4))]
MEMBERLIST_ALIVE = [alive("go1", 31, b"", (0, 0, 0)), alive("l1", 22, b"", (0, 0, 0))]


def test_serf_packets() -> None:
    ping = wire.Ping(1, "l1", bytes((127, 0, 0, 21)), 7946, "s1")
    assert messages(vectors.SERF_GOSSIP, sealing()) == SERF_ALIVE
    assert messages(vectors.SERF_COMPRESSED, sealing()) == [ping, *SERF_ALIVE]
    assert messages(vectors.SERF_PING, sealing()) == [wire.Ping(2, *vars_of(ping))]
    (ack,) = messages(vectors.SERF_ACK, sealing())
    assert isinstance(ack, wire.Ack)
    assert b"Adjustment" in ack.payload
    assert messages(vectors.SERF_ENCRYPTED_GOSSIP, sealing(vectors.SERF_KEY)) == SERF_ALIVE


def vars_of(ping: wire.Ping) -> tuple[str, bytes, int, str]:
    return ping.node, ping.source_address, ping.source_port, ping.source_node


def test_packets_of_memberlist_with_metallb_settings() -> None:
    key = metallb_key(vectors.METALLB_SECRET)
    assert messages(vectors.MEMBERLIST_GOSSIP, sealing(label=vectors.LABEL)) == MEMBERLIST_ALIVE
    (ack,) = messages(vectors.MEMBERLIST_ACK, sealing(label=vectors.LABEL))
    assert isinstance(ack, wire.Ack)
    assert ack.payload == b""
    assert messages(vectors.MEMBERLIST_ENCRYPTED_GOSSIP, sealing(key, label=vectors.LABEL)) == MEMBERLIST_ALIVE


@pytest.mark.parametrize("checksum", [False, True])
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("label", [b"", b"home", b"l" * 255])
@pytest.mark.parametrize("keys", [(), (KEY,), (b"n" * 16, KEY)])
def test_own_datagrams_are_understood(keys: tuple[bytes, ...], label: bytes, compress: bool, checksum: bool) -> None:
    how = sealing(*keys, label=label, compress=compress)
    for parts in ([PING], [PING, ACK], [PING] * 255):
        assert open_datagram(seal(parts, how, checksum=checksum), how, Limits()).messages == parts


def test_layers_are_in_their_order() -> None:
    compound = b"\x07\x02" + struct.pack("!HH", len(PING), len(ACK)) + PING + ACK
    checked = b"\x0c" + struct.pack("!I", zlib.crc32(compound)) + compound
    how = sealing(KEY, label=b"home")
    nonce = Random(1).randbytes(12)
    assert seal([PING, ACK], how, checksum=True) == b"\xf4\x04home" + Keyring([KEY]).encrypt(checked, b"home", nonce)


def test_full_room_fits_into_the_datagram_and_no_more() -> None:
    for how in (sealing(), sealing(KEY), sealing(KEY, label=b"home")):
        room = packet.room(how, Limits())
        parts = [b"\x08" + bytes(room // 2 - 3), b"\x08" + bytes(room - room // 2 - 3)]
        assert len(seal(parts, how, checksum=True)) == 1400


def test_compression_is_used_only_where_it_helps() -> None:
    how = sealing(compress=True)
    assert seal([PING], how, checksum=False) == PING
    assert seal([PING] * 20, how, checksum=False)[0] == 9


@pytest.mark.parametrize(
    ("datagram", "how", "reason"),
    [
        (b"\xf4", sealing(), DropReason.LABEL),
        (b"\xf4\x00" + PING, sealing(), DropReason.LABEL),
        (b"\xf4\x05home", sealing(label=b"home"), DropReason.LABEL),
        (b"\xf4\x04home" + PING, sealing(), DropReason.LABEL),
        (b"\xf4\x04away" + PING, sealing(label=b"home"), DropReason.LABEL),
        (PING, sealing(label=b"home"), DropReason.LABEL),
        (PING, sealing(KEY), DropReason.UNDECIPHERABLE),
        (b"", sealing(KEY), DropReason.UNDECIPHERABLE),
        (b"\x02" + bytes(60), sealing(KEY), DropReason.UNDECIPHERABLE),
        (seal([PING], sealing(KEY), checksum=True), sealing(b"K" * 32), DropReason.UNDECIPHERABLE),
        (vectors.SERF_GOSSIP[:-1], sealing(), DropReason.CHECKSUM),
        (vectors.MEMBERLIST_ENCRYPTED_GOSSIP[6:], sealing(KEY), DropReason.UNDECIPHERABLE),
    ],
)
def test_datagrams_that_are_refused_whole(datagram: bytes, how: Sealing, reason: DropReason) -> None:
    assert refused(datagram, how) is reason


@pytest.mark.parametrize(
    ("datagram", "taken", "reason"),
    [
        (b"", [], DropReason.EMPTY),
        (b"\x07", [], DropReason.TRUNCATED),
        (b"\x07\x02\x00\x01\x00", [], DropReason.TRUNCATED),
        (b"\x07\x02\x00\x02\x00\x09abc", [b"ab"], DropReason.TRUNCATED),
        (b"\x07\x02\x00\x00\x00\x02ab", [b"ab"], DropReason.EMPTY),
        (b"\x09", [], DropReason.MALFORMED),
        (b"\x09" + wire.pack(wire.Compressed(1, lzw.compress(PING))), [], DropReason.COMPRESSION),
        (b"\x09" + wire.pack(wire.Compressed(0, b"\xff\xff")), [], DropReason.COMPRESSION),
        (packet.compressed(b""), [], DropReason.EMPTY),
        (packet.compressed(bytes(65537)), [], DropReason.TOO_LARGE),
    ],
)
def test_parts_that_are_refused(datagram: bytes, taken: list[bytes], reason: DropReason) -> None:
    opened = open_datagram(datagram, sealing(), Limits())
    assert (opened.messages, opened.dropped) == (taken, [reason])


def test_plaintext_is_taken_while_a_cluster_moves_to_encryption() -> None:
    how = sealing(KEY, require_encryption=False)
    assert messages(PING, how) == [wire.Ping(1, "n1")]
    assert messages(seal([PING], sealing(KEY), checksum=True), how) == [wire.Ping(1, "n1")]
    assert seal([PING], sealing(KEY, encrypt=False), checksum=False) == PING


def test_nested_layers_are_taken_off() -> None:
    inner = packet.compressed(b"\x07\x01" + struct.pack("!H", len(PING)) + PING)
    outer = b"\x07\x02" + struct.pack("!HH", len(inner), len(ACK)) + inner + ACK
    assert messages(packet.compressed(outer), sealing()) == [wire.Ping(1, "n1"), wire.Ack(2)]


def test_bombs_share_one_allowance() -> None:
    bomb = packet.compressed(b"\x08" + bytes(40000))
    datagram = b"\x07\x03" + struct.pack("!HHH", *[len(bomb)] * 3) + bomb * 3
    opened = open_datagram(datagram, sealing(), Limits())
    assert len(opened.messages) == 1
    assert opened.dropped == [DropReason.TOO_LARGE] * 2


def test_datagram_of_nothing_but_tiny_parts_ends() -> None:
    many = b"\x07\xff" + bytes(2 * 255)
    level = b"\x07\x7b" + struct.pack("!H", len(many)) * 123 + many * 123
    opened = open_datagram(level[:65535], sealing(), Limits())
    assert len(opened.dropped) <= 8300
    assert opened.dropped[-1] is DropReason.TOO_LARGE
