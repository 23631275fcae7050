# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pools are compared with, to warn of mistakes: addresses that are somebody else's, or of no use in the LAN.

Nothing here is a refusal: only the cluster's owner knows whether it is meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from lantern.core.model import Node
from lantern.pools import Address, Pool, Problem, parse_network, pool_ranges, problems, warnings

_HELD = frozenset(("holds-node", "holds-router"))
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
    by_turn = list(zip_longest(*([(node.name, address) for address in node.addresses] for node in nodes)))
    found: list[Problem] = []
    for pool in pools:
        found += _held(pool, by_turn, around.router)
        found += _judged_from_lans(pool, around.lans)
    return found


def _held(pool: Pool, by_turn: list[tuple[tuple[str, Address] | None, ...]], router: str) -> Iterator[Problem]:
    """Hosts may have several addresses, so the nodes are looked at once for each first, second, ... address."""
    turns = [{name: str(address) for name, address in filter(None, turn)} for turn in by_turn] or [{}]
    for number, nodes in enumerate(turns):
        told = problems([pool], nodes, router if number == 0 and router else None)
        yield from (item for item in told if item.code in _HELD)


def _judged_from_lans(pool: Pool, lans: tuple[str, ...]) -> Iterator[Problem]:
    for text in pool.addresses:
        entry = Pool(pool.name, (text,))
        told = {lan: warnings([entry], lan) for lan in lans}
        rivals = [lan for lan in lans if _same_family(entry, lan)]
        outside = [item for lan in rivals for item in told[lan] if item.code == _OUTSIDE]
        if rivals and len(outside) == len(rivals):
            yield outside[0] if len(rivals) == 1 else _outside_all(pool, text, rivals)
        for lan in rivals:
            yield from (item for item in told[lan] if item.code != _OUTSIDE and not _avoided(pool, item, lan))


def _outside_all(pool: Pool, text: str, lans: list[str]) -> Problem:
    where = f'pool "{pool.name}"'
    message = (
        f"{where} ({text}) reaches outside each of the LANs {', '.join(lans)}. "
        "Hosts there find it only if the router has a route to it."
    )
    return Problem(_OUTSIDE, where, message)


def _same_family(entry: Pool, lan: str) -> bool:
    network = parse_network(lan)
    ranges = pool_ranges(entry)[0]
    return not isinstance(network, Problem) and any(item.version == network.version for item in ranges)


def _avoided(pool: Pool, item: Problem, lan: str) -> bool:
    """Whether the pool never hands out the network's edge that the warning is about."""
    network = parse_network(lan)
    if isinstance(network, Problem):
        return False
    is_first = item.code == "holds-network-address"
    return not pool.usable(network.network_address if is_first else network.broadcast_address)
