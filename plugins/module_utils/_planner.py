# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the inventory's variables to the pools that every stage uses. PRIVATE to the collection.

Runs on the Ansible controller only (filter homelab.lantern.address_plan). Whether pools are allowed is decided by
_pools alone; this file reads what people wrote, proposes blocks for pools that give only a size, and tells what it
found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils import _plan_announcing, _plan_pools
from ansible_collections.homelab.lantern.plugins.module_utils._pins import Pin, annotation, pin_problems, read_pins
from ansible_collections.homelab.lantern.plugins.module_utils._plan_neighbours import others
from ansible_collections.homelab.lantern.plugins.module_utils._plan_ranges import (
    cut,
    cut_warnings,
    dhcp_ranges,
    dhcp_warnings,
    served_after,
)
from ansible_collections.homelab.lantern.plugins.module_utils._plan_words import (
    control_plane_warnings,
    notices,
    summary,
)
from ansible_collections.homelab.lantern.plugins.module_utils._pools import (
    AddressRange,
    Pool,
    Problem,
    parse_address,
    parse_network,
    parse_range,
    problems,
    trimmed,
    warnings,
)
from ansible_collections.homelab.lantern.plugins.module_utils._routers import BY_LOGIN, ROUTER_TYPES

try:
    import netaddr

    NETADDR_ERROR = ""
except ImportError as error:
    NETADDR_ERROR = str(error)

SERVE_CHOICES = ("auto", "true", "false")


@dataclass(frozen=True)
class Inventory:
    """What the plan is made from: the user's variables as they came from YAML, and the hosts of the groups.

    `nodes` maps each name of group nodes to its address, "" when it is not known. `neighbours` are what filter
    cluster_neighbours returns for `cluster`, which is "" where the inventory has one only.
    """

    lan: Any
    pools: Any
    router: Any
    reservations: Any
    nodes: Mapping[str, str]
    router_hosts: Mapping[str, str]
    control_plane: Sequence[str]
    serve_from_control_plane: Any
    pins: Any = None
    cluster: str = ""
    neighbours: Sequence[Mapping[str, Any]] = ()


def address_plan(inventory: Inventory) -> dict[str, Any]:
    """The plan of the whole LAN.

    Returns lan (text), router (type, address), nodes, reservations, dhcp (before and after), pools ([{name, addresses,
    auto_assign, avoid_buggy_ips, size, announce, nodes, interfaces}] without what lies outside the LAN and its network
    and broadcast address), advertisements (what announces them),
    reserved (what DHCP must not hand out: the pools and those of other clusters in the LAN), beside (the latter alone),
    problems, warnings and notices (lists of sentences), and summary (a table as text). Nothing may be changed anywhere
    while there are problems.
    """
    network = parse_network(inventory.lan, "lantern_lan")
    found: list[str] = [_lan_message(inventory.lan)] if isinstance(network, Problem) else []
    lan = "" if isinstance(network, Problem) else str(network)
    router, router_problems = _router(inventory)
    reservations, reservation_problems = _reservations(inventory.reservations)
    drafts, pool_problems = _plan_pools.read(inventory.pools, inventory.nodes)
    served, range_problems = dhcp_ranges(inventory.router)
    found += router_problems + range_problems + reservation_problems + pool_problems + _host_problems(inventory)
    beside = others(inventory.neighbours)
    nodes = dict({name: address for name, address in inventory.nodes.items() if address}, **beside.nodes)
    taken = [address for address in list(nodes.values()) + list(reservations.values()) + [router["address"]] if address]
    pools, size_problems = _with_proposals(drafts, lan, taken, served, beside.pools)
    found += size_problems + beside.problems
    items = problems([*pools, *beside.pools], nodes, router["address"] or None, reservations)
    found += [item.message for item in items if item.code != "bad-name" or item.where not in beside.subjects()]
    pins, pin_mistakes = read_pins(inventory.pins)
    found += pin_mistakes + pin_problems(pins, pools)
    drafted = {draft.name: draft for draft in drafts}
    planned = [_planned(pool, lan, pins, drafted[pool.name]) for pool in pools]
    foreign = [_planned(pool, lan, (), _plan_pools.Draft(pool.name)) for pool in beside.pools]
    dhcp = served_after(served, planned + foreign)
    warned = _warnings(pools, lan, inventory, router) + cut_warnings(pools, lan) + dhcp_warnings(dhcp, router)
    return {
        "lan": lan,
        "router": router,
        "nodes": dict(inventory.nodes),
        "reservations": reservations,
        "dhcp": dhcp,
        "pools": planned,
        "advertisements": _plan_announcing.advertisements(planned),
        "reserved": [text for pool in planned + foreign for text in pool["addresses"]],
        "beside": [text for pool in foreign for text in pool["addresses"]],
        "problems": list(dict.fromkeys(found)),
        "warnings": list(dict.fromkeys(warned + control_plane_warnings(inventory, planned))),
        "notices": notices(inventory) + _plan_announcing.notices(planned),
        "summary": summary(lan, router, inventory, planned, dhcp, foreign),
    }


