# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to announce addresses: each glues a machine or renderer to its adapter behind one interface.

An announcer is given the complete desired state and makes it so; giving it twice, or after a crash, is safe.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from lantern.pools import Address


class Announcer(Protocol):
    """One way to announce."""

    def apply(
        self,
        claims: Mapping[Address, frozenset[str] | None],
        *,
        fresh: Collection[Address] = (),
        forced: Collection[Address] = (),
    ) -> None:
        """Announce exactly these addresses, each on the interfaces named (None: all).

        `fresh` ones were announced by nobody before; `forced` ones are announced whoever else has them.
        """

    def close(self) -> None:
        """Withdraw everything and release what is held."""
