# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ARP for IPv4 over Ethernet: bytes to record and back (RFC 826).

A frame is 14 bytes of Ethernet (destination, source, 0x0806) and 28 of ARP; what follows is Ethernet's padding.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

ETHERTYPE = 0x0806
BROADCAST = b"\xff" * 6
REQUEST = 1
REPLY = 2
UNSPECIFIED = bytes(4)
"""Sender of a probe: it has no address yet (RFC 5227)."""
LENGTH = 42

_LAYOUT = struct.Struct("!6s6sH HHBBH 6s4s6s4s")
_HARDWARE_ETHERNET = 1
_PROTOCOL_IPV4 = 0x0800


@dataclass(frozen=True, slots=True, kw_only=True)
class ArpFrame:
    """One ARP packet with its Ethernet addresses. MAC addresses are 6 bytes, IP addresses 4."""

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
    (
        destination,
        source,
        ethertype,
        hardware,
        protocol,
        hardware_length,
        protocol_length,
        operation,
        sender_mac,
        sender_ip,
        target_mac,
        target_ip,
    ) = _LAYOUT.unpack_from(frame)
    kind = (ethertype, hardware, protocol, hardware_length, protocol_length)
    if kind != (ETHERTYPE, _HARDWARE_ETHERNET, _PROTOCOL_IPV4, 6, 4):
        return None
    return ArpFrame(
        destination=destination,
        source=source,
        operation=operation,
        sender_mac=sender_mac,
        sender_ip=sender_ip,
        target_mac=target_mac,
        target_ip=target_ip,
    )


def encode(packet: ArpFrame) -> bytes:
    """The Ethernet frame of 42 bytes; drivers pad it to Ethernet's minimum."""
    return _LAYOUT.pack(
        packet.destination,
        packet.source,
        ETHERTYPE,
        _HARDWARE_ETHERNET,
        _PROTOCOL_IPV4,
        6,
        4,
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
        ETHERTYPE,
        _HARDWARE_ETHERNET,
        _PROTOCOL_IPV4,
        6,
        4,
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
