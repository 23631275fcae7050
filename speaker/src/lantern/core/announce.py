# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses a node answers for, and for every other one the reason why not."""

from __future__ import annotations

from dataclasses import dataclass

from lantern.core.elect import owner
from lantern.core.model import Endpoint, L2Advertisement, Node, PoolSpec, Service, ServiceKey, Snapshot
from lantern.core.pool_index import PoolIndex
from lantern.core.requests import Denied, quoted
from lantern.pools import Address
from lantern.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """This node answers for `address` on the Service's behalf."""

    address: Address
    service: Service
    pool: str
    interfaces: frozenset[str] | None
    """Names of the interfaces to answer on; None: all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """This node does not answer for the Service."""

    service: Service
    denied: Denied


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What this node announces by layer 2, complete."""

    claims: tuple[Claim, ...] = ()
    withheld: tuple[Withheld, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Vantage:
    """From where the decision is made."""

    node: str
    interfaces: frozenset[str]
    """Names of this node's interfaces that may announce."""
    ignore_exclude_label: bool = False


def decide(snapshot: Snapshot, vantage: Vantage) -> Decision:
    """What the node announces. All nodes that see the same snapshot agree on one owner for each address."""
    index = PoolIndex(snapshot.pools)
    claims: list[Claim] = []
    withheld: list[Withheld] = []
    for service in sorted(snapshot.services, key=lambda item: item.key):
        if not service.is_load_balancer or not snapshot.managed(service):
            continue
        found = _service(snapshot, index, vantage, service)
        if isinstance(found, Denied):
            withheld.append(Withheld(service=service, denied=found))
            continue
        pool, interfaces = found
        for address in service.addresses:
            claims.append(Claim(address=address, service=service, pool=pool, interfaces=interfaces))
    return Decision(claims=tuple(claims), withheld=tuple(withheld))


def _service(
    snapshot: Snapshot, index: PoolIndex, vantage: Vantage, service: Service
) -> tuple[str, frozenset[str] | None] | Denied:
    """The pool and the interfaces for announcing the Service from here, or why not."""
    if not service.addresses:
        reason = Reason.INVALID_ADDRESS if service.has_unreadable_ingress else Reason.NO_ADDRESS
        return Denied(reason, f'"{service.key}": {reason.meaning}')
    spec = index.pool_of(service.addresses)
    if spec is None:
        return Denied(Reason.ADDRESS_NOT_IN_POOL, f"{quoted(service.addresses)} is not in one pool")
    endpoints = [item for item in snapshot.endpoints.get(service.key, ()) if item.serving]
    if not endpoints:
        return Denied(Reason.NO_SERVING_ENDPOINT, f'"{service.key}": {Reason.NO_SERVING_ENDPOINT.meaning}')
    matching = [item for item in snapshot.advertisements if _covers(item, spec, service)]
    if not matching:
        return Denied(Reason.NO_ADVERTISEMENT, f'no L2Advertisement covers pool "{spec.pool.name}" for "{service.key}"')
    candidates: list[str] = []
    for name, node in snapshot.nodes.items():
        if _unfit(node, matching, service, endpoints, vantage.ignore_exclude_label) is None:
            candidates.append(name)
    me = snapshot.nodes.get(vantage.node)
    if me is None:
        return Denied(Reason.NODE_NOT_READY, f'node "{vantage.node}" is not known to the cluster')
    unfit = _unfit(me, matching, service, endpoints, vantage.ignore_exclude_label)
    if unfit is not None:
        return Denied(unfit, f'node "{vantage.node}" does not announce "{service.key}": {unfit.meaning}')
    # The first address decides for all of a Service, so that a dual-stack Service has one owner.
    chosen = owner(service.addresses[0], candidates)
    if chosen != vantage.node:
        return Denied(Reason.NOT_OWNER, f'node "{chosen}" owns {service.addresses[0]}')
    return _interfaces(spec, service, me, matching, vantage)


def _covers(advertisement: L2Advertisement, spec: PoolSpec, service: Service) -> bool:
    """Whether the advertisement is about this pool and Service. Without any pool selector it is about all pools."""
    selects_pools = bool(advertisement.pools or advertisement.pool_selectors)
    named = spec.pool.name in advertisement.pools
    if selects_pools and not named and not any(item.matches(spec.labels) for item in advertisement.pool_selectors):
        return False
    selectors = advertisement.service_selectors
    return not selectors or any(item.matches(service.labels) for item in selectors)


def _selects(advertisement: L2Advertisement, node: Node) -> bool:
    selectors = advertisement.node_selectors
    return not selectors or any(item.matches(node.labels) for item in selectors)


def _unfit(
    node: Node, matching: list[L2Advertisement], service: Service, endpoints: list[Endpoint], ignore_exclude_label: bool
) -> Reason | None:
    """Why the node is no candidate for the Service; None when it is one."""
    if node.excluded and not ignore_exclude_label:
        return Reason.NODE_EXCLUDED
    if not node.ready:
        return Reason.NODE_NOT_READY
    if node.network_unavailable:
        return Reason.NODE_NETWORK_UNAVAILABLE
    if not any(_selects(item, node) for item in matching):
        return Reason.NODE_NOT_SELECTED
    if service.local_traffic_only and not any(item.node == node.name for item in endpoints):
        return Reason.NODE_WITHOUT_ENDPOINT
    return None


def _interfaces(
    spec: PoolSpec, service: Service, me: Node, matching: list[L2Advertisement], vantage: Vantage
) -> tuple[str, frozenset[str] | None] | Denied:
    """The union of what the advertisements name; one that names none means all."""
    named: set[str] = set()
    for advertisement in matching:
        if _selects(advertisement, me):
            if not advertisement.interfaces:
                return spec.pool.name, None
            named.update(advertisement.interfaces)
    present = frozenset(named & vantage.interfaces)
    if present:
        return spec.pool.name, present
    # The election does not look at interfaces (nodes cannot see each other's), so nobody answers: this must be told.
    listed = ", ".join(sorted(named))
    sentence = f'none of the interfaces {listed} for "{service.key}" exists on node "{vantage.node}"'
    return Denied(Reason.NO_INTERFACE, sentence)


def claims_by_address(decision: Decision) -> dict[Address, frozenset[str] | None]:
    """Where to answer for each address. Services that share one widen it: None (all interfaces) wins."""
    merged: dict[Address, frozenset[str] | None] = {}
    for claim in decision.claims:
        known = merged.get(claim.address, frozenset())
        merged[claim.address] = None if known is None or claim.interfaces is None else known | claim.interfaces
    return merged


def claims_by_service(decision: Decision) -> dict[ServiceKey, tuple[Claim, ...]]:
    """The claims of each announced Service."""
    grouped: dict[ServiceKey, tuple[Claim, ...]] = {}
    for claim in decision.claims:
        grouped[claim.service.key] = (*grouped.get(claim.service.key, ()), claim)
    return grouped
