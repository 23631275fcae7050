# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `failover` wants done, in this order, and what it tells for events, metrics and logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lantern.core.announce import Decision
from lantern.core.outcome import Why
from lantern.pools import Address
from lantern.watch import effects as watched


@dataclass(frozen=True, slots=True)
class Apply:
    """Announce exactly this. To be carried out before any later effect."""

    decision: Decision


@dataclass(frozen=True, slots=True)
class AnnounceAgain:
    """Tell the LAN again where these own addresses are: somebody else has announced them, too."""

    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class AskLan:
    """Ask by ARP or NDP who has these addresses, on the interfaces named (None: all); tell by `lan_answered`."""

    peer: str
    addresses: Mapping[Address, frozenset[str] | None]


@dataclass(frozen=True, slots=True)
class Accuse:
    """Let gossip suspect this member at once."""

    peer: str


@dataclass(frozen=True, slots=True)
class Took:
    """This node owns a VIP from now on. `peer` had it before, empty when nobody had."""

    addresses: tuple[Address, ...]
    why: Why
    peer: str
    cause: watched.Cause | None
    """How the peer's death was found, if it is dead."""
    gap_seconds: float | None
    """Since the dead peer was last heard of."""


@dataclass(frozen=True, slots=True)
class GaveUp:
    """This node does not own a VIP any more. `peer` has it now, as far as is known."""

    addresses: tuple[Address, ...]
    why: Why
    peer: str


@dataclass(frozen=True, slots=True)
class Left:
    """Everything is handed over, or the time is up: say goodbye, then stop."""


Effect = (
    Apply
    | AnnounceAgain
    | AskLan
    | Accuse
    | Took
    | GaveUp
    | Left
    | watched.Send
    | watched.Lost
    | watched.Back
    | watched.HeldBack
    | watched.Dropped
)
