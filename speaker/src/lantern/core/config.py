# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which configuration is in force: the newest one without problems.

A pool or advertisement that cannot be read must never take addresses away from Services that have them, so a
configuration with any problem is put aside as a whole and the last good one stays. A process that starts with a bad one
has no last good one: a controller then decides nothing, so that Services keep what they have; a speaker goes on with
the part that is in order (`adopt_part`), so that they also stay in reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv6Network

from lantern.core.communities import Aliases, alias_problems
from lantern.core.host_parts import nodes_prefix, resolve
from lantern.core.legacy import Legacy
from lantern.core.legacy_merge import Merged, merge
from lantern.core.model import L2Advertisement, Node, PoolSpec
from lantern.core.surroundings import Surroundings, pool_warnings
from lantern.core.validation import advertisement_problems, pool_problems, pool_where
from lantern.pools import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All that the configuration is made from, as the cluster has it now."""

    pools: Sequence[PoolSpec] = ()
    advertisements: Sequence[L2Advertisement] = ()
    communities: Sequence[Aliases] = ()
    legacy: Legacy | None = None
    """The old ConfigMap; None: there is none."""
    unreadable: Sequence[Problem] = ()
    """Objects that could not even be decoded."""
    nodes: Sequence[Node] = ()
    """Their addresses tell the IPv6 prefix, and are compared with the pools."""
    around: Surroundings = Surroundings()


@dataclass(frozen=True, slots=True)
class Configuration:
    """`pools` is None until a configuration without problems was seen; `problems` are those of the newest one.

    `warnings` are about the pools in force; their `where` is `validation.pool_where(name)`.
    """

    pools: tuple[PoolSpec, ...] | None = None
    advertisements: tuple[L2Advertisement, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    prefix: IPv6Network | None = None
    """The network that host parts were completed with."""

    @property
    def is_loaded(self) -> bool:
        return self.pools is not None

    @property
    def is_stale(self) -> bool:
        """Whether something newer than what is in force was refused."""
        return bool(self.problems)


def adopt(current: Configuration, inputs: Inputs) -> Configuration:
    """The configuration in force after seeing these."""
    # A prefix that no node has at the moment is better than none: Services would lose their addresses.
    prefix = nodes_prefix(inputs.nodes) or current.prefix
    objects = tuple(resolve(spec, prefix) for spec in inputs.pools)
    added = merge(objects, inputs.legacy) if inputs.legacy is not None else Merged()
    pools = _ordered((*objects, *added.pools))
    found = (
        *inputs.unreadable,
        *_grouped(objects, added, inputs.legacy),
        *advertisement_problems(inputs.advertisements),
        *alias_problems(inputs.communities),
    )
    if found:
        return replace(current, problems=found)
    advertisements = sorted((*inputs.advertisements, *added.advertisements), key=lambda item: item.name)
    warnings = pool_warnings((spec.pool for spec in pools), inputs.nodes, inputs.around)
    waiting = [
        Problem("prefix-unknown", where, f"{where}: {spec.pending}")
        for spec in pools
        if spec.pending and (where := pool_where(spec.pool.name))
    ]
    return Configuration(pools, tuple(advertisements), (), (*waiting, *warnings), prefix)


def _ordered(pools: Sequence[PoolSpec]) -> tuple[PoolSpec, ...]:
    return tuple(sorted(pools, key=lambda spec: (spec.created, spec.pool.name)))


def _grouped(objects: Sequence[PoolSpec], added: Merged, legacy: Legacy | None) -> list[Problem]:
    """Problems of the pools: the objects', the ConfigMap's, and between the two."""
    found = pool_problems(_ordered(objects))
    if legacy is not None:
        found += [*legacy.problems, *added.problems]
    return found


def adopt_part(inputs: Inputs) -> Configuration:
    """The part of a bad configuration that is in order, with the problems of the whole.

    Pools are taken from the oldest to the newest as long as they have no problem of their own or with those before.
    """
    whole = adopt(Configuration(), inputs)
    if not whole.is_stale:
        return whole
    sound: list[PoolSpec] = []
    for spec in _ordered(inputs.pools):
        if not pool_problems([resolve(item, whole.prefix or nodes_prefix(inputs.nodes)) for item in (*sound, spec)]):
            sound.append(spec)
    legacy = inputs.legacy
    if legacy is not None and (legacy.problems or merge(sound, legacy).problems):
        legacy = None
    advertisements = [item for item in inputs.advertisements if not advertisement_problems([item])]
    part = replace(inputs, pools=sound, advertisements=advertisements, communities=(), legacy=legacy, unreadable=())
    return replace(adopt(Configuration(), part), problems=whole.problems)
