# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How full the pools are once a plan is carried out: for metrics and for IPAddressPool.status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lantern.core.decisions import Plan
from lantern.core.model import PoolSpec
from lantern.core.pins import Pins
from lantern.core.pool_index import PoolIndex
from lantern.pools import Point, capacity, point

LIMIT = 2**63 - 1
"""The counters of IPAddressPool.status are of type int64; a single IPv6 /64 has more addresses."""


@dataclass(frozen=True, slots=True)
class Usage:
    """One pool's counters. `family` is 4, 6, or 0 for both together."""

    totals: Mapping[int, int]
    """By family: how many addresses it could hand out if none were in use."""
    assigned_by_family: Mapping[int, int]
    """Addresses in use; one that several Services share counts once."""
    held: Mapping[int, int]
    """Addresses pinned for a Service that does not have them now."""
    services: int
    """How many Services have addresses of it."""

    def total(self, family: int) -> int:
        return min(LIMIT, _of(self.totals, family))

    def assigned(self, family: int) -> int:
        return _of(self.assigned_by_family, family)

    def available(self, family: int) -> int:
        """How many more a Service without a pin could get."""
        free = _of(self.totals, family) - _of(self.assigned_by_family, family) - _of(self.held, family)
        return max(0, min(LIMIT, free))


def _of(counts: Mapping[int, int], family: int) -> int:
    return counts[family] if family else counts[4] + counts[6]


def usage(pools: Iterable[PoolSpec], plan: Plan) -> dict[str, Usage]:
    """The counters of all pools by name."""
    index = PoolIndex(pools)
    assigned: dict[str, set[Point]] = {name: set() for name in index.specs}
    services = dict.fromkeys(index.specs, 0)
    kept = [(item.pool, item.service.addresses) for item in plan.keep]
    for pool, addresses in (*kept, *((item.pool, item.addresses) for item in plan.assign)):
        assigned[pool].update(map(point, addresses))
        services[pool] += 1
    held: dict[str, set[Point]] = {name: set() for name in index.specs}
    for address in Pins(index).addresses:
        if (place := index.find(address)) is not None and place.spec.pool.usable(address):
            held[place.spec.pool.name].add(point(address))
    return {
        name: Usage(
            {version: capacity(spec.pool, version) for version in (4, 6)},
            _by_family(assigned[name]),
            _by_family(held[name] - assigned[name]),
            services[name],
        )
        for name, spec in index.specs.items()
    }


def _by_family(points: Iterable[Point]) -> dict[int, int]:
    versions = [version for version, _value in points]
    return {version: versions.count(version) for version in (4, 6)}
