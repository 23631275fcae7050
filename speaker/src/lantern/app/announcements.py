# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The speaker's pages /announcements and /announcements/NAMESPACE/NAME: who owns what, by what only speakers know.

JSON, for people and for `lantern explain`:

    node      the speaker that tells
    election  "owner" (an owner stays) or "hash" (MetalLB's)
    speakers  by node, as this one hears them: ready, settled, leaving, interfaces (usable ones), addresses (VIPs)
    foreign   members of gossip that are no speakers of Lantern's
    addressed whether the node of the speaker that tells has its own address
    services  by NAMESPACE/NAME: addresses, owner (null: nobody known), term, in_use (addresses that the owner does not
              announce, as a host outside the cluster has them), reason (why nobody may announce it); on the page of a
              single one also next (null: nobody)

Who would follow is worked out for one Service at a time: while a speaker computes it answers nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from lantern.app.failover import Failover
from lantern.core.elect import owner as first_by_hash
from lantern.core.explain_announcing import Told
from lantern.core.model import Service, ServiceKey
from lantern.core.spread import Field, place
from lantern.core.vips import Vip, VipIndex
from lantern.tenure import Bulletin

PATH = "/announcements"


class AnnouncementPages:
    """`foreign` gives the members that are present but no speakers of Lantern's."""

    def __init__(
        self, me: str, failover: Failover, index: VipIndex, foreign: Callable[[], Collection[str]] = frozenset
    ) -> None:
        self._me = me
        self._failover = failover
        self._index = index
        self._foreign = foreign

    def overview(self) -> dict[str, Any]:
        """All Services."""
        speakers = self._failover.speakers
        owners = self._failover.owners
        if self._failover.by_hash:
            owners = {key: name for name, word in speakers.items() for key in word.tenures}
        services = {
            str(key): self._entry(service, vip, owners.get(vip.key) if vip is not None else None, speakers)
            for key in sorted(self._index.services)
            for service, vip in (self._found(key),)
        }
        return {**self._head(speakers), "services": services}

    def about(self, name: str) -> dict[str, Any] | None:
        """One Service, named NAMESPACE/NAME; None when no such one is the speakers' business."""
        namespace, _, rest = name.partition("/")
        key = ServiceKey(namespace, rest)
        if key not in self._index.services:
            return None
        service, vip = self._found(key)
        speakers = self._failover.speakers
        owner, heir = self._owner_and_heir(service, vip, speakers) if vip is not None else (None, None)
        entry = {**self._entry(service, vip, owner, speakers), "next": heir}
        return {**self._head(speakers), "services": {str(key): entry}}

    def _head(self, speakers: Mapping[str, Bulletin]) -> dict[str, Any]:
        return {
            "node": self._me,
            "election": "hash" if self._failover.by_hash else "owner",
            "speakers": {
                name: {
                    "ready": word.ready,
                    "settled": word.settled,
                    "leaving": word.leaving,
                    "interfaces": sorted(word.interfaces),
                    "addresses": len(word.tenures),
                }
                for name, word in sorted(speakers.items())
            },
            "foreign": sorted(self._foreign()),
            "addressed": self._failover.addressed,
        }

    def _found(self, key: ServiceKey) -> tuple[Service, Vip | None]:
        service = self._index.service(key)
        fit = service.addresses and key not in self._index.denied
        return service, self._index.vip_of.get(service.addresses[0].packed) if fit else None

    def _entry(
        self, service: Service, vip: Vip | None, owner: str | None, speakers: Mapping[str, Bulletin]
    ) -> dict[str, Any]:
        denied = self._index.denied.get(service.key)
        word = speakers.get(owner) if owner is not None else None
        tenure = word.tenures.get(vip.key) if word is not None and vip is not None else None
        return {
            "addresses": [str(address) for address in service.addresses],
            "owner": owner,
            "term": tenure.term if tenure is not None else None,
            "in_use": [str(item) for item in service.addresses if word is not None and item.packed in word.in_use],
            "reason": denied.reason.value if denied is not None else None,
        }

    def _owner_and_heir(
        self, service: Service, vip: Vip, speakers: Mapping[str, Bulletin]
    ) -> tuple[str | None, str | None]:
        if self._failover.by_hash:
            owner = self._elected(service, speakers, without=None)
            return owner, self._elected(service, speakers, without=owner) if owner is not None else None
        owner = self._failover.owners.get(vip.key)
        return owner, self._heir(vip, owner, speakers)

    def _heir(self, vip: Vip, owner: str | None, speakers: Mapping[str, Bulletin]) -> str | None:
        """Who would follow if the owner died now, that is, for all its VIPs at once."""
        vips, owners = self._index.vips, self._failover.owners
        owned = [vips[key] for key, node in owners.items() if node == owner and key in vips] if owner else [vip]
        counts: dict[str, int] = {}
        for node in owners.values():
            if node != owner:
                counts[node] = counts.get(node, 0) + 1
        left = {name: word for name, word in speakers.items() if name != owner}
        return place(owned, Field(left), counts).get(vip.key)

    def _elected(self, service: Service, speakers: Mapping[str, Bulletin], without: str | None) -> str | None:
        """MetalLB's election for the Service, among all but this node."""
        alive = {name for name, word in speakers.items() if not word.leaving} | set(self._foreign())
        if not speakers[self._me].ready or not speakers[self._me].interfaces:
            alive.discard(self._me)
        fit = self._index.fit(service.key)
        candidates = fit.candidates if fit is not None else ()
        weights = {item.node: item.weight for item in candidates if item.node in alive and item.node != without}
        return first_by_hash(service.addresses[0], list(weights), weights)


def told(page: Any, service: Service) -> Told | None:
    """What the page of the Service says; None when it is no such page, or another cluster's."""
    try:
        said, speakers = page["services"][str(service.key)], page["speakers"]
        if said["addresses"] != [str(address) for address in service.addresses]:
            return None
        return Told(
            by=page["node"],
            by_hash=page["election"] == "hash",
            speakers={name: _bulletin(word) for name, word in speakers.items()},
            foreign=frozenset(page["foreign"]),
            addressed=page["addressed"],
            counts={name: word["addresses"] for name, word in speakers.items()},
            owner=said["owner"] or "",
            term=said["term"] or 0,
            in_use=tuple(said["in_use"]),
            heir=said["next"] or "",
        )
    except (KeyError, TypeError, AttributeError):
        return None


def _bulletin(word: Mapping[str, Any]) -> Bulletin:
    return Bulletin(
        ready=word["ready"],
        settled=word["settled"],
        leaving=word["leaving"],
        interfaces=dict.fromkeys(word["interfaces"], b""),
    )
