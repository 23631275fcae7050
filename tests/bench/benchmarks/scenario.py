# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scenario is, and how much of everything is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from . import lab
from .figures import Row
from .session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A lab that scenarios share. They follow each other in it, and build on what those before have made."""

    name: str
    lan: str = lab.LAN
    nodes: int = lab.NODES
    deployed: bool = True
    """The contender is in it before the first of them. Else they put Lantern there, and are about nobody else."""


ADDRESSES = Lab(name="addresses")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Something done to a contender that gives one figure for each of `rows`; `name` chooses it."""

    name: str
    rows: tuple[Row, ...]
    measure: Callable[[Session], None]
    lab: Lab = ADDRESSES
    once: bool = False
    """It repeats by itself often enough: measured in the first run only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured: numbers of Services (ascending), how often an owner dies, minutes of bad cables."""

    sizes: tuple[int, ...] = (1000,)
    failovers: int = 20
    impaired_minutes: float = 30.0

    @property
    def handovers(self) -> int:
        """How often an owner goes in good order, or comes back."""
        return max(1, self.failovers // 4)

    def options(self) -> dict[str, Any]:
        """As raw results keep it."""
        return {
            "sizes": list(self.sizes),
            "failovers": self.failovers,
            "impaired_minutes": self.impaired_minutes,
        }

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """From what raw results keep; older ones know less."""
        known = {name: options[name] for name in ("failovers", "impaired_minutes") if name in options}
        return cls(sizes=tuple(options["sizes"]), **known)
