# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From who owns which VIP to what this node announces for which Service, with the reason for every "no".

Only what has changed is worked out again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lantern.core.announce import Claim, Decision, Withheld, announcement, not_candidate
from lantern.core.candidates import Fit
from lantern.core.model import ServiceKey
from lantern.core.requests import Denied
from lantern.core.spread import can
from lantern.core.vips import Vip, VipIndex, VipKey
from lantern.reasons import Reason
from lantern.tenure import Bulletin

_Entry = tuple[Claim, ...] | Withheld


class Standing:
    """The decision about each Service, remembered with what it was made from."""

    def __init__(self, me: str, index: VipIndex) -> None:
        self._me = me
        self._index = index
        self._entries: dict[ServiceKey, tuple[tuple[object, ...], _Entry]] = {}
        self._order: list[ServiceKey] = []
        self._decision: Decision | None = None
        self.present: frozenset[str] = frozenset()
        """Names of all interfaces of this node, those without carrier included."""

    def decision(self, word: Bulletin, owners: Mapping[VipKey, str]) -> Decision | None:
        """What this node announces; None when that is as before. `word` is this node's own bulletin."""
        # A new one for every change of what the word says, so that entries can tell by identity.
        general = (word.ready, word.leaving, frozenset(word.interfaces), self.present)
        entries: dict[ServiceKey, tuple[tuple[object, ...], _Entry]] = {}
        changed = self._decision is None
        services = self._index.services
        if len(services) != len(self._order) or any(key not in self._entries for key in services):
            self._order = sorted(services)
        for key in self._order:
            vip = self._vip(key)
            made_from: tuple[object, ...] = (
                self._index.service(key),
                self._index.fit(key),
                self._index.denied.get(key),
                vip is not None and vip.key in word.tenures,
                owners.get(vip.key) if vip is not None else None,
                self._index.candidacy,
                *general,
            )
            known = self._entries.get(key)
            if known is not None and all(map(_same, known[0], made_from)):
                entries[key] = known
                continue
            entry = self._entry(key, vip, word, owners)
            changed = changed or known is None or known[1] != entry
            entries[key] = (made_from, entry)
        changed = changed or entries.keys() != self._entries.keys()
        self._entries = entries
        if not changed:
            return None
        claims = [claim for _, entry in entries.values() if isinstance(entry, tuple) for claim in entry]
        withheld = [entry for _, entry in entries.values() if isinstance(entry, Withheld)]
        self._decision = Decision(claims=tuple(claims), withheld=tuple(withheld))
        return self._decision

    def _vip(self, key: ServiceKey) -> Vip | None:
        service = self._index.service(key)
        return self._index.vip_of.get(service.addresses[0].packed) if service.addresses else None

    def _entry(self, key: ServiceKey, vip: Vip | None, word: Bulletin, owners: Mapping[VipKey, str]) -> _Entry:
        service = self._index.service(key)
        denied = self._index.denied.get(key)
        fit = self._index.fit(key)
        if denied is not None or fit is None or vip is None:
            assert denied is not None, f"{key} is either fit or denied"
            return Withheld(service=service, denied=denied)
        if vip.key in word.tenures:
            usable = frozenset(word.interfaces)
            found = announcement(service, fit, self._index.candidacy, self._me, usable)
            return Withheld(service=service, denied=found) if isinstance(found, Denied) else found
        return Withheld(service=service, denied=self._why_not(key, fit, vip, word, owners.get(vip.key)))

    def _why_not(self, key: ServiceKey, fit: Fit, vip: Vip, word: Bulletin, owner: str | None) -> Denied:
        service = self._index.service(key)
        unfit = not_candidate(service, fit, self._index.candidacy, self._me)
        if unfit is not None:
            return unfit
        for reason, holds in ((Reason.STARTING, not word.ready), (Reason.LEAVING, word.leaving)):
            if holds:
                return Denied(reason, f'node "{self._me}" does not announce "{key}": {reason.meaning}')
        mine = next((item for item in vip.candidates if item.node == self._me), None)
        if mine is not None and not can(mine, word):
            plugged = replace(word, interfaces=dict.fromkeys(self.present, b""))
            reason = Reason.NO_CARRIER if can(mine, plugged) else Reason.NO_INTERFACE
            return Denied(reason, f'node "{self._me}" does not announce "{key}": {reason.meaning}')
        named = f'node "{owner}" owns {service.addresses[0]}' if owner else f"nobody owns {service.addresses[0]} yet"
        return Denied(Reason.NOT_OWNER, named)


def _same(one: object, other: object) -> bool:
    return one is other or one == other
