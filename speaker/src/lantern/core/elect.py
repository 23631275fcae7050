# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The election by hash: every node computes the same answer from the same names, without talking.

The owner is the candidate of the greatest weight, and among equals the one with the smallest SHA-256 of
"node#address", digests compared as bytes. That is MetalLB's order, so that speakers of both agree during a migration.
Removing a node that is not the owner changes nothing; a node that comes back takes its addresses back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from lantern.pools import Address


def rank(node: str, address: Address) -> bytes:
    """Where the node stands for this address: 32 bytes, the smallest wins."""
    return hashlib.sha256(f"{node}#{address}".encode()).digest()


def owner(address: Address, candidates: Iterable[str], weights: Mapping[str, int] | None = None) -> str | None:
    """The candidate that owns the address, None without candidates. Who is missing in `weights` has weight 0."""
    if weights:
        best = max((weights.get(node, 0) for node in candidates), default=0)
        candidates = [node for node in candidates if weights.get(node, 0) == best]
    return min(candidates, key=lambda node: rank(node, address), default=None)
