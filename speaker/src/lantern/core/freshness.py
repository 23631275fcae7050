# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses nobody of the cluster has announced yet, and which therefore are probed before they are.

Known by watching: an address is fresh from when it appears in a Service's status until a node is elected for it. What
was there when this process started is taken for announced, by this node before its restart or by another one, so that
neither a restart nor a failover is slowed down.
"""

from __future__ import annotations

from collections.abc import Iterable, Set

from lantern.pools import Address


class FreshAddresses:
    """Follows the addresses of all Services, pass by pass."""

    def __init__(self) -> None:
        self._present: Set[Address] | None = None
        self._fresh: set[Address] = set()

    def observe(self, present: Set[Address]) -> None:
        """Take note of the addresses that all Services have now."""
        if self._present is not None:
            self._fresh |= present - self._present
        self._fresh &= present
        self._present = present

    @property
    def addresses(self) -> Set[Address]:
        """Those that are fresh."""
        return frozenset(self._fresh)

    def announced(self, addresses: Iterable[Address]) -> None:
        """A node, this or another one, announces these from now on."""
        self._fresh.difference_update(addresses)
