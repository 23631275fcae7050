# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ICMP and ICMPv6 echo over Ethernet: from a request's bytes to its answer's (RFC 792, RFC 1122 3.2.2.6, RFC 4443 4.2).

Only requests that arrive in one piece and without IP options can be answered: there is no reassembly here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from lantern.l2 import ndp
from lantern.l2.checksum import checksum, checksum_ipv6

ETHERTYPE_IPV4 = 0x0800
PROTOCOL_ICMP = 1
REQUEST = 8
REPLY = 0
REQUEST_V6 = 128
REPLY_V6 = 129
TTL = 64

_ETHERNET = struct.Struct("!6s6sH")
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_ICMP_HEAD = struct.Struct("!BBH")
_DONT_FRAGMENT = 0x4000
_FRAGMENT = 0x3FFF
"""The flag "more fragments" and the offset: any of them set means that it is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoRequest:
    """A whole echo request. Addresses are 4 bytes or 16; `body` is identifier, sequence number and data."""

    destination_mac: bytes
    source_mac: bytes
    source: bytes
    destination: bytes
    traffic_class: int
    body: bytes


def is_fragment(frame: bytes) -> bool:
    """Whether the frame holds a part of an IPv4 packet."""
    return len(frame) >= 34 and frame[12:14] == b"\x08\x00" and bool(int.from_bytes(frame[20:22], "big") & _FRAGMENT)


def decode(frame: bytes) -> EchoRequest | None:
    """The request in an Ethernet frame; None for everything else, damaged ones and fragments included."""
    if frame[12:14] == b"\x08\x00":
        return _decode_ipv4(frame)
    if frame[12:14] == b"\x86\xdd":
        return _decode_ipv6(frame)
    return None


def reply(request: EchoRequest) -> bytes:
    """The answer, back to where the request came from, with its identifier, sequence number and data.

    An IPv4 answer is not to be fragmented and so needs no identification (RFC 6864): it is as long as the request,
    which came the same way in one piece.
    """
    ethernet = (request.source_mac, request.destination_mac)
    if len(request.destination) == 4:
        total = checksum(_ICMP_HEAD.pack(REPLY, 0, 0) + request.body)
        message = _ICMP_HEAD.pack(REPLY, 0, total) + request.body
        header = [0x45, request.traffic_class, 20 + len(message), 0, _DONT_FRAGMENT, TTL, PROTOCOL_ICMP, 0]
        addresses = (request.destination, request.source)
        header[7] = checksum(_IPV4.pack(*header, *addresses))
        return _ETHERNET.pack(*ethernet, ETHERTYPE_IPV4) + _IPV4.pack(*header, *addresses) + message
    zeroed = _ICMP_HEAD.pack(REPLY_V6, 0, 0) + request.body
    total = checksum_ipv6(request.destination, request.source, ndp.NEXT_HEADER_ICMPV6, zeroed)
    message = _ICMP_HEAD.pack(REPLY_V6, 0, total) + request.body
    first = 6 << 28 | request.traffic_class << 20
    ipv6 = _IPV6.pack(first, len(message), ndp.NEXT_HEADER_ICMPV6, TTL, request.destination, request.source)
    return _ETHERNET.pack(*ethernet, ndp.ETHERTYPE) + ipv6 + message


def _decode_ipv4(frame: bytes) -> EchoRequest | None:
    if len(frame) < 42:
        return None
    version, traffic_class, length, _, fragment, _, protocol, _, source, destination = _IPV4.unpack_from(frame, 14)
    if (version, protocol) != (0x45, PROTOCOL_ICMP) or fragment & _FRAGMENT or not 28 <= length <= len(frame) - 14:
        return None
    message = frame[34 : 14 + length]
    kind, code, _ = _ICMP_HEAD.unpack_from(message)
    # 0.0.0.0/8 and from 224.0.0.0 on: nobody can be answered there (RFC 1122 section 3.2.1.3).
    if (kind, code) != (REQUEST, 0) or not 0 < source[0] < 224:
        return None
    if checksum(frame[14:34]) != 0 or checksum(message) != 0:
        return None
    return EchoRequest(
        destination_mac=frame[:6],
        source_mac=frame[6:12],
        source=source,
        destination=destination,
        traffic_class=traffic_class,
        body=message[4:],
    )


def _decode_ipv6(frame: bytes) -> EchoRequest | None:
    if len(frame) < 62:
        return None
    first, length, next_header, _, source, destination = _IPV6.unpack_from(frame, 14)
    if (first >> 28, next_header) != (6, ndp.NEXT_HEADER_ICMPV6) or not 8 <= length <= len(frame) - 54:
        return None
    message = frame[54 : 54 + length]
    kind, code, _ = _ICMP_HEAD.unpack_from(message)
    if (kind, code) != (REQUEST_V6, 0) or source == ndp.UNSPECIFIED or source[0] == 0xFF:
        return None
    if checksum_ipv6(source, destination, ndp.NEXT_HEADER_ICMPV6, message) != 0:
        return None
    return EchoRequest(
        destination_mac=frame[:6],
        source_mac=frame[6:12],
        source=source,
        destination=destination,
        traffic_class=first >> 20 & 0xFF,
        body=message[4:],
    )
