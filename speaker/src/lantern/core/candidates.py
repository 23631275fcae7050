# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes may announce a Service, by what the API server knows; who of them is alive is another question.

Kubernetes' Ready condition counts only where nothing better is known of a node (`by_readiness`): it is the kubelet's
state as the API server last heard of it, while speakers hear each other directly, and MetalLB does not look at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from lantern.core.model import ANYWAY_ANNOTATION, Endpoint, L2Advertisement, Node, PoolSpec, Service
from lantern.core.pool_index import PoolIndex
from lantern.core.requests import Denied, quoted
from lantern.reasons import Reason

_KEPT_ANNOTATIONS = ("/allow-shared-ip", ANYWAY_ANNOTATION)


class Candidate(NamedTuple):
    """A node that may announce."""

    node: str
    weight: int
    """How strongly it is preferred; the greatest wins. MetalLB: the sum over all matching preferences."""
    interfaces: tuple[frozenset[str], ...] = ()
    """Of each set at least one interface must be there; no set: any interface will do."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A Service that may be announced."""

    pool: str
    advertisements: tuple[L2Advertisement, ...]
    """Those that cover it."""
    candidates: tuple[Candidate, ...]
    """By name; the same object for all Services with the same candidates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What all Services have in common. `nodes` by name; pools free of problems (core.config)."""

    pools: tuple[PoolSpec, ...]
    advertisements: tuple[L2Advertisement, ...]
    nodes: Mapping[str, Node]
    ignore_exclude_label: bool = False
    by_readiness: bool = False


def announced_part(service: Service) -> Service:
    """The Service without what makes no difference to who announces it: a change of its ports, say, is none then."""
    kept = {name: value for name, value in service.annotations.items() if name.endswith(_KEPT_ANNOTATIONS)}
    return Service(
        key=service.key,
        uid=service.uid,
        labels=service.labels,
        annotations=kept,
        is_load_balancer=service.is_load_balancer,
        lb_class=service.lb_class,
        local_traffic_only=service.local_traffic_only,
        addresses=service.addresses,
        has_unreadable_ingress=service.has_unreadable_ingress,
    )


class Candidacy:
    """Answers for one World; what many Services share is worked out once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._index = PoolIndex(world.pools)
        self._selected: dict[tuple[int, ...], tuple[Candidate, ...]] = {}
        self._interned: dict[tuple[Candidate, ...], tuple[Candidate, ...]] = {}

    def of(self, service: Service, endpoints: Iterable[Endpoint]) -> Fit | Denied:
        """Who may announce the Service, or why nobody may."""
        if not service.addresses:
            reason = Reason.INVALID_ADDRESS if service.has_unreadable_ingress else Reason.NO_ADDRESS
            return Denied(reason, f'"{service.key}": {reason.meaning}')
        spec = self._index.pool_of(service.addresses)
        if spec is None:
            return Denied(Reason.ADDRESS_NOT_IN_POOL, f"{quoted(service.addresses)} is not in one pool")
        serving = frozenset(item.node for item in endpoints if item.serving)
        if not serving:
            return Denied(Reason.NO_SERVING_ENDPOINT, f'"{service.key}": {Reason.NO_SERVING_ENDPOINT.meaning}')
        matching = tuple(item for item in self._world.advertisements if _covers(item, spec, service))
        if not matching:
            return Denied(
                Reason.NO_ADVERTISEMENT, f'no L2Advertisement covers pool "{spec.pool.name}" for "{service.key}"'
            )
        if service.sharing_key and any(item.service_selectors for item in matching):
            # Its neighbours on the address could be selected elsewhere, and an address has one owner.
            sentence = f'"{service.key}" shares its address, but an L2Advertisement selects it by serviceSelectors'
            return Denied(Reason.SHARED_AND_SELECTED, sentence)
        candidates = self._candidates(matching)
        if service.local_traffic_only:
            candidates = self._intern(tuple(item for item in candidates if item.node in serving))
        return Fit(spec.pool.name, matching, candidates)

    def unfit(self, name: str, fit: Fit) -> Reason | None:
        """Why the node is no candidate for the Service; None when it is one."""
        node = self._world.nodes.get(name)
        if node is None:
            return Reason.NODE_NOT_READY
        unfit = self._unfit(node, fit.advertisements)
        if unfit is None and all(item.node != name for item in fit.candidates):
            return Reason.NODE_WITHOUT_ENDPOINT
        return unfit

    def interfaces(self, name: str, fit: Fit) -> frozenset[str] | None:
        """Names of the interfaces that the node is to answer on; None: all.

        A node that the API server has forgotten answers on all of them, one that no advertisement selects any more on
        those of all advertisements: until another one has followed it.
        """
        node = self._world.nodes.get(name)
        if node is None:
            return None
        return _interfaces(_selecting(fit.advertisements, node) or fit.advertisements)

    def _candidates(self, matching: tuple[L2Advertisement, ...]) -> tuple[Candidate, ...]:
        key = tuple(map(id, matching))
        if key not in self._selected:
            self._selected[key] = self._intern(
                tuple(
                    Candidate(name, _weight(node, matching), () if named is None else (named,))
                    for name, node in sorted(self._world.nodes.items())
                    if self._unfit(node, matching) is None
                    for named in (_interfaces(_selecting(matching, node)),)
                )
            )
        return self._selected[key]

    def _intern(self, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
        return self._interned.setdefault(candidates, candidates)

    def _unfit(self, node: Node, matching: Iterable[L2Advertisement]) -> Reason | None:
        if node.excluded and not self._world.ignore_exclude_label:
            return Reason.NODE_EXCLUDED
        if self._world.by_readiness and not node.ready:
            return Reason.NODE_NOT_READY
        if node.network_unavailable:
            return Reason.NODE_NETWORK_UNAVAILABLE
        if not _selecting(matching, node):
            return Reason.NODE_NOT_SELECTED
        return None


def _covers(advertisement: L2Advertisement, spec: PoolSpec, service: Service) -> bool:
    """Whether the advertisement is about this pool and Service. Without any pool selector it is about all pools."""
    selects_pools = bool(advertisement.pools or advertisement.pool_selectors)
    named = spec.pool.name in advertisement.pools
    if selects_pools and not named and not any(item.matches(spec.labels) for item in advertisement.pool_selectors):
        return False
    selectors = advertisement.service_selectors
    return not selectors or any(item.matches(service.labels) for item in selectors)


def _selecting(advertisements: Iterable[L2Advertisement], node: Node) -> tuple[L2Advertisement, ...]:
    """Those that let the node announce."""
    return tuple(
        advertisement
        for advertisement in advertisements
        if not (selectors := advertisement.node_selectors) or any(item.matches(node.labels) for item in selectors)
    )


def _weight(node: Node, matching: Iterable[L2Advertisement]) -> int:
    return sum(
        item.weight
        for advertisement in _selecting(matching, node)
        for item in advertisement.preferences
        if item.selector.matches(node.labels)
    )


def _interfaces(advertisements: Iterable[L2Advertisement]) -> frozenset[str] | None:
    """The union of what the advertisements name; one that names none means all."""
    named: set[str] = set()
    for advertisement in advertisements:
        if not advertisement.interfaces:
            return None
        named.update(advertisement.interfaces)
    return frozenset(named)
