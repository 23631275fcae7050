# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses that a pool holds for one Service each, by the wish of the cluster's owner.

A pinned address is never given to another Service, neither by itself nor on request, and one that has it loses it. Its
owner gets it before anything else, also from a pool that is not automatic or reserved for others, and is moved to it
from another address; only an explicit request of the Service itself goes first. In a pool with IPv6 host parts a pin is
a host part too (::10), as the prefix in front of it changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lantern.core.model import PINS_ANNOTATION, PoolSpec, ServiceKey
from lantern.core.pool_index import PoolIndex, is_host_part
from lantern.pools import Address, Point, Problem, point


@dataclass(frozen=True, slots=True)
class Pin:
    """What is held for one Service: addresses of one pool."""

    spec: PoolSpec
    addresses: tuple[Address, ...]


class Pins:
    """The pins of all pools, in both directions. Of two that contradict each other the one of the older pool counts."""

    __slots__ = ("_by_owner", "_owners", "addresses")

    def __init__(self, index: PoolIndex) -> None:
        self._owners: dict[Point, ServiceKey] = {}
        self._by_owner: dict[ServiceKey, Pin] = {}
        pinned: list[Address] = []
        for spec, owner, written in _written(index.specs.values()):
            address = _resolved(index, spec, written)
            if address is None or self._owners.setdefault(point(address), owner) != owner:
                continue
            pinned.append(address)
            pin = self._by_owner.get(owner, Pin(spec, ()))
            if pin.spec is spec and address.version not in {item.version for item in pin.addresses}:
                self._by_owner[owner] = Pin(spec, (*pin.addresses, address))
        self.addresses: tuple[Address, ...] = tuple(pinned)

    def of(self, key: ServiceKey) -> Pin | None:
        """What is held for the Service."""
        return self._by_owner.get(key)

    def owner(self, address: Address) -> ServiceKey | None:
        """For which Service the address is held."""
        return self._owners.get(point(address)) if self._owners else None


def _written(specs: Iterable[PoolSpec]) -> Iterator[tuple[PoolSpec, ServiceKey, Address]]:
    return (
        (spec, owner, address)
        for spec in specs
        for owner, addresses in sorted(spec.pins.items())
        for address in addresses
    )


def _resolved(index: PoolIndex, spec: PoolSpec, written: Address) -> Address | None:
    """The address that a pin means now; None when the pool does not have it."""
    if spec.host_parts and is_host_part(written):
        return index.same_host_part(spec, written)
    place = index.find(written)
    return written if place is not None and place.spec is spec else None


def pin_problems(specs: Iterable[PoolSpec]) -> list[Problem]:
    """What is wrong with the pins of these pools, which must be free of other problems; an empty list when nothing is.

    Codes: pin-outside-pool, pin-avoided, pin-with-prefix, pin-twice, pin-of-one-family, pin-in-two-pools.
    """
    index = PoolIndex(specs)
    found: list[Problem] = []
    owners: dict[tuple[str, Point], ServiceKey] = {}
    homes: dict[tuple[ServiceKey, int], tuple[str, Address]] = {}
    for spec, owner, written in _written(index.specs.values()):
        pool = spec.pool.name
        where = f'pool "{pool}"'
        entry = f'{where}, annotation {PINS_ANNOTATION}: "{owner}={written}"'
        found += _misplaced(index, spec, written, where, entry)
        scope = pool if spec.host_parts and is_host_part(written) else ""
        if (first := owners.setdefault((scope, point(written)), owner)) != owner:
            message = f"{entry}: the address is pinned for {first} already. Pin another address for one of them."
            found.append(Problem("pin-twice", where, message))
        for version in (4, 6):
            home, other = homes.get((owner, version), (pool, written))
            if home != pool:
                message = f'{entry}: the Service is pinned in pool "{home}" too. Pin it in one pool only.'
                found.append(Problem("pin-in-two-pools", where, message))
                break
            if version == written.version and other != written:
                message = f"{entry}: {other} is pinned for the Service already. Pin one address of each family."
                found.append(Problem("pin-of-one-family", where, message))
        homes.setdefault((owner, written.version), (pool, written))
    return found


def _misplaced(index: PoolIndex, spec: PoolSpec, written: Address, where: str, entry: str) -> list[Problem]:
    follows_prefix = bool(spec.host_parts) and written.version == 6
    inside = index.find(written)
    if follows_prefix and not is_host_part(written) and (inside is None or inside.spec is spec):
        message = f"{entry}: the pool follows the nodes' prefix. Write the part behind the prefix only, such as ::10."
        return [Problem("pin-with-prefix", where, message)]
    if follows_prefix and spec.pending:
        return []
    if _resolved(index, spec, written) is None:
        message = f"{entry}: the pool does not hold the address. Add it to the pool, or pin one that is in it."
        return [Problem("pin-outside-pool", where, message)]
    if not spec.pool.usable(written):
        message = f"{entry}: the pool avoids addresses that end in .0 or .255 (avoidBuggyIPs). Pin another one."
        return [Problem("pin-avoided", where, message)]
    return []
