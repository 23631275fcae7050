# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a node is reached: host and port, as sockets want them, and the raw form on the wire."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import NamedTuple

_MAPPED_V4 = bytes(10) + b"\xff\xff"


class Endpoint(NamedTuple):
    """An IP address in text form and a port, the same for UDP and TCP."""

    host: str
    port: int


@lru_cache(maxsize=16384)
def endpoint(raw: bytes, port: int) -> Endpoint:
    """From an address of 4 or 16 bytes; IPv4 inside IPv6 (RFC 4291 section 2.5.5.2) becomes IPv4.

    Raises ValueError for any other length.
    """
    return Endpoint(str(_address(raw)), port)


@lru_cache(maxsize=16384)
def reachable(raw: bytes) -> bool:
    """Whether the bytes are the address of one host: not of a group, not the unspecified one."""
    try:
        address = _address(raw)
    except ValueError:
        return False
    return not (address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255")


def _address(raw: bytes) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if len(raw) == 16 and raw.startswith(_MAPPED_V4):
        raw = raw[12:]
    return ipaddress.ip_address(raw)
