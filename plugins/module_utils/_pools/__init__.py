# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Address-pool arithmetic. PRIVATE to the homelab.lantern collection: the interface may change in any release.

The collection plans pools with it before anything is changed; the in-cluster controller hands out addresses with it.
Both import the same files (speaker/src/lantern/pools/ holds links to them), so that they cannot disagree. Hence its
rules: standard library only, relative imports only, Python 3.8 grammar, no input or output, no clock, no log. Errors
are values: a function that can fail returns Problem records, as Ansible wants to show all of them at once and the
controller wants to keep its last good configuration.

    parse_range("192.168.2.128/25")        -> AddressRange, or the Problem with it
    problems([Pool("home", ["..."])], ...) -> why these pools cannot be used, [] when they can
    warnings(pools, "192.168.2.0/24")      -> what is probably not meant
    capacity(pool, 4)                      -> how many IPv4 addresses the pool can hand out
    trimmed(pool, "192.168.2.0/24")        -> the pool's addresses without the LAN's own network and broadcast address
"""

from __future__ import annotations

from .pool import Pool, capacity, pool_ranges, problems, trimmed, warnings
from .problem import Problem
from .ranges import (
    Address,
    AddressRange,
    Network,
    Point,
    network_range,
    parse_address,
    parse_network,
    parse_networks,
    parse_range,
    point,
)
from .rangeset import RangeSet

__all__ = [
    "Address",
    "AddressRange",
    "Network",
    "Point",
    "Pool",
    "Problem",
    "RangeSet",
    "capacity",
    "network_range",
    "parse_address",
    "parse_network",
    "parse_networks",
    "parse_range",
    "point",
    "pool_ranges",
    "problems",
    "trimmed",
    "warnings",
]
