# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changed between two states, so that effects happen on change only: events once, bursts for gained addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Difference(Generic[K, V]):
    """Entries of the later state that are new, those whose value differs, and keys that are gone."""

    gained: Mapping[K, V]
    changed: Mapping[K, V]
    lost: frozenset[K]


def difference(before: Mapping[K, V], after: Mapping[K, V]) -> Difference[K, V]:
    """Compare two states by key; values are compared with ==."""
    return Difference(
        gained={key: value for key, value in after.items() if key not in before},
        changed={key: value for key, value in after.items() if key in before and before[key] != value},
        lost=frozenset(key for key in before if key not in after),
    )
