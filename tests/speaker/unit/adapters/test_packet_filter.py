# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel runs the filters: they are attached to a socket of this process, and frames are sent through it."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lantern.adapters.address_cover import BLOCKS, RANGES, Bitmap, Cover, Range, bitmap
from lantern.adapters.packet_filter import Kind, attach, program
from lantern.l2 import arp, ndp
from scapy.layers.inet import ICMP, IP, TCP, IPOption_RR
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NS, IPv6, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, Ether

VIP = "192.168.2.128"
VIP_V6 = "fd00:2::128"


def word(address: str) -> int:
    return int.from_bytes(ip_address(address).packed[-4:], "big")


@contextmanager
def filtered(
    kind: Kind, ranges: Sequence[Range], exact: Bitmap | None = None
) -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with left, right:
        right.setblocking(False)
        attach(right, program(kind, ranges, exact))
        yield left, right


def passes(kind: Kind, frame: bytes, ranges: Sequence[Range], exact: Bitmap | None = None) -> bool:
    with filtered(kind, ranges, exact) as (left, right):
        left.send(frame)
        try:
            received = right.recv(65535)
        except BlockingIOError:
            return False
        assert received == frame
        return True


OURS = {Kind.ARP: (word(VIP), word(VIP)), Kind.NDP: (word(VIP_V6), word(VIP_V6))}
OURS |= {Kind.ECHO: OURS[Kind.ARP], Kind.ECHO_V6: OURS[Kind.NDP]}


@pytest.mark.parametrize(
    ("kind", "frame"),
    [
        (Kind.ARP, Ether() / ARP(op=1, pdst=VIP, psrc="192.168.2.20")),
        (Kind.ARP, Ether() / ARP(op=1, pdst="192.168.2.1", psrc=VIP)),
        (Kind.ARP, Ether() / ARP(op=2, pdst="192.168.2.1", psrc=VIP)),
        (Kind.ARP, Ether(arp.probe(ip_address(VIP).packed, bytes(6)))),
        (Kind.NDP, Ether() / IPv6(src="fd00:2::20", dst=VIP_V6) / ICMPv6ND_NS(tgt=VIP_V6)),
        (Kind.NDP, Ether() / IPv6(src=VIP_V6, dst="fd00:2::20") / ICMPv6ND_NS(tgt="fd00:2::1")),
        (Kind.NDP, Ether(ndp.unsolicited(ip_address(VIP_V6).packed, bytes(6)))),
        (Kind.ECHO, Ether() / IP(dst=VIP, src="192.168.2.20") / ICMP()),
        (Kind.ECHO, Ether() / IP(dst=VIP, src="192.168.2.20", flags="MF") / ICMP()),
        (Kind.ECHO_V6, Ether() / IPv6(dst=VIP_V6, src="fd00:2::20") / ICMPv6EchoRequest()),
    ],
)
def test_what_concerns_an_address_passes_whole(kind: Kind, frame: Ether) -> None:
    assert passes(kind, bytes(frame), [OURS[kind]])
    assert not passes(kind, bytes(frame), [])
    assert not passes(kind, bytes(frame), [(OURS[kind][0] + 1, OURS[kind][0] + 9)])


@pytest.mark.parametrize(
    ("kind", "frame"),
    [
        (Kind.ARP, Ether() / ARP(op=3, pdst=VIP, psrc=VIP)),
        (Kind.ARP, Ether() / ARP(op=1, pdst="192.168.2.1", psrc="192.168.2.20")),
        (Kind.ARP, Ether()),
        (Kind.NDP, Ether() / IPv6(dst=VIP_V6) / ICMPv6EchoRequest()),
        (Kind.NDP, Ether() / IPv6(dst=VIP_V6, src="fd00:2::20") / IPv6ExtHdrHopByHop() / ICMPv6ND_NS(tgt=VIP_V6)),
        (Kind.NDP, Ether() / IPv6(dst=VIP_V6) / TCP()),
        (Kind.ECHO, Ether() / IP(dst=VIP) / ICMP(type=0)),
        (Kind.ECHO, Ether() / IP(dst=VIP) / TCP()),
        (Kind.ECHO, Ether() / IP(dst="192.168.2.129") / ICMP()),
        (Kind.ECHO, Ether() / IP(dst=VIP, frag=185) / ICMP()),
        (Kind.ECHO, Ether() / IP(dst=VIP, options=[IPOption_RR()]) / ICMP()),
        (Kind.ECHO_V6, Ether() / IPv6(dst=VIP_V6) / ICMPv6EchoReply()),
        (Kind.ECHO_V6, Ether() / IPv6(dst="fd00:2::1") / ICMPv6EchoRequest()),
    ],
)
def test_what_does_not_is_kept_back(kind: Kind, frame: Ether) -> None:
    assert not passes(kind, bytes(frame), [OURS[kind]])


