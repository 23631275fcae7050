# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gossip machine on arbitrary input: round trips, bytes that never raise, facts in any order."""

from __future__ import annotations

import contextlib
import itertools
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from lantern.gossip import effects, lzw, members, packet, stream, wire
from lantern.gossip.config import GossipConfig, Limits, Security
from lantern.gossip.endpoint import Endpoint
from lantern.gossip.faults import PeerError
from lantern.gossip.keyring import Keyring
from lantern.gossip.members import Member, MemberState
from lantern.gossip.node import Node
from lantern.gossip.packet import Sealing

KEY = b"k" * 32
SOURCE = Endpoint("10.0.0.9", 7946)

u16, u32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
names = st.text(min_size=1, max_size=60).filter(lambda text: not any(0xD800 <= ord(char) < 0xE000 for char in text))
maybe_names = st.one_of(st.just(""), names)
addresses = st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16))
metas = st.binary(max_size=512)
sources = (addresses, u16.filter(bool), names)

pings = st.one_of(st.builds(wire.Ping, u32, maybe_names), st.builds(wire.Ping, u32, names, *sources))
alives = st.builds(wire.Alive, u32, names, addresses, u16, metas, st.binary(min_size=6, max_size=6))
datagram_messages = st.one_of(
    pings,
    st.builds(wire.IndirectPing, u32, addresses, u16, names, st.booleans(), *sources),
    st.builds(wire.Ack, u32, st.binary(max_size=100)),
    st.builds(wire.Nack, u32),
    st.builds(wire.Suspect, u32, names, maybe_names),
    alives,
    st.builds(wire.Dead, u32, names, maybe_names),
)
entries = st.builds(
    wire.RemoteMember, names, addresses, u16, metas, u32, st.integers(0, 255), st.binary(min_size=6, max_size=6)
)
stream_messages = st.one_of(
    pings,
    st.builds(wire.Ack, u32, st.binary(max_size=100)),
    st.builds(wire.ErrorReport, maybe_names),
    st.builds(stream.UserPayload, st.binary(max_size=300)),
    st.builds(stream.PushPull, st.lists(entries, max_size=8).map(tuple), st.binary(max_size=300), st.booleans()),
)


@st.composite
def sealings(draw: st.DrawFn) -> Sealing:
    keys = draw(st.sampled_from([(), (KEY,), (b"n" * 16, KEY)]))
    label = draw(st.sampled_from([b"", b"home", b"l" * 255]))
    return Sealing(Security(label=label), Keyring(keys), draw(st.booleans()), Random(1))


@given(datagram_messages)
def test_messages_round_trip(message: wire.Message) -> None:
    assert wire.decode(wire.encode(message)) == message


@given(st.one_of(st.binary(max_size=5000), st.lists(st.sampled_from(b"ab"), max_size=5000).map(bytes)))
def test_lzw_round_trips(plain: bytes) -> None:
    assert lzw.decompress(lzw.compress(plain), 5000) == plain


@given(st.lists(datagram_messages, min_size=1, max_size=20), sealings(), st.booleans())
def test_datagrams_round_trip(messages: list[wire.Message], sealing: Sealing, checksum: bool) -> None:
    parts = [wire.encode(message) for message in messages]
    opened = packet.open_datagram(packet.seal(parts, sealing, checksum=checksum), sealing, Limits())
    assert (opened.messages, opened.dropped) == (parts, [])


@given(stream_messages, sealings(), st.lists(st.integers(0, 2000), max_size=10))
def test_streams_round_trip_in_any_split(message: stream.StreamMessage, sealing: Sealing, cuts: list[int]) -> None:
    data = stream.frame(stream.encode(message), sealing, dialler=True)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    reader = stream.StreamReader(sealing, Limits(), dialled_by_peer=True)
    read = [reader.feed(data[start:end]) for start, end in itertools.pairwise(places)]
    assert read[-1] == message
    assert read[:-1] == [None] * (len(read) - 1)


def node(*keys: bytes) -> Node:
    made = Node(GossipConfig(name="n1", address=b"\x0a\0\0\1", security=Security(keys=keys)), Random(1))
    made.start(now=0.0)
    made.drain()
    return made


# Bytes of every kind that may arrive: noise, noise behind each type byte, valid messages with some bytes changed.
noise = st.binary(max_size=300)
typed_noise = st.tuples(st.sampled_from([*range(14), 244]), noise).map(lambda pair: bytes((pair[0],)) + pair[1])


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    data = bytearray(draw(whole))
    for _ in range(draw(st.integers(0, 4))):
        if data:
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


