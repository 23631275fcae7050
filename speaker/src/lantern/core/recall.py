# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one plan has found out that the next need not look into again: Services that simply keep what they have.

A plan looks at every Service, and for almost all of them it says what the plan before it said. Whether a Service that
shares with nobody may keep its addresses depends on the Service, on the pools and namespaces, and on whether somebody
else has one of them. The first two are remembered here as long as they are the same, the last is looked up each time.
A plan is the same with and without.
"""

from __future__ import annotations

from typing import NamedTuple

from lantern.core.decisions import Keep
from lantern.core.model import Service, Snapshot

Slot = tuple[int, int]
"""An address as (number of its range, value), which sorts in the order of use."""


class Kept(NamedTuple):
    """A Service that keeps all it has, unless somebody else has one of the slots."""

    keep: Keep
    slots: tuple[Slot, ...]


class Recall:
    """Goes from one plan to the next. It knows Services by identity: a Service that has changed is another object."""

    __slots__ = ("_basis", "_known", "_next")

    def __init__(self) -> None:
        self._basis: tuple[object, ...] = ()
        self._known: dict[int, Kept] = {}
        self._next: dict[int, Kept] = {}

    def begin(self, snapshot: Snapshot) -> None:
        """A plan for this snapshot begins."""
        basis = (snapshot.pools, snapshot.namespaces, snapshot.lb_class)
        self._known = self._next if basis == self._basis else {}
        self._basis, self._next = basis, {}

    def of(self, service: Service) -> Kept | None:
        """What the plan before has found."""
        # Each entry holds its Service, so that no other object can have its identity.
        return self._known.get(id(service))

    def note(self, kept: Kept) -> None:
        """For the next plan."""
        self._next[id(kept.keep.service)] = kept
