# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Overhears what comes back while a connection is tried: from whose MAC, or with which ICMP error. PRIVATE.

The socket gives packets without their link-layer header and the sender's MAC beside them (packet(7), SOCK_DGRAM), so
that VLANs and Wi-Fi look alike.
"""

from __future__ import annotations

import socket
import struct
import typing as t
from ipaddress import IPv4Address, IPv6Address, ip_address

from .facts import Refusal, Reply

ALL_PROTOCOLS = 0x0003
OUTGOING = 4
TCP, ICMP, ICMP6 = 6, 1, 58

# RFC 792 and RFC 1812 section 5.2.7.1: codes of "destination unreachable".
CODES4 = {0: "net", 1: "host", 2: "port", 3: "port", 6: "net", 7: "host", 9: "prohibited", 10: "prohibited"}
CODES4.update({11: "net", 12: "host", 13: "prohibited"})
# RFC 4443 section 3.1.
CODES6 = {0: "net", 1: "prohibited", 2: "host", 3: "host", 4: "port", 5: "prohibited", 6: "prohibited"}


class _Header(t.NamedTuple):
    source: IPv4Address | IPv6Address
    target: IPv4Address | IPv6Address
    protocol: int
    hops_left: int
    payload: bytes


def _header(packet: bytes) -> _Header | None:
    """The IP header (RFC 791, RFC 8200; extension headers are not followed)."""
    if len(packet) >= 20 and packet[0] >> 4 == 4:
        length = (packet[0] & 0x0F) * 4
        return _Header(IPv4Address(packet[12:16]), IPv4Address(packet[16:20]), packet[9], packet[8], packet[length:])
    if len(packet) >= 40 and packet[0] >> 4 == 6:
        return _Header(IPv6Address(packet[8:24]), IPv6Address(packet[24:40]), packet[6], packet[7], packet[40:])
    return None


def reply(packet: bytes, mac: str, address: str, port: int) -> Reply | None:
    """The reply if this packet is a TCP segment from the address and port."""
    found = _header(packet)
    if found is None or found.protocol != TCP or found.source != ip_address(address) or len(found.payload) < 20:
        return None
    (source_port,) = struct.unpack("!H", found.payload[:2])
    return Reply(mac, found.hops_left) if source_port == port else None


def refusal(packet: bytes, address: str) -> Refusal | None:
    """The refusal if this packet is an ICMP error about a packet to the address."""
    outer = _header(packet)
    if outer is None or outer.protocol not in (ICMP, ICMP6) or len(outer.payload) < 8:
        return None
    inner = _header(outer.payload[8:])
    if inner is None or inner.target != ip_address(address):
        return None
    kind, code = outer.payload[0], outer.payload[1]
    if outer.protocol == ICMP:
        told = CODES4.get(code, "host") if kind == 3 else "expired" if kind == 11 else ""
    else:
        told = CODES6.get(code, "host") if kind == 1 else "expired" if kind == 3 else ""
    return Refusal(str(outer.source), told) if told else None


class Listener:
    """Listens from the moment it is made; use it as a context manager. Without the right to, it hears nothing."""

    def __init__(self, interface: str) -> None:
        self._socket: socket.socket | None = None
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL_PROTOCOLS))
            self._socket.bind((interface, ALL_PROTOCOLS))
            self._socket.setblocking(False)
        except OSError:
            self.close()

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_problem: t.Any) -> None:
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def heard(self, address: str, port: int) -> tuple[Reply | None, Refusal | None]:
        """The first reply from the address and the last ICMP error about it, of all that came so far."""
        first: Reply | None = None
        last: Refusal | None = None
        while self._socket is not None:
            try:
                packet, (_interface, _protocol, direction, _hardware, sender) = self._socket.recvfrom(2048)
            except OSError:
                break
            if direction == OUTGOING:
                continue
            first = first or reply(packet, sender.hex(":"), address, port)
            last = refusal(packet, address) or last
        return first, last
