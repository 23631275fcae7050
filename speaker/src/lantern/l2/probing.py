# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether somebody else already has an address, asked before it is announced for the first time (RFC 5227, RFC 4862).

Three probes within half a second, where RFC 5227 takes four to seven: it is for hosts that boot onto any link, all at
once after a power cut, while this node is on its link already and an answer takes milliseconds. They are for *fresh*
addresses only, those that nobody of the cluster has announced before. An address taken over from another speaker, dead
or alive, is known to be the cluster's: there half a second would be half of the whole failover, and a speaker that
still answers for it is not a stranger.

An address that is in use is asked for again every ten seconds, and is free once nobody answers.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from lantern.l2.deadlines import Deadlines
from lantern.pools import Address

PROBES = 3
RETRY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class SendProbe:
    """Ask for `address` on every interface it is allowed on."""

    address: Address


@dataclass(frozen=True, slots=True)
class FoundFree:
    """Nobody has `address`."""

    address: Address
    was_in_use: bool
    """By somebody, when it was asked for earlier."""


@dataclass(frozen=True, slots=True)
class FoundInUse:
    """The host with this MAC address (6 bytes) has `address`, or probes for it as well."""

    address: Address
    mac: bytes
    interface: str


ProbingEffect = SendProbe | FoundFree | FoundInUse


@dataclass(slots=True)
class _Question:
    sent: int = 0
    holder: bytes | None = None
    """Who was found to have it, in this round or an earlier one."""
    answered: bool = False
    """In this round."""


class Probing:
    """All addresses that are being asked for."""

    def __init__(self, seconds: float) -> None:
        """`seconds` pass from the first probe until an address that nobody answers for is free."""
        self._interval = seconds / PROBES
        self._questions: dict[Address, _Question] = {}
        self._due: Deadlines[Address] = Deadlines()
        self._effects: list[ProbingEffect] = []

    def __contains__(self, address: Address) -> bool:
        return address in self._questions

    @property
    def addresses(self) -> Set[Address]:
        """Those that are being asked for, the ones included that somebody has."""
        return self._questions.keys()

    def start(self, address: Address, *, now: float) -> None:
        """Ask for an address; one that is being asked for already goes on."""
        if address not in self._questions:
            self._questions[address] = _Question()
            self._due.set(address, now)
            self.handle_timer(now=now)

    def stop(self, address: Address) -> None:
        """Ask no more, and tell nothing of what is queued."""
        if self._questions.pop(address, None) is not None:
            self._due.discard(address)
            self._effects = [effect for effect in self._effects if effect.address != address]

    def answered(self, address: Address, mac: bytes, interface: str, *, now: float) -> None:
        """Somebody says to have the address, or probes for it too."""
        question = self._questions.get(address)
        if question is None:
            return
        question.answered = True
        self._due.set(address, now + RETRY_SECONDS)
        if question.holder != mac:
            question.holder = mac
            self._effects.append(FoundInUse(address, mac, interface))

    def handle_timer(self, *, now: float) -> None:
        """Send the probes that are due, and conclude."""
        while (popped := self._due.pop(now=now)) is not None:
            address = popped[0]
            question = self._questions[address]
            if question.answered:
                question.answered, question.sent = False, 0
            if question.sent < PROBES:
                question.sent += 1
                self._effects.append(SendProbe(address))
                self._due.set(address, now + self._interval)
            else:
                del self._questions[address]
                self._effects.append(FoundFree(address, was_in_use=question.holder is not None))

    def next_timer(self) -> float | None:
        """When `handle_timer` is to be called next; None while nothing is asked."""
        return self._due.next()

    def drain(self) -> list[ProbingEffect]:
        """The queued effects, once."""
        effects, self._effects = self._effects, []
        return effects
