# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""By whom the inventory wants a pool's addresses announced. PRIVATE to the collection, pure."""

from __future__ import annotations

import difflib
import re
from typing import Any, Collection, Mapping, NamedTuple, Sequence

LAYER2, NONE = "layer2", "none"
MODES = (LAYER2, NONE)
KEYS = ("announce", "nodes", "interfaces")
ADVERTISEMENT = "lantern"

# What Linux takes for an interface (dev_valid_name), and Ansible hands on unchanged.
_INTERFACE = re.compile(r"^[^\s/:]{1,15}$")


class Announcing(NamedTuple):
    """How a pool is announced: by which nodes of the inventory and on which of their interfaces, by all if empty."""

    mode: str = LAYER2
    nodes: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()


def read(where: str, item: Mapping[str, Any], nodes: Collection[str]) -> tuple[Announcing, list[str]]:
    """From one entry of lantern_pools, with sentences about what is wrong in it."""
    found = []
    mode = str(item.get("announce", LAYER2)).lower()
    if mode not in MODES:
        message = (
            '{0}: announce is "{1}". Write layer2 (ARP and NDP, the default), or none, for addresses that Services get '
            "and no node answers for."
        )
        found.append(message.format(where, item["announce"]))
    limits = {}
    for key in ("nodes", "interfaces"):
        given = item.get(key)
        if given in (None, ""):
            given = []
        if not isinstance(given, list) or (key in item and not given):
            found.append(f'{where}: {key} is "{item[key]}". Write a list with one or more, or leave it out for all.')
            given = []
        limits[key] = tuple(str(text) for text in given)
    for name in limits["nodes"]:
        if name not in nodes:
            near = difflib.get_close_matches(name, nodes, n=1)
            hint = f'Did you mean "{near[0]}"? ' if near else ""
            found.append(f'{where}: nodes has "{name}", which is not in group nodes. {hint}Write names of that group.')
    for name in limits["interfaces"]:
        if not _INTERFACE.match(name):
            found.append(f'{where}: interfaces has "{name}", which is no name of an interface. Write one such as eth0.')
    if mode == NONE and (limits["nodes"] or limits["interfaces"]):
        found.append(f"{where}: announce is none, so nodes and interfaces mean nothing. Leave them out.")
    return Announcing(mode, limits["nodes"], limits["interfaces"]), found


def advertisements(planned: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The L2Advertisements that the planned pools need: one for all with the same limits, [{name, pools, nodes,
    interfaces}]. None is without a pool, as that would be one for all."""
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for pool in planned:
        if pool["announce"] != NONE:
            groups.setdefault((tuple(pool["nodes"]), tuple(pool["interfaces"])), []).append(pool["name"])
    return [
        {
            "name": f"{ADVERTISEMENT}-{pools[0]}" if nodes or interfaces else ADVERTISEMENT,
            "pools": pools,
            "nodes": list(nodes),
            "interfaces": list(interfaces),
        }
        for (nodes, interfaces), pools in groups.items()
    ]


def words(pool: Mapping[str, Any]) -> str:
    """Who announces a planned pool, if not everybody; else "" """
    if pool["announce"] == NONE:
        return "announced by nobody"
    who = ", ".join(pool["nodes"]) or "all nodes"
    where = " on " + ", ".join(pool["interfaces"]) if pool["interfaces"] else ""
    return f"announced by {who}{where}" if pool["nodes"] or where else ""


def notices(planned: Sequence[Mapping[str, Any]]) -> list[str]:
    """What it takes to reach pools that nobody announces."""
    message = (
        'pool "{0}": announce is none, so no node answers for its addresses. Whoever is to reach them needs a route by '
        "way of a node."
    )
    return [message.format(pool["name"]) for pool in planned if pool["announce"] == NONE]


def warnings(planned: Sequence[Mapping[str, Any]], control_plane: Collection[str], serve: str, label: str) -> list[str]:
    """Pools whose nodes are all kept away from Services; `serve` is lantern_serve_from_control_plane."""
    message = (
        'pool "{0}": {1} may announce it, and kubeadm labels control-plane nodes {2}, so nobody will. Add another '
        "node, or set lantern_serve_from_control_plane: true."
    )
    return [
        message.format(pool["name"], "only " + " and ".join(pool["nodes"]), label)
        for pool in planned
        if pool["nodes"] and serve != "true" and set(pool["nodes"]) <= set(control_plane)
    ]
