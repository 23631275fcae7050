# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The home's networks, and which hosts are found in them. PRIVATE to the collection, pure.

A LAN is a network in CIDR notation here, as text with its host bits masked off.
"""

from __future__ import annotations

from typing import Any, Collection, Mapping, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils._pools import (
    Address,
    AddressRange,
    Pool,
    Problem,
    network_range,
    parse_address,
    parse_networks,
    parse_range,
    pool_ranges,
)

Hosts = Mapping[str, Sequence[str]]
"""The known addresses of each host by its name; the first one is the inventory's own."""


def read(given: Any) -> tuple[list[str], list[str]]:
    """The LANs of lantern_lan, which is one network or a list of them, and sentences about what is wrong."""
    if given in (None, "", [], {}):
        return [], ["lantern_lan is missing. Set it to the network of your LAN, such as lantern_lan: 192.168.2.0/24."]
    networks, wrong = parse_networks(given, "lantern_lan")
    return [str(network) for network in networks], [item.message for item in wrong]


def first_of(version: int, lans: Sequence[str]) -> str:
    """The first LAN of IPv4 or IPv6, "" where there is none."""
    return next((str(network) for network in parse_networks(lans)[0] if network.version == version), "")


def main_of(lans: Sequence[str]) -> str:
    """The LAN that DHCP is judged by and pools are proposed in: the first one of IPv4, if there is one."""
    return first_of(4, lans) or next(iter(lans), "")


def segments(lans: Sequence[str], pools: Sequence[str]) -> list[dict[str, Any]]:
    """What is asked for where, [{network, pools}]: IPv6 LANs are in one segment with the IPv4 LAN before them.

    Addresses outside the LANs are with the first one. Segments without pools are left out, unless none has any.
    """
    groups: list[list[str]] = []
    for lan in lans:
        if not groups or (":" not in lan and first_of(4, groups[-1])):
            groups.append([])
        groups[-1].append(lan)
    whole = [[network_range(network) for network in parse_networks(group)[0]] for group in groups]
    found: list[dict[str, Any]] = [{"network": main_of(group), "pools": []} for group in groups]
    for text in pools if found else ():
        found[_number_of(text, whole)]["pools"].append(text)
    return [one for one in found if one["pools"]] or found[:1]


def _number_of(text: str, whole: Sequence[Sequence[AddressRange]]) -> int:
    """The segment that a range lies in, by its number."""
    item = parse_range(text)
    if isinstance(item, Problem):
        return 0
    return next((number for number, ranges in enumerate(whole) if any(lan.overlaps(item) for lan in ranges)), 0)


def words(lans: Sequence[str]) -> str:
    """Their names in a sentence."""
    return f"the LAN {lans[0]}" if len(lans) == 1 else f"the LANs {', '.join(lans)}"


def placed(addresses: Sequence[str], lans: Sequence[str]) -> list[str]:
    """A host's addresses in the LANs, behind the inventory's own, wherever that lies."""
    return [text for number, text in enumerate(addresses) if number == 0 or _inside([text], lans)]


def families(pools: Sequence[Pool], lans: Sequence[str]) -> set[int]:
    """The families, 4 and 6, of which hosts have addresses that pools may hold."""
    pooled = {item.version for pool in pools for item in pool_ranges(pool)[0]}
    return pooled.intersection(network.version for network in parse_networks(lans)[0])


def to_ask(nodes: Hosts, wanted: Collection[int]) -> list[str]:
    """The nodes that have no known address at all, or none of a family."""
    return [name for name, addresses in nodes.items() if not addresses or set(wanted) - _families(addresses)]


def host_warnings(nodes: Hosts, router: Sequence[str], lans: Sequence[str], wanted: Collection[int]) -> list[str]:
    """Hosts outside the LANs, and those of which an address is missing that was to be compared with pools."""
    found = []
    for name, addresses in nodes.items():
        what = f'node "{name}"'
        missing = f"{what}: its {{0}} is not known, so it was not compared with the pools. Set {{1}} to it."
        if not addresses:
            found.append(missing.format("address", "ansible_host"))
        else:
            found += _place_warnings(what, addresses, lans, wanted, missing.format("{0}", "lantern_addresses"))
    missing = "The router's {0} is not known, so it was not compared with the pools. Set lantern_router.{1}."
    if not router:
        found.append(missing.format("address", "address"))
    else:
        found += _place_warnings("the router", router, lans, wanted, missing.format("{0}", "addresses"))
    return found


def _place_warnings(
    what: str, addresses: Sequence[str], lans: Sequence[str], wanted: Collection[int], missing: str
) -> list[str]:
    if _parsed(addresses) and not _inside(addresses, lans):
        message = "{0} has the address {1}, which is outside {2}. Correct lantern_lan or the address."
        return [message.format(what, addresses[0], words(lans))]
    known = _families([text for text in addresses if _inside([text], lans)])
    unknown = sorted(set(wanted) - known) if _parsed(addresses) else []
    return [missing.format(f"IPv{version} address") for version in unknown]


def _parsed(addresses: Sequence[str]) -> list[Address]:
    found = [parse_address(text) for text in addresses]
    return [item for item in found if not isinstance(item, Problem)]


def _families(addresses: Sequence[str]) -> set[int]:
    return {address.version for address in _parsed(addresses)}


def _inside(addresses: Sequence[str], lans: Sequence[str]) -> bool:
    """Whether one of the addresses lies in one of the LANs."""
    # Membership of the other family is simply false.
    return any(address in network for address in _parsed(addresses) for network in parse_networks(lans)[0])
