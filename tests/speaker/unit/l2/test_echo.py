# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Echo requests that scapy writes, and answers that it reads."""

from __future__ import annotations

import pytest
from lantern.l2 import echo
from scapy.layers.inet import ICMP, IP, IPOption_RR
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

ETHER = Ether(dst="02:00:00:00:00:01", src="02:00:00:00:00:99")
IPV4 = IP(src="192.168.2.20", dst="192.168.2.128", tos=0x48)
IPV6 = IPv6(src="fd00:2::20", dst="fd00:2::128", tc=0x48)


@pytest.mark.parametrize("data", [b"", b"x", b"data", bytes(1472), b"\xff" * 1471])
def test_answer_is_the_request_turned_round(data: bytes) -> None:
    request = echo.decode(bytes(ETHER / IPV4 / ICMP(id=0xABCD, seq=0xFFFF) / Raw(data)))
    assert request is not None
    answer = echo.reply(request)
    seen = Ether(answer)
    assert (seen.dst, seen.src) == ("02:00:00:00:00:99", "02:00:00:00:00:01")
    assert (seen[IP].src, seen[IP].dst, seen[IP].ttl, seen[IP].tos) == ("192.168.2.128", "192.168.2.20", 64, 0x48)
    assert (seen[ICMP].type, seen[ICMP].id, seen[ICMP].seq, bytes(seen[ICMP].payload)) == (0, 0xABCD, 0xFFFF, data)
    assert (seen[IP].flags, seen[IP].frag, seen[IP].len) == ("DF", 0, 28 + len(data))
    ip_sum, icmp_sum = seen[IP].chksum, seen[ICMP].chksum
    del seen[IP].chksum, seen[ICMP].chksum
    again = Ether(bytes(seen))
    assert (again[IP].chksum, again[ICMP].chksum) == (ip_sum, icmp_sum)


@pytest.mark.parametrize("data", [b"", b"x", b"data", bytes(1452)])
def test_answer_v6_is_the_request_turned_round(data: bytes) -> None:
    request = echo.decode(bytes(ETHER / IPV6 / ICMPv6EchoRequest(id=7, seq=9, data=data)))
    assert request is not None
    seen = Ether(echo.reply(request))
    assert (seen[IPv6].src, seen[IPv6].dst, seen[IPv6].hlim, seen[IPv6].tc) == ("fd00:2::128", "fd00:2::20", 64, 0x48)
    reply = seen[ICMPv6EchoReply]
    assert (reply.id, reply.seq, reply.data) == (7, 9, data)
    checksum = reply.cksum
    del reply.cksum
    assert Ether(bytes(seen))[ICMPv6EchoReply].cksum == checksum


def test_padding_of_short_frames_is_no_data() -> None:
    request = echo.decode(bytes(ETHER / IPV4 / ICMP()) + bytes(18))
    assert request is not None and request.body == bytes(4)


@pytest.mark.parametrize(
    "frame",
    [
        ETHER / IPV4 / ICMP(type=0),
        ETHER / IPV4 / ICMP(code=1),
        ETHER / IPV4 / ICMP(chksum=1),
        ETHER / IP(src="192.168.2.20", dst="192.168.2.128", chksum=1) / ICMP(),
        ETHER / IP(src="224.0.0.1", dst="192.168.2.128") / ICMP(),
        ETHER / IP(src="255.255.255.255", dst="192.168.2.128") / ICMP(),
        ETHER / IP(src="0.0.0.0", dst="192.168.2.128") / ICMP(),
        ETHER / IP(src="192.168.2.20", dst="192.168.2.128", options=[IPOption_RR()]) / ICMP(),
        ETHER / IP(src="192.168.2.20", dst="192.168.2.128", len=60) / ICMP(),
        ETHER / IPv6(src="ff02::1", dst="fd00:2::128") / ICMPv6EchoRequest(),
        ETHER / IPv6(src="::", dst="fd00:2::128") / ICMPv6EchoRequest(),
        ETHER / IPV6 / ICMPv6EchoReply(),
        ETHER / IPV6 / ICMPv6EchoRequest(cksum=1),
        ETHER / IPv6(src="fd00:2::20", dst="fd00:2::128", plen=9) / ICMPv6EchoRequest(),
    ],
)
def test_everything_else_is_none(frame: Packet) -> None:
    assert echo.decode(bytes(frame)) is None
    assert not echo.is_fragment(bytes(frame))


@pytest.mark.parametrize(("flags", "offset"), [("MF", 0), (0, 185), ("MF", 185)])
def test_fragments_are_known(flags: str | int, offset: int) -> None:
    frame = bytes(ETHER / IP(src="192.168.2.20", dst="192.168.2.128", flags=flags, frag=offset) / ICMP())
    assert echo.is_fragment(frame) and echo.decode(frame) is None
