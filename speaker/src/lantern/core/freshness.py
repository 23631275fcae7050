# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses nobody of the cluster is known to have announced yet: they are probed before they are announced.

Known by watching: an address is fresh from when it appears in a Service's status until a node is elected for it. So is
what was there when this process started, until another node is heard of that owns it: after the whole home was without
power another host may have it. A failover is not slowed down by that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set

from lantern.core.announce import Decision
from lantern.core.diff import replaced
from lantern.core.model import Service, ServiceKey
from lantern.pools import Address
from lantern.reasons import Reason

_LEFT_TO_OTHERS = frozenset(
    {
        Reason.NOT_OWNER,
        Reason.NODE_EXCLUDED,
        Reason.NODE_NOT_SELECTED,
        Reason.NODE_NETWORK_UNAVAILABLE,
        Reason.NODE_WITHOUT_ENDPOINT,
    }
)
"""Speak against this node only, not against every node."""


class FreshAddresses:
    """Follows the addresses of all Services, pass by pass."""

    def __init__(self) -> None:
        self._listed: tuple[Service, ...] | None = None
        self._services: Mapping[ServiceKey, Service] | None = None
        self._holders: dict[Address, set[ServiceKey]] = {}
        """Which Services have an address; derived from those."""
        self._fresh: set[Address] = set()
        self._early: set[Address] = set()
        """Those of them that were there at the start."""

    def observe(self, services: tuple[Service, ...]) -> None:
        """Take note of all Services as they are now."""
        if services is self._listed:
            return
        self._listed = services
        before, now = self._services, {service.key: service for service in services}
        self._services = now
        self._fresh |= self._follow(before or {}, now)
        self._fresh &= self._holders.keys()
        self._early = set(self._fresh) if before is None else self._early & self._fresh

    def _follow(self, before: Mapping[ServiceKey, Service], now: Mapping[ServiceKey, Service]) -> set[Address]:
        """Bring the holders up to date; the addresses that nobody had before."""
        was_held: dict[Address, bool] = {}
        for key in replaced(before, now):
            had, has = (state[key].addresses if key in state else () for state in (before, now))
            if had == has:
                continue
            for address in (*had, *has):
                was_held.setdefault(address, address in self._holders)
            for address in had:
                self._holders[address].discard(key)
            for address in has:
                self._holders.setdefault(address, set()).add(key)
        for address in was_held:
            if not self._holders[address]:
                del self._holders[address]
        return {address for address, held in was_held.items() if not held and address in self._holders}

    def addresses(self, *, by_hash: bool) -> Set[Address]:
        """Those that are fresh.

        `by_hash`: MetalLB's election is in force. Its speakers tell nobody what they own, and go on with it until they
        hear of this one: what was there at the start is theirs.
        """
        return frozenset(self._fresh - self._early if by_hash else self._fresh)

    def decided(self, decision: Decision, is_owned: Callable[[Address], bool]) -> None:
        """A decision is in force. `is_owned`: whether another node announces what this one leaves to it."""
        self._fresh -= {address for address in self._fresh if self._is_announced(address, decision, is_owned)}
        self._early &= self._fresh

    def _is_announced(self, address: Address, decision: Decision, is_owned: Callable[[Address], bool]) -> bool:
        for key in self._holders[address]:
            match decision.verdicts.get(key):
                case None:
                    pass
                case tuple(claims):
                    if any(claim.address == address for claim in claims):
                        return True
                case withheld:
                    elsewhere = withheld.denied.reason in _LEFT_TO_OTHERS and address in withheld.service.addresses
                    if elsewhere and is_owned(address):
                        return True
        return False
