# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When to send gratuitous ARP: at once when an address is gained, then every 1.1 s until 5 s have passed.

Hosts and switches that miss one frame get another; after that the LAN knows. Interval and span are MetalLB's (issue
172 there); the interval is above one second because Linux takes no second change of a neighbour within one second
(sysctl net.ipv4.neigh.*.locktime).
"""

from __future__ import annotations

from dataclasses import dataclass

from lantern.pools import Address

INTERVAL_SECONDS = 1.1
SPAN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class SendGratuitous:
    """Announce `address` now on every interface it is allowed on."""

    address: Address


@dataclass(slots=True)
class _Burst:
    due: float
    until: float


class Bursts:
    """The schedule of all bursts, one entry per address."""

    def __init__(self) -> None:
        self._bursts: dict[Address, _Burst] = {}
        self._effects: list[SendGratuitous] = []

    def start(self, address: Address, *, now: float) -> None:
        """Begin the burst for an address; a running one begins anew."""
        self._bursts[address] = _Burst(due=now, until=now + SPAN_SECONDS)
        self.handle_timer(now=now)

    def stop(self, address: Address) -> None:
        """Send nothing more for the address, what is queued included."""
        self._bursts.pop(address, None)
        self._effects = [effect for effect in self._effects if effect.address != address]

    def handle_timer(self, *, now: float) -> None:
        """Queue what is due. A late caller gets one announcement for each address, not the missed ones too."""
        for address, burst in list(self._bursts.items()):
            if burst.due > now:
                continue
            self._effects.append(SendGratuitous(address))
            following = burst.due + INTERVAL_SECONDS
            burst.due = following if following > now else now + INTERVAL_SECONDS
            if burst.due >= burst.until:
                del self._bursts[address]

    def next_timer(self) -> float | None:
        """When `handle_timer` is to be called next; None while nothing is running."""
        return min((burst.due for burst in self._bursts.values()), default=None)

    def drain(self) -> list[SendGratuitous]:
        """The queued effects, once."""
        effects, self._effects = self._effects, []
        return effects
