# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pool holds an address, and whether a pool is for a Service."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping

from lantern.core.model import PoolSpec, Service
from lantern.pools import Address, AddressRange, point, pool_ranges


class PoolIndex:
    """The ranges of all pools, sorted once. The pools must be free of problems: no two ranges overlap."""

    __slots__ = ("_entries", "_starts", "ranges", "specs")

    def __init__(self, specs: Iterable[PoolSpec]) -> None:
        self.specs: dict[str, PoolSpec] = {spec.pool.name: spec for spec in specs}
        self.ranges: dict[str, tuple[AddressRange, ...]] = {
            name: pool_ranges(spec.pool)[0] for name, spec in self.specs.items()
        }
        """By pool name, in the order they are to be used."""
        self._entries = sorted((item, name) for name, ranges in self.ranges.items() for item in ranges)
        self._starts = [(item.version, item.first) for item, _name in self._entries]

    def pool_of(self, addresses: Iterable[Address]) -> PoolSpec | None:
        """The one pool that holds all these addresses; None when there is none (or no address)."""
        names = {self._name_of(address) for address in addresses}
        name = names.pop() if len(names) == 1 else None
        return None if name is None else self.specs[name]

    def _name_of(self, address: Address) -> str | None:
        at = bisect_right(self._starts, point(address)) - 1
        return self._entries[at][1] if at >= 0 and address in self._entries[at][0] else None


def compatible(spec: PoolSpec, service: Service, namespace_labels: Mapping[str, str]) -> bool:
    """Whether the pool's serviceAllocation admits the Service. Namespaces and labels must both fit, as far as given."""
    allocation = spec.allocation
    if allocation is None:
        return True
    if allocation.namespaces or allocation.namespace_selectors:
        named = service.key.namespace in allocation.namespaces
        if not named and not any(item.matches(namespace_labels) for item in allocation.namespace_selectors):
            return False
    selectors = allocation.service_selectors
    return not selectors or any(item.matches(service.labels) for item in selectors)