@pytest.mark.parametrize("kind", list(Kind))
def test_longest_program_is_accepted_by_the_kernel(kind: Kind) -> None:
    ranges = [(4 * number, 4 * number + 1) for number in range(RANGES)]
    with filtered(kind, ranges) as (_, right):
        attach(right, program(kind, ranges))


@given(st.binary(max_size=120), st.sampled_from(list(Kind)))
def test_arbitrary_bytes_do_no_harm(frame: bytes, kind: Kind) -> None:
    passes(kind, frame or b"\0", [(0, 0x7FFFFFFF)])


words = st.integers(0, 0xFFFFFFFF)


def question(asked: int, sender: int = 1) -> bytes:
    return bytes(Ether() / ARP(op=1, pdst=str(ip_address(asked)), psrc=str(ip_address(sender))))


@given(st.sets(st.integers(1000, 1300), max_size=100), st.integers(990, 1310))
def test_bitmap_lets_through_exactly_what_it_holds(present: set[int], asked: int) -> None:
    assert passes(Kind.ARP, question(asked), [], bitmap(present)) == (asked in present)


@given(st.sets(words, min_size=1, max_size=60), st.integers(2, 20), st.data())
def test_bitmap_without_room_lets_neighbours_through_as_well(
    present: set[int], limit: int, data: st.DataObject
) -> None:
    coarse = bitmap(present, limit)
    assert 1 <= len(coarse.blocks) <= limit
    assert coarse.shift == 0 or len(bitmap(present, len(present)).blocks) > limit
    asked = data.draw(st.sampled_from(sorted(present)) | words)
    held = any(asked >> coarse.shift == value >> coarse.shift for value in present)
    assert passes(Kind.ARP, question(asked), [], coarse) == held


@given(st.sets(st.integers(1000, 1100), max_size=100), st.integers(1000, 1100))
def test_filter_and_cover_agree(present: set[int], asked: int) -> None:
    cover = Cover()
    for value in present:
        cover.add(value.to_bytes(4, "big"))
    assert passes(Kind.ARP, question(asked), cover.ranges) == any(
        first <= asked <= last for first, last in cover.ranges
    )


def test_who_claims_an_address_is_heard_beside_the_bitmap() -> None:
    assert passes(Kind.ARP, question(5, sender=1000), [(1000, 1000)], bitmap([1000]))
    assert not passes(Kind.ARP, question(5, sender=1001), [(1000, 1000)], bitmap([1000]))


def test_neighbour_of_own_addresses_that_tells_of_its_own_wakes_nobody() -> None:
    assert passes(Kind.ARP, question(1000, sender=1000), [(1000, 1002)], bitmap([1000, 1002]))
    assert not passes(Kind.ARP, question(1001, sender=1001), [(1000, 1002)], bitmap([1000, 1002]))


def test_longest_bitmap_is_accepted_by_the_kernel() -> None:
    present = range(0, 64 * BLOCKS, 64)
    ranges = [(4 * number, 4 * number + 1) for number in range(RANGES)]
    exact = bitmap(present)
    assert exact.shift == 0 and len(exact.blocks) == BLOCKS
    assert passes(Kind.ARP, question(64 * (BLOCKS - 1), sender=0xFFFFFFFF), ranges, exact)
    assert not passes(Kind.ARP, question(64 * (BLOCKS - 1) + 1, sender=0xFFFFFFFF), ranges, exact)
