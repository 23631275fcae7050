# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pool holds an address, in which order pools are used, and whom a pool admits."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv6Address
from typing import NamedTuple

from lantern.core.model import PoolSpec, Service
from lantern.pools import Address, AddressRange, Pool, pool_ranges

_HOST_PART = (1 << 64) - 1
"""The interface identifier of an IPv6 address: its last 64 bits (RFC 4291, section 2.5.1)."""


class PoolRange(NamedTuple):
    """One range of one pool. `number` counts all ranges: pools by age, within a pool as written."""

    number: int
    spec: PoolSpec
    version: int
    first: int
    last: int


class PoolIndex:
    """The ranges of all pools, sorted once. The pools must be free of problems: no two ranges overlap."""

    __slots__ = ("_by_version", "ranges", "ranked", "specs")

    def __init__(self, specs: Iterable[PoolSpec]) -> None:
        ordered = sorted(specs, key=lambda spec: (spec.created, spec.pool.name))
        self.specs: dict[str, PoolSpec] = {spec.pool.name: spec for spec in ordered}
        self.ranges: dict[str, tuple[PoolRange, ...]] = {}
        """By pool name, in the order they are to be used."""
        number = 0
        for name, spec in self.specs.items():
            parsed = _parsed(spec.pool)
            self.ranges[name] = tuple(
                PoolRange(number + at, spec, item.version, item.first, item.last) for at, item in enumerate(parsed)
            )
            number += len(parsed)
        self.ranked: tuple[PoolSpec, ...] = tuple(sorted(self.specs.values(), key=_rank))
        """In the order of automatic use: those reserved for some Services by priority, then the general ones by age."""
        self._by_version = {version: self._sorted(version) for version in (4, 6)}

    def _sorted(self, version: int) -> tuple[list[int], list[PoolRange]]:
        found = [item for ranges in self.ranges.values() for item in ranges if item.version == version]
        found.sort(key=lambda item: item.first)
        return [item.first for item in found], found

    def find(self, address: Address) -> PoolRange | None:
        """The range that holds the address."""
        starts, ranges = self._by_version[address.version]
        value = int(address)
        at = bisect_right(starts, value) - 1
        return ranges[at] if at >= 0 and value <= ranges[at].last else None

    def pool_of(self, addresses: Iterable[Address]) -> PoolSpec | None:
        """The one pool that holds all these addresses; None when there is none (or no address)."""
        found = [self.find(address) for address in addresses]
        names = {None if item is None else item.spec.pool.name for item in found}
        name = names.pop() if len(names) == 1 else None
        return None if name is None else self.specs[name]

    def offers(self, spec: PoolSpec, version: int) -> bool:
        """Whether the pool has addresses of the family at all."""
        return any(item.version == version for item in self.ranges[spec.pool.name])

    def same_host_part(self, spec: PoolSpec, address: Address) -> Address | None:
        """The pool's address with the same host part under another prefix: what an IPv6 address becomes when the
        prefix of a home changes."""
        if address.version != 6:
            return None
        # Ranges that follow the prefix come after those that are written out.
        for item in reversed(self.ranges[spec.pool.name]):
            value = item.first & ~_HOST_PART | int(address) & _HOST_PART
            if item.version == 6 and item.first <= value <= item.last:
                return IPv6Address(value)
        return None


def is_host_part(address: Address) -> bool:
    """Whether the address is the last 64 bits of an IPv6 address only, such as ::10."""
    return address.version == 6 and int(address) <= _HOST_PART


def admits_namespace(spec: PoolSpec, namespace: str, labels: Mapping[str, str]) -> bool:
    """Whether the pool is for Services of this namespace. Selectors that match no namespace admit none."""
    allocation = spec.allocation
    if allocation is None or not (allocation.namespaces or allocation.namespace_selectors):
        return True
    named = namespace in allocation.namespaces
    return named or any(selector.matches(labels) for selector in allocation.namespace_selectors)


def admits_labels(spec: PoolSpec, service: Service) -> bool:
    """Whether the pool is for Services with these labels."""
    selectors = spec.allocation.service_selectors if spec.allocation else ()
    return not selectors or any(selector.matches(service.labels) for selector in selectors)


def _rank(spec: PoolSpec) -> tuple[bool, float, str, str]:
    priority = spec.allocation.priority if spec.allocation else 0
    return (spec.allocation is None, priority or float("inf"), spec.created, spec.pool.name)


@lru_cache(maxsize=1024)
def _parsed(pool: Pool) -> tuple[AddressRange, ...]:
    # The same few pools are read again for every plan.
    return pool_ranges(pool)[0]
