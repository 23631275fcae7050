# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VIPs of the cluster: what must have one owner, and who may be it.

Services that share an address belong together, and so do the addresses of one Service: a VIP is everything that hangs
together by shared addresses. Whoever owns it announces all its addresses, so its candidates are those of all its
Services at once.

Kept up to date by difference: a Service is looked at again only when it, its endpoints or the world it lives in are
other objects than before. What is built does not depend on the order of the changes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from lantern.core.candidates import Candidacy, Candidate, Fit, World
from lantern.core.diff import replaced
from lantern.core.model import Endpoint, Service, ServiceKey, Snapshot
from lantern.core.requests import Denied
from lantern.pools import Address
from lantern.reasons import Reason

VipKey = bytes
"""Packed form of the VIP's first address: the IPv4 ones before the IPv6 ones, then by number."""


@dataclass(frozen=True, slots=True)
class Vip:
    """Addresses and Services that have one owner."""

    key: VipKey
    addresses: tuple[Address, ...]
    """In the order of their keys."""
    services: tuple[ServiceKey, ...]
    candidates: tuple[Candidate, ...]
    """By name; the same object for all VIPs with the same candidates."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index holds of one Service: another object whenever any of it may have changed."""

    service: Service
    found: Fit | Denied
    """How it may be announced by itself, whatever its neighbours are."""
    vip: Vip | None = None
    """The one it is part of; None when nobody may announce it."""


