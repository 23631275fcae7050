# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a watch wants done (Send, AskWire) and what it has learned."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Cause(Enum):
    """Who says first that a speaker is gone."""

    SILENCE = "silence"
    """It answered no probe of this node."""
    TOLD = "told"
    """Another speaker got no answer, and then this one neither."""
    GOSSIP = "gossip"
    """Memberlist declared it dead."""


class Witness(Enum):
    """Who says that a speaker lives which does not answer this node."""

    WIRE = "wire"
    """It answers ARP or NDP for its VIPs."""
    SPEAKER = "speaker"
    """Another speaker hears it."""


class DropReason(Enum):
    """Why a datagram is not taken."""

    MALFORMED = "malformed"
    UNKNOWN_PEER = "unknownPeer"


@dataclass(frozen=True, slots=True)
class Send:
    """Send the bytes to the node directly, as one datagram. Later ones may come earlier, or not at all."""

    peer: str
    data: bytes


@dataclass(frozen=True, slots=True)
class AskWire:
    """Ask the LAN whether this speaker still answers for its VIPs, and tell by `Watch.wire`."""

    peer: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The speaker is gone, and was last heard of so long ago."""

    peer: str
    cause: Cause
    silent_seconds: float


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A silent speaker is not held for dead, as a witness speaks for it."""

    peer: str
    witness: Witness


@dataclass(frozen=True, slots=True)
class Back:
    """A lost speaker is heard again."""

    peer: str


@dataclass(frozen=True, slots=True)
class Told:
    """A speaker has another bulletin."""

    peer: str


@dataclass(frozen=True, slots=True)
class Offered:
    """An owner asks this node to follow it: VIP keys and the owner's terms."""

    peer: str
    vips: tuple[tuple[bytes, int], ...]


@dataclass(frozen=True, slots=True)
class Dropped:
    """Something that was received is not taken."""

    reason: DropReason
    peer: str


Effect = Send | AskWire | Lost | HeldBack | Back | Told | Offered | Dropped
