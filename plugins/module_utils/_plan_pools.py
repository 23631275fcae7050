# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people wrote into lantern_pools, read. PRIVATE to the collection, pure."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils import _plan_announcing
from ansible_collections.homelab.lantern.plugins.module_utils._pools import Pool, Problem, parse_range

POOL_KEYS = (
    "name", "addresses", "size", "family", "auto_assign", "avoid_buggy_ips", "ipv6_host_parts", *_plan_announcing.KEYS
)  # fmt: skip
FAMILIES = {"": 0, "ipv4": 4, "ipv6": 6}


@dataclass
class Draft:
    """A pool as read: exactly one of `pool` and `size` counts. A size is of IP `version`, 0 for the main LAN's."""

    name: str
    pool: Pool | None = None
    size: int = 0
    options: dict[str, bool] = field(default_factory=dict)
    host_parts: tuple[str, ...] = ()
    announcing: _plan_announcing.Announcing = _plan_announcing.Announcing()
    version: int = 0


def unknown_keys(where: str, given: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    """A sentence about each key that nobody reads, with the one that was probably meant."""
    found = []
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f'Did you mean "{near[0]}"? ' if near else ""
            found.append('{}: unknown key "{}". {}Known keys: {}.'.format(where, key, hint, ", ".join(known)))
    return found


def read(given: Any, nodes: Mapping[str, str]) -> tuple[list[Draft], list[str]]:
    """The pools in the order written, and sentences about what is wrong; `nodes` are those of the inventory."""
    example = "Write a list such as [{name: lan, addresses: [192.168.2.128/25]}]."
    if given in (None, "", []):
        return [], [f"lantern_pools is missing: without a pool no Service can get an address. {example}"]
    if not isinstance(given, list):
        return [], [f'lantern_pools: "{given}" is no list. {example}']
    drafts: list[Draft] = []
    found: list[str] = []
    for number, item in enumerate(given, 1):
        where = f"lantern_pools, entry {number}"
        if not isinstance(item, Mapping):
            found.append(f'{where}: "{item}" is no pool. {example}')
            continue
        if not isinstance(item.get("name"), str) or not item["name"]:
            found.append(f"{where}: the pool has no name. Add one, such as name: lan.")
            continue
        draft, wrong = _draft(item, nodes)
        found += wrong
        if draft is not None:
            drafts.append(draft)
    return drafts, found


def _draft(item: Mapping[str, Any], nodes: Mapping[str, str]) -> tuple[Draft | None, list[str]]:
    where = 'pool "{}"'.format(item["name"])
    found = unknown_keys(where, item, POOL_KEYS)
    options = {}
    for key, default in (("auto_assign", True), ("avoid_buggy_ips", False)):
        value = item.get(key, default)
        text = str(value).lower()
        if text not in ("true", "false"):
            found.append(f'{where}: {key} is "{value}". Write true or false.')
        options[key] = text == "true"
    host_parts, wrong = _host_parts(where, item.get("ipv6_host_parts"))
    found += wrong
    announcing, wrong = _plan_announcing.read(where, item, nodes)
    found += wrong
    if ("addresses" in item) == ("size" in item):
        found.append(
            "{}: give it either addresses (a list of CIDRs and ranges) or size (how many addresses), not {}.".format(
                where, "both" if "size" in item else "neither"
            )
        )
        return None, found
    if "size" in item:
        size = item["size"]
        if isinstance(size, bool) or not str(size).isdigit() or int(size) < 1:
            return None, found + [
                f'{where}: size "{size}" is no number of addresses. Write a whole number from 1, such as size: 32.'
            ]
        family = str(item.get("family", "")).lower()
        if family not in FAMILIES:
            return None, [*found, f'{where}: family is "{item["family"]}". Write ipv4 or ipv6.']
        return Draft(item["name"], None, int(size), options, host_parts, announcing, FAMILIES[family]), found
    if "family" in item:
        found.append(f"{where}: family is for a pool that gives only a size. Leave it out beside addresses.")
    addresses = item["addresses"]
    if not isinstance(addresses, list):
        message = '{0}: addresses is "{1}", but must be a list. Write addresses: ["{1}"].'
        return None, found + [message.format(where, addresses)]
    pool = Pool(item["name"], tuple(str(text) for text in addresses), **options)
    return Draft(item["name"], pool, 0, options, host_parts, announcing), found


def _host_parts(where: str, given: Any) -> tuple[tuple[str, ...], list[str]]:
    """IPv6 ranges that are completed by the nodes' prefix, such as "::100-::1ff"."""
    if given in (None, ""):
        return (), []
    parts = tuple(str(text) for text in (given if isinstance(given, list) else [given]))
    found = []
    for text in parts:
        item = parse_range(text)
        if isinstance(item, Problem) or item.version != 6 or item.last >> 64:
            message = '{0}: ipv6_host_parts "{1}" is no range below a /64 prefix. Write one such as "::100-::1ff".'
            found.append(message.format(where, text))
    return parts, found
