# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools of the old ConfigMap and of IPAddressPool objects together: both count, as during a move from one to the other.

A range that both have counts once, as the object's; so does one of which the object of the same name has kept a part,
such as all but the LAN's broadcast address. Any other overlap, and one name for two different pools, is a problem that
names both places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lantern.core.legacy import Legacy
from lantern.core.model import L2Advertisement, PoolSpec
from lantern.pools import AddressRange, Problem, parse_range


@dataclass(frozen=True, slots=True)
class Merged:
    """The ConfigMap's part of the configuration: pools beside the objects', and what announces its addresses."""

    pools: tuple[PoolSpec, ...] = ()
    advertisements: tuple[L2Advertisement, ...] = ()
    problems: tuple[Problem, ...] = ()


def merge(objects: Sequence[PoolSpec], legacy: Legacy) -> Merged:
    """What the ConfigMap adds to the pools of the objects."""
    taken: dict[AddressRange, str] = {item: spec.pool.name for spec in objects for item in _ranges(spec)}
    names = {spec.pool.name for spec in objects}
    announced = legacy.announced()
    pools: list[PoolSpec] = []
    advertisements: list[L2Advertisement] = []
    found: list[Problem] = []
    for spec in legacy.pool_specs():
        name = spec.pool.name
        homes = [home for item in _ranges(spec) if (home := _home(item, name, taken))]
        rest = tuple(text for text in spec.pool.addresses if not _has_home(text, name, taken))
        if rest:
            pools.append(replace(spec, pool=replace(spec.pool, addresses=rest)))
            homes.append(name)
            found += _conflicts(pools[-1], taken, name in names, legacy.place(name))
        if name in announced:
            advertisements.append(_advertisement(name, homes))
    return Merged(tuple(pools), tuple(advertisements), tuple(found))


def _home(item: AddressRange, name: str, taken: Mapping[AddressRange, str]) -> str | None:
    """The object that has a range of the ConfigMap's pool `name` now: all of it, or as its successor a part."""
    kept = any(holder == name and item.covers(other) for other, holder in taken.items())
    return taken.get(item) or (name if kept else None)


def _has_home(text: str, name: str, taken: Mapping[AddressRange, str]) -> bool:
    item = parse_range(text)
    return isinstance(item, AddressRange) and _home(item, name, taken) is not None


def _advertisement(name: str, homes: Sequence[str]) -> L2Advertisement:
    """Nodes answered for a layer2 pool by itself, on all interfaces; also where an object holds its addresses now."""
    # No Kubernetes object has such a name, so it is never mistaken for one.
    return L2Advertisement(name=f"address pool {name}", pools=tuple(dict.fromkeys(homes)))


def _conflicts(spec: PoolSpec, taken: Mapping[AddressRange, str], same_name: bool, place: str) -> list[Problem]:
    name = spec.pool.name
    found: list[Problem] = []
    if same_name:
        message = (
            f'{place}: there is an IPAddressPool "{name}", too, with other addresses ({", ".join(spec.pool.addresses)} '
            "are only here). Rename one of them, or list the same addresses in both."
        )
        found.append(Problem("duplicate-name", place, message))
    for item in _ranges(spec):
        found += [
            Problem("overlap", place, _overlap(place, item, other, holder))
            for other, holder in taken.items()
            if item.overlaps(other)
        ]
    return found


def _overlap(place: str, item: AddressRange, other: AddressRange, holder: str) -> str:
    return (
        f'{place} ({item}) overlaps IPAddressPool "{holder}" ({other}) without being the same. '
        "Make the two ranges equal, or change one of them so that no address is in both."
    )


def _ranges(spec: PoolSpec) -> list[AddressRange]:
    parsed = (parse_range(text) for text in spec.pool.addresses)
    return [item for item in parsed if isinstance(item, AddressRange)]
