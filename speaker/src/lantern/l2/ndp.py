# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Neighbour solicitations and advertisements over Ethernet: bytes to record and back (RFC 4861, RFC 4862).

A frame is 14 bytes of Ethernet, 40 of IPv6, 24 of ICMPv6 and then options of 8 bytes and more. What sections 7.1.1 and
7.1.2 of RFC 4861 tell a node to discard is decoded as None, and so are extension headers, which RFC 6980 forbids for
fragments and nobody else uses here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from lantern.l2.checksum import checksum_ipv6

ETHERTYPE = 0x86DD
NEXT_HEADER_ICMPV6 = 58
SOLICITATION = 135
ADVERTISEMENT = 136
HOP_LIMIT = 255
"""Nothing that a router has forwarded has it, so it comes from this link."""
LENGTH = 78
"""Bytes of a frame without options."""
UNSPECIFIED = bytes(16)
ALL_NODES = bytes.fromhex("ff020000000000000000000000000001")

_ETHERNET = struct.Struct("!6s6sH")
_IPV6 = struct.Struct("!IHBB16s16s")
_BODY = struct.Struct("!BBHI16s")
_SOLICITED_NODE_PREFIX = bytes.fromhex("ff0200000000000000000001ff")
_SOURCE_LINK_ADDRESS = 1
_TARGET_LINK_ADDRESS = 2
_ROUTER_FLAG = 0x80000000
_SOLICITED_FLAG = 0x40000000
_OVERRIDE_FLAG = 0x20000000


