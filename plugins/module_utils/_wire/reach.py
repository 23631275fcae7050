# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a DHCPv6 server that heeds no wishes may come to hand out addresses of the pools. PRIVATE, pure.

Such servers (odhcpd is one) draw the lower half of an address by chance, out of a range that nobody is told. What they
have offered shows how large it is: that several addresses drawn evenly all lie in one quarter of their range happens
less than once in thousands. So pools that are farther away from them than three times their spread are out of reach,
and so are those that are next to nothing in a wide spread. In the few hundred addresses of an IPv4 LAN there is no room
for this.
"""

from __future__ import annotations

import typing as t

from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange

LEAST_OFFERS = 10
"""Ten draws all lie in a quarter of the range once in 26,000 times (10 * (1/4)^9)."""

MARGIN = 3
"""How many times their spread the pools have to be away."""

SPARSE = 8
"""How many times wider than many the offers have to lie: those that follow one another show no end of the range."""

CHANCE_BITS = 32
"""A pool that is hit once in 2^32 draws is hit by no home's hosts."""

_INTERFACE_BITS = 64


def out_of_reach(offers: t.Sequence[int], pools: t.Sequence[AddressRange]) -> bool:
    """`offers`: all addresses that a server offered unasked, as integers. Each /64 is looked at by itself."""
    by_prefix: dict[int, set[int]] = {}
    for value in offers:
        by_prefix.setdefault(value >> _INTERFACE_BITS, set()).add(value)
    return bool(by_prefix) and all(_clear(values, pools) for values in by_prefix.values())


def _clear(values: t.Collection[int], pools: t.Sequence[AddressRange]) -> bool:
    low, high = min(values), max(values)
    spread = high - low
    if len(values) < LEAST_OFFERS or spread < SPARSE * len(values):
        return False
    prefix = low >> _INTERFACE_BITS
    near = [pool for pool in pools if pool.first >> _INTERFACE_BITS <= prefix <= pool.last >> _INTERFACE_BITS]
    if sum(pool.size for pool in near) << CHANCE_BITS <= spread:
        return True
    return all(pool.last < low - MARGIN * spread or pool.first > high + MARGIN * spread for pool in near)
