# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who announces a Service, why that node, who would follow, and why all others do not: for people.

Decided from the API server's objects alone, or better with the word of a speaker, which hears the others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from lantern.core.announced import Announcer
from lantern.core.candidates import Fit
from lantern.core.elect import owner as first_by_hash
from lantern.core.model import ANYWAY_ANNOTATION, Node, Service, ServiceKey, Snapshot
from lantern.core.requests import Denied
from lantern.core.spread import Field, can, place
from lantern.core.vips import Vip, VipIndex
from lantern.reasons import Reason
from lantern.tenure import Bulletin

_REMEDIES: Mapping[Reason, str] = {
    Reason.NO_SERVING_ENDPOINT: "make a pod of the Service ready, and see that its selector finds it",
    Reason.ADDRESS_NOT_IN_POOL: "add the address to a pool, or let the Service have another one",
    Reason.INVALID_ADDRESS: "find out who else writes the status of the Service",
    Reason.NO_ADVERTISEMENT: "make an L2Advertisement for the pool, or let one match the labels of the Service",
    Reason.SHARED_AND_SELECTED: "remove serviceSelectors from the L2Advertisement, or stop sharing the address",
    Reason.SHARED_ELSEWHERE: "give the Service an address of its own, or let one node announce all that share it",
    Reason.NODE_NOT_SELECTED: "change the nodeSelectors of the L2Advertisements, or the labels of {node}",
    Reason.NODE_EXCLUDED: "kubectl label node {node} node.kubernetes.io/exclude-from-external-load-balancers-",
    Reason.NODE_NETWORK_UNAVAILABLE: "see why the network plug-in does not run on {node}",
    Reason.NODE_WITHOUT_ENDPOINT: "let a pod of the Service run on {node}, or use externalTrafficPolicy Cluster",
    Reason.NODE_NOT_READY: "see why {node} is not Ready, or ask in the pod of a speaker, which hears the others",
    Reason.NO_SPEAKER: "see whether the pod of the speaker runs on {node}, and hears the others: lantern members",
    Reason.NO_INTERFACE: "plug in one of these interfaces of {node}, or change the L2Advertisements",
    Reason.NO_CARRIER: "plug in the cable of {node}",
    Reason.NODE_ADDRESS_LOST: "give {node} its address back; if it has another one now, delete the pod of its speaker",
    Reason.IN_USE_ELSEWHERE: "give that host another address, take this one out of the pools, or annotate the Service "
    f"with {ANYWAY_ANNOTATION}=true",
    Reason.STARTING: "wait a few seconds",
}


class Basis(Enum):
    """What decided between the nodes that may announce an address."""

    ONLY = "only"
    OWNER = "owner"
    WEIGHT = "weight"
    SETTLED = "settled"
    COUNT = "count"
    HASH = "hash"

    @property
    def meaning(self) -> str:
        """One line that explains it."""
        return _BASES[self]


