# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams: real peers' answers, every message in every split, and broken ones with the reason for each."""

from __future__ import annotations

import struct
from random import Random

import pytest
from lantern.gossip import packet, stream, wire
from lantern.gossip.config import Limits, Security
from lantern.gossip.faults import DropReason, PeerError
from lantern.gossip.keyring import Keyring, metallb_key
from lantern.gossip.packet import Sealing
from lantern.gossip.stream import PushPull, StreamReader, UserPayload
from unit.gossip import vectors

KEY = b"k" * 32
VERSIONS = bytes((1, 5, 2, 0, 0, 0))


def sealing(*keys: bytes, label: bytes = b"", compress: bool = False, **security: bool) -> Sealing:
    return Sealing(Security(label=label, **security), Keyring(keys), compress, Random(1))


def member(name: str, state: int = 0) -> wire.RemoteMember:
    return wire.RemoteMember(name, bytes((10, 0, 0, 1)), 7946, b"meta", 3, state, VERSIONS)


STATE = PushPull((member("a"), member("b", 2)), b"user state", True)
ALL_KINDS: list[stream.StreamMessage] = [
    STATE,
    PushPull((), b"", False),
    UserPayload(b"payload"),
    UserPayload(b""),
    wire.Ping(7, "n1"),
    wire.Ack(7),
    wire.ErrorReport("no"),
]


def read(
    data: bytes, how: Sealing, *, dialled_by_peer: bool = True, split: int = 1 << 30
) -> stream.StreamMessage | None:
    reader = StreamReader(how, Limits(), dialled_by_peer=dialled_by_peer)
    for start in range(0, len(data), split):
        message = reader.feed(data[start : start + split])
        if message is not None:
            assert start + split >= len(data), "complete only with the last byte"
            return message
    return None


def refused(data: bytes, how: Sealing, limits: Limits | None = None) -> DropReason:
    with pytest.raises(PeerError) as caught:
        StreamReader(how, limits or Limits(), dialled_by_peer=True).feed(data)
    return caught.value.reason


@pytest.mark.parametrize("split", [1, 2, 7, 1 << 30])
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("label", [b"", b"home"])
@pytest.mark.parametrize("keys", [(), (KEY,)])
def test_own_messages_are_understood(keys: tuple[bytes, ...], label: bytes, compress: bool, split: int) -> None:
    how = sealing(*keys, label=label, compress=compress)
    for message in ALL_KINDS:
        for dialler in (True, False):
            data = stream.frame(stream.encode(message), how, dialler=dialler)
            assert data.startswith(b"\xf4") == (dialler and bool(label))
            if dialler or not label:
                assert read(data, how, split=split) == message
            assert dialler or read(data, how, dialled_by_peer=False, split=split) == message


@pytest.mark.parametrize("message", ALL_KINDS)
def test_incomplete_messages_are_waited_for(message: stream.StreamMessage) -> None:
    for how in (sealing(), sealing(compress=True), sealing(KEY, label=b"home")):
        data = stream.frame(stream.encode(message), how, dialler=True)
        for length in range(len(data)):
            assert read(data[:length], how) is None


@pytest.mark.parametrize("split", [1, 100, 1 << 30])
def test_answer_of_serf(split: int) -> None:
    plain = read(vectors.SERF_STATE, sealing(), dialled_by_peer=False, split=split)
    encrypted = read(vectors.SERF_ENCRYPTED_STATE, sealing(vectors.SERF_KEY), dialled_by_peer=False, split=split)
    for message in (plain, encrypted):
        assert isinstance(message, PushPull)
        assert message.members == (
            wire.RemoteMember("s1", bytes((127, 0, 0, 21)), 7946, b"\xff\x80", 1, 0, bytes((1, 5, 2, 2, 5, 5))),
        )
        assert message.user_state.startswith(b"\x02")
        assert len(message.user_state) > 500


def test_answer_of_memberlist_with_metallb_settings() -> None:
    how = sealing(metallb_key(vectors.METALLB_SECRET), label=vectors.LABEL)
    message = read(vectors.MEMBERLIST_ENCRYPTED_STATE, how, dialled_by_peer=False)
    assert isinstance(message, PushPull)
    assert message.members == (wire.RemoteMember("go1", bytes((127, 0, 0, 31)), 7946, b"", 1, 0, VERSIONS),)
    assert message.user_state == b""


def test_bytes_of_a_state() -> None:
    encoded = stream.encode(PushPull((), b"xyz", True))
    assert encoded == b"\x06\x83\xa4Join\xc3\xa5Nodes\x00\xacUserStateLen\x03xyz"
    assert stream.encode(UserPayload(b"xyz")) == b"\x08\x81\xaaUserMsgLen\x03xyz"
    assert stream.encode(wire.ErrorReport("no")) == b"\x0d\x81\xa5Error\xa2no"


def test_authenticated_data_is_the_frame_and_the_label() -> None:
    how = sealing(KEY, label=b"home")
    data = stream.frame(b"\x02x", how, dialler=True)
    head = b"\x0a" + struct.pack("!I", 29 + 2)
    assert data[:6] + data[6:11] == b"\xf4\x04home" + head
    assert Keyring([KEY]).decrypt(data[11:], head + b"home") == b"\x02x"