def plain_datagram(messages: list[wire.Message], compress: bool) -> bytes:
    sealing = Sealing(Security(), Keyring([]), compress, Random(1))
    return packet.seal([wire.encode(message) for message in messages], sealing, checksum=False)


datagrams = st.one_of(
    noise,
    typed_noise,
    damaged(st.builds(plain_datagram, st.lists(datagram_messages, min_size=1, max_size=6), st.booleans())),
)


def plain_stream(message: stream.StreamMessage, compress: bool) -> bytes:
    return stream.frame(stream.encode(message), Sealing(Security(), Keyring([]), compress, Random(1)), dialler=True)


streams = st.one_of(noise, typed_noise, damaged(st.builds(plain_stream, stream_messages, st.booleans())))


def check(happened: list[effects.Effect]) -> None:
    """Whatever arrived, what the node wants done is possible."""
    for effect in happened:
        if isinstance(effect, effects.SendDatagram):
            assert 0 < len(effect.data) <= 65507
            assert effect.to.host
            assert 0 <= effect.to.port < 65536


@given(st.lists(datagrams, max_size=5), st.booleans())
def test_no_datagram_raises(received: list[bytes], encrypted: bool) -> None:
    machine = node(KEY) if encrypted else node()
    now = 0.0
    for data in received:
        machine.receive_datagram(data, SOURCE, now=now)
        sealed = Keyring([KEY]).encrypt(data, b"", bytes(12))
        machine.receive_datagram(sealed, SOURCE, now=now)
        now += 0.3
        machine.handle_timer(now=now)
        check(machine.drain())


@given(st.lists(st.tuples(streams, st.integers(1, 50)), max_size=4), st.booleans())
def test_no_stream_raises(received: list[tuple[bytes, int]], encrypted: bool) -> None:
    machine = node(KEY) if encrypted else node()
    machine.set_seeds([SOURCE], now=0.0)
    opened = next(effect.stream for effect in machine.drain() if isinstance(effect, effects.OpenStream))
    for data, size in received:
        accepted = machine.accept_stream(SOURCE, now=0.0)
        for number in (accepted, opened):
            assert number is not None
            for start in range(0, len(data), size):
                machine.receive_stream(number, data[start : start + size], now=0.0)
            machine.stream_closed(number, now=0.0)
        check(machine.drain())


@given(noise)
def test_no_decoder_raises_anything_but_its_own_error(data: bytes) -> None:
    for decode in (
        wire.decode,
        lambda data: lzw.decompress(data, 10_000),
        lambda data: Keyring([KEY]).decrypt(data, b""),
        lambda data: wire.unpack(wire.RemoteMember, data),
        lambda data: packet.decompressed(data, 10_000),
    ):
        with contextlib.suppress(PeerError):
            decode(data)


VERSIONS = bytes((1, 5, 2, 0, 0, 0))


def known() -> Member:
    return Member(name="x", address=b"\x0a\0\0\2", port=7946, meta=b"", versions=VERSIONS,
                  incarnation=1, state=MemberState.ALIVE, since=0.0)  # fmt: skip


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[object], list[object]]:
    """Facts about one member, and the same in another order with repetitions.

    Who accuses a member of some incarnation has heard of it: with each such fact goes the alive fact.
    """
    facts: list[object] = []
    for incarnation in draw(st.sets(st.integers(2, 5), max_size=4)):
        facts.append(wire.Alive(incarnation, "x", b"\x0a\0\0\2", 7946, b"", VERSIONS))
        if draw(st.booleans()):
            facts.append(wire.Suspect(incarnation, "x", "y"))
        if draw(st.booleans()):
            facts.append(wire.Dead(incarnation, "x", draw(st.sampled_from("xy"))))
    other = draw(st.permutations(facts + draw(st.lists(st.sampled_from(facts), max_size=5) if facts else st.just([]))))
    return draw(st.permutations(facts)), list(other)


def after(facts: list[object]) -> Member:
    member = known()
    for fact in facts:
        match fact:
            case wire.Alive():
                result = members.after_alive(member, fact, now=1.0, reclaim_seconds=0)
            case wire.Suspect():
                result = members.after_suspect(member, fact, now=1.0)
            case wire.Dead():
                result = members.after_dead(member, fact, now=1.0)
            case _:
                raise AssertionError(fact)
        member = result or member
    return member


@given(histories())
def test_same_facts_in_any_order_end_alike(orders: tuple[list[object], list[object]]) -> None:
    """In whether the member is present, in its incarnation, and in how it went.

    A suspicion may be heard or not by one that holds the member for dead; the suspicion's end is alike then.
    """
    one, other = after(orders[0]), after(orders[1])
    assert one.incarnation == other.incarnation
    assert one.present == other.present
    if not one.present:
        assert one.state == other.state
