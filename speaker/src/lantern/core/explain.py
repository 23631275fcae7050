# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a Service has the address it has, or none: for its owner, who wants to know what to change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lantern.core import families
from lantern.core.allocate import Allocation
from lantern.core.decisions import Plan
from lantern.core.model import PoolSpec, Service, ServiceKey, Snapshot
from lantern.core.requests import Denied, Request, quoted, read
from lantern.core.usage import Usage, usage
from lantern.pools import Address
from lantern.reasons import Reason

_REMEDIES: Mapping[Reason, str] = {
    Reason.BAD_REQUEST: "correct what the Service asks for",
    Reason.OTHER_POOL_REQUESTED: "remove the annotation metallb.io/address-pool, or name {pool} in it",
    Reason.OTHER_ADDRESS_REQUESTED: "remove the requested address, or ask for one of {pool}",
    Reason.PINNED_ELSEWHERE: "remove the pin, or ask for {pool} with the annotation metallb.io/address-pool",
    Reason.PINNED_FOR_ANOTHER: "ask for another address, or change the pin",
    Reason.POOL_NOT_COMPATIBLE: "change the serviceAllocation of {pool}, or the labels of the Service or its namespace",
    Reason.POOL_NOT_AUTOMATIC: "annotate the Service with metallb.io/address-pool: {pool}",
    Reason.POOL_PENDING: "it is used as soon as its addresses are known",
    Reason.POOL_WITHOUT_FAMILY: "add such addresses to {pool}, or change the Service's ipFamilies",
    Reason.FAMILY_MISMATCH: "ask for an address of the Service's family, or change its ipFamilies",
    Reason.NO_FREE_ADDRESS: "add addresses to {pool}, or delete a Service that uses it",
    Reason.POOL_NOT_NEEDED: "ask for it with the annotation metallb.io/address-pool: {pool}",
    Reason.ADDRESS_IN_USE: "ask for another address, or share it",
    Reason.SHARING_KEY_DIFFERS: "give all that share the address the same metallb.io/allow-shared-ip",
    Reason.SHARING_PODS_DIFFER: "use externalTrafficPolicy Cluster, or the same selector",
    Reason.PORT_IN_USE: "use another port, or another address",
    Reason.AVOIDED_ADDRESS: "ask for another address, or set avoidBuggyIPs of {pool} to false",
}


@dataclass(frozen=True, slots=True)
class Considered:
    """One pool, as seen for one Service."""

    pool: str
    denied: Denied | None
    """Why it is not used; None when it is."""
    remedy: str = ""
    """What would change that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All that leads to the Service's address, or to none."""

    key: ServiceKey
    state: str
    """What is or will be, in sentences."""
    reason: Reason | None = None
    """Why the Service does not get what it asks for, if so."""
    asks: str = ""
    families: str = ""
    pinned: tuple[Address, ...] = ()
    remembered: tuple[Address, ...] = ()
    notes: tuple[Denied, ...] = ()
    pools: tuple[Considered, ...] = ()
    """In the order they are considered; empty when no pool is considered at all."""


def explain(snapshot: Snapshot, key: ServiceKey) -> Explanation:
    """Why the Service has its address, or none."""
    service = next((item for item in snapshot.services if item.key == key), None)
    remembered = snapshot.memory.get(key, ())
    if service is None:
        return Explanation(key=key, state=f"There is no Service {key}.", remembered=remembered)
    if not snapshot.managed(service):
        ours = f'those of class "{snapshot.lb_class}"' if snapshot.lb_class else "those without a class"
        state = f'It is left alone: its loadBalancerClass is "{service.lb_class}", and this controller serves {ours}.'
        return Explanation(key=key, state=state, remembered=remembered)
    allocation = Allocation(snapshot)
    plan = allocation.run()
    denied = next((item.denied for item in plan.refuse if item.service.key == key), None)
    pin = allocation.pins.of(key)
    considers = service.is_load_balancer and families.cluster_denied(service) is None
    counters = usage(snapshot.pools, plan) if considers else {}
    return Explanation(
        key=key,
        state=_state(plan, service),
        reason=denied.reason if denied else None,
        asks=_asks(service),
        families=_families(service),
        pinned=pin.addresses if pin else (),
        remembered=remembered,
        notes=tuple(item.denied for item in plan.notes if item.service.key == key),
        pools=tuple(
            _considered(allocation, _home(plan, key), service, spec, counters[spec.pool.name])
            for spec in (allocation.index.ranked if considers else ())
        ),
    )


def _home(plan: Plan, key: ServiceKey) -> str:
    """The pool of the Service's addresses once the plan is carried out; empty when it has none."""
    kept = [item.pool for item in plan.keep if item.service.key == key]
    given = [item.pool for item in plan.assign if item.service.key == key]
    return next(iter(kept + given), "")


def _state(plan: Plan, service: Service) -> str:
    said = [_had(plan, service)]
    said += [f"Refused: {_sentence(item.denied)}" for item in plan.refuse if item.service.key == service.key]
    return " ".join(said)


