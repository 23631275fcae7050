# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the inventory's variables to the pools that every stage uses. PRIVATE to the collection.

Runs on the Ansible controller only (filter homelab.lantern.address_plan). Whether pools are allowed is decided by
_pools alone; this file reads what people wrote, and tells what was found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils import _plan_announcing, _plan_lans, _plan_pools
from ansible_collections.homelab.lantern.plugins.module_utils._pins import Pin, annotation, pin_problems, read_pins
from ansible_collections.homelab.lantern.plugins.module_utils._plan_neighbours import others
from ansible_collections.homelab.lantern.plugins.module_utils._plan_proposals import with_proposals
from ansible_collections.homelab.lantern.plugins.module_utils._plan_ranges import (
    cut,
    cut_warnings,
    dhcp_ranges,
    dhcp_warnings,
    served_after,
)
from ansible_collections.homelab.lantern.plugins.module_utils._plan_words import (
    Shown,
    control_plane_warnings,
    notices,
    reserving_notices,
    summary,
)
from ansible_collections.homelab.lantern.plugins.module_utils._pools import (
    AddressRange,
    Pool,
    Problem,
    parse_address,
    parse_range,
    problems,
    trimmed,
    warnings,
)
from ansible_collections.homelab.lantern.plugins.module_utils._routers import BY_LOGIN, ROUTER_TYPES

SERVE_CHOICES = ("auto", "true", "false")


@dataclass(frozen=True)
class Inventory:
    """What the plan is made from: the user's variables as they came from YAML, and the hosts of the groups.

    `nodes` and `router_hosts` map each name of these groups to its addresses, the inventory's own first, none when they
    are not known. `neighbours` are what filter cluster_neighbours returns for `cluster`, which is "" where the
    inventory has one only.
    """

    lan: Any
    pools: Any
    router: Any
    reservations: Any
    nodes: _plan_lans.Hosts
    router_hosts: _plan_lans.Hosts
    control_plane: Sequence[str]
    serve_from_control_plane: Any
    pins: Any = None
    cluster: str = ""
    neighbours: Sequence[Mapping[str, Any]] = ()


def address_plan(inventory: Inventory) -> dict[str, Any]:
    """The plan of the home's LANs.

    Returns lan (text, the main one) and lans (all of them), router (type, address) and router_addresses (all of them),
    nodes (name and address) and node_addresses (all of each), to_ask (nodes whose addresses are not known),
    reservations, dhcp (before and after), pools ([{name, addresses, auto_assign, avoid_buggy_ips, size, announce,
    nodes, interfaces}] without what lies outside the LANs and their network and broadcast addresses), advertisements
    (what announces them), reserved (what DHCP must not hand out: the pools and those of other clusters in the LAN),
    beside (the latter alone), segments (which LAN has which pools), problems, warnings and notices (lists of
    sentences), and summary (a table as text). Nothing may be changed anywhere while there are problems.
    """
    lans, found = _plan_lans.read(inventory.lan)
    router, router_addresses, router_problems = _router(inventory)
    reservations, reservation_problems = _reservations(inventory.reservations)
    drafts, pool_problems = _plan_pools.read(inventory.pools, inventory.nodes)
    served, range_problems = dhcp_ranges(inventory.router)
    found += router_problems + range_problems + reservation_problems + pool_problems + _host_problems(inventory)
    beside = others(inventory.neighbours)
    nodes = {**inventory.nodes, **{name: [address] for name, address in beside.nodes.items()}}
    taken = [text for addresses in nodes.values() for text in addresses] + [*reservations.values(), *router_addresses]
    pools, size_problems = with_proposals(drafts, lans, taken, served, beside.pools)
    found += size_problems + beside.problems
    items = problems([*pools, *beside.pools], nodes, router_addresses, reservations)
    found += [item.message for item in items if item.code != "bad-name" or item.where not in beside.subjects()]
    pins, pin_mistakes = read_pins(inventory.pins)
    found += pin_mistakes + pin_problems(pins, pools)
    drafted = {draft.name: draft for draft in drafts}
    planned = [_planned(pool, lans, pins, drafted[pool.name]) for pool in pools]
    foreign = [_planned(pool, lans, (), _plan_pools.Draft(pool.name)) for pool in beside.pools]
    dhcp = served_after(served, planned + foreign)
    warned = _warnings(pools, lans, inventory, router_addresses) + dhcp_warnings(served, planned + foreign, router)
    hosts = {name: _plan_lans.placed(addresses, lans) for name, addresses in inventory.nodes.items()}
    router_addresses = _plan_lans.placed(router_addresses, lans)
    own, others_have = ([text for pool in part for text in pool["addresses"]] for part in (planned, foreign))
    return {
        "lan": _plan_lans.main_of(lans),
        "lans": lans,
        "router": router,
        "router_addresses": router_addresses,
        "nodes": {name: next(iter(addresses), "") for name, addresses in inventory.nodes.items()},
        "node_addresses": hosts,
        "to_ask": _plan_lans.to_ask(inventory.nodes, _plan_lans.families(pools, lans)),
        "reservations": reservations,
        "dhcp": dhcp,
        "pools": planned,
        "advertisements": _plan_announcing.advertisements(planned),
        "reserved": own + others_have,
        "beside": others_have,
        "segments": _plan_lans.segments(lans, own),
        "problems": list(dict.fromkeys(found)),
        "warnings": list(dict.fromkeys(warned + control_plane_warnings(inventory, planned))),
        "notices": notices(inventory) + _plan_announcing.notices(planned) + reserving_notices(planned),
        "summary": summary(inventory, Shown(lans, router["type"], router_addresses, hosts, dhcp), planned, foreign),
    }


