# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a succession is told once, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from lantern.core.vips import VipKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How patient the succession is, in seconds."""

    step_seconds: float = 0.25
    """Between the turns of those who are in line for a VIP that is not taken."""
    handover_seconds: float = 1.0
    """For so long a successor is asked; after that an owner that must go withdraws, and one that may stay stays."""
    grace_seconds: float = 2.0
    """An owner that is no candidate any more is given so long to hand over before the VIP is taken from it."""
    greatest_grace_seconds: float = 64.0
    """The grace doubles up to this each time that a VIP comes back after it was taken so: opinions differ."""
    balance_seconds: float = 1.0
    """Between rounds of moves."""
    moves: int = 64
    """VIPs moved at most in a round by one owner."""


class Why(Enum):
    """Why a VIP has changed hands."""

    NEW = "new"
    """Nobody has announced it before, as far as this node knows."""
    VACANT = "vacant"
    """Its owner is gone or has withdrawn."""
    HANDOVER = "handover"
    """Its owner has asked this node to follow."""
    OVERDUE = "overdue"
    """Its owner, or the one whose turn it was, is alive but did not do what everybody else expected."""
    OUTRANKED = "outranked"
    """Another one has it by a better claim."""
    NOT_CANDIDATE = "notCandidate"
    """This node may not, or cannot, announce it any more."""


class Change(NamedTuple):
    """This node has taken or given up a VIP. `peer`: who had it before, or has it now; empty when nobody."""

    key: VipKey
    why: Why
    peer: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What follows from the facts."""

    taken: tuple[Change, ...]
    given_up: tuple[Change, ...]
    again: tuple[VipKey, ...]
    """Own VIPs that somebody else has announced, too: tell the LAN again where they are."""
    offers: Mapping[str, tuple[tuple[VipKey, int], ...]]
    """VIPs with their terms that nodes are asked to take over, until a later outcome says otherwise."""
    deposed: bool
    """Somebody has followed this node although it lived: it was thought dead."""
    wake: float | None
    """When `decide` is to be called at the latest."""
