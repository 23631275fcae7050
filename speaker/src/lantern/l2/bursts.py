# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When to announce unasked: at once when an address is gained, every 1.1 s until 5 s have passed, then now and again.

Hosts and switches that miss one frame get another; after that the LAN knows. Interval and span of the burst are
MetalLB's (issue 172 there); the interval is above one second because Linux takes no second change of a neighbour within
one second (sysctl net.ipv4.neigh.*.locktime).

Afterwards an address is announced once every `refresh_seconds`, for hosts that missed the whole burst and for switches,
which forget after 300 s (IEEE 802.1Q's default ageing time) where a silent MAC address is: then they flood, or drop.
The default of 120 s renews that even when one frame is lost. It is not less because every host of the LAN wakes up for
a broadcast. What is due within one second is announced together, so that this process wakes up once. 0 turns it off.

No more than a hundred addresses are announced in 10 ms, so that a node that gains a thousand of them at once (it takes
100 ms then) does not overrun its own queue or a switch's broadcast storm control.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lantern.l2.deadlines import Deadlines
from lantern.pools import Address

INTERVAL_SECONDS = 1.1
SPAN_SECONDS = 5.0
REFRESH_SECONDS = 120.0
BATCH = 100
BATCH_SECONDS = 0.01
_GOLDEN_RATIO = 0.6180339887498949


@dataclass(frozen=True, slots=True)
class SendGratuitous:
    """Announce `address` now on every interface it is allowed on."""

    address: Address
    refresh: bool = False
    """It is no news, but a reminder."""


class Bursts:
    """The schedule of all addresses."""

    def __init__(self, refresh_seconds: float = 0) -> None:
        self._refresh_seconds = refresh_seconds
        self._due: Deadlines[Address] = Deadlines()
        self._until: dict[Address, float] = {}
        self._effects: list[SendGratuitous] = []
        self._batch_began = float("-inf")
        self._batch_used = 0
        self._spread = 0.0

    def start(self, address: Address, *, now: float) -> None:
        """Begin the burst for an address; a running one begins anew."""
        self._until[address] = now + SPAN_SECONDS
        self._due.set(address, now)
        self.handle_timer(now=now)

    def stop(self, address: Address) -> None:
        """Send nothing more for the address, what is queued included."""
        if self._until.pop(address, None) is not None:
            self._due.discard(address)
            self._effects = [effect for effect in self._effects if effect.address != address]

    def handle_timer(self, *, now: float) -> None:
        """Queue what is due. A late caller gets one announcement for each address, not the missed ones too."""
        if now >= self._batch_began + BATCH_SECONDS:
            self._batch_began, self._batch_used = now, 0
        while self._batch_used < BATCH:
            popped = self._due.pop(now=now)
            if popped is None:
                return
            address, due = popped
            self._batch_used += 1
            until = self._until[address]
            self._effects.append(SendGratuitous(address, refresh=due >= until))
            following = due + INTERVAL_SECONDS
            following = following if following > now else now + INTERVAL_SECONDS
            if following < until:
                self._due.set(address, following)
            elif self._refresh_seconds > 0:
                # From the whole second at which it was due, or each period would be longer by what this is late.
                refresh = self._next_refresh(first=due < until)
                self._due.set(address, math.ceil((due if due + refresh > now else now) + refresh))

    def next_timer(self) -> float | None:
        """When `handle_timer` is to be called next; None while nothing is running."""
        due = self._due.next()
        if due is not None and self._batch_used >= BATCH:
            return max(due, self._batch_began + BATCH_SECONDS)
        return due

    def drain(self) -> list[SendGratuitous]:
        """The queued effects, once."""
        effects, self._effects = self._effects, []
        return effects

    def _next_refresh(self, *, first: bool) -> float:
        """Addresses gained together are spread over the period by their first refresh, and stay so."""
        if not first:
            return self._refresh_seconds
        self._spread = (self._spread + _GOLDEN_RATIO) % 1
        return self._refresh_seconds * (0.5 + self._spread / 2)
