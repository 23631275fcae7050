# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the objects of the configuration must satisfy, beyond what their schema says: the same that MetalLB refuses.

Every problem names the object, the field, the value, and what to do. Codes: malformed, duplicate-name and those of
`lantern.pools.problems`, `host_parts`, `pins` and `communities`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lantern.core.host_parts import address_field, host_part_problems
from lantern.core.model import L2Advertisement, PoolSpec
from lantern.core.pins import pin_problems
from lantern.core.selectors import list_faults, repeated, selector_faults
from lantern.pools import Pool, Problem, problems


def pool_where(name: str) -> str:
    """How a problem names a pool."""
    return f'pool "{name}"'


def pool_problems(specs: Sequence[PoolSpec]) -> list[Problem]:
    """What is wrong with these pools, whose host parts are resolved already."""
    found: list[Problem] = []
    for spec in specs:
        where = pool_where(spec.pool.name)
        found += host_part_problems(spec)
        found += [Problem("malformed", where, f"{where}: {fault}") for fault in (*spec.faults, *_allocation(spec))]
    host_part_pools = {pool_where(spec.pool.name) for spec in specs if spec.host_parts}
    by_name = {spec.pool.name: spec for spec in specs}

    def named(pool: Pool, number: int) -> str:
        return f"{pool_where(pool.name)}, {address_field(by_name[pool.name], number)}"

    arithmetic = problems([spec.pool for spec in specs], name=named)
    # Host parts are addresses, too, even while they wait for their prefix.
    found += [item for item in arithmetic if item.code != "empty" or item.where not in host_part_pools]
    # Where a pin belongs is only known once the pools are in order.
    return found or pin_problems(specs)


def _allocation(spec: PoolSpec) -> Iterable[str]:
    allocation = spec.allocation
    if allocation is None:
        return
    field = "spec.serviceAllocation"
    yield from repeated(f"{field}.namespaces", allocation.namespaces)
    yield from list_faults(f"{field}.namespaceSelectors", allocation.namespace_selectors)
    yield from list_faults(f"{field}.serviceSelectors", allocation.service_selectors)


def advertisement_problems(advertisements: Iterable[L2Advertisement]) -> list[Problem]:
    """What is wrong with these L2Advertisements."""
    found: list[Problem] = []
    for item in advertisements:
        where = f'L2Advertisement "{item.name}"'
        faults = [
            *repeated("spec.ipAddressPools", item.pools),
            *list_faults("spec.ipAddressPoolSelectors", item.pool_selectors),
            *list_faults("spec.nodeSelectors", item.node_selectors),
            *list_faults("spec.serviceSelectors", item.service_selectors),
            *_preferences(item),
        ]
        found += [Problem("malformed", where, f"{where}: {fault}") for fault in faults]
    return found


def _preferences(advertisement: L2Advertisement) -> Iterable[str]:
    # The same preference twice counts twice, so that unlike other lists this one may say things again.
    for number, item in enumerate(advertisement.preferences):
        where = f"spec.preferredNodeSelectors[{number}]"
        if not 1 <= item.weight <= 100:
            yield f"{where}.weight: {item.weight} is not from 1 to 100. Write one that is."
        yield from (f"{where}.preference: {fault}" for fault in selector_faults(item.selector))