class VipIndex:
    """All of them, after the latest snapshot."""

    def __init__(self, ignore_exclude_label: bool = False) -> None:
        self._ignore_exclude_label = ignore_exclude_label
        self._listed: tuple[Service, ...] = ()
        self._services: Mapping[ServiceKey, Service] = {}
        self._endpoints: Mapping[ServiceKey, tuple[Endpoint, ...]] = {}
        self._class = ""
        self._at: dict[VipKey, set[ServiceKey]] = {}
        self._interned: dict[tuple[Candidate, ...], tuple[Candidate, ...]] = {}
        self._world: World | None = None
        self.candidacy = Candidacy(World(pools=(), advertisements=(), nodes={}))
        self.entries: dict[ServiceKey, Entry] = {}
        """All Services that are the speakers' business."""
        self.vips: dict[VipKey, Vip] = {}
        self.vip_of: dict[VipKey, Vip] = {}
        """By each of its addresses."""
        self.denied: dict[ServiceKey, Denied] = {}
        """Why nobody may announce a Service."""

    def update(self, snapshot: Snapshot) -> frozenset[ServiceKey]:
        """Follow the cluster; the Services of which anything changed that counts here."""
        stale = self._renew(snapshot)
        unchanged = snapshot.services is self._listed
        services = self._services if unchanged else {item.key: item for item in snapshot.services}
        endpoints = snapshot.endpoints
        if stale:
            suspects = services.keys() | self.entries.keys()
        else:
            suspects = replaced(self._services, services) | replaced(self._endpoints, endpoints)
        self._listed, self._services, self._endpoints = snapshot.services, services, endpoints
        changed: set[ServiceKey] = set()
        touched: set[VipKey] = set()
        for key in suspects:
            service = services.get(key)
            if service is None or not service.is_load_balancer or not snapshot.managed(service):
                if key in self.entries:
                    changed.add(key)
                    touched |= self._forget(key)
                continue
            found = self.candidacy.of(service, endpoints.get(key, ()))
            known = self.entries.get(key)
            if known is None or stale or known.service != service or known.found != found:
                changed.add(key)
                touched |= self._forget(key) | self._learn(service, found)
        self._regroup(touched)
        return frozenset(changed)

    def _renew(self, snapshot: Snapshot) -> bool:
        """Follow what all Services have in common; whether every one of them is to be looked at again."""
        world = World(
            pools=snapshot.pools,
            advertisements=snapshot.advertisements,
            nodes=snapshot.nodes,
            ignore_exclude_label=self._ignore_exclude_label,
        )
        if world == self._world and snapshot.lb_class == self._class:
            return False
        self._world, self._class = world, snapshot.lb_class
        self.candidacy, self._interned = Candidacy(world), {}
        return True

    def service(self, key: ServiceKey) -> Service:
        return self.entries[key].service

    def fit(self, key: ServiceKey) -> Fit | None:
        """How a Service may be announced; None when it may not."""
        known = self.entries.get(key)
        return known.found if known is not None and isinstance(known.found, Fit) else None

    @property
    def services(self) -> Collection[ServiceKey]:
        """All Services that are the speakers' business."""
        return self.entries.keys()

    def _forget(self, key: ServiceKey) -> set[VipKey]:
        """Take a Service out; the addresses it had."""
        known = self.entries.pop(key, None)
        self.denied.pop(key, None)
        if known is None or isinstance(known.found, Denied):
            return set()
        touched = {address.packed for address in known.service.addresses}
        for packed in touched:
            self._at[packed].discard(key)
        return touched

    def _learn(self, service: Service, found: Fit | Denied) -> set[VipKey]:
        """Put a Service in; the addresses it has."""
        self.entries[service.key] = Entry(service, found)
        if isinstance(found, Denied):
            self.denied[service.key] = found
            return set()
        touched = {address.packed for address in service.addresses}
        for packed in touched:
            self._at.setdefault(packed, set()).add(service.key)
        return touched

    def _regroup(self, touched: set[VipKey]) -> None:
        """Build those VIPs anew that have to do with the touched addresses."""
        while touched:
            addresses, services = self._connected(touched.pop())
            touched -= addresses
            for packed in addresses:
                old = self.vip_of.pop(packed, None)
                if old is not None and self.vips.get(old.key) is old:
                    del self.vips[old.key]
            if services:
                vip = self._vip(services)
                self.vips[vip.key] = vip
                self.vip_of.update((address.packed, vip) for address in vip.addresses)
                for key in services:
                    self.entries[key] = replace(self.entries[key], vip=vip if key not in self.denied else None)

    def _connected(self, start: VipKey) -> tuple[set[VipKey], set[ServiceKey]]:
        """All addresses and Services that hang together with an address."""
        addresses, services = {start}, set[ServiceKey]()
        pending = [start]
        while pending:
            packed = pending.pop()
            if not self._at.get(packed):
                self._at.pop(packed, None)
                continue
            for key in self._at[packed] - services:
                services.add(key)
                more = {address.packed for address in self.entries[key].service.addresses} - addresses
                addresses |= more
                pending += more
        return addresses, services

    def _vip(self, services: set[ServiceKey]) -> Vip:
        """One VIP of Services that hang together. One that would leave no candidate for those before it stays out."""
        taken: list[ServiceKey] = []
        candidates: tuple[Candidate, ...] = ()
        for key in sorted(services):
            fit = self.entries[key].found
            assert isinstance(fit, Fit)
            common = _intersection(candidates, fit.candidates) if taken else fit.candidates
            self.denied.pop(key, None)
            if taken and candidates and not common:
                self.denied[key] = Denied(
                    Reason.SHARED_ELSEWHERE, f'"{key}": no node can announce it together with "{taken[0]}"'
                )
                continue
            taken.append(key)
            candidates = common
        found = {address.packed: address for key in taken for address in self.entries[key].service.addresses}
        ordered = sorted(found, key=lambda packed: (len(packed), packed))
        return Vip(
            key=ordered[0],
            addresses=tuple(found[packed] for packed in ordered),
            services=tuple(taken),
            candidates=self._interned.setdefault(candidates, candidates),
        )


def _intersection(some: tuple[Candidate, ...], others: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """The nodes that are in both; weights add up, and the interfaces of both must be there."""
    if some is others and not any(item.weight or item.interfaces for item in some):
        return some
    by_name: Mapping[str, Candidate] = {item.node: item for item in others}
    return tuple(
        Candidate(
            item.node,
            item.weight + other.weight,
            tuple(sorted({*item.interfaces, *other.interfaces}, key=sorted)),
        )
        for item in some
        if (other := by_name.get(item.node)) is not None
    )
