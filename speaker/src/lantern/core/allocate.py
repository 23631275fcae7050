# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Service has which address: pure, total, and stable.

Stable, because what Services have now is an input: whoever has a valid address keeps it, only then are the others
served, in the order of their creation. A restarted controller therefore decides the same, and applying a plan leads to
a snapshot whose plan changes nothing. Nothing here remembers.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass

from lantern.core.model import PoolSpec, Service, ServiceKey, Snapshot
from lantern.core.pool_index import PoolIndex, compatible
from lantern.core.requests import Denied, Request, quoted, read
from lantern.pools import Address, Point, point
from lantern.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Assign:
    """Write these addresses (IPv4 first) and the pool's name to the Service."""

    service: Service
    addresses: tuple[Address, ...]
    pool: str
    lost: Denied | None = None
    """Why the addresses it had were given up, if it had any."""

    @property
    def is_new(self) -> bool:
        """False when the Service has these addresses already and only the pool's name changes."""
        return self.addresses != self.service.addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """The Service has what it should have."""

    service: Service
    pool: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Take the addresses away from the Service."""

    service: Service
    lost: Denied


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """The Service does not get what it asks for."""

    service: Service
    denied: Denied


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What should be, for every Service that is ours."""

    assign: tuple[Assign, ...] = ()
    keep: tuple[Keep, ...] = ()
    release: tuple[Release, ...] = ()
    refuse: tuple[Refuse, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing has to be written."""
        return not self.assign and not self.release


class _Ledger:
    """Who has which address while a plan is made."""

    __slots__ = ("owners", "used")

    def __init__(self) -> None:
        self.owners: dict[Point, ServiceKey] = {}
        self.used: list[Point] = []

    def take(self, addresses: tuple[Address, ...], owner: ServiceKey) -> None:
        for address in addresses:
            insort(self.used, point(address))
            self.owners[point(address)] = owner

    def holder(self, addresses: tuple[Address, ...]) -> ServiceKey | None:
        """Who has (the first taken one of) these addresses."""
        return next((self.owners[point(address)] for address in addresses if point(address) in self.owners), None)


def plan(snapshot: Snapshot) -> Plan:
    """The one right assignment of addresses for this snapshot."""
    return _Planner(snapshot).run()


class _Planner:
    """One run of `plan`: the ledger and the lists it fills."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.index = PoolIndex(snapshot.pools)
        self.ledger = _Ledger()
        self.assign: list[Assign] = []
        self.keep: list[Keep] = []
        self.release: list[Release] = []
        self.refuse: list[Refuse] = []

    def run(self) -> Plan:
        pending: list[tuple[Service, Denied | None]] = []
        for service in sorted(self.snapshot.services, key=lambda item: (item.created, item.key)):
            if not self.snapshot.managed(service):
                continue
            if not service.is_load_balancer:
                self._drop(service)
            elif not service.addresses:
                pending.append((service, None))
            elif (lost := self._hold(service)) is not None:
                pending.append((service, lost))
        for service, lost in pending:
            self._serve(service, lost)
        return Plan(
            assign=tuple(self.assign), keep=tuple(self.keep), release=tuple(self.release), refuse=tuple(self.refuse)
        )

    def _drop(self, service: Service) -> None:
        """A Service that no longer balances: take back what it got from here, and nothing else."""
        if service.annotation("ip-allocated-from-pool") is not None:
            sentence = f'"{service.key}" is not of type LoadBalancer'
            self.release.append(Release(service=service, lost=Denied(Reason.NOT_LOAD_BALANCER, sentence)))

    def _hold(self, service: Service) -> Denied | None:
        """Keep what the Service has, or say why it cannot keep it."""
        request = read(service)
        wishes = request if isinstance(request, Request) else Request()
        spec = self._verdict(service, service.addresses, wishes, one_family_is_enough=service.prefers_dual_stack)
        if isinstance(spec, Denied):
            return spec
        if isinstance(request, Denied):
            # An unreadable wish is told, but costs nobody the address that works.
            self.refuse.append(Refuse(service=service, denied=request))
        self.ledger.take(service.addresses, service.key)
        if service.annotation("ip-allocated-from-pool") == spec.pool.name:
            self.keep.append(Keep(service=service, pool=spec.pool.name))
        else:
            self.assign.append(Assign(service=service, addresses=service.addresses, pool=spec.pool.name))
        return None

    def _verdict(
        self, service: Service, addresses: tuple[Address, ...], wishes: Request, one_family_is_enough: bool = False
    ) -> PoolSpec | Denied:
        """The pool out of which the Service may hold these addresses."""
        if (denied := _families_denied(service)) is not None:
            return denied
        versions = sorted(address.version for address in addresses)
        subset = one_family_is_enough and len(versions) == 1 and versions[0] in service.families
        if versions != sorted(service.families) and not subset:
            wanted = " and ".join(f"IPv{version}" for version in service.families)
            return Denied(Reason.FAMILY_MISMATCH, f"{quoted(addresses)} does not fit the Service, which is {wanted}")
        spec = self.index.pool_of(addresses)
        if spec is None or not all(spec.pool.usable(address) for address in addresses):
            return Denied(Reason.NOT_IN_POOLS, f"{quoted(addresses)} is not allowed in config")
        if (holder := self.ledger.holder(addresses)) is not None:
            return Denied(Reason.ADDRESS_IN_USE, f'{quoted(addresses)} is in use by "{holder}"')
        if not self._compatible(spec, service):
            return Denied(Reason.POOL_NOT_COMPATIBLE, f"pool {spec.pool.name} not compatible for ip assignment")
        if wishes.pool and wishes.pool != spec.pool.name:
            asked = f"not compatible with requested address pool {wishes.pool}"
            return Denied(Reason.OTHER_POOL_REQUESTED, f"{quoted(addresses)} is in pool {spec.pool.name}, {asked}")
        if wishes.addresses and set(wishes.addresses) != set(addresses):
            return Denied(Reason.OTHER_ADDRESS_REQUESTED, f"{quoted(wishes.addresses)} is requested")
        return spec

    def _serve(self, service: Service, lost: Denied | None) -> None:
        """Find addresses for a Service that has none, or lost those it has."""
        found = self._find(service)
        if isinstance(found, Denied):
            self.refuse.append(Refuse(service=service, denied=found))
            if lost is not None:
                self.release.append(Release(service=service, lost=lost))
            return
        addresses, pool = found
        self.ledger.take(addresses, service.key)
        self.assign.append(Assign(service=service, addresses=addresses, pool=pool, lost=lost))

    def _find(self, service: Service) -> tuple[tuple[Address, ...], str] | Denied:
        if (denied := _families_denied(service)) is not None:
            return denied
        request = read(service)
        if isinstance(request, Denied):
            return request
        if request.addresses:
            spec = self._verdict(service, request.addresses, request)
            return spec if isinstance(spec, Denied) else (request.addresses, spec.pool.name)
        if not request.pool:
            found = self._first_offer(service, list(self._open_pools(service)))
            return found or Denied(Reason.NO_FREE_ADDRESS, "no available IPs")
        wanted = self.index.specs.get(request.pool)
        if wanted is None:
            return Denied(Reason.UNKNOWN_POOL, f'unknown pool "{request.pool}"')
        if not self._compatible(wanted, service):
            return Denied(Reason.POOL_NOT_COMPATIBLE, f"pool {request.pool} not compatible for ip assignment")
        found = self._first_offer(service, [wanted])
        return found or Denied(Reason.NO_FREE_ADDRESS, f"no available IPs in pool {request.pool}")

    def _open_pools(self, service: Service) -> Iterator[PoolSpec]:
        """Pools for automatic choice: those reserved for such Services by priority, then the general ones by age."""

        def rank(spec: PoolSpec) -> tuple[bool, float, str, str]:
            priority = spec.allocation.priority if spec.allocation else 0
            return (spec.allocation is None, priority or float("inf"), spec.created, spec.pool.name)

        for spec in sorted(self.index.specs.values(), key=rank):
            if spec.pool.auto_assign and self._compatible(spec, service):
                yield spec

    def _compatible(self, spec: PoolSpec, service: Service) -> bool:
        return compatible(spec, service, self.snapshot.namespaces.get(service.key.namespace, {}))

    def _first_offer(self, service: Service, specs: list[PoolSpec]) -> tuple[tuple[Address, ...], str] | None:
        """Free addresses of the wanted families out of one pool: the first pool that has them."""
        wanted: list[tuple[int, ...]] = [tuple(sorted(service.families))]
        if service.prefers_dual_stack and len(service.families) == 2:
            wanted += [(version,) for version in service.families]
        for versions in wanted:
            for spec in specs:
                free = [self._first_free(spec, version) for version in versions]
                if all(address is not None for address in free):
                    return tuple(address for address in free if address is not None), spec.pool.name
        return None

    def _first_free(self, spec: PoolSpec, version: int) -> Address | None:
        for item in self.index.ranges[spec.pool.name]:
            if item.version == version:
                address = item.first_free(self.ledger.used, spec.pool.usable)
                if address is not None:
                    return address
        return None


def _families_denied(service: Service) -> Denied | None:
    if not service.families:
        return Denied(Reason.NO_CLUSTER_IP, f'"{service.key}" has no cluster IP')
    if service.requires_dual_stack and len(service.families) < 2:
        return Denied(Reason.NOT_DUAL_STACK, f'"{service.key}" requires dual stack but has cluster IPs of one family')
    return None
