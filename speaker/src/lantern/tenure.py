# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a speaker tells the others of itself: which VIPs it announces, and whether it can take more.

The vocabulary that the election (`core`) and the exchange between speakers (`watch`) share. A VIP's key is the packed
form of its address: 4 bytes, or 16 for IPv6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Tenure(NamedTuple):
    """One speaker's time as the owner of one VIP."""

    term: int
    """Grows by one with every change of owner. Of two that claim a VIP the greater term is the later election's."""
    since: float
    """When it began, on this process's own monotonic clock. Speakers tell each other ages, never times of day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulletin:
    """A speaker's word about itself."""

    ready: bool = False
    """Knows the cluster well enough to take VIPs."""
    settled: bool = False
    """Has been there without interruption for the hold time, so that VIPs may be moved to it for balance."""
    leaving: bool = False
    """Is about to stop: hands its VIPs over and takes none."""
    interfaces: Mapping[str, bytes] = field(default_factory=dict)
    """MAC addresses (6 bytes) of the interfaces that can announce now, by name."""
    tenures: Mapping[bytes, Tenure] = field(default_factory=dict)
    """What it owns, and announces but for `in_use`, by VIP key."""
    in_use: frozenset[bytes] = frozenset()
    """Packed addresses (4 or 16 bytes) that it owns but does not announce, as a host outside the cluster has them."""