@dataclass(frozen=True, slots=True, kw_only=True)
class Solicitation:
    """Who has `target`? MAC addresses are 6 bytes, IP addresses 16."""

    destination_mac: bytes
    source_mac: bytes
    source: bytes
    """UNSPECIFIED when the sender asks before taking the address itself: duplicate address detection."""
    destination: bytes
    target: bytes
    link_address: bytes | None = None
    """The sender's MAC address as the option says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advertisement:
    """`target` is at `link_address`."""

    destination_mac: bytes
    source_mac: bytes
    source: bytes
    destination: bytes
    target: bytes
    link_address: bytes | None = None
    solicited: bool = False
    override: bool = False
    router: bool = False


def decode(frame: bytes) -> Solicitation | Advertisement | None:
    """The packet in an Ethernet frame; None when it is neither kind, damaged, or one to be discarded."""
    if len(frame) < LENGTH:
        return None
    destination_mac, source_mac, ethertype = _ETHERNET.unpack_from(frame)
    version, length, next_header, hop_limit, source, destination = _IPV6.unpack_from(frame, 14)
    kind = (ethertype, version >> 28, next_header, hop_limit)
    if kind != (ETHERTYPE, 6, NEXT_HEADER_ICMPV6, HOP_LIMIT) or not 24 <= length <= len(frame) - 54:
        return None
    message = frame[54 : 54 + length]
    if checksum_ipv6(source, destination, NEXT_HEADER_ICMPV6, message) != 0:
        return None
    what, code, _, flags, target = _BODY.unpack_from(message)
    options = _options(message[24:])
    if code != 0 or target[0] == 0xFF or options is None:
        return None
    if what == SOLICITATION:
        link_address = options.get(_SOURCE_LINK_ADDRESS)
        if source == UNSPECIFIED and (link_address is not None or destination != solicited_node(target)):
            return None
        return Solicitation(
            destination_mac=destination_mac,
            source_mac=source_mac,
            source=source,
            destination=destination,
            target=target,
            link_address=link_address,
        )
    if what == ADVERTISEMENT:
        solicited = bool(flags & _SOLICITED_FLAG)
        if solicited and destination[0] == 0xFF:
            return None
        return Advertisement(
            destination_mac=destination_mac,
            source_mac=source_mac,
            source=source,
            destination=destination,
            target=target,
            link_address=options.get(_TARGET_LINK_ADDRESS),
            solicited=solicited,
            override=bool(flags & _OVERRIDE_FLAG),
            router=bool(flags & _ROUTER_FLAG),
        )
    return None


def encode(packet: Solicitation | Advertisement) -> bytes:
    """The Ethernet frame of 78 bytes, or 86 with a link-layer address."""
    match packet:
        case Solicitation():
            what, flags, option = SOLICITATION, 0, _SOURCE_LINK_ADDRESS
        case Advertisement():
            what, option = ADVERTISEMENT, _TARGET_LINK_ADDRESS
            flags = _ROUTER_FLAG * packet.router | _SOLICITED_FLAG * packet.solicited | _OVERRIDE_FLAG * packet.override
    tail = b"" if packet.link_address is None else bytes((option, 1)) + packet.link_address
    message = _BODY.pack(what, 0, 0, flags, packet.target) + tail
    total = checksum_ipv6(packet.source, packet.destination, NEXT_HEADER_ICMPV6, message)
    return (
        _ETHERNET.pack(packet.destination_mac, packet.source_mac, ETHERTYPE)
        + _IPV6.pack(6 << 28, len(message), NEXT_HEADER_ICMPV6, HOP_LIMIT, packet.source, packet.destination)
        + _BODY.pack(what, 0, total, flags, packet.target)
        + tail
    )


def solicited_node(address: bytes) -> bytes:
    """The multicast group in which an address is asked for (RFC 4291 section 2.7.1)."""
    return _SOLICITED_NODE_PREFIX + address[13:]


def multicast_mac(group: bytes) -> bytes:
    """The Ethernet address of an IPv6 multicast group (RFC 2464 section 7)."""
    return b"\x33\x33" + group[12:]


def answer(question: Solicitation, mac: bytes) -> bytes:
    """The advertisement that answers a solicitation: its target is at `mac` (RFC 4861 section 7.2.4).

    To everybody when the asker has no address yet, so that it learns that this one is taken; else to the asker, at the
    MAC address of its option, or where its frame came from: the section lets a node resolve the asker first when there
    is no option, which is needless here, for the frame's own source is at hand. Overriding, because this node does own
    the address: an asker with an outdated entry must not keep it.
    """
    probing = question.source == UNSPECIFIED
    return encode(
        Advertisement(
            destination_mac=multicast_mac(ALL_NODES) if probing else question.link_address or question.source_mac,
            source_mac=mac,
            source=question.target,
            destination=ALL_NODES if probing else question.source,
            target=question.target,
            link_address=mac,
            solicited=not probing,
            override=True,
        )
    )


def unsolicited(address: bytes, mac: bytes) -> bytes:
    """Tells all nodes that `address` is at `mac` from now on (RFC 4861 section 7.2.6)."""
    return encode(
        Advertisement(
            destination_mac=multicast_mac(ALL_NODES),
            source_mac=mac,
            source=address,
            destination=ALL_NODES,
            target=address,
            link_address=mac,
            override=True,
        )
    )


def probe(address: bytes, mac: bytes) -> bytes:
    """Asks whether anybody has `address`, without saying that this node has it (RFC 4862 section 5.4.2)."""
    group = solicited_node(address)
    return encode(
        Solicitation(
            destination_mac=multicast_mac(group),
            source_mac=mac,
            source=UNSPECIFIED,
            destination=group,
            target=address,
        )
    )


def _options(data: bytes) -> dict[int, bytes] | None:
    """The link-layer addresses among the options by kind; None when the options are damaged."""
    found: dict[int, bytes] = {}
    while data:
        length = data[1] * 8 if len(data) > 1 else 0
        if length == 0 or length > len(data):
            return None
        if data[0] in (_SOURCE_LINK_ADDRESS, _TARGET_LINK_ADDRESS) and length == 8:
            found.setdefault(data[0], data[2:8])
        data = data[length:]
    return found