def _lan_message(value: Any) -> str:
    if value in (None, ""):
        return "lantern_lan is missing. Set it to the network of your LAN, such as lantern_lan: 192.168.2.0/24."
    return f'lantern_lan: "{value}" is not a network. Write a CIDR such as 192.168.2.0/24.'


def _router(inventory: Inventory) -> tuple[dict[str, str], list[str]]:
    """Type and address of the router; "none" when nothing is said about it."""
    given = inventory.router
    plan = {"type": "none", "address": ""}
    if given in (None, "", {}):
        return plan, []
    if not isinstance(given, Mapping):
        return plan, [f'lantern_router: "{given}" is no mapping. Write lantern_router: {{type: dnsmasq}}.']
    found = _plan_pools.unknown_keys("lantern_router", given, ("type", "address", "dhcp_ranges"))
    plan["type"] = str(given.get("type", "none"))
    plan["address"] = str(given.get("address") or next(iter(inventory.router_hosts.values()), ""))
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
            found.append(
                'lantern_router.address: "{}" is not an IP address. Write one such as 192.168.2.1.'.format(
                    plan["address"]
                )
            )
        plan["address"] = ""
    return plan, found


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


def _with_proposals(
    drafts: Sequence[_plan_pools.Draft],
    lan: str,
    taken: Sequence[str],
    served: Sequence[AddressRange],
    foreign: Sequence[Pool],
) -> tuple[list[Pool], list[str]]:
    """The pools in the order written; those with a size get the highest free block of the LAN that is large enough.

    Best one that the DHCP server does not hand out; where there is none, one that it has to give up.
    """
    given = [draft.pool for draft in drafts if draft.pool is not None]
    if len(given) == len(drafts) or not lan:
        return given, []
    if NETADDR_ERROR:
        return given, [
            f"Proposing addresses for a pool needs the Python package netaddr on this machine: {NETADDR_ERROR}"
        ]
    free = _free(lan, taken, [*given, *foreign])
    pools: list[Pool] = []
    found: list[str] = []
    for draft in drafts:
        if draft.pool is not None:
            pools.append(draft.pool)
            continue
        blocks = list(free.iter_ipranges())
        unserved = list(_without(free, served).iter_ipranges())
        block = next((item for item in [*reversed(unserved), *reversed(blocks)] if item.size >= draft.size), None)
        if block is None:
            largest = max(blocks, key=lambda item: item.size) if blocks else None
            room = (
                f"the largest free block has {largest.size} ({largest})"
                if largest is not None
                else "no address is free"
            )
            message = (
                'pool "{0}": {1} addresses in a row are wanted, but in the LAN {2} {3}. '
                "Ask for fewer, or name the addresses."
            )
            found.append(message.format(draft.name, draft.size, lan, room))
            continue
        chosen = netaddr.IPRange(
            netaddr.IPAddress(block.last - draft.size + 1, block.version), netaddr.IPAddress(block.last, block.version)
        )
        free.remove(chosen)
        pools.append(Pool(draft.name, (str(chosen),), **draft.options))
    return pools, found


def _free(lan: str, taken: Sequence[str], given: Sequence[Pool]) -> Any:
    """netaddr.IPSet of what no host and no pool has; the first address is kept back as the usual place of a router."""
    network = netaddr.IPNetwork(lan)
    free = netaddr.IPSet([network])
    for address in (network.first, network.first + 1, network.last):
        free.remove(netaddr.IPAddress(address, network.version))
    for text in taken:
        if not isinstance(parse_address(text), Problem):
            free.remove(netaddr.IPAddress(text))
    for pool in given:
        for text in pool.addresses:
            item = parse_range(text)
            if isinstance(item, AddressRange):
                free.remove(netaddr.IPRange(str(item.first_address), str(item.last_address)))
    return free


def _without(free: Any, served: Sequence[AddressRange]) -> Any:
    """The netaddr.IPSet without these ranges."""
    return free - netaddr.IPSet(netaddr.IPRange(str(item.first_address), str(item.last_address)) for item in served)


def _planned(pool: Pool, lan: str, pins: Sequence[Pin], draft: _plan_pools.Draft) -> dict[str, Any]:
    addresses = list(trimmed(cut(pool, lan), lan)) if lan else list(pool.addresses)
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


def _warnings(pools: Sequence[Pool], lan: str, inventory: Inventory, router: Mapping[str, str]) -> list[str]:
    if not lan:
        return []
    found = [item.message for item in warnings([cut(pool, lan) for pool in pools], lan)]
    network = parse_network(lan)
    hosts = dict(inventory.nodes)
    hosts["(router)"] = router["address"]
    for name, text in hosts.items():
        what = "the router" if name == "(router)" else f'node "{name}"'
        if not text:
            if name != "(router)":
                found.append(
                    f"{what}: its address is not known, so it was not compared with the pools. Set ansible_host to it."
                )
            continue
        address = parse_address(text)
        if not isinstance(address, Problem) and not isinstance(network, Problem) and address not in network:
            message = "{0} has the address {1}, which is outside the LAN {2}. Correct lantern_lan or the address."
            found.append(message.format(what, text, lan))
    if not router["address"]:
        found.append(
            "The router's address is not known, so it was not compared with the pools. Set lantern_router.address."
        )
    return found
