# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions for an IPv4 address on an Ethernet, and the answers to them (RFC 826). Pure."""

from __future__ import annotations

import struct

ETHERTYPE = 0x0806
FRAME_BYTES = 42
TARGET = slice(38, 42)
"""Where in a question the address is that is asked for: a frame can be used again for another one."""
_BROADCAST = b"\xff" * 6
_ETHERNET_IPV4 = struct.pack("!HHBB", 1, 0x0800, 6, 4)
_REQUEST, _REPLY = b"\x00\x01", b"\x00\x02"


def question(mac: bytes, address: bytes, target: bytes) -> bytes:
    """A broadcast frame: who has `target`? Tell `address` at `mac`."""
    head = _BROADCAST + mac + struct.pack("!H", ETHERTYPE)
    return head + _ETHERNET_IPV4 + _REQUEST + mac + address + bytes(6) + target


def answer(frame: bytes, asker: bytes) -> tuple[bytes, bytes] | None:
    """Address and MAC address that a frame tells `asker` (a MAC address); None for every other frame."""
    if len(frame) < FRAME_BYTES or frame[:6] != asker or frame[12:14] != b"\x08\x06" or frame[20:22] != _REPLY:
        return None
    return frame[28:32], frame[22:28]
