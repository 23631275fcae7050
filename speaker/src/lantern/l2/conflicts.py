# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches for strangers that answer for, or announce, an address that this node announces (RFC 5227 section 2.4).

What a stranger broadcasts is heard: announcements, and requests that name the address as their sender's. Its answers
to others are not, for they are unicast. So when a host of the LAN asks for an address by broadcast, this node asks as
well: whoever else has the address answers that too. Such probes are at most one a second for each address and twenty a
second in all, and never more than what hosts broadcast themselves.

This node defends an address by announcing it at once, at most once in ten seconds, and keeps it: section 2.4 (c), which
is for hosts that have to keep their address. Other speakers of the cluster are no strangers; who of them continues is
the election's business.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lantern.l2.deadlines import Deadlines
from lantern.l2.token_bucket import TokenBucket
from lantern.pools import Address

DEFEND_SECONDS = 10.0
"""DEFEND_INTERVAL of RFC 5227."""
TELL_SECONDS = 60.0
"""A stranger that goes on is told of this often."""
STRANGERS = 8
"""Of so many MAC addresses for one address at once it is told; more are forged, or as good as."""
PROBE_SECONDS = 1.0
PROBES_PER_SECOND = 20


@dataclass(frozen=True, slots=True)
class ConflictSeen:
    """The host with this MAC address (6 bytes) uses `address` too."""

    address: Address
    mac: bytes
    interface: str


@dataclass(frozen=True, slots=True)
class Defend:
    """Announce `address` on this interface now."""

    address: Address
    interface: str


@dataclass(frozen=True, slots=True)
class AskAround:
    """Probe for `address` on every interface it is allowed on."""

    address: Address


ConflictEffect = ConflictSeen | Defend | AskAround


@dataclass(slots=True)
class _Dispute:
    told: dict[bytes, float] = field(default_factory=dict)
    """When each stranger was told of last."""
    defended: dict[str, float] = field(default_factory=dict)
    """When each interface was last defended on."""


class ConflictWatch:
    """All disputes and questions, by address."""

    def __init__(self) -> None:
        self._disputes: dict[Address, _Dispute] = {}
        self._asked: dict[Address, float] = {}
        self._due: Deadlines[Address] = Deadlines()
        self._limit = TokenBucket(rate=PROBES_PER_SECOND, burst=PROBES_PER_SECOND)
        self._resume = float("-inf")
        self._effects: list[ConflictEffect] = []

    def sighted(self, address: Address, mac: bytes, interface: str, *, now: float) -> None:
        """A stranger claims the address."""
        dispute = self._disputes.setdefault(address, _Dispute())
        dispute.told = {known: at for known, at in dispute.told.items() if now < at + TELL_SECONDS}
        if mac not in dispute.told and len(dispute.told) < STRANGERS:
            dispute.told[mac] = now
            self._effects.append(ConflictSeen(address, mac, interface))
        if now >= dispute.defended.get(interface, float("-inf")) + DEFEND_SECONDS:
            dispute.defended[interface] = now
            self._effects.append(Defend(address, interface))

    def requested(self, address: Address, *, now: float) -> bool:
        """A host asked for the address by broadcast. Whether that is news, so that timer and effects are to be seen."""
        if address in self._due:
            return False
        self._due.set(address, max(now, self._asked.get(address, float("-inf")) + PROBE_SECONDS))
        self.handle_timer(now=now)
        return True

    def stop(self, address: Address) -> None:
        """The address is not announced any more."""
        self._disputes.pop(address, None)
        self._asked.pop(address, None)
        self._due.discard(address)
        self._effects = [effect for effect in self._effects if effect.address != address]

    def handle_timer(self, *, now: float) -> None:
        """Queue the probes that are due."""
        while (due := self._due.next()) is not None and due <= now:
            if not self._limit.take(now=now):
                self._resume = now + self._limit.wait(now=now)
                return
            popped = self._due.pop(now=now)
            assert popped is not None
            self._asked[popped[0]] = now
            self._effects.append(AskAround(popped[0]))

    def next_timer(self) -> float | None:
        """When `handle_timer` is to be called next; None while nothing is to be asked."""
        due = self._due.next()
        return None if due is None else max(due, self._resume)

    def drain(self) -> list[ConflictEffect]:
        """The queued effects, once."""
        effects, self._effects = self._effects, []
        return effects