def frame_of(plain: bytes) -> bytes:
    return stream.frame(plain, sealing(KEY), dialler=True)


HEADER = b"\x06" + wire.pack(wire.PushPullHeader(1, 0, False))


@pytest.mark.parametrize(
    ("data", "how", "reason"),
    [
        (b"\xf4\x00\x00", sealing(), DropReason.LABEL),
        (b"\xf4\x04away", sealing(label=b"home"), DropReason.LABEL),
        (b"\x00", sealing(label=b"home"), DropReason.LABEL),
        (b"\x06", sealing(KEY), DropReason.NOT_ENCRYPTED),
        (b"\x0a", sealing(), DropReason.NO_KEY),
        (b"\x0a\x01\x40\x00\x01", sealing(KEY), DropReason.TOO_LARGE),
        (b"\x0a\x00\x00\x00\x00", sealing(KEY), DropReason.UNDECIPHERABLE),
        (b"\x0a\x00\x00\x00\x1d" + bytes(29), sealing(KEY), DropReason.UNDECIPHERABLE),
        (frame_of(b""), sealing(KEY), DropReason.TRUNCATED),
        (frame_of(HEADER), sealing(KEY), DropReason.TRUNCATED),
        (b"\x07", sealing(), DropReason.UNKNOWN_TYPE),
        (b"GET / HTTP/1.1\r\n", sealing(), DropReason.UNKNOWN_TYPE),
        (b"\x16\x03\x01\x02\x00", sealing(), DropReason.UNKNOWN_TYPE),  # TLS
        (b"\x06\xc0", sealing(), DropReason.MALFORMED),
        (b"\x06\x81\xa5Nodes\xff", sealing(), DropReason.MALFORMED),
        (b"\x06\xc1", sealing(), DropReason.MALFORMED),
        (HEADER + b"\x80", sealing(), DropReason.MALFORMED),
        (b"\x00\x81\x90\x01", sealing(), DropReason.MALFORMED),
        (b"\x00" + b"\x91" * 5000, sealing(), DropReason.MALFORMED),
        (b"\x00\x81\xdd\xff\xff\xff\xff", sealing(), DropReason.MALFORMED),
        (b"\x06" + wire.pack(wire.PushPullHeader(8193, 0, False)), sealing(), DropReason.TOO_MANY_MEMBERS),
        (b"\x06" + wire.pack(wire.PushPullHeader(0, (20 << 20) + 1, False)), sealing(), DropReason.TOO_LARGE),
        (b"\x08" + wire.pack(wire.UserHeader((20 << 20) + 1)), sealing(), DropReason.TOO_LARGE),
        (b"\x09" + wire.pack(wire.Compressed(7, b"")), sealing(), DropReason.COMPRESSION),
        (b"\x09" + wire.pack(wire.Compressed(0, b"\xff\xff\xff")), sealing(), DropReason.COMPRESSION),
        (packet.compressed(b""), sealing(), DropReason.TRUNCATED),
        (packet.compressed(packet.compressed(b"\x00")), sealing(), DropReason.UNKNOWN_TYPE),
    ],
)
def test_streams_that_are_refused(data: bytes, how: Sealing, reason: DropReason) -> None:
    assert refused(data, how) is reason


def test_stream_and_what_it_expands_to_are_limited() -> None:
    limits = Limits(stream_bytes=1000, stream_plain_bytes=2000)
    user = b"\x08" + wire.pack(wire.UserHeader(900))
    assert refused(user + bytes(1500), sealing(), limits) is DropReason.TOO_LARGE
    assert refused(packet.compressed(bytes(3000)), sealing(), limits) is DropReason.TOO_LARGE
    assert refused(b"\x09\x81\xa3Buf\xdb\x7f\xff\xff\xff" + bytes(1500), sealing(), limits) is DropReason.TOO_LARGE


def test_what_expands_beyond_the_limit_is_refused_while_it_is_read() -> None:
    limits = Limits(stream_bytes=5000, stream_plain_bytes=500)
    assert refused(b"\x08" + wire.pack(wire.UserHeader(4000)) + bytes(4000), sealing(), limits) is DropReason.TOO_LARGE


def test_nothing_is_waited_with() -> None:
    for how in (sealing(), sealing(label=b"home"), sealing(KEY)):
        assert StreamReader(how, Limits(), dialled_by_peer=True).feed(b"") is None


def test_plaintext_is_taken_while_a_cluster_moves_to_encryption() -> None:
    data = stream.frame(stream.encode(STATE), sealing(), dialler=True)
    assert read(data, sealing(KEY, require_encryption=False)) == STATE


def test_large_state_in_small_pieces() -> None:
    state = PushPull(tuple(member(f"node-{number}") for number in range(900)), b"u" * 5000, False)
    data = stream.frame(stream.encode(state), sealing(), dialler=True)
    assert read(data, sealing(), split=100) == state
