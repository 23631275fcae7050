# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses a node answers for, and for every other one the reason why not."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from lantern.core.candidates import Candidacy, Fit, World
from lantern.core.elect import owner
from lantern.core.model import Service, ServiceKey, Snapshot
from lantern.core.requests import Denied
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


Verdict = tuple[Claim, ...] | Withheld
"""About one Service; never an empty tuple."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What this node announces by layer 2, complete. Verdicts that stay as they were are the same objects as before."""

    verdicts: Mapping[ServiceKey, Verdict] = field(default_factory=dict)
    """By Service, in the order of the keys."""

    @property
    def claims(self) -> tuple[Claim, ...]:
        return tuple(claim for found in self.verdicts.values() if isinstance(found, tuple) for claim in found)

    @property
    def withheld(self) -> tuple[Withheld, ...]:
        return tuple(found for found in self.verdicts.values() if isinstance(found, Withheld))


@dataclass(frozen=True, slots=True, kw_only=True)
class Vantage:
    """From where the decision is made."""

    node: str
    interfaces: frozenset[str]
    """Names of this node's interfaces that may announce."""
    ignore_exclude_label: bool = False


def decide(snapshot: Snapshot, vantage: Vantage) -> Decision:
    """What the node announces where speakers do not know of each other: by hash, over all nodes that are Ready.

    All nodes that see the same snapshot agree on one owner for each address.
    """
    world = World(
        pools=snapshot.pools,
        advertisements=snapshot.advertisements,
        nodes=snapshot.nodes,
        ignore_exclude_label=vantage.ignore_exclude_label,
        by_readiness=True,
    )
    candidacy = Candidacy(world)
    verdicts: dict[ServiceKey, Verdict] = {}
    for service in sorted(snapshot.services, key=lambda item: item.key):
        if not service.is_load_balancer or not snapshot.managed(service):
            continue
        fit = candidacy.of(service, snapshot.endpoints.get(service.key, ()))
        found = fit if isinstance(fit, Denied) else _elected(service, fit, candidacy, vantage)
        verdicts[service.key] = Withheld(service=service, denied=found) if isinstance(found, Denied) else found
    return Decision(verdicts)


def _elected(service: Service, fit: Fit, candidacy: Candidacy, vantage: Vantage) -> tuple[Claim, ...] | Denied:
    denied = not_candidate(service, fit, candidacy, vantage.node)
    if denied is not None:
        return denied
    # The first address decides for all of a Service, so that a dual-stack Service has one owner.
    chosen = owner(service.addresses[0], *_names_and_weights(fit))
    if chosen != vantage.node:
        return Denied(Reason.NOT_OWNER, f'node "{chosen}" owns {service.addresses[0]}')
    return announcement(service, fit, candidacy, vantage.node, vantage.interfaces)


def _names_and_weights(fit: Fit) -> tuple[list[str], dict[str, int]]:
    weights = {item.node: item.weight for item in fit.candidates}
    return list(weights), weights


def not_candidate(service: Service, fit: Fit, candidacy: Candidacy, node: str) -> Denied | None:
    """Why the node may not announce the Service, whoever else does; None when it may."""
    unfit = candidacy.unfit(node, fit)
    return None if unfit is None else Denied(unfit, f'node "{node}" does not announce "{service.key}": {unfit.meaning}')


def announcement(
    service: Service, fit: Fit, candidacy: Candidacy, node: str, present: frozenset[str]
) -> tuple[Claim, ...] | Denied:
    """What the owner of a Service announces over the interfaces that are present, or why it cannot."""
    named = candidacy.interfaces(node, fit)
    interfaces = named if named is None else named & present
    if interfaces is not None and not interfaces:
        listed = ", ".join(sorted(named or ()))
        sentence = f'none of the interfaces {listed} for "{service.key}" exists on node "{node}"'
        return Denied(Reason.NO_INTERFACE, sentence)
    return tuple(
        Claim(address=address, service=service, pool=fit.pool, interfaces=interfaces) for address in service.addresses
    )


def in_force(decision: Decision, node: str, *, in_use: Set[Address], probing: Set[Address]) -> Decision:
    """The decision as far as it is carried out.

    `in_use` are addresses that a host outside the cluster has, `probing` those of which that is not known yet.
    """
    if not in_use and not probing:
        return decision
    waiting = in_use | probing
    return Decision({key: _left(verdict, node, waiting, probing) for key, verdict in decision.verdicts.items()})


def _left(verdict: Verdict, node: str, waiting: Set[Address], probing: Set[Address]) -> Verdict:
    if isinstance(verdict, Withheld) or not any(claim.address in waiting for claim in verdict):
        return verdict
    if left := tuple(claim for claim in verdict if claim.address not in waiting):
        return left
    undecided = any(claim.address in probing for claim in verdict)
    service, reason = verdict[0].service, Reason.PROBING if undecided else Reason.IN_USE_ELSEWHERE
    sentence = f'node "{node}" owns "{service.key}" and does not announce it: {reason.meaning}'
    return Withheld(service=service, denied=Denied(reason, sentence))


def claims_by_address(decision: Decision) -> dict[Address, frozenset[str] | None]:
    """Where to answer for each address. Services that share one widen it: None (all interfaces) wins."""
    merged: dict[Address, frozenset[str] | None] = {}
    for claim in decision.claims:
        known = merged.get(claim.address, frozenset())
        merged[claim.address] = None if known is None or claim.interfaces is None else known | claim.interfaces
    return merged
