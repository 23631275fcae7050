# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which configuration is in force: the newest one without problems.

A pool or advertisement that cannot be read must never take addresses away from Services that have them, so a
configuration with any problem is put aside as a whole and the last good one stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from lantern.core.model import L2Advertisement, PoolSpec
from lantern.pools import Problem, problems


@dataclass(frozen=True, slots=True)
class Configuration:
    """`pools` is None until a configuration without problems was seen; `problems` are those of the newest one."""

    pools: tuple[PoolSpec, ...] | None = None
    advertisements: tuple[L2Advertisement, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def is_loaded(self) -> bool:
        return self.pools is not None

    @property
    def is_stale(self) -> bool:
        """Whether something newer than what is in force was refused."""
        return bool(self.problems)


def adopt(
    current: Configuration,
    pools: Iterable[PoolSpec],
    advertisements: Iterable[L2Advertisement] = (),
    unreadable: Iterable[Problem] = (),
) -> Configuration:
    """The configuration in force after seeing these; `unreadable` are objects that could not even be decoded."""
    ordered = tuple(sorted(pools, key=lambda spec: (spec.created, spec.pool.name)))
    found = (*unreadable, *problems([spec.pool for spec in ordered]))
    if found:
        return replace(current, problems=found)
    return Configuration(ordered, tuple(sorted(advertisements, key=lambda item: item.name)))
