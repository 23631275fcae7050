# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The VIPs of the cluster: what must have one owner, and who may be it.

Services that share an address belong together, and so do the addresses of one Service: a VIP is everything that hangs
together by shared addresses. Whoever owns it announces all its addresses, so its candidates are those of all its
Services at once.

Kept up to date by difference: a Service is looked at again only when it, its endpoints or the world it lives in have
changed. What is built does not depend on the order of the changes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lantern.core.candidates import Candidacy, Candidate, Fit, World
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
class _Known:
    service: Service
    endpoints: tuple[Endpoint, ...]
    found: Fit | Denied


class VipIndex:
    """All of them, after the latest snapshot."""

    def __init__(self, ignore_exclude_label: bool = False) -> None:
        self._ignore_exclude_label = ignore_exclude_label
        self._known: dict[ServiceKey, _Known] = {}
        self._at: dict[VipKey, set[ServiceKey]] = {}
        self._interned: dict[tuple[Candidate, ...], tuple[Candidate, ...]] = {}
        self._world: World | None = None
        self.candidacy = Candidacy(World(pools=(), advertisements=(), nodes={}))
        self.vips: dict[VipKey, Vip] = {}
        self.vip_of: dict[VipKey, Vip] = {}
        """By each of its addresses."""
        self.denied: dict[ServiceKey, Denied] = {}
        """Why nobody may announce a Service."""

    def update(self, snapshot: Snapshot) -> frozenset[ServiceKey]:
        """Follow the cluster; the Services about which anything changed."""
        world = World(
            pools=snapshot.pools,
            advertisements=snapshot.advertisements,
            nodes=snapshot.nodes,
            ignore_exclude_label=self._ignore_exclude_label,
        )
        stale = world != self._world
        if stale:
            self._world, self.candidacy, self._interned = world, Candidacy(world), {}
        changed: set[ServiceKey] = set()
        touched: set[VipKey] = set()
        gone = self._known.keys() - {
            item.key for item in snapshot.services if item.is_load_balancer and snapshot.managed(item)
        }
        for key in gone:
            changed.add(key)
            touched |= self._forget(key)
        for service in snapshot.services:
            if not service.is_load_balancer or not snapshot.managed(service):
                continue
            endpoints = snapshot.endpoints.get(service.key, ())
            known = self._known.get(service.key)
            if known is not None and not stale and _same(known, service, endpoints):
                continue
            changed.add(service.key)
            touched |= self._forget(service.key) | self._learn(service, endpoints)
        self._regroup(touched)
        return frozenset(changed)

    def service(self, key: ServiceKey) -> Service:
        return self._known[key].service

    def fit(self, key: ServiceKey) -> Fit | None:
        """How a Service may be announced; None when it may not."""
        known = self._known.get(key)
        return known.found if known is not None and isinstance(known.found, Fit) else None

    @property
    def services(self) -> Collection[ServiceKey]:
        """All Services that are the speakers' business."""
        return self._known.keys()

    def _forget(self, key: ServiceKey) -> set[VipKey]:
        """Take a Service out; the addresses it had."""
        known = self._known.pop(key, None)
        self.denied.pop(key, None)
        if known is None or isinstance(known.found, Denied):
            return set()
        touched = {address.packed for address in known.service.addresses}
        for packed in touched:
            self._at[packed].discard(key)
        return touched

    def _learn(self, service: Service, endpoints: tuple[Endpoint, ...]) -> set[VipKey]:
        """Put a Service in; the addresses it has."""
        found = self.candidacy.of(service, endpoints)
        self._known[service.key] = _Known(service, endpoints, found)
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
                more = {address.packed for address in self._known[key].service.addresses} - addresses
                addresses |= more
                pending += more
        return addresses, services

    def _vip(self, services: set[ServiceKey]) -> Vip:
        """One VIP of Services that hang together. One that would leave no candidate for those before it stays out."""
        taken: list[ServiceKey] = []
        candidates: tuple[Candidate, ...] = ()
        for key in sorted(services):
            fit = self._known[key].found
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
        found = {address.packed: address for key in taken for address in self._known[key].service.addresses}
        ordered = sorted(found, key=lambda packed: (len(packed), packed))
        return Vip(
            key=ordered[0],
            addresses=tuple(found[packed] for packed in ordered),
            services=tuple(taken),
            candidates=self._interned.setdefault(candidates, candidates),
        )


def _same(known: _Known, service: Service, endpoints: tuple[Endpoint, ...]) -> bool:
    same = known.service is service or known.service == service
    return same and (known.endpoints is endpoints or known.endpoints == endpoints)


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
