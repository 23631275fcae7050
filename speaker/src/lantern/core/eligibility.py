# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether one Service may have one address, and which pools are open to it."""

from __future__ import annotations

from collections.abc import Sequence

from lantern.core import families, sharing
from lantern.core.ledger import Ledger
from lantern.core.model import PoolSpec, Service, Snapshot
from lantern.core.pins import Pins
from lantern.core.pool_index import PoolIndex, admits_labels, admits_namespace
from lantern.core.requests import Denied, quoted
from lantern.pools import Address
from lantern.reasons import Reason


class Eligibility:
    """The rules, over what is true while a plan is made."""

    __slots__ = ("_automatic", "_index", "_ledger", "_namespaces", "_pins")

    def __init__(self, snapshot: Snapshot, index: PoolIndex, pins: Pins, ledger: Ledger) -> None:
        self._namespaces = snapshot.namespaces
        self._index = index
        self._pins = pins
        self._ledger = ledger
        self._automatic = [spec for spec in index.ranked if spec.pool.auto_assign]

    def pool_denied(self, spec: PoolSpec, service: Service) -> Denied | None:
        """Why the pool is closed to the Service."""
        if spec.allocation is None:
            return None
        namespace = service.key.namespace
        known = f"pool {spec.pool.name} not compatible for ip assignment: its serviceAllocation does not admit"
        if not admits_namespace(spec, namespace, self._namespaces.get(namespace, {})):
            return Denied(Reason.POOL_NOT_COMPATIBLE, f"{known} namespace {namespace}")
        if not admits_labels(spec, service):
            return Denied(Reason.POOL_NOT_COMPATIBLE, f"{known} the labels of the Service")
        return None

    def address_denied(self, service: Service, address: Address) -> Denied | None:
        """Why the Service may not have the address; what it asks for and where else it has addresses is not judged."""
        return self.rule_denied(service, address) or self.use_denied(service, address)

    def use_denied(self, service: Service, address: Address) -> Denied | None:
        """Why the Service may not have the address beside those that have it now."""
        users = self._ledger.users(address)
        return sharing.conflict(service, address, users) if users else None

    def rule_denied(self, service: Service, address: Address) -> Denied | None:
        """Why the Service may not have the address even if nobody had it."""
        if address.version not in service.families:
            return families.mismatch(service, (address,))
        place = self._index.find(address)
        if place is None:
            return self._outside(service, address)
        spec = place.spec
        owner = self._pins.owner(address)
        if owner is not None and owner != service.key:
            why = f"it is pinned for {owner} in pool {spec.pool.name}. Ask for another address, or change the pin."
            return Denied(Reason.PINNED_FOR_ANOTHER, f"{quoted((address,))} is not available: {why}")
        if spec.pool.avoid_buggy_ips and not spec.pool.usable(address):
            why = f"pool {spec.pool.name} avoids addresses that end in .0 or .255"
            return Denied(Reason.AVOIDED_ADDRESS, f"{quoted((address,))} is not allowed in config: {why}")
        # The pool's own pin is more exact than its serviceAllocation.
        return self.pool_denied(spec, service) if owner is None else None

    def _outside(self, service: Service, address: Address) -> Denied:
        known = f"{quoted((address,))} is not allowed in config"
        if not self._index.specs:
            return Denied(Reason.NOT_IN_POOLS, f"{known}: there is no address pool")
        spec = self._index.specs.get(service.annotation("ip-allocated-from-pool") or "")
        if spec is not None and spec.host_parts and address.version == 6:
            return Denied(Reason.NOT_IN_POOLS, f"{known}: the IPv6 prefix of pool {spec.pool.name} has changed")
        return Denied(Reason.NOT_IN_POOLS, f"{known}: no pool holds it")

    def awaited(self, service: Service, address: Address) -> PoolSpec | None:
        """The pool that the address will be in again if it is one of a prefix that is only unknown at the moment."""
        spec = self._index.specs.get(service.annotation("ip-allocated-from-pool") or "")
        waits = spec is not None and spec.pending and spec.host_parts and address.version in service.families
        return spec if waits and address.version == 6 and self._index.find(address) is None else None

    def open_pools(self, service: Service) -> tuple[list[PoolSpec], list[PoolSpec]]:
        """Pools for automatic use, in their order: those reserved for such Services, and the general ones."""
        reserved: list[PoolSpec] = []
        general: list[PoolSpec] = []
        for spec in self._automatic:
            if spec.allocation is None:
                general.append(spec)
            elif self.pool_denied(spec, service) is None:
                reserved.append(spec)
        return reserved, general

    def none_available(self, service: Service, specs: Sequence[PoolSpec]) -> Denied:
        """Why none of the pools that are open to the Service gives it an address."""
        known = "no available IPs"
        if not self._index.specs:
            return Denied(Reason.NO_POOL, f"{known}: there is no address pool. Create an IPAddressPool.")
        if not specs:
            why = "every pool is reserved for other Services or used on request only (autoAssign: false)"
            remedy = "Ask for one with the annotation metallb.io/address-pool."
            return Denied(Reason.NO_OPEN_POOL, f"{known}: {why}. {remedy}")
        needed = families.alternatives(service)
        suited = [spec for spec in specs if any(self._offers_all(spec, versions) for versions in needed)]
        if suited:
            return Denied(Reason.NO_FREE_ADDRESS, f"{known}: {_named(suited)} full. Add addresses or another pool.")
        waiting = [spec for spec in specs if spec.pending]
        if waiting:
            return Denied(Reason.POOL_PENDING, f"{known}: pool {waiting[0].pool.name} is pending: {waiting[0].pending}")
        return Denied(Reason.POOL_WITHOUT_FAMILY, f"{known}: {_without(specs)} {families.names(service)} addresses.")

    def pool_gives_none(self, service: Service, spec: PoolSpec) -> Denied:
        """Why a pool that the Service asks for, and may use, has no address for it."""
        known = f"no available IPs in pool {spec.pool.name}"
        if any(self._offers_all(spec, versions) for versions in families.alternatives(service)):
            return Denied(Reason.NO_FREE_ADDRESS, f"{known}: it is full. Add addresses to it or ask for another pool.")
        if spec.pending:
            return Denied(Reason.POOL_PENDING, f"{known}: it is pending: {spec.pending}")
        return Denied(Reason.POOL_WITHOUT_FAMILY, f"{known}: it has no {families.names(service)} addresses.")

    def _offers_all(self, spec: PoolSpec, versions: Sequence[int]) -> bool:
        return all(self._index.offers(spec, version) for version in versions)


def _named(specs: Sequence[PoolSpec]) -> str:
    """The pools' names, three at most: a message is read by people."""
    names = [spec.pool.name for spec in specs]
    if len(names) == 1:
        return f"pool {names[0]} is"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"pools {', '.join(names[:3])}{more} are"


def _without(specs: Sequence[PoolSpec]) -> str:
    named = _named(specs).rsplit(" ", 1)[0]
    return f"{named} has no" if len(specs) == 1 else f"{named} have no"
