# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has which address, and which one is the next to hand out, while a plan is made.

Everything beside `users` is an index derived from it: of the free addresses (made when first asked for), of addresses
by sharing group, and of those to be handed out last. An exhausted pool answers at once, and so does a full /16.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from ipaddress import IPv4Address, IPv6Address

from lantern.core.free_space import FreeSpace
from lantern.core.model import PoolSpec, Service
from lantern.core.pool_index import PoolIndex, PoolRange
from lantern.core.recall import Slot
from lantern.core.sharing import SharingGroup, group_of
from lantern.pools import Address

_Port = tuple[str, int]


@dataclass(slots=True, eq=False)
class _Shelf:
    """One range of a pool."""

    range: PoolRange
    position: int
    """Among the shelves of its family."""
    users: dict[int, list[Service]] = field(default_factory=dict)
    withheld: set[int] = field(default_factory=set)
    """Never among the free ones: pinned, or to be handed out last."""
    free: FreeSpace | None = None

    def free_space(self) -> FreeSpace:
        if self.free is None:
            taken = self.users.keys() | self.withheld
            avoids_buggy = self.range.spec.pool.avoid_buggy_ips and self.range.version == 4
            self.free = FreeSpace(self.range.first, self.range.last, taken, avoids_buggy)
        return self.free


@dataclass(slots=True, eq=False)
class _Family:
    """The addresses of one family in one pool."""

    shelves: list[_Shelf] = field(default_factory=list)
    first_with_space: int = 0
    """Index of the first shelf that may have a free address."""
    last_resort: list[tuple[int, Slot]] = field(default_factory=list)
    """Heap by rank; entries in use are skipped."""


