# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From who owns which VIP to what this node announces for which Service, with the reason for every "no".

Only what has changed is worked out again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lantern.core.announce import Decision, Verdict, Withheld, announcement, not_candidate
from lantern.core.candidates import Fit
from lantern.core.diff import replaced
from lantern.core.model import Service, ServiceKey
from lantern.core.requests import Denied
from lantern.core.spread import can
from lantern.core.vips import Entry, Vip, VipIndex, VipKey
from lantern.reasons import Reason
from lantern.tenure import Bulletin, Tenure


class Standing:
    """The verdict about each Service, remembered with what it was made from."""

    def __init__(self, me: str, index: VipIndex) -> None:
        self._me = me
        self._index = index
        self._general: tuple[object, ...] = ()
        self._entries: Mapping[ServiceKey, Entry] = {}
        self._owners: Mapping[VipKey, str] = {}
        self._tenures: Mapping[VipKey, Tenure] = {}
        self._decision: Decision | None = None
        self.present: frozenset[str] = frozenset()
        """Names of all interfaces of this node, those without carrier included."""
        self.addressed = True
        """Whether this node has its own address."""

    def decision(self, word: Bulletin, owners: Mapping[VipKey, str]) -> Decision | None:
        """What this node announces; None when that is as before. `word` is this node's own bulletin."""
        before = self._decision.verdicts if self._decision is not None else {}
        verdicts = dict(before)
        changed = self._decision is None
        for key in self._suspects(word, owners):
            entry = self._entries.get(key)
            if entry is None:
                changed |= verdicts.pop(key, None) is not None
                continue
            verdict = self._verdict(entry, word, owners)
            if verdicts.get(key) != verdict:
                verdicts[key], changed = verdict, True
        if not changed:
            return None
        if verdicts.keys() != before.keys():
            verdicts = {key: verdicts[key] for key in sorted(verdicts)}
        self._decision = Decision(verdicts)
        return self._decision

    def _suspects(self, word: Bulletin, owners: Mapping[VipKey, str]) -> set[ServiceKey]:
        """The Services about which a verdict can differ from the one before."""
        general = (
            (word.ready, word.leaving, frozenset(word.interfaces)),
            (self.present, self.addressed, self._index.candidacy),
        )
        # The index is changed in place, the owners perhaps as well.
        entries, owners = dict(self._index.entries), dict(owners)
        suspects = replaced(self._entries, entries)
        if general != self._general:
            suspects |= entries.keys()
        moved = replaced(self._owners, owners) | (self._tenures.keys() ^ word.tenures.keys())
        for vip in filter(None, map(self._index.vips.get, moved)):
            suspects.update(vip.services)
        self._general, self._entries, self._owners, self._tenures = general, entries, owners, word.tenures
        return suspects

    def _verdict(self, entry: Entry, word: Bulletin, owners: Mapping[VipKey, str]) -> Verdict:
        service, fit, vip = entry.service, entry.found, entry.vip
        if isinstance(fit, Denied) or vip is None:
            return Withheld(service=service, denied=self._index.denied[service.key])
        if vip.key in word.tenures:
            usable = frozenset(word.interfaces)
            found = announcement(service, fit, self._index.candidacy, self._me, usable)
            return Withheld(service=service, denied=found) if isinstance(found, Denied) else found
        return Withheld(service=service, denied=self._why_not(service, fit, vip, word, owners.get(vip.key)))

    def _why_not(self, service: Service, fit: Fit, vip: Vip, word: Bulletin, owner: str | None) -> Denied:
        key = service.key
        unfit = not_candidate(service, fit, self._index.candidacy, self._me)
        if unfit is not None:
            return unfit
        for reason, holds in ((Reason.STARTING, not word.ready), (Reason.LEAVING, word.leaving)):
            if holds:
                return Denied(reason, f'node "{self._me}" does not announce "{key}": {reason.meaning}')
        mine = next((item for item in vip.candidates if item.node == self._me), None)
        if mine is not None and not can(mine, word):
            plugged = replace(word, interfaces=dict.fromkeys(self.present, b""))
            unusable = Reason.NO_CARRIER if self.addressed else Reason.NODE_ADDRESS_LOST
            reason = unusable if can(mine, plugged) else Reason.NO_INTERFACE
            return Denied(reason, f'node "{self._me}" does not announce "{key}": {reason.meaning}')
        named = f'node "{owner}" owns {service.addresses[0]}' if owner else f"nobody owns {service.addresses[0]} yet"
        return Denied(Reason.NOT_OWNER, named)
