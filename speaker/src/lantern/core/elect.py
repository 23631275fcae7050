# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns an address: every node computes the same answer from the same names, without talking.

The owner is the candidate with the smallest SHA-256 of "node#address", digests compared as bytes. That is MetalLB's
order, so that speakers of both agree during a migration. Removing a node that is not the owner changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from lantern.pools import Address


def rank(node: str, address: Address) -> bytes:
    """Where the node stands for this address: 32 bytes, the smallest wins."""
    return hashlib.sha256(f"{node}#{address}".encode()).digest()


def owner(address: Address, candidates: Iterable[str]) -> str | None:
    """The candidate that owns the address, None without candidates."""
    return min(candidates, key=lambda node: rank(node, address), default=None)