class Ledger:
    """The addresses of all pools. Others are nobody's business: taking or freeing one does nothing."""

    __slots__ = ("_families", "_group_ports", "_groups", "_index", "_pinned", "_ranks", "_shelves")

    def __init__(self, index: PoolIndex) -> None:
        self._index = index
        self._shelves: list[_Shelf] = []
        self._families = {(name, version): _Family() for name in index.ranges for version in (4, 6)}
        for ranges in index.ranges.values():
            for item in ranges:
                shelves = self._families[item.spec.pool.name, item.version].shelves
                shelves.append(_Shelf(item, position=len(shelves)))
                self._shelves.append(shelves[-1])
        self._pinned: set[Slot] = set()
        self._ranks: dict[Slot, int] = {}
        self._groups: dict[tuple[SharingGroup, str, int], set[Slot]] = {}
        self._group_ports: dict[tuple[SharingGroup, str, int, _Port], set[Slot]] = {}

    def pin(self, addresses: Iterable[Address]) -> None:
        """These are never found by the methods that look for an address; they are taken by name only."""
        for address, shelf in self._on_shelves(addresses):
            self._withhold(shelf, int(address))
            self._pinned.add((shelf.range.number, int(address)))

    def set_aside(self, addresses: Iterable[Address]) -> None:
        """These are found only when nothing else is left, in this order and after those set aside before."""
        for address, shelf in self._on_shelves(addresses):
            slot = (shelf.range.number, int(address))
            if slot in self._pinned or slot in self._ranks:
                continue
            self._withhold(shelf, int(address))
            self._ranks[slot] = rank = len(self._ranks)
            heappush(self._family(shelf).last_resort, (rank, slot))

    def _on_shelves(self, addresses: Iterable[Address]) -> Iterator[tuple[Address, _Shelf]]:
        for address in addresses:
            if (place := self._index.find(address)) is not None:
                yield address, self._shelves[place.number]

    def _withhold(self, shelf: _Shelf, value: int) -> None:
        shelf.withheld.add(value)
        if shelf.free is not None:
            shelf.free.take(value)

    def _family(self, shelf: _Shelf) -> _Family:
        return self._families[shelf.range.spec.pool.name, shelf.range.version]

    def users(self, address: Address) -> tuple[Service, ...]:
        """The Services that have the address."""
        place = self._index.find(address)
        return () if place is None else tuple(self._shelves[place.number].users.get(int(address), ()))

    def take(self, address: Address, service: Service) -> None:
        """The Service has the address from now on, beside those that have it already."""
        place = self._index.find(address)
        if place is None:
            return
        value = int(address)
        shelf = self._shelves[place.number]
        self._enter(shelf, value, service)
        if service.annotations and (group := group_of(service)) is not None:
            self._join(group, service, shelf, value)

    def slots(self, service: Service) -> tuple[Slot, ...]:
        """Where the Service's addresses are; empty when one is in no pool, or may have more users than one."""
        if service.annotations and group_of(service) is not None:
            return ()
        found: list[Slot] = []
        for address in service.addresses:
            place = self._index.find(address)
            if place is None:
                return ()
            found.append((place.number, int(address)))
        return tuple(found)

    def take_alone(self, slots: tuple[Slot, ...], service: Service) -> bool:
        """The Service has all these from now on, if nobody has any of them; whether that is so."""
        shelves = self._shelves
        for number, value in slots:
            if value in shelves[number].users:
                return False
        for number, value in slots:
            self._enter(shelves[number], value, service)
        return True

    def block(self, address: Address, stranger: Service) -> None:
        """A Service that is not ours has the address, if nobody of ours does."""
        place = self._index.find(address)
        if place is not None and not self._shelves[place.number].users.get(int(address)):
            self._enter(self._shelves[place.number], int(address), stranger)

    @staticmethod
    def _enter(shelf: _Shelf, value: int, service: Service) -> None:
        users = shelf.users.setdefault(value, [])
        users.append(service)
        if len(users) == 1 and shelf.free is not None:
            shelf.free.take(value)

    def _join(self, group: SharingGroup, service: Service, shelf: _Shelf, value: int) -> None:
        slot = (shelf.range.number, value)
        if slot in self._pinned:
            return
        pool = (shelf.range.spec.pool.name, shelf.range.version)
        self._groups.setdefault((group, *pool), set()).add(slot)
        for port in service.ports:
            self._group_ports.setdefault((group, *pool, port), set()).add(slot)

    def free(self, address: Address, service: Service) -> None:
        """The Service has the address no more. Raises KeyError when it did not have it."""
        place = self._index.find(address)
        if place is None:
            return
        value = int(address)
        shelf = self._shelves[place.number]
        users = shelf.users.get(value, [])
        left = [user for user in users if user.key != service.key]
        if len(left) == len(users):
            raise KeyError(f"{service.key} does not have {address}")
        if (group := group_of(service)) is not None:
            self._leave(group, service, shelf, value, alone=not left)
        if left:
            shelf.users[value] = left
            return
        del shelf.users[value]
        self._return(shelf, value)

    def _leave(self, group: SharingGroup, service: Service, shelf: _Shelf, value: int, alone: bool) -> None:
        slot = (shelf.range.number, value)
        pool = (shelf.range.spec.pool.name, shelf.range.version)
        if alone:
            self._groups.get((group, *pool), set()).discard(slot)
        for port in service.ports:
            self._group_ports.get((group, *pool, port), set()).discard(slot)

    def _return(self, shelf: _Shelf, value: int) -> None:
        """Nobody has the address any more."""
        slot = (shelf.range.number, value)
        family = self._family(shelf)
        if slot in self._ranks:
            heappush(family.last_resort, (self._ranks[slot], slot))
        elif value not in shelf.withheld and shelf.free is not None:
            shelf.free.free(value)
            family.first_with_space = min(family.first_with_space, shelf.position)

    def first_free(self, pool: str, version: int) -> Address | None:
        """The first address of the family in the pool that nobody has: ranges as written, each from its beginning."""
        family = self._families[pool, version]
        while family.first_with_space < len(family.shelves):
            value = family.shelves[family.first_with_space].free_space().first()
            if value is not None:
                return _address(version, value)
            family.first_with_space += 1
        return None

    def first_shared(self, pool: str, version: int, service: Service) -> Address | None:
        """The first address in the pool that Services of the same sharing group have and whose ports leave room."""
        group = group_of(service)
        every = self._groups.get((group, pool, version)) if group is not None else None
        if group is None or not every:
            return None
        fitting = every
        for port in service.ports:
            occupied = self._group_ports.get((group, pool, version, port), set())
            if len(occupied) == len(every):
                return None
            fitting = fitting - occupied if occupied else fitting
        return _address(version, min(fitting)[1]) if fitting else None

    def last_resort(self, spec: PoolSpec, version: int) -> Address | None:
        """Of the addresses set aside that nobody has, the one set aside first."""
        heap = self._families[spec.pool.name, version].last_resort
        while heap:
            _rank, (number, value) = heap[0]
            shelf = self._shelves[number]
            address = _address(version, value)
            if value not in shelf.users and spec.pool.usable(address):
                return address
            heappop(heap)
        return None

    def free_intervals(self) -> dict[int, list[tuple[int, int]]]:
        """The derived index of free addresses, by number of the range, as far as it was made."""
        return {shelf.range.number: shelf.free.intervals for shelf in self._shelves if shelf.free is not None}


def _address(version: int, value: int) -> Address:
    return IPv4Address(value) if version == 4 else IPv6Address(value)
