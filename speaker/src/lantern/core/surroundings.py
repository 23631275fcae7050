# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pools are compared with, to warn of mistakes: addresses that are somebody else's, or of no use in the LAN.

Nothing here is a refusal: only the cluster's owner knows whether it is meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lantern.core.model import Node
from lantern.pools import Pool, Problem, parse_network, problems, warnings

_HELD = frozenset(("holds-node", "holds-router"))
_EDGES = frozenset(("holds-network-address", "holds-broadcast-address"))
_OUTSIDE = "outside-lan"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The network around the pools, as far as known. `lans` are CIDRs, `router` is an address or empty."""

    lans: tuple[str, ...] = ()
    router: str = ""


def pool_warnings(pools: Iterable[Pool], nodes: Iterable[Node], around: Surroundings) -> list[Problem]:
    """What is probably not meant, pool by pool.

    Codes: holds-node, holds-router, outside-lan, holds-network-address, holds-broadcast-address.
    """
    held = {node.name: [str(address) for address in node.addresses] for node in nodes}
    found: list[Problem] = []
    for pool in pools:
        found += (item for item in problems([pool], held, around.router or None) if item.code in _HELD)
        found += _judged_from_lans(pool, around.lans)
    return found


def _judged_from_lans(pool: Pool, lans: tuple[str, ...]) -> Iterator[Problem]:
    yield from (item for item in warnings([pool], lans) if item.code == _OUTSIDE)
    for lan in lans:
        yield from (item for item in warnings([pool], lan) if item.code in _EDGES and not _avoided(pool, item, lan))


def _avoided(pool: Pool, item: Problem, lan: str) -> bool:
    """Whether the pool never hands out the network's edge that the warning is about."""
    network = parse_network(lan)
    if isinstance(network, Problem):
        return False
    is_first = item.code == "holds-network-address"
    return not pool.usable(network.network_address if is_first else network.broadcast_address)
