# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Internet checksum of IPv4 headers, ICMP and ICMPv6 (RFC 1071, RFC 8200 section 8.1)."""

from __future__ import annotations

import struct

_PSEUDO_HEADER = struct.Struct("!16s16sI3xB")


def checksum(data: bytes) -> int:
    """The 16 bits to put where `data` has zeros; over data that holds its right checksum it is 0.

    The ones' complement sum of 16-bit words is the whole number modulo 0xFFFF, which Python computes in one step.
    """
    whole = int.from_bytes(data, "big") << (8 * (len(data) % 2))
    folded = whole % 0xFFFF
    # Ones' complement has two zeros: a sum that is a multiple of 0xFFFF is all ones, except that of nothing but zeros.
    if folded == 0 and whole:
        folded = 0xFFFF
    return 0xFFFF - folded


def checksum_ipv6(source: bytes, destination: bytes, next_header: int, payload: bytes) -> int:
    """The same over a payload with IPv6's pseudo-header. Addresses are 16 bytes."""
    return checksum(_PSEUDO_HEADER.pack(source, destination, len(payload), next_header) + payload)
