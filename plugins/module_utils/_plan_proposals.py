# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses for pools that give only a size. PRIVATE to the collection, pure."""

from __future__ import annotations

from typing import Any, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils import _plan_lans, _plan_pools
from ansible_collections.homelab.lantern.plugins.module_utils._pools import (
    AddressRange,
    Pool,
    Problem,
    parse_address,
    parse_range,
)

try:
    import netaddr

    NETADDR_ERROR = ""
except ImportError as error:
    NETADDR_ERROR = str(error)


def with_proposals(
    drafts: Sequence[_plan_pools.Draft],
    lans: Sequence[str],
    taken: Sequence[str],
    served: Sequence[AddressRange],
    foreign: Sequence[Pool],
) -> tuple[list[Pool], list[str]]:
    """The pools in the order written; those with a size get the highest free block that is large enough, in the first
    LAN of their family.

    Best one that the DHCP server does not hand out; where there is none, one that it has to give up.
    """
    given = [draft.pool for draft in drafts if draft.pool is not None]
    if len(given) == len(drafts) or not lans:
        return given, []
    if NETADDR_ERROR:
        return given, [
            f"Proposing addresses for a pool needs the Python package netaddr on this machine: {NETADDR_ERROR}"
        ]
    pools: list[Pool] = []
    found: list[str] = []
    for draft in drafts:
        if draft.pool is not None:
            pools.append(draft.pool)
            continue
        lan = _plan_lans.first_of(draft.version, lans) if draft.version else _plan_lans.main_of(lans)
        if not lan:
            message = 'pool "{0}": family is ipv{1}, but lantern_lan ({2}) has no such network. Add it there.'
            found.append(message.format(draft.name, draft.version, ", ".join(lans)))
            continue
        free = _free(lan, taken, [*given, *foreign, *pools])
        blocks = list(free.iter_ipranges())
        unserved = list(_without(free, served).iter_ipranges())
        block = next((item for item in [*reversed(unserved), *reversed(blocks)] if item.size >= draft.size), None)
        if block is None:
            found.append(_too_large(draft, lan, blocks))
            continue
        chosen = netaddr.IPRange(
            netaddr.IPAddress(block.last - draft.size + 1, block.version), netaddr.IPAddress(block.last, block.version)
        )
        pools.append(Pool(draft.name, (str(chosen),), **draft.options))
    return pools, found


def _too_large(draft: _plan_pools.Draft, lan: str, blocks: Sequence[Any]) -> str:
    largest = max(blocks, key=lambda item: item.size) if blocks else None
    room = f"the largest free block has {largest.size} ({largest})" if largest is not None else "no address is free"
    message = (
        'pool "{0}": {1} addresses in a row are wanted, but in the LAN {2} {3}. Ask for fewer, or name the addresses.'
    )
    return message.format(draft.name, draft.size, lan, room)


def _free(lan: str, taken: Sequence[str], given: Sequence[Pool]) -> Any:
    """netaddr.IPSet of what no host and no pool has; the first address is kept back as the usual place of a router."""
    network = netaddr.IPNetwork(lan)
    free = netaddr.IPSet([network])
    for address in (network.first, network.first + 1, network.last):
        free.remove(netaddr.IPAddress(address, network.version))
    for text in taken:
        if not isinstance(parse_address(text), Problem):
            free.remove(netaddr.IPAddress(text))
    for pool in given:
        for text in pool.addresses:
            item = parse_range(text)
            if isinstance(item, AddressRange):
                free.remove(netaddr.IPRange(str(item.first_address), str(item.last_address)))
    return free


def _without(free: Any, served: Sequence[AddressRange]) -> Any:
    """The netaddr.IPSet without these ranges."""
    return free - netaddr.IPSet(netaddr.IPRange(str(item.first_address), str(item.last_address)) for item in served)
