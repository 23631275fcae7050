# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools cut to the LANs, and what they leave of the router's DHCP ranges. PRIVATE to the collection, pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils._plan_lans import words
from ansible_collections.homelab.lantern.plugins.module_utils._pools import (
    AddressRange,
    Network,
    Pool,
    Problem,
    RangeSet,
    network_range,
    parse_networks,
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
    """The DHCP ranges before and after the pools are taken out of them; the router's own limits are not known here.

    Those of DHCPv6 stay as they are.
    """
    after = [*_left(_of(4, served), planned), *RangeSet(_of(6, served))]
    return {"before": [str(item) for item in served], "after": [str(item) for item in after]}


def _of(version: int, served: Sequence[AddressRange]) -> list[AddressRange]:
    return [item for item in served if item.version == version]


def _left(served: Sequence[AddressRange], planned: Sequence[Mapping[str, Any]]) -> RangeSet:
    """What the pools leave of these ranges."""
    held = [item for pool in planned for item in map(parse_range, pool["addresses"]) if isinstance(item, AddressRange)]
    return RangeSet(served).difference(RangeSet(held))


def dhcp_warnings(
    served: Sequence[AddressRange], planned: Sequence[Mapping[str, Any]], router: Mapping[str, str]
) -> list[str]:
    """Where nobody but the user can take the pools out of the DHCP range."""
    found = []
    messages = {
        6: "The router's DHCPv6 server hands out addresses of the pools ({0}), and stage reserve changes ranges of "
        "IPv4 only. Let it hand out {2} only."
    }
    if router["type"] in ("none", "manual"):
        messages[4] = (
            "The router's DHCP server hands out addresses of the pools ({0}), and lantern_router.type is {1}. Let it "
            "hand out {2} only, or set the type to what the router is."
        )
    for version, message in sorted(messages.items()):
        before = _of(version, served)
        left = _left(before, planned)
        if RangeSet(before).difference(left):
            rest = ", ".join(map(str, left)) or "nothing"
            found.append(message.format(", ".join(map(str, before)), router["type"], rest))
    return found


def cut(pool: Pool, lans: Sequence[str]) -> Pool:
    """The pool without what reaches out of the LANs; entries that lie outside altogether stay, they may be routed."""
    whole = RangeSet(map(network_range, parse_networks(lans)[0]))
    kept: list[str] = []
    for text in pool.addresses:
        item = parse_range(text)
        outside = RangeSet() if isinstance(item, Problem) else RangeSet([item]).difference(whole)
        if isinstance(item, Problem) or not outside or not any(item.overlaps(lan) for lan in whole):
            kept.append(text)
        else:
            kept.extend(str(part) for part in RangeSet([item]).difference(outside))
    return replace(pool, addresses=tuple(kept))


def cut_warnings(pools: Sequence[Pool], lans: Sequence[str]) -> list[str]:
    found = []
    for pool in pools:
        rest = cut(pool, lans)
        if rest != pool:
            gone = [item for text in pool.addresses if text not in rest.addresses for item in [parse_range(text)]]
            versions = {item.version for item in gone if isinstance(item, AddressRange)}
            near = [network for network in parse_networks(lans)[0] if network.version in versions]
            message = (
                'pool "{0}": only {1} is used, as the rest is not in {2}. If your LAN is larger than that, '
                "correct lantern_lan{3}."
            )
            larger = next(filter(None, (_larger(pool, network) for network in near)), "")
            hint = f": {larger} would hold all of it" if larger else ""
            told = words([str(network) for network in near])
            found.append(message.format(pool.name, ", ".join(trimmed(rest, lans)), told, hint))
    return found


def _larger(pool: Pool, network: Network) -> str:
    """The smallest network around the LAN that holds the pool's addresses of its family, if it is not much larger:
    people mistake /23 for /24."""
    ranges = [item for item in pool_ranges(pool)[0] if item.version == network.version]
    for bits in range(1, min(4, network.prefixlen) + 1):
        around = network.supernet(prefixlen_diff=bits)
        if all(network_range(around).covers(item) for item in ranges):
            return str(around)
    return ""