def _router(inventory: Inventory) -> tuple[dict[str, str], list[str], list[str]]:
    """Type and address of the router, "none" when nothing is said about it; all its addresses; what is wrong."""
    given = inventory.router
    plan = {"type": "none", "address": ""}
    if given in (None, "", {}):
        return plan, [], []
    if not isinstance(given, Mapping):
        return plan, [], [f'lantern_router: "{given}" is no mapping. Write lantern_router: {{type: dnsmasq}}.']
    found = _plan_pools.unknown_keys("lantern_router", given, ("type", "address", "addresses", "dhcp_ranges"))
    host = next(iter(inventory.router_hosts.values()), ())
    plan["type"] = str(given.get("type", "none"))
    plan["address"] = str(given.get("address") or next(iter(host), ""))
    if plan["type"] not in ROUTER_TYPES:
        message = (
            'lantern_router.type: "{0}" is not known. Choose one of: {1} '
            "(none: you keep the DHCP range out of the pools yourself)."
        )
        found.append(message.format(plan["type"], ", ".join(ROUTER_TYPES)))
    elif plan["type"] in BY_LOGIN and not inventory.router_hosts:
        message = (
            "lantern_router.type is {0}, but the inventory group router has no host. "
            "Add the router to that group with ansible_host and ansible_user, or set lantern_router.type: none."
        )
        found.append(message.format(plan["type"]))
    if plan["address"] and isinstance(parse_address(plan["address"]), Problem):
        if given.get("address"):
            found.append(_no_address("address", plan["address"]))
        plan["address"] = ""
    more = given.get("addresses") or []
    more = [str(text) for text in (more if isinstance(more, list) else [more])]
    found += [_no_address("addresses", text) for text in more if isinstance(parse_address(text), Problem)]
    known = [text for text in [plan["address"], *more, *host] if not isinstance(parse_address(text), Problem)]
    return plan, list(dict.fromkeys(known)), found


def _no_address(key: str, text: str) -> str:
    return f'lantern_router.{key}: "{text}" is not an IP address. Write one such as 192.168.2.1.'


def _reservations(given: Any) -> tuple[dict[str, str], list[str]]:
    """Addresses that hosts own, by name."""
    example = "Write a list such as [{name: printer, address: 192.168.2.9}]."
    if given in (None, ""):
        return {}, []
    if not isinstance(given, list):
        return {}, [f'lantern_reservations: "{given}" is no list. {example}']
    hosts: dict[str, str] = {}
    found: list[str] = []
    for number, item in enumerate(given, 1):
        where = f"lantern_reservations, entry {number}"
        if not isinstance(item, Mapping) or not item.get("name") or not item.get("address"):
            found.append(f"{where}: name and address are needed. {example}")
            continue
        found += _plan_pools.unknown_keys(where, item, ("name", "address"))
        name = str(item["name"])
        hosts[name if name not in hosts else f"{name} ({number})"] = str(item["address"])
    return hosts, found


def _host_problems(inventory: Inventory) -> list[str]:
    found = []
    if not inventory.nodes:
        found.append("The inventory group nodes is empty. Add every Kubernetes node to it.")
    strangers = [name for name in inventory.control_plane if name not in inventory.nodes]
    if strangers:
        found.append(
            "In group control_plane but not in group nodes: {}. Add them to nodes as well.".format(", ".join(strangers))
        )
    if str(inventory.serve_from_control_plane).lower() not in SERVE_CHOICES:
        message = 'lantern_serve_from_control_plane: "{0}" is not known. Choose one of: {1}.'
        found.append(message.format(inventory.serve_from_control_plane, ", ".join(SERVE_CHOICES)))
    return found


def _planned(pool: Pool, lans: Sequence[str], pins: Sequence[Pin], draft: _plan_pools.Draft) -> dict[str, Any]:
    addresses = list(trimmed(cut(pool, lans), lans))
    return {
        "name": pool.name,
        "addresses": addresses,
        "auto_assign": pool.auto_assign,
        "avoid_buggy_ips": pool.avoid_buggy_ips,
        "size": sum(item.size for item in map(parse_range, addresses) if isinstance(item, AddressRange)),
        "pinned": annotation(pins, pool),
        "ipv6_host_parts": list(draft.host_parts),
        "announce": draft.announcing.mode,
        "nodes": list(draft.announcing.nodes),
        "interfaces": list(draft.announcing.interfaces),
    }


def _warnings(pools: Sequence[Pool], lans: Sequence[str], inventory: Inventory, router: Sequence[str]) -> list[str]:
    if not lans:
        return []
    found = [item.message for item in warnings([cut(pool, lans) for pool in pools], lans)]
    wanted = _plan_lans.families(pools, lans)
    return found + _plan_lans.host_warnings(inventory.nodes, router, lans, wanted) + cut_warnings(pools, lans)
