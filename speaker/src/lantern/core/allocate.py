# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Service has which address: pure, total, and stable.

Stable, because what Services have now is an input: whoever has a valid address keeps it, only then are the others
served, in the order of their creation. A restarted controller therefore decides the same, and applying a plan leads to
a snapshot whose plan changes nothing. Nothing here remembers, but for what need not be worked out twice (`recall`).

A Service that asks for something else than it has waits in the same queue, and keeps what it has until it gets the
other. What it gives up then is offered to all who still wait, oldest first. Of Services that cannot have one address
together the oldest keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable

from lantern.core import families
from lantern.core.choice import Case, Choice
from lantern.core.decisions import Assign, Keep, Note, Plan, Refuse, Release
from lantern.core.eligibility import Eligibility
from lantern.core.ledger import Ledger
from lantern.core.model import PoolSpec, Service, Snapshot
from lantern.core.pins import Pins
from lantern.core.pool_index import PoolIndex
from lantern.core.recall import Kept, Recall
from lantern.core.requests import Denied, Request, deprecated_annotations, quoted, read
from lantern.pools import Address
from lantern.reasons import Reason


def plan(snapshot: Snapshot, recall: Recall | None = None) -> Plan:
    """The one right assignment of addresses for this snapshot. With the same `recall` each time it is found sooner."""
    return Allocation(snapshot).run(recall)


