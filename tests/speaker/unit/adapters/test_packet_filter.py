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
from lantern.adapters.packet_filter import RANGES, Cover, Kind, Range, attach, program
from lantern.l2 import arp, ndp
from scapy.layers.inet import ICMP, IP, TCP, IPOption_RR
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NS, IPv6, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, Ether

VIP = "192.168.2.128"
VIP_V6 = "fd00:2::128"


def word(address: str) -> int:
    return int.from_bytes(ip_address(address).packed[-4:], "big")


@contextmanager
def filtered(kind: Kind, ranges: Sequence[Range]) -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with left, right:
        right.setblocking(False)
        attach(right, program(kind, ranges))
        yield left, right


def passes(kind: Kind, frame: bytes, ranges: Sequence[Range]) -> bool:
    with filtered(kind, ranges) as (left, right):
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
near = st.integers(1000, 1100)


@given(st.lists(st.tuples(st.booleans(), st.one_of(words, near)), max_size=150))
def test_cover_holds_all_addresses_with_few_sorted_ranges(steps: list[tuple[bool, int]]) -> None:
    cover, present = Cover(), set()
    for add, value in steps:
        before = cover.ranges
        packed = value.to_bytes(4, "big")
        changed = cover.add(packed) if add else cover.remove(packed)
        (present.add if add else present.discard)(value)
        assert changed == (cover.ranges != before)
        assert len(cover.ranges) <= RANGES
        assert all(first <= last for first, last in cover.ranges)
        flat = [edge for pair in cover.ranges for edge in pair]
        assert flat == sorted(flat)
        assert all(any(first <= value <= last for first, last in cover.ranges) for value in present)


@given(st.sets(near, max_size=100), near)
def test_filter_and_cover_agree(present: set[int], asked: int) -> None:
    cover = Cover()
    for value in present:
        cover.add(value.to_bytes(4, "big"))
    frame = bytes(Ether() / ARP(op=1, pdst=str(ip_address(asked)), psrc="192.168.2.20"))
    assert passes(Kind.ARP, frame, cover.ranges) == any(first <= asked <= last for first, last in cover.ranges)


def test_neighbouring_addresses_are_one_range() -> None:
    cover = Cover()
    for value in (*range(1000, 6000, 2), *range(1001, 6000, 2)):
        cover.add(value.to_bytes(4, "big"))
    assert cover.ranges == ((1000, 5999),)
    for value in range(1000, 5990):
        cover.remove(value.to_bytes(4, "big"))
    assert cover.ranges[0][0] > 1000 and cover.ranges[-1] == (cover.ranges[-1][0], 5999)