def _had(plan: Plan, service: Service) -> str:
    key = service.key
    for kept in plan.keep:
        if kept.service.key == key:
            return f"It has {_listed(service.addresses)} from pool {kept.pool}."
    for given in plan.assign:
        if given.service.key == key:
            why = f" instead of {_lost(service, given.lost)}" if given.lost else "."
            return f"It gets {_listed(given.addresses)} from pool {given.pool}{why}"
    for released in plan.release:
        if released.service.key == key and service.addresses:
            return f"It loses {_lost(service, released.lost)}"
    if not service.is_load_balancer:
        return "It is not of type LoadBalancer, so it gets no address."
    return "It has no address."


def _lost(service: Service, denied: Denied) -> str:
    return f"{_listed(service.addresses)} ({denied.reason.value}): {_sentence(denied)}"


def _sentence(denied: Denied) -> str:
    return denied.sentence if denied.sentence.endswith(".") else f"{denied.sentence}."


def _listed(addresses: tuple[Address, ...]) -> str:
    return " and ".join(map(str, addresses))


def _asks(service: Service) -> str:
    request = read(service)
    if isinstance(request, Denied):
        return f"something that cannot be read: {request.sentence}"
    asks = [f"address {address}" for address in request.addresses]
    asks += [f"pool {request.pool}"] if request.pool else []
    asks += [f'sharing, key "{service.sharing_key}"'] if service.sharing_key else []
    return ", ".join(asks) or "any address"


def _families(service: Service) -> str:
    if not service.families:
        return "none"
    policy = " (required)" if service.requires_dual_stack else " (one is enough)" if service.prefers_dual_stack else ""
    return families.names(service) + (policy if len(service.families) == 2 else "")


def _considered(allocation: Allocation, home: str, service: Service, spec: PoolSpec, counters: Usage) -> Considered:
    name = spec.pool.name
    if name == home:
        return Considered(name, None)
    denied = _closed(allocation, service, spec) or _empty(allocation, service, spec, counters)
    if denied is None:
        sentence = f"{_amount(service, counters)} left, but pool {home} comes first or has its address already"
        denied = Denied(Reason.POOL_NOT_NEEDED, sentence)
    return Considered(name, denied, _REMEDIES.get(denied.reason, "").format(pool=name))


def _closed(allocation: Allocation, service: Service, spec: PoolSpec) -> Denied | None:
    """Why the pool does not come into question, however many addresses it has."""
    name, request, pin = spec.pool.name, read(service), allocation.pins.of(service.key)
    if isinstance(request, Denied):
        return request
    if request.pool and request.pool != name:
        return Denied(Reason.OTHER_POOL_REQUESTED, f"the Service asks for pool {request.pool}")
    places = [allocation.index.find(address) for address in request.addresses]
    if request.addresses and all(place is None or place.spec is not spec for place in places):
        return Denied(Reason.OTHER_ADDRESS_REQUESTED, f"the Service asks for {quoted(request.addresses)}")
    if pin is not None and request == Request() and pin.spec is not spec:
        return Denied(Reason.PINNED_ELSEWHERE, f"{quoted(pin.addresses)} of pool {pin.spec.pool.name} is pinned for it")
    if (denied := allocation.eligibility.pool_denied(spec, service)) is not None:
        return denied
    for address in request.addresses:
        if (denied := allocation.eligibility.address_denied(service, address)) is not None:
            return denied
    if not spec.pool.auto_assign and not request.pool and not request.addresses:
        return Denied(Reason.POOL_NOT_AUTOMATIC, "it is used on request only (autoAssign: false)")
    return None


def _empty(allocation: Allocation, service: Service, spec: PoolSpec, counters: Usage) -> Denied | None:
    """Why the pool has nothing left for the Service."""
    if allocation.choice.gives(service, spec):
        return None
    denied = allocation.eligibility.pool_gives_none(service, spec)
    if denied.reason is not Reason.NO_FREE_ADDRESS:
        return denied
    return Denied(denied.reason, f"it is full: {_amount(service, counters)} left")


def _amount(service: Service, counters: Usage) -> str:
    return " and ".join(
        f"{_count(counters.available(version), counters.total(version))} IPv{version} addresses"
        for version in sorted(service.families)
        if counters.total(version)
    )


def _count(available: int, total: int) -> str:
    """Nobody counts the addresses of an IPv6 /64."""
    return f"{available} of {total}" if available < 10**6 else "plenty of"


def render(explanation: Explanation) -> str:
    """For a terminal: plain text, aligned."""
    rows = [
        ("state", explanation.state),
        ("reason", f"{explanation.reason.value}: {explanation.reason.meaning}" if explanation.reason else ""),
        ("asks for", explanation.asks),
        ("families", explanation.families),
        ("pinned", _listed(explanation.pinned)),
        ("had last", _listed(explanation.remembered)),
        *(("note", f"{note.reason.value}: {note.sentence}") for note in explanation.notes),
    ]
    lines = [f"Service {explanation.key}", *(f"  {name:<9} {text}" for name, text in rows if text)]
    if explanation.pools:
        lines += ["", "Pools, in the order they are considered"]
        width = max(len(item.pool) for item in explanation.pools)
        for item in explanation.pools:
            lines += _rendered(item, width)
    return "\n".join(lines) + "\n"


def _rendered(item: Considered, width: int) -> list[str]:
    if item.denied is None:
        return [f"  {item.pool:<{width}}  used"]
    lines = [f"  {item.pool:<{width}}  not used ({item.denied.reason.value}): {item.denied.sentence}"]
    if item.remedy:
        lines.append(f"  {'':<{width}}  to change it: {item.remedy}")
    return lines