_BASES: Mapping[Basis, str] = {
    Basis.ONLY: "no other node can announce it at the moment",
    Basis.OWNER: "it has the address, and an owner stays the owner as long as it lives and may announce it",
    Basis.WEIGHT: "preferredNodeSelectors give it the greatest weight",
    Basis.SETTLED: "the others of the greatest weight have not been there for long enough yet",
    Basis.COUNT: "of the nodes of the greatest weight it carries the fewest addresses",
    Basis.HASH: "of equal nodes it is the first by the hash of node and address",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a speaker says about a Service and about all speakers."""

    by: str
    """Its node."""
    by_hash: bool = False
    """MetalLB's election is in force."""
    speakers: Mapping[str, Bulletin]
    """All that are alive as it hears them, itself included."""
    foreign: Collection[str] = ()
    """Members of gossip that are no speakers of Lantern's."""
    addressed: bool = True
    """`by` has its own address."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """How many VIPs the nodes own."""
    owner: str = ""
    term: int = 0
    in_use: tuple[str, ...] = ()
    """Addresses that the owner does not announce, as a host outside the cluster has them."""
    heir: str = ""


@dataclass(frozen=True, slots=True)
class Sighting:
    """An Event about what was found in the LAN."""

    at: str
    """RFC 3339 text."""
    node: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known beside the snapshot."""

    announcers: Sequence[Announcer] = ()
    """Of all Services, by their ServiceL2Status."""
    assigned: str = ""
    """The node that the newest Event nodeAssigned of the Service names."""
    sightings: Sequence[Sighting] = ()
    """Of the Service's addresses, the oldest first."""
    told: Told | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One node, as seen for the Service."""

    node: str
    state: str
    denied: Denied | None = None
    """Why it does not announce; None when it does."""
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcing:
    """All that leads to the node that announces a Service, or to none."""

    state: str
    reason: Reason | None = None
    """Why nobody may announce it, or the owner does not."""
    remedy: str = ""
    why: str = ""
    """Why this node."""
    next: str = ""
    """Who would follow."""
    source: str = ""
    """Who says so."""
    conflicts: tuple[Sighting, ...] = ()
    notes: tuple[str, ...] = ()
    nodes: tuple[Row, ...] = ()


def explain_announcing(
    snapshot: Snapshot, key: ServiceKey, evidence: Evidence, *, ignore_exclude_label: bool = False
) -> Announcing | None:
    """Who announces the Service and why; None when it is not the speakers' business."""
    index = VipIndex(ignore_exclude_label)
    index.update(snapshot)
    if key not in index.services:
        return None
    service, conflicts = index.service(key), _conflicts(evidence.sightings)
    fit, denied = index.fit(key), index.denied.get(key)
    if denied is not None or fit is None:
        assert denied is not None, f"{key} is either fit or denied"
        said = [item.node for item in evidence.announcers if item.service == key]
        notes = (f"its ServiceL2Status still names {_listed(said)}",) if said else ()
        remedy = _REMEDIES.get(denied.reason, "")
        state = f"No node may announce it: {denied.sentence}."
        return Announcing(state=state, reason=denied.reason, remedy=remedy, conflicts=conflicts, notes=notes)
    return _Case(snapshot, index, service, fit, index.vip_of[service.addresses[0].packed], evidence).explained(
        conflicts
    )


class _Case:
    """One Service that may be announced."""

    def __init__(
        self, snapshot: Snapshot, index: VipIndex, service: Service, fit: Fit, vip: Vip, evidence: Evidence
    ) -> None:
        self._nodes = snapshot.nodes
        self._index = index
        self._service = service
        self._fit = fit
        self._vip = vip
        self._told = evidence.told
        self._in_use = evidence.told.in_use if evidence.told else ()
        self._announcers = [item for item in evidence.announcers if item.service == service.key]
        self._owners, self._source = self._found(evidence)
        self._counts = dict(evidence.told.counts) if evidence.told else self._counted(evidence.announcers)
        self._speakers = evidence.told.speakers if evidence.told else self._assumed()
        self._by_hash = evidence.told is not None and evidence.told.by_hash
        self._denied = {name: self._why_not(node) for name, node in self._nodes.items()}

    def explained(self, conflicts: tuple[Sighting, ...]) -> Announcing:
        owner = self._owners[0] if self._owners else ""
        reason = Reason.IN_USE_ELSEWHERE if self._in_use else None
        heir = self._told.heir if self._told is not None else self._elected(without=owner)
        return Announcing(
            state=self._state(),
            reason=reason,
            remedy=_REMEDIES[reason] if reason is not None else "",
            why=self._why_owner(owner) if owner else "",
            next=self._why_next(heir, owner) if heir else self._why_nobody(owner),
            source=self._source,
            conflicts=conflicts,
            notes=tuple(self._notes(owner)),
            nodes=tuple(self._row(name, heir) for name in sorted(self._nodes)),
        )

    # What is known of who announces.

    def _found(self, evidence: Evidence) -> tuple[list[str], str]:
        """The nodes that announce, and who says so, the most direct witness first."""
        if evidence.told is not None:
            told = evidence.told
            term = f" (term {told.term})" if told.term else ""
            return [told.owner] if told.owner else [], f"the speaker of {told.by}, which hears the others{term}"
        if self._announcers:
            return sorted({item.node for item in self._announcers}), "its ServiceL2Status"
        if evidence.assigned:
            return [evidence.assigned], "the newest Event nodeAssigned, which may be out of date"
        return [], ""

    def _counted(self, announcers: Sequence[Announcer]) -> dict[str, int]:
        """How many VIPs the nodes own by what the cluster was told."""
        owned = set()
        for item in announcers:
            service = self._index.service(item.service) if item.service in self._index.services else None
            vip = self._index.vip_of.get(service.addresses[0].packed) if service and service.addresses else None
            if vip is not None:
                owned.add((item.node, vip.key))
        counts = dict.fromkeys(self._nodes, 0)
        for node, _ in owned:
            counts[node] = counts.get(node, 0) + 1
        return counts

    def _assumed(self) -> dict[str, Bulletin]:
        """What the speakers would say if all were well on every node that is Ready or announces."""
        named = {name: b"" for item in self._vip.candidates for names in item.interfaces for name in names}
        word = Bulletin(ready=True, settled=True, interfaces=named or {"any": b""})
        return {name: word for name, node in self._nodes.items() if node.ready or name in self._owners}

    # Why, and who else.

    def _can(self, name: str) -> bool:
        return name in self._nodes and self._denied[name] is None

    def _able(self, without: str = "") -> dict[str, int]:
        """The nodes that could announce, with their weights."""
        return {
            item.node: item.weight for item in self._vip.candidates if item.node != without and self._can(item.node)
        }

    def _elected(self, without: str) -> str:
        """Who would be chosen if this node were gone; empty for nobody."""
        able = self._able(without)
        if self._by_hash:
            return first_by_hash(self._service.addresses[0], list(able), able) or ""
        return place([self._vip], self._field(without), self._counts).get(self._vip.key, "")

    def _field(self, without: str) -> Field:
        return Field({name: word for name, word in self._speakers.items() if name != without})

    def _basis(self, chosen: str, without: str) -> Basis:
        """What an election among all but one node turns on."""
        able = self._able(without)
        top = [name for name, weight in able.items() if weight == max(able.values())]
        if len(able) < 2:
            return Basis.ONLY
        if top == [chosen]:
            return Basis.WEIGHT
        if self._by_hash:
            return Basis.HASH
        best = self._field(without).best(self._vip.candidates)
        if best == (chosen,):
            return Basis.SETTLED
        carried = [self._counts.get(name, 0) for name in best]
        # A speaker's answer counts in what else the heir would get at the same time.
        least = chosen in best and self._counts.get(chosen, 0) == min(carried)
        return Basis.HASH if least and carried.count(min(carried)) > 1 else Basis.COUNT

    def _why_owner(self, owner: str) -> str:
        denied = self._denied.get(owner)
        if owner not in self._nodes:
            return "the cluster has no such Node any more"
        if denied is not None:
            return f"it has the address but should hand it over ({denied.reason.value}): {denied.sentence}"
        able = self._able()
        preferred = sorted(name for name, weight in able.items() if weight > able.get(owner, 0))
        basis = self._basis(owner, "")
        if basis not in (Basis.ONLY, Basis.WEIGHT) and not (basis is Basis.HASH and self._by_hash):
            basis = Basis.OWNER
        more = f"; {_listed(preferred)} of greater weight would get it once settled" if preferred else ""
        return f"{basis.value}: {basis.meaning}{more}"

    def _why_next(self, heir: str, owner: str) -> str:
        basis = self._basis(heir, owner)
        when = f"if {owner} died now" if owner else "which is to take it"
        return f"{heir}, {when} ({basis.value}: {basis.meaning})"

    def _why_nobody(self, owner: str) -> str:
        return f"nobody: no node but {owner} can announce it" if owner else "nobody: no node can announce it"

    def _state(self) -> str:
        listed = _listed([str(address) for address in self._service.addresses])
        if not self._owners:
            return f"Nobody announces {listed}, as far as is known."
        if len(self._owners) > 1:
            return f"{_listed(self._owners)} announce {listed}, each of them."
        if self._in_use:
            return f"{self._owners[0]} owns {listed}, and does not announce {_listed(self._in_use)}."
        return f"{self._owners[0]} announces {listed} on {self._interfaces(self._owners[0])}."

    def _interfaces(self, owner: str) -> str:
        named = self._index.candidacy.interfaces(owner, self._fit) if owner in self._nodes else None
        word = self._speakers.get(owner) if self._told is not None else None
        said = next((item.interfaces for item in self._announcers if item.node == owner), ())
        if word is not None:
            said = tuple(sorted(name for name in word.interfaces if named is None or name in named))
        return _listed(said) if said else "all its interfaces"

    def _notes(self, owner: str) -> list[str]:
        notes = []
        if len(self._owners) > 1:
            notes.append("it is being handed over just now, or these nodes do not hear each other: lantern members")
        if self._told is not None:
            others = sorted({item.node for item in self._announcers} - {owner})
            if others:
                notes.append(f"its ServiceL2Status names {_listed(others)}: it follows the owner by some seconds")
            if self._by_hash:
                notes.append(
                    "the election is MetalLB's, by weight and hash: a node that comes back takes its addresses"
                )
        elif any(name in self._nodes and not self._nodes[name].ready for name in self._owners):
            notes.append("that node is not Ready: what the cluster was told may be out of date")
        sharing = [str(key) for key in self._vip.services if key != self._service.key]
        if sharing:
            notes.append(f"it goes with {_listed(sharing)}, which share its addresses, always to one node")
        return notes

    # The nodes.

    def _why_not(self, node: Node) -> Denied | None:
        """Why a node cannot announce; None when it can."""
        for key in (self._service.key, *self._vip.services):
            fit = self._index.fit(key)
            unfit = self._index.candidacy.unfit(node.name, fit) if fit is not None else None
            if unfit is not None:
                whose = "" if key == self._service.key else f", for {key}, which shares the address"
                return Denied(unfit, f"{unfit.meaning}{whose}")
        if self._told is None:
            word = self._speakers.get(node.name)
            return None if word is not None else _plainly(Reason.NODE_NOT_READY)
        return self._not_able(node.name, self._told)

    def _not_able(self, name: str, told: Told) -> Denied | None:
        """Why its speaker cannot, by what is heard of it."""
        word = told.speakers.get(name)
        if word is None:
            return None if name in told.foreign else _plainly(Reason.NO_SPEAKER)
        for reason, holds in ((Reason.STARTING, not word.ready), (Reason.LEAVING, word.leaving)):
            if holds:
                return _plainly(reason)
        candidate = next((item for item in self._vip.candidates if item.node == name), None)
        if candidate is None or can(candidate, word):
            return None
        if not word.interfaces:
            lost = name == told.by and not told.addressed
            return _plainly(Reason.NODE_ADDRESS_LOST if lost else Reason.NO_CARRIER)
        missing = [names for names in candidate.interfaces if not any(one in word.interfaces for one in names)]
        wanted = _listed(sorted(missing[0]))
        return Denied(
            Reason.NO_INTERFACE, f"it needs {wanted} with a carrier, and has {_listed(sorted(word.interfaces))}"
        )

    def _row(self, name: str, heir: str) -> Row:
        denied = self._denied[name]
        if denied is not None:
            state = "announces, but should not" if name in self._owners else "cannot"
            return Row(name, state, denied, _REMEDIES.get(denied.reason, "").format(node=name))
        candidate = next((item for item in self._vip.candidates if item.node == name), None)
        load = _carries(self._counts.get(name, 0), candidate.weight if candidate is not None else 0)
        if name in self._owners:
            return Row(name, f"{'owns it' if self._in_use else 'announces'}; {load}")
        state = "next" if name == heir else "could"
        return Row(name, f"{state}; {load}", _plainly(Reason.NOT_OWNER))


def _plainly(reason: Reason) -> Denied:
    return Denied(reason, reason.meaning)


def _carries(count: int, weight: int) -> str:
    carried = "1 address" if count == 1 else f"{count} addresses"
    return f"weight {weight}, {carried}" if weight else carried


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _conflicts(sightings: Sequence[Sighting]) -> tuple[Sighting, ...]:
    """The newest sighting of each kind of trouble that is not over."""
    latest: dict[tuple[str, str], Sighting] = {}
    for item in sightings:
        if item.reason == "addressFree":
            latest = {key: seen for key, seen in latest.items() if seen.reason != "addressInUse"}
        else:
            latest[item.reason, item.message] = item
    return tuple(latest.values())[-3:]
