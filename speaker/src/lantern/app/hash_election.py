# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns what by MetalLB's election: over all members that gossip knows, for each Service by its first address."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from lantern.core.elect import owner
from lantern.core.vips import Vip, VipIndex, VipKey
from lantern.tenure import Bulletin, Tenure


class HashElection:
    """The answers for the members that are alive, remembered."""

    def __init__(self, me: str, index: VipIndex) -> None:
        self._me = me
        self._index = index
        self._alive: frozenset[str] = frozenset()
        self._owners: dict[tuple[VipKey, int], str | None] = {}

    def forget(self) -> None:
        """The index has changed."""
        self._owners.clear()

    def owned(
        self,
        others: Collection[str],
        said: Mapping[str, Bulletin | None],
        mine: Mapping[VipKey, Tenure] | None,
        *,
        leaving: bool,
    ) -> dict[VipKey, str]:
        """The VIPs that are this node's, each with its owner before, empty when nobody is known.

        `others` are alive; `said` is what speakers said last, the dead included; `mine` is what this node owns now,
        None when it cannot own anything. While `leaving`, it keeps what nobody has taken over yet.
        """
        departing = {name for name, word in said.items() if word is not None and word.leaving}
        self._elect_among(frozenset(others) - departing | ({self._me} if mine is not None and not leaving else set()))
        if mine is None:
            return {}
        before: dict[VipKey, str] = {}
        taken: set[VipKey] = set()
        for name, word in said.items():
            tenures = word.tenures if word is not None else {}
            before.update(dict.fromkeys(tenures, name))
            if name in others:
                taken.update(tenures)
        if leaving:
            return {key: "" for key in mine if key in self._index.vips and key not in taken}
        return {
            vip.key: before.get(vip.key, "")
            for vip in self._index.vips.values()
            if any(self._owner(vip, number) == self._me for number in range(len(vip.services)))
        }

    def owners(self) -> dict[VipKey, str]:
        """Who owns each VIP by the latest election, empty when nobody can."""
        return {vip.key: self._owner(vip, 0) or "" for vip in self._index.vips.values()}

    def owned_by(self, nodes: Collection[str]) -> set[VipKey]:
        """The VIPs of these nodes."""
        return {key for key, node in self.owners().items() if node in nodes} if nodes else set()

    def _elect_among(self, alive: frozenset[str]) -> None:
        if alive != self._alive:
            self._alive = alive
            self._owners.clear()

    def _owner(self, vip: Vip, number: int) -> str | None:
        key = vip.services[number]
        fit = self._index.fit(key)
        if fit is None:
            return None
        address = self._index.service(key).addresses[0]
        cached = (address.packed, id(fit.candidates))
        if cached not in self._owners:
            weights = {item.node: item.weight for item in fit.candidates if item.node in self._alive}
            self._owners[cached] = owner(address, list(weights), weights)
        return self._owners[cached]
