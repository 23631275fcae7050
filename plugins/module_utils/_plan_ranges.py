# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools cut to the LAN, and what they leave of the router's DHCP ranges. PRIVATE to the collection, pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils._pools import (
    AddressRange,
    Pool,
    Problem,
    RangeSet,
    parse_network,
    parse_range,
    pool_ranges,
    trimmed,
)


def dhcp_ranges(router: Any) -> tuple[list[AddressRange], list[str]]:
    """What the router's DHCP server hands out today, as far as the inventory says."""
    given = router.get("dhcp_ranges") if isinstance(router, Mapping) else None
    ranges: list[AddressRange] = []
    found: list[str] = []
    for text in given if isinstance(given, list) else [given]:
        if text in (None, ""):
            continue
        item = parse_range(text, "lantern_router.dhcp_ranges")
        if isinstance(item, Problem):
            found.append(item.message)
        else:
            ranges.append(item)
    return ranges, found


def served_after(served: Sequence[AddressRange], planned: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The DHCP ranges before and after the pools are taken out of them; the router's own limits are not known here."""
    held = [item for pool in planned for item in map(parse_range, pool["addresses"]) if isinstance(item, AddressRange)]
    after = RangeSet(served).difference(RangeSet(held))
    return {"before": [str(item) for item in served], "after": [str(item) for item in after]}


def dhcp_warnings(dhcp: Mapping[str, Sequence[str]], router: Mapping[str, str]) -> list[str]:
    """Where nobody but the user can take the pools out of the DHCP range."""
    if dhcp["before"] == dhcp["after"] or router["type"] not in ("none", "manual"):
        return []
    message = (
        "The router's DHCP server hands out addresses of the pools ({0}), and lantern_router.type is {1}. Let it hand "
        "out {2} only, or set the type to what the router is."
    )
    return [message.format(", ".join(dhcp["before"]), router["type"], ", ".join(dhcp["after"]) or "nothing")]


def cut(pool: Pool, lan: str) -> Pool:
    """The pool without what reaches out of the LAN; entries that lie outside altogether stay, they may be routed."""
    network = parse_network(lan)
    if isinstance(network, Problem):
        return pool
    whole = AddressRange(network.version, int(network.network_address), int(network.broadcast_address))
    kept: list[str] = []
    for text in pool.addresses:
        item = parse_range(text)
        if isinstance(item, Problem) or not item.overlaps(whole) or whole.covers(item):
            kept.append(text)
        else:
            kept.append(str(AddressRange(item.version, max(item.first, whole.first), min(item.last, whole.last))))
    return replace(pool, addresses=tuple(kept))


def cut_warnings(pools: Sequence[Pool], lan: str) -> list[str]:
    found = []
    for pool in pools:
        rest = cut(pool, lan)
        if lan and rest != pool:
            message = (
                'pool "{0}": only {1} is used, as the rest is not in the LAN {2}. If your LAN is larger than that, '
                "correct lantern_lan{3}."
            )
            larger = _larger(pool, lan)
            hint = f": {larger} would hold all of it" if larger else ""
            found.append(message.format(pool.name, ", ".join(trimmed(rest, lan)), lan, hint))
    return found


def _larger(pool: Pool, lan: str) -> str:
    """The smallest network around the LAN that holds the pool, if it is not much larger: people mistake /23 for /24."""
    network = parse_network(lan)
    ranges = pool_ranges(pool)[0]
    for bits in range(1, 5):
        if isinstance(network, Problem) or network.prefixlen < bits:
            return ""
        around = network.supernet(prefixlen_diff=bits)
        whole = AddressRange(around.version, int(around.network_address), int(around.broadcast_address))
        if all(whole.covers(item) for item in ranges):
            return str(around)
    return ""
