# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changed between two states, so that effects happen on change only: events once, bursts for gained addresses.

States of thousands of entries are compared for every change of one, so what is the same object is not looked into.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_ABSENT: Any = object()


@dataclass(frozen=True, slots=True)
class Difference(Generic[K, V]):
    """Entries of the later state that are new, those whose value differs, and keys that are gone."""

    gained: Mapping[K, V]
    changed: Mapping[K, V]
    lost: frozenset[K]


def difference(before: Mapping[K, V], after: Mapping[K, V]) -> Difference[K, V]:
    """Compare two states by key; values are compared with ==, unless they are the same object."""
    gained: dict[K, V] = {}
    changed: dict[K, V] = {}
    for key, value in after.items():
        known = before.get(key, _ABSENT)
        if known is value:
            continue
        if known is _ABSENT:
            gained[key] = value
        elif known != value:
            changed[key] = value
    return Difference(gained, changed, _lost(before, after, len(gained)))


def replaced(before: Mapping[K, V], after: Mapping[K, V]) -> set[K]:
    """Keys that are new or gone, or whose value is another object: all that differ, and few that do not."""
    if before is after:
        return set()
    found = {key for key, value in after.items() if before.get(key, _ABSENT) is not value}
    return found | _lost(before, after, sum(key not in before for key in found))


def _lost(before: Mapping[K, V], after: Mapping[K, V], gained: int) -> frozenset[K]:
    everything_stays = len(before) == len(after) - gained
    return frozenset() if everything_stays else frozenset(key for key in before if key not in after)
