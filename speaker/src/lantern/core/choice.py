# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses a Service should have, given what is free at this moment of making a plan.

What counts, in this order: what the Service asks for; what is pinned for it; what it has; what it had before; then the
pools reserved for such Services by priority, then the general ones by age. All addresses of a Service are of one pool.
Within a pool and a family: the address it has, the one pinned for it, the one it had (an IPv6 host part under a new
prefix counts as the same), the first that it may share, the first free one, and last those that others may come back
for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lantern.core import families
from lantern.core.eligibility import Eligibility
from lantern.core.ledger import Ledger
from lantern.core.model import PoolSpec, Service, ServiceKey
from lantern.core.pins import Pins
from lantern.core.pool_index import PoolIndex
from lantern.core.requests import Denied, Request, quoted
from lantern.pools import Address
from lantern.reasons import Reason


@dataclass(slots=True)
class Case:
    """A Service that is not simply kept as it is, while the plan is being made."""

    service: Service
    request: Request | Denied
    addresses: tuple[Address, ...] = ()
    """What it has in the ledger, all out of `spec`."""
    spec: PoolSpec | None = None
    lost: Denied | None = None
    """Why addresses that it has in the cluster are given up."""
    denied: Denied | None = None
    """Why it does not get what it asks for."""
    pin_denied: Denied | None = None
    """Why it does not get what is pinned for it."""

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing more to find for it."""
        complete = families.is_complete(self.service, self.addresses)
        return complete and self.denied is None and self.pin_denied is None


class Offer(NamedTuple):
    """What a Service gets. `moved`: why, if it has other addresses."""

    addresses: tuple[Address, ...]
    spec: PoolSpec
    moved: Denied | None = None


class Choice:
    """Makes choices; changes nothing itself."""

    __slots__ = ("_eligibility", "_index", "_ledger", "_memory", "_pins", "_wished")

    def __init__(
        self,
        index: PoolIndex,
        pins: Pins,
        ledger: Ledger,
        eligibility: Eligibility,
        memory: Mapping[ServiceKey, tuple[Address, ...]],
    ) -> None:
        self._index = index
        self._pins = pins
        self._ledger = ledger
        self._eligibility = eligibility
        self._memory = memory
        self._wished: dict[Address, set[ServiceKey]] = {}

    def set_aside(self, cases: Iterable[Case], holding: set[ServiceKey]) -> None:
        """Addresses that somebody will ask for are handed to others last: remembered ones, the longest unused first,
        then those under a new prefix, then those asked for by a Service whose turn comes later."""
        remembered: dict[Address, None] = {}
        for key, addresses in self._memory.items():
            for address in addresses if key not in holding else ():
                # Of several Services that had it the latest counts.
                remembered.pop(address, None)
                remembered[address] = None
        self._ledger.set_aside(remembered)
        following = [spec for spec in self._index.specs.values() if spec.host_parts]
        for case in cases:
            for address in case.service.addresses:
                successors = [self._index.same_host_part(spec, address) for spec in following]
                self._ledger.set_aside(found for found in successors if found is not None)
            if isinstance(case.request, Request):
                for address in case.request.addresses:
                    self._wished.setdefault(address, set()).add(case.service.key)
        self._ledger.set_aside(self._wished)

    def make(self, case: Case) -> Offer | Denied:
        """What the Service gets now; a Denied leaves it what it has. Sets `case.pin_denied`."""
        request = case.request
        case.pin_denied = None
        if isinstance(request, Denied):
            return request
        if request.addresses:
            return self._as_asked(case, request)
        if request.pool:
            return self._from_asked_pool(case, request.pool)
        if (pinned := self._at_pin(case)) is not None:
            return pinned
        if case.spec is not None:
            return self._completed(case, case.spec)
        return self._as_before(case) or self._automatic(case)

    def gives(self, service: Service, spec: PoolSpec) -> bool:
        """Whether the pool has something left for the Service, admitted or not."""
        return self._best(Case(service, Request()), spec) is not None

    def _as_asked(self, case: Case, request: Request) -> Offer | Denied:
        service, wanted = case.service, request.addresses
        if (denied := families.request_denied(service, wanted)) is not None:
            return denied
        if request.pool and request.pool not in self._index.specs:
            return _unknown(request.pool)
        # What no other Service can change comes first, so that the answer is the same in the next plan.
        for address in wanted:
            if (denied := self._eligibility.rule_denied(service, address)) is not None:
                return denied
        spec = self._index.pool_of(wanted)
        if spec is None:
            why = "the addresses are in different pools. Ask for two of one pool."
            return Denied(Reason.SPLIT_OVER_POOLS, f"{quoted(wanted)} is not allowed in config: {why}")
        if request.pool and request.pool != spec.pool.name:
            asked = f"not compatible with requested address pool {request.pool}"
            return Denied(Reason.OTHER_POOL_REQUESTED, f"{quoted(wanted)} is in pool {spec.pool.name}, {asked}")
        for address in wanted:
            if (denied := self._eligibility.use_denied(service, address)) is not None:
                return denied
        moved = Denied(Reason.OTHER_ADDRESS_REQUESTED, f"{quoted(wanted)} is requested")
        return Offer(self._best(case, spec, wanted) or wanted, spec, moved)

    def _from_asked_pool(self, case: Case, name: str) -> Offer | Denied:
        spec = self._index.specs.get(name)
        if spec is None:
            return _unknown(name)
        pin = self._pins.of(case.service.key)
        if pin is not None and pin.spec is spec and (pinned := self._at_pin(case)) is not None:
            return pinned
        if (denied := self._eligibility.pool_denied(spec, case.service)) is not None:
            return denied
        if (found := self._best(case, spec)) is None:
            return self._eligibility.pool_gives_none(case.service, spec)
        return Offer(found, spec, Denied(Reason.OTHER_POOL_REQUESTED, f"pool {name} is requested"))

    def _at_pin(self, case: Case) -> Offer | None:
        """What is pinned for the Service; None, and `case.pin_denied` set, when it cannot have it."""
        pin = self._pins.of(case.service.key)
        if pin is None:
            return None
        fitting = tuple(address for address in pin.addresses if address.version in case.service.families)
        denied = None if fitting else families.mismatch(case.service, pin.addresses)
        for address in fitting:
            denied = denied or self._eligibility.address_denied(case.service, address)
        if denied is None:
            found = self._best(case, pin.spec, fitting)
            if found is not None:
                sentence = f"{quoted(fitting)} of pool {pin.spec.pool.name} is pinned for the Service"
                return Offer(found, pin.spec, Denied(Reason.PINNED_ELSEWHERE, sentence))
            denied = self._eligibility.pool_gives_none(case.service, pin.spec)
        sentence = f"{quoted(pin.addresses)}, pinned for the Service, is not used: {denied.sentence}"
        case.pin_denied = Denied(denied.reason, sentence)
        return None

    def _completed(self, case: Case, spec: PoolSpec) -> Offer | Denied:
        """What the Service has, and the family that is missing: from the same pool, unless it requires both."""
        found = self._best(case, spec)
        if found is not None:
            return Offer(found, spec)
        elsewhere = self._automatic(case)
        if isinstance(elsewhere, Denied):
            return elsewhere
        why = f"the Service needs {families.names(case.service)} and pool {spec.pool.name} has only one of them"
        moved = Denied(Reason.FAMILY_MISMATCH, f"{quoted(case.addresses)} is not enough: {why}")
        return elsewhere._replace(moved=moved)

    def _as_before(self, case: Case) -> Offer | None:
        """What the Service had last, where that is free and would be given to it."""
        before = self._before(case)
        if not before:
            return None
        places = [self._index.find(address) for address in before]
        specs = [place.spec for place in places if place is not None]
        specs += [spec for spec in self._index.ranked if spec.host_parts]
        for spec in specs:
            if not spec.pool.auto_assign or self._eligibility.pool_denied(spec, case.service) is not None:
                continue
            had = {self._had(case, spec, version) for version in case.service.families} - {None}
            found = self._best(case, spec) if had else None
            if found is not None and had.intersection(found):
                return Offer(found, spec)
        return None

    def _automatic(self, case: Case) -> Offer | Denied:
        """The first pool that has what the Service needs, of those open to it."""
        reserved, general = self._eligibility.open_pools(case.service)
        for specs in (reserved, general):
            for versions in families.alternatives(case.service):
                for spec in specs:
                    if (found := self._picked(case, spec, versions)) is not None:
                        return Offer(found, spec)
        return self._eligibility.none_available(case.service, [*reserved, *general])

    def _best(self, case: Case, spec: PoolSpec, fixed: Sequence[Address] = ()) -> tuple[Address, ...] | None:
        """The most that one pool gives, without giving up `fixed` or a family that the Service has from there."""
        held = case.addresses if case.spec is spec and not fixed else fixed
        needed = {address.version for address in held}
        for versions in families.alternatives(case.service):
            if needed <= set(versions) and (found := self._picked(case, spec, versions, fixed)) is not None:
                return found
        return None

    def _picked(
        self, case: Case, spec: PoolSpec, versions: Sequence[int], fixed: Sequence[Address] = ()
    ) -> tuple[Address, ...] | None:
        """One address of each family, IPv4 first; None when the pool lacks any."""
        given: dict[int, Address] = {address.version: address for address in fixed}
        found: list[Address] = []
        for version in versions:
            address = given.get(version) or self._pick(case, spec, version)
            if address is None:
                return None
            found.append(address)
        return tuple(found)

    def _pick(self, case: Case, spec: PoolSpec, version: int) -> Address | None:
        name = spec.pool.name
        return (
            next((item for item in case.addresses if case.spec is spec and item.version == version), None)
            or self._pinned(case, spec, version)
            or self._had(case, spec, version)
            or self._ledger.first_shared(name, version, case.service)
            or self._ledger.first_free(name, version)
            or self._ledger.last_resort(spec, version)
        )

    def _pinned(self, case: Case, spec: PoolSpec, version: int) -> Address | None:
        pin = self._pins.of(case.service.key)
        if pin is None or pin.spec is not spec:
            return None
        return self._first_allowed(case, spec, (item for item in pin.addresses if item.version == version))

    def _had(self, case: Case, spec: PoolSpec, version: int) -> Address | None:
        """What the Service had from the pool, unless it has become another's or another Service asks for it."""
        before = [address for address in self._before(case) if address.version == version]
        if not before:
            return None
        if spec.host_parts:
            before += [found for item in before if (found := self._index.same_host_part(spec, item)) is not None]
        others = (item for item in before if not self._wished.get(item, set()) - {case.service.key})
        return self._first_allowed(case, spec, others)

    def _before(self, case: Case) -> tuple[Address, ...]:
        return (*case.service.addresses, *self._memory.get(case.service.key, ()))

    def _first_allowed(self, case: Case, spec: PoolSpec, addresses: Iterable[Address]) -> Address | None:
        for address in addresses:
            place = self._index.find(address)
            inside = place is not None and place.spec is spec
            if inside and self._eligibility.address_denied(case.service, address) is None:
                return address
        return None

    def second_denied(self, case: Case, spec: PoolSpec) -> Denied:
        """Why a Service that prefers two families has no address of the other one."""
        version = next(version for version in case.service.families if version != case.addresses[0].version)
        pool = spec.pool.name
        if self._index.offers(spec, version):
            return Denied(Reason.NO_FREE_ADDRESS, f"no available IPs in pool {pool}: all of IPv{version} are in use")
        if spec.pending:
            return Denied(Reason.POOL_PENDING, f"no available IPs in pool {pool}: it is pending: {spec.pending}")
        return Denied(Reason.POOL_WITHOUT_FAMILY, f"pool {pool} has no IPv{version} addresses")


def _unknown(pool: str) -> Denied:
    return Denied(Reason.UNKNOWN_POOL, f'unknown pool "{pool}"')
