# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ARP for IPv4 over Ethernet: bytes to record and back (RFC 826).

A frame is 14 bytes of Ethernet (destination, source, 0x0806) and 28 of ARP; what follows is Ethernet's padding.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

ETHERTYPE = 0x0806
BROADCAST = b"\xff" * 6
REQUEST = 1
REPLY = 2
UNSPECIFIED = bytes(4)
"""Sender of a probe: it has no address yet (RFC 5227)."""
LENGTH = 42

_LAYOUT = struct.Struct("!6s6s8sH6s4s6s4s")
# EtherType, hardware Ethernet, protocol IPv4, and the lengths of their addresses.
_IPV4_OVER_ETHERNET = struct.pack("!HHHBB", ETHERTYPE, 1, 0x0800, 6, 4)


class ArpFrame(NamedTuple):
    """One ARP packet with its Ethernet addresses. MAC addresses are 6 bytes, IP addresses 4.

    A tuple, as one is made of each packet that arrives while somebody waits for the answer.
    """

    destination: bytes
    source: bytes
    operation: int
    sender_mac: bytes
    sender_ip: bytes
    target_mac: bytes
    target_ip: bytes


def decode(frame: bytes) -> ArpFrame | None:
    """The packet in an Ethernet frame; None when it is not ARP for IPv4 over Ethernet, or cut short."""
    if len(frame) < LENGTH:
        return None
    destination, source, kind, *packet = _LAYOUT.unpack_from(frame)
    return ArpFrame(destination, source, *packet) if kind == _IPV4_OVER_ETHERNET else None


def encode(packet: ArpFrame) -> bytes:
    """The Ethernet frame of 42 bytes; drivers pad it to Ethernet's minimum."""
    return _LAYOUT.pack(
        packet.destination,
        packet.source,
        _IPV4_OVER_ETHERNET,
        packet.operation,
        packet.sender_mac,
        packet.sender_ip,
        packet.target_mac,
        packet.target_ip,
    )


def reply(request: ArpFrame, mac: bytes) -> bytes:
    """The answer to a request: unicast to its sender, saying that its target address is at `mac`."""
    # Packed without a record in between: this is what a busy speaker does most.
    return _LAYOUT.pack(
        request.source,
        mac,
        _IPV4_OVER_ETHERNET,
        REPLY,
        mac,
        request.target_ip,
        request.sender_mac,
        request.sender_ip,
    )


def gratuitous(address: bytes, mac: bytes) -> tuple[bytes, bytes]:
    """Two broadcast frames announcing `address` at `mac`, as a request and as a reply.

    Some hosts update their tables by the one form only, some by the other (RFC 5227 section 3); so both are sent.
    """
    request, answer = (
        encode(
            ArpFrame(
                destination=BROADCAST,
                source=mac,
                operation=operation,
                sender_mac=mac,
                sender_ip=address,
                target_mac=BROADCAST,
                target_ip=address,
            )
        )
        for operation in (REQUEST, REPLY)
    )
    return request, answer


def probe(address: bytes, mac: bytes) -> bytes:
    """Asks everybody who has `address`, without saying that this node has it (RFC 5227 section 2.1.1)."""
    return encode(
        ArpFrame(
            destination=BROADCAST,
            source=mac,
            operation=REQUEST,
            sender_mac=mac,
            sender_ip=UNSPECIFIED,
            target_mac=bytes(6),
            target_ip=address,
        )
    )