class Allocation:
    """One run of `plan`. Afterwards its parts answer questions about what the plan makes true."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.index = PoolIndex(snapshot.pools)
        self.pins = Pins(self.index)
        self.ledger = Ledger(self.index)
        self.ledger.pin(self.pins.addresses)
        self.eligibility = Eligibility(snapshot, self.index, self.pins, self.ledger)
        self.choice = Choice(self.index, self.pins, self.ledger, self.eligibility, snapshot.memory)
        self._assign: list[Assign] = []
        self._keep: list[Keep] = []
        self._release: list[Release] = []
        self._refuse: list[Refuse] = []
        self._notes: list[Note] = []

    def run(self, recall: Recall | None = None) -> Plan:
        """Make the plan; once only."""
        recall = recall or Recall()
        recall.begin(self.snapshot)
        cases: list[Case] = []
        strangers: list[Service] = []
        for service in sorted(self.snapshot.services, key=lambda item: (item.created, item.key)):
            known = recall.of(service)
            if known is not None and self.ledger.take_alone(known.slots, service):
                self._keep.append(known.keep)
                recall.note(known)
            elif not self.snapshot.managed(service):
                strangers.append(service)
            elif not service.is_load_balancer:
                self._drop(service)
            elif (case := self._hold(service)) is not None:
                cases.append(case)
            else:
                self._note(service, recall)
        if cases:
            self._settle(cases, strangers)
        return Plan(
            assign=tuple(self._assign),
            keep=tuple(self._keep),
            release=tuple(self._release),
            refuse=tuple(self._refuse),
            notes=tuple(self._notes),
        )

    def _note(self, service: Service, recall: Recall) -> None:
        """Remember the Service if it keeps what it has, and there is nothing else to say of it."""
        if self._keep and self._keep[-1].service is service and not deprecated_annotations(service):
            slots = self.ledger.slots(service)
            if slots:
                recall.note(Kept(self._keep[-1], slots))

    def _drop(self, service: Service) -> None:
        """A Service that no longer balances: take back what it got from here, and nothing else."""
        if service.annotation("ip-allocated-from-pool") is not None:
            sentence = f'"{service.key}" is not of type LoadBalancer'
            self._release.append(Release(service=service, lost=Denied(Reason.NOT_LOAD_BALANCER, sentence)))

    def _hold(self, service: Service) -> Case | None:
        """Enter into the ledger what the Service may keep. Returns a Case if there is more to do for it."""
        if service.annotations and (old := deprecated_annotations(service)):
            self._note_deprecated(service, old)
        if (denied := families.cluster_denied(service)) is not None:
            self._refuse.append(Refuse(service=service, denied=denied))
            if service.addresses:
                self._release.append(Release(service=service, lost=denied))
            return None
        request = read(service)
        if not service.addresses:
            return Case(service, request)
        kept: list[Address] = []
        home: PoolSpec | None = None
        lost: Denied | None = None
        for address in service.addresses:
            found = self._tenable(service, address, kept, home)
            if isinstance(found, Denied):
                lost = lost or found
                continue
            home = found
            kept.append(address)
            self.ledger.take(address, service)
        if home is None or lost is not None or not self._is_content(service, request, kept, home):
            return Case(service, request, tuple(kept), home, lost)
        self._keep_all(service, home)
        return None

    def _tenable(
        self, service: Service, address: Address, kept: list[Address], home: PoolSpec | None
    ) -> PoolSpec | Denied:
        """The pool out of which the Service may keep the address beside those it keeps already out of `home`."""
        if any(address.version == other.version for other in kept):
            return families.mismatch(service, service.addresses)
        if (denied := self.eligibility.address_denied(service, address)) is not None:
            awaited = self.eligibility.awaited(service, address)
            if awaited is None or home not in (None, awaited):
                return denied
            return awaited
        place = self.index.find(address)
        if place is None or home not in (None, place.spec):
            sentence = f"{quoted(service.addresses)} is not allowed in config: the addresses are in different pools"
            return Denied(Reason.SPLIT_OVER_POOLS, sentence)
        return place.spec

    def _is_content(self, service: Service, request: Request | Denied, kept: list[Address], home: PoolSpec) -> bool:
        """Whether the Service has all it could have: the most frequent answer, so nothing else is looked at."""
        if isinstance(request, Denied) or len(kept) != len(service.families) or self.pins.of(service.key) is not None:
            return False
        if request.pool and request.pool != home.pool.name:
            return False
        return all(address in kept for address in request.addresses)

    def _settle(self, cases: list[Case], strangers: Iterable[Service]) -> None:
        for service in strangers:
            for address in service.addresses if service.is_load_balancer else ():
                # Left alone, but what another load balancer announces must not be announced here.
                self.ledger.block(address, service)
        holding = {kept.service.key for kept in self._keep}
        holding.update(assigned.service.key for assigned in self._assign)
        holding.update(case.service.key for case in cases if case.addresses)
        self.choice.set_aside(cases, holding)
        waiting = cases
        while waiting:
            # A list, not a generator: everybody is served in each round.
            gave_up = [self._serve(case) for case in waiting]
            waiting = [case for case in waiting if not case.is_settled]
            if not any(gave_up):
                break
        for case in cases:
            self._conclude(case)

    def _serve(self, case: Case) -> bool:
        """Give the Service what it can have now. Returns whether it gave up an address for it."""
        offer = self.choice.make(case)
        if isinstance(offer, Denied):
            case.denied = offer
            return False
        case.denied = None
        given_up = [address for address in case.addresses if address not in offer.addresses]
        for address in given_up:
            self.ledger.free(address, case.service)
        for address in offer.addresses:
            if address not in case.addresses:
                self.ledger.take(address, case.service)
        if given_up:
            case.lost = offer.moved
        case.addresses, case.spec = offer.addresses, offer.spec
        return bool(given_up)

    def _conclude(self, case: Case) -> None:
        service = case.service
        if case.denied is not None:
            self._refuse.append(Refuse(service=service, denied=case.denied))
        if case.pin_denied is not None:
            self._notes.append(
                Note(service=service, event_reason="PinNotUsed", denied=case.pin_denied, is_warning=True)
            )
        if case.spec is None or not case.addresses:
            if service.addresses and case.lost is not None:
                self._release.append(Release(service=service, lost=case.lost))
            return
        if families.may_be_partial(service) and len(case.addresses) == 1:
            self._note_single(case, case.spec)
        if sorted(case.addresses, key=_order) == sorted(service.addresses, key=_order):
            self._keep_all(service, case.spec)
            return
        lost = case.lost if set(service.addresses) - set(case.addresses) else None
        addresses = families.in_order(case.addresses)
        self._assign.append(Assign(service=service, addresses=addresses, pool=case.spec.pool.name, lost=lost))

    def _keep_all(self, service: Service, home: PoolSpec) -> None:
        name = home.pool.name
        if service.annotation("ip-allocated-from-pool") == name:
            self._keep.append(Keep(service=service, pool=name))
        else:
            self._assign.append(Assign(service=service, addresses=service.addresses, pool=name))

    def _note_single(self, case: Case, spec: PoolSpec) -> None:
        why = self.choice.second_denied(case, spec)
        sentence = f"cannot assign additional IP in PreferDualStack: {why.sentence}"
        denied = Denied(why.reason, sentence)
        self._notes.append(Note(service=case.service, event_reason="AdditionalAssignFailed", denied=denied))

    def _note_deprecated(self, service: Service, old: tuple[str, ...]) -> None:
        new = ", ".join(f"metallb.io/{key.partition('/')[2]}" for key in old)
        sentence = f"Service uses deprecated annotation {', '.join(old)}. Use {new}."
        denied = Denied(Reason.DEPRECATED_ANNOTATION, sentence)
        self._notes.append(Note(service=service, event_reason="deprecatedAnnotation", denied=denied, is_warning=True))


def _order(address: Address) -> tuple[int, int]:
    return (address.version, int(address))
