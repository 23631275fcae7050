# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layer-2 decoders and the whole machine on arbitrary bytes."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st
from lantern.l2 import arp, echo, ndp
from lantern.l2.announcing import Announcing, Options
from lantern.l2.checksum import checksum
from lantern.l2.claims import Interface
from lantern.l2.responder import Dropped, Reply

mac = st.binary(min_size=6, max_size=6)
ip = st.binary(min_size=4, max_size=4)
ip6 = st.one_of(st.binary(min_size=16, max_size=16), st.sampled_from([bytes(16), IPv6Address("fd00::1").packed]))
unicast6 = ip6.filter(lambda packed: packed[0] != 0xFF)
arp_packets = st.builds(
    arp.ArpFrame,
    destination=mac,
    source=mac,
    operation=st.integers(0, 0xFFFF),
    sender_mac=mac,
    sender_ip=ip,
    target_mac=mac,
    target_ip=ip,
)
solicitations = st.builds(
    ndp.Solicitation,
    destination_mac=mac,
    source_mac=mac,
    source=unicast6.filter(lambda packed: packed != bytes(16)),
    destination=ip6,
    target=unicast6,
    link_address=st.none() | mac,
)
advertisements = st.builds(
    ndp.Advertisement,
    destination_mac=mac,
    source_mac=mac,
    source=unicast6,
    destination=unicast6,
    target=unicast6,
    link_address=st.none() | mac,
    solicited=st.booleans(),
    override=st.booleans(),
    router=st.booleans(),
)
ndp_packets = st.one_of(solicitations, advertisements)
requests = st.one_of(
    st.builds(
        echo.EchoRequest,
        destination_mac=mac,
        source_mac=mac,
        source=ip,
        destination=ip,
        traffic_class=st.integers(0, 255),
        body=st.binary(min_size=4, max_size=80),
    ),
    st.builds(
        echo.EchoRequest,
        destination_mac=mac,
        source_mac=mac,
        source=ip6,
        destination=ip6,
        traffic_class=st.integers(0, 255),
        body=st.binary(min_size=4, max_size=80),
    ),
)
valid = st.one_of(arp_packets.map(arp.encode), ndp_packets.map(ndp.encode), requests.map(echo.reply))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid frame with some bytes changed, cut off, or more."""
    frame = bytearray(draw(valid))
    for _ in range(draw(st.integers(0, 3))):
        frame[draw(st.integers(0, len(frame) - 1))] = draw(st.integers(0, 255))
    return bytes(frame[: draw(st.integers(0, len(frame)))]) + draw(st.binary(max_size=20))


@given(arp_packets)
def test_what_is_encoded_as_arp_is_decoded(packet: arp.ArpFrame) -> None:
    assert arp.decode(arp.encode(packet)) == packet


@given(ndp_packets, st.binary(max_size=10))
def test_what_is_encoded_as_ndp_is_decoded_whatever_the_padding(
    packet: ndp.Solicitation | ndp.Advertisement, padding: bytes
) -> None:
    assert ndp.decode(ndp.encode(packet) + padding) == packet


@given(arp_packets, mac)
def test_reply_is_the_request_turned_round(packet: arp.ArpFrame, answering: bytes) -> None:
    seen = arp.decode(arp.reply(packet, answering))
    assert seen is not None and seen.operation == arp.REPLY
    assert (seen.destination, seen.target_mac, seen.target_ip) == (packet.source, packet.sender_mac, packet.sender_ip)
    assert (seen.source, seen.sender_mac, seen.sender_ip) == (answering, answering, packet.target_ip)


@given(st.binary(max_size=100))
def test_checksum_is_that_of_rfc_1071(data: bytes) -> None:
    total = 0
    padded = data + bytes(len(data) % 2)
    for at in range(0, len(padded), 2):
        total += padded[at] << 8 | padded[at + 1]
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert checksum(data) == 0xFFFF - total
    if len(data) % 2 == 0:
        assert checksum(data + checksum(data).to_bytes(2, "big")) == 0


@given(st.lists(st.one_of(st.binary(max_size=150), damaged()), max_size=20), st.booleans())
def test_nothing_from_the_wire_raises(frames: list[bytes], fresh: bool) -> None:
    machine = Announcing(Options())
    interface = Interface("eth0", bytes(6))
    machine.set_interfaces([interface], own_macs=[interface.mac], news=True, now=0.0)
    addresses = [IPv4Address(0), IPv4Address("192.168.2.128"), IPv6Address(0), IPv6Address("fd00::1")]
    machine.apply(dict.fromkeys(addresses), fresh=addresses if fresh else [], now=0.0)
    for number, frame in enumerate(frames):
        for handle in (machine.receive_arp, machine.receive_ndp, machine.receive_echo):
            assert isinstance(handle(frame, interface, now=float(number)), (Reply, Dropped))
        machine.handle_timer(now=float(number))
        machine.drain()
