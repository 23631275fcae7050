# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Services a change of pools would touch. PRIVATE to the homelab.lantern collection."""

from __future__ import annotations

import typing as t

from .._pools import Pool, Problem, RangeSet, parse_address, pool_ranges, problems
from . import services
from .objects import OWNER, OWNER_LABEL

Found = t.Dict[str, t.Any]


def pool_of(found: Found) -> Pool:
    """The shared core's record of an IPAddressPool object or manifest."""
    spec = found.get("spec") or {}
    return Pool(
        found["metadata"]["name"],
        tuple(spec.get("addresses") or ()),
        spec.get("autoAssign", True) is not False,
        bool(spec.get("avoidBuggyIPs")),
    )


def removed(present: list[Found], planned: list[Found]) -> list[str]:
    """Names of pools that the inventory once made and names no longer."""
    keep = {manifest["metadata"]["name"] for manifest in planned}
    ours = [one for one in present if (one["metadata"].get("labels") or {}).get(OWNER_LABEL) == OWNER]
    return sorted(one["metadata"]["name"] for one in ours if one["metadata"]["name"] not in keep)


def after(present: list[Found], planned: list[Found]) -> list[Pool]:
    """The pools as they will be: those that stay, and the planned ones in place of their older selves."""
    gone = set(removed(present, planned)) | {manifest["metadata"]["name"] for manifest in planned}
    stay = [one for one in present if one["metadata"]["name"] not in gone]
    return [pool_of(one) for one in stay + planned]


def overlaps(pools: list[Pool]) -> list[str]:
    """A sentence for every range that is in two of the pools: then the controller takes none of them."""
    return [problem.message for problem in problems(pools) if problem.code == "overlap"]


def touched(found: list[Found], pools: list[Pool]) -> list[dict[str, t.Any]]:
    """Services that have an address from Lantern which none of `pools` holds: they will move, or lose it."""
    held = RangeSet(item for pool in pools for item in pool_ranges(pool)[0])
    result = []
    for service in found:
        if not services.is_loadbalancer(service) or not services.assigned_by_us(service):
            continue
        parsed = [parse_address(text) for text in services.addresses(service)]
        lost = [str(one) for one in parsed if not isinstance(one, Problem) and one not in held]
        if lost:
            metadata = service["metadata"]
            name = f"{metadata['namespace']}/{metadata['name']}"
            pool = (metadata.get("annotations") or {})[services.POOL_ANNOTATION]
            result.append({"name": name, "addresses": lost, "pool": pool})
    return sorted(result, key=lambda one: one["name"])
