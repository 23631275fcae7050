#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: reservation_proof
short_description: Find out from the LAN whether DHCP servers hand out addresses of the pools
version_added: 0.1.0
description:
  - Asks every DHCP server of the LAN, as a client that is new there would, for addresses of O(pools), and tells which
    it offers. For IPv4 pools by DHCP, for IPv6 pools by DHCPv6. No router is logged in to, and no address is requested,
    so no lease comes about; an offer is forgotten by the server after a while.
  - A server that does not offer these addresses proves something only if it offers others that it is asked for. So it
    is also asked for an address outside the pools, beside one that it offered by itself.
  - Asks by ARP and neighbour discovery who has addresses of O(pools), and tells maker and name of devices that are no
    node of the cluster. Addresses of O(pools) that somebody has are not asked for by DHCP.
  - Many homes have no DHCPv6 server, as hosts choose IPv6 addresses themselves (SLAAC). So routers are asked whether
    they send hosts to one (flag M of router advertisements). Where none does, silence by DHCPv6 is no fault; where one
    does, it proves nothing. The silence of DHCP proves nothing either way.
  - Some DHCPv6 servers, such as odhcpd, choose addresses without heeding what they are asked for. They count as proven
    if the pools are farther away from what they offer than three times the spread of at least ten offers, else as
    unknown. A server that has no address for any new client counts as proven.
  - One question is in the air at a time. It takes about seven to ten seconds, for IPv6 pools two more, six where
    no DHCPv6 server answers; a server that is not kept out of the pools is found out sooner.
  - The verdict is V(proven), V(failed) or V(unknown). The module itself does not fail for it. What was found is printed
    as a table.
  - IPv6 pools that are given as host parts, without a prefix, cannot be asked for; leave them out.
author:
  - Lantern contributors (@homelab-lantern)
attributes:
  check_mode:
    description: Only looks.
    support: full
  diff_mode:
    description: Nothing is changed.
    support: none
options:
  pools:
    description: The addresses that no DHCP server may hand out, as CIDRs or C(first-last), IPv4 and IPv6.
    type: list
    elements: str
    required: true
  network:
    description: The LAN in CIDR notation, by its IPv4 addresses.
    type: str
    required: true
  servers:
    description:
      - Addresses of the DHCP servers that belong here, usually the router. Others are reported as foreign, unless none
        of these is in the LAN or answers there, as where only the router's address in another LAN is known.
      - A DHCPv6 server belongs here if it answers from the MAC of one of them, or from a link-local address among them.
    type: list
    elements: str
    default: []
  nodes:
    description:
      - The cluster's nodes, each with C(name), C(address) or C(addresses), and optionally C(macs). They may have
        addresses of O(pools).
    type: list
    elements: dict
    default: []
  interface:
    description: The interface to ask on. Empty for the one in O(network).
    type: str
    default: ''
  samples:
    description: How many addresses of the pools are asked for by DHCP, and by DHCPv6, from the edges on, at most 12.
    type: int
    default: 4
  scan_limit:
    description: How many addresses are asked for by ARP at most. The pools come first, then the rest of the LAN.
    type: int
    default: 1024
  timeout:
    description: Seconds that asking by DHCP may take, and the same again by DHCPv6.
    type: int
    default: 40
requirements:
  - scapy (Python package), on the host that asks
notes:
  - Raw sockets need root, so use C(become).
  - It must run on a host in the LAN. On a node, Services that this node announces itself are not seen.
  - DHCPv6 servers are asked from the link-local address of the interface, so IPv6 must be on there.
  - A switch with DHCP snooping may log the questions, as they come for clients with invented MACs.
seealso:
  - plugin: homelab.lantern.proof_summary
    plugin_type: filter
  - module: homelab.lantern.dnsmasq_reservation
  - module: homelab.lantern.dhcp_reservation
"""

EXAMPLES = r"""
---
- name: Are the pools out of reach of DHCP?
  homelab.lantern.reservation_proof:
    pools: [192.168.2.128/25]
    network: 192.168.2.0/24
    servers: [192.168.2.1]
  become: true
  register: proof
  failed_when: proof.verdict != 'proven'

- name: Those for IPv6 as well?
  homelab.lantern.reservation_proof:
    pools: [192.168.2.128/25, "fd00:2::1:0/112"]
    network: 192.168.2.0/24
    servers: [192.168.2.1]
  become: true
"""

RETURN = r"""
verdict:
  description: V(proven), V(failed) or V(unknown).
  returned: success
  type: str
  sample: proven
problems:
  description: Why it is not proven, and what to do; empty when it is.
  returned: success
  type: list
  elements: str
warnings_found:
  description: What is not wrong, but probably not meant, such as a foreign DHCP server.
  returned: success
  type: list
  elements: str
servers:
  description: The DHCP servers that answered.
  returned: success
  type: list
  elements: dict
  contains:
    server:
      description: The server's address, a link-local one of a DHCPv6 server.
      type: str
    duid:
      description: What a DHCPv6 server calls itself (DUID), empty for IPv4.
      type: str
      sample: "00:03:00:01:52:54:00:12:34:56"
    mac:
      description: The MAC that its answers came from.
      type: str
    vendor:
      description: Who made it, empty if not known.
      type: str
    relay:
      description: The relay between, V(0.0.0.0) for none; empty for DHCPv6, whose relays are not seen.
      type: str
    foreign:
      description: Whether it is not one of O(servers).
      type: bool
    verdict:
      description: The verdict about this server.
      type: str
    text:
      description: What it did.
      type: str
routers:
  description: The routers that advertised themselves by IPv6; empty without IPv6 pools.
  returned: success
  type: list
  elements: dict
  contains:
    address:
      description: The router's link-local address.
      type: str
    mac:
      description: Its MAC.
      type: str
    managed:
      description: Whether it tells hosts to get addresses by DHCPv6 (flag M).
      type: bool
    other:
      description: Whether it tells hosts to get other settings by DHCPv6 (flag O).
      type: bool
    prefixes:
      description: The prefixes out of which hosts choose addresses themselves (SLAAC).
      type: list
      elements: str
      sample: ["fd00:2::/64"]
strangers:
  description: Devices that have an address of the pools and are no node.
  returned: success
  type: list
  elements: dict
  contains:
    address:
      description: The address.
      type: str
    mac:
      description: The device's MAC.
      type: str
    vendor:
      description: Who made it, empty if not known.
      type: str
    name:
      description: Its name by DNS, multicast DNS or NetBIOS, empty if it has none.
      type: str
    node:
      description: Always empty.
      type: str
asked:
  description: What was asked for by DHCP, then by DHCPv6, in order, an empty text for any address.
  returned: success
  type: list
  elements: str
scanned:
  description: How many addresses were asked for by ARP and neighbour discovery.
  returned: success
  type: int
seconds:
  description: How long all of it took.
  returned: success
  type: float
table:
  description: The findings as lines of a table.
  returned: success
  type: list
  elements: str
"""

import random
import time
import typing as t
from ipaddress import IPv4Address, IPv6Address, ip_address

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.homelab.lantern.plugins.module_utils._pools import (
    AddressRange,
    Problem,
    RangeSet,
    parse_address,
    parse_range,
)
from ansible_collections.homelab.lantern.plugins.module_utils._wire import (
    discover,
    probing,
    proof,
    reservation,
    scanning,
    solicit,
    strangers,
)

MOST_SAMPLES = 12
FIRST_OF_IPV6 = 64
"""How many addresses of a large IPv6 pool are looked at: Services get its first ones."""

EVERY_IPV6 = AddressRange(6, 0, (1 << 128) - 1)
"""What is asked for outside the pools lies beside what a server advertised, in whichever prefix."""


class Wanted(t.NamedTuple):
    """The options, read."""

    pools4: list[AddressRange]
    pools6: list[AddressRange]
    lan: AddressRange


def wanted(options: dict[str, t.Any]) -> Wanted:
    """The ranges of the options; ProbeError with all that is wrong."""
    parsed = [parse_range(text, "pools") for text in options["pools"]]
    lan = parse_range(options["network"], "network")
    wrong = [item.message for item in [*parsed, lan] if isinstance(item, Problem)]
    if wrong or isinstance(lan, Problem):
        raise probing.ProbeError("\n".join(wrong))
    ranges = [item for item in parsed if isinstance(item, AddressRange)]
    pools4 = [item for item in ranges if item.version == 4]
    if not pools4 and not any(item.version == 6 for item in ranges):
        raise probing.ProbeError("pools is empty. Name the addresses that are to be looked at.")
    return Wanted(pools4, [item for item in ranges if item.version == 6], lan)


def to_scan(want: Wanted, nodes: t.Sequence[str], limit: int) -> list[IPv4Address]:
    """Nodes, then the pools, then the rest of the LAN, at most `limit` addresses besides the nodes."""
    rest = RangeSet([want.lan]).difference(RangeSet(want.pools4))
    found = dict.fromkeys(IPv4Address(address) for address in nodes if ":" not in address)
    left = limit
    for part in [*RangeSet(want.pools4), *rest]:
        inside = range(max(part.first, want.lan.first + 1), min(part.last, want.lan.last - 1) + 1)
        for value in inside[: max(left, 0)]:
            found[IPv4Address(value)] = None
        left -= len(inside)
    return list(found)


def to_scan6(pools: t.Sequence[AddressRange]) -> list[IPv6Address]:
    """The first addresses of each pool, and its last one."""
    values = [
        value
        for pool in pools
        for value in [*range(pool.first, min(pool.last, pool.first + FIRST_OF_IPV6 - 1) + 1), pool.last]
    ]
    return [IPv6Address(value) for value in dict.fromkeys(values)]


def with_samples(
    addresses: t.Sequence[IPv6Address], pools: t.Sequence[AddressRange], count: int, rng: random.Random
) -> list[IPv6Address]:
    """The same and addresses between, enough to ask for by DHCPv6: only who was looked at is asked for."""
    drawn = reservation.samples(pools, addresses, count, rng)
    return [*addresses, *(IPv6Address(address) for address in drawn)]


def addresses_of(node: dict[str, t.Any]) -> list[str]:
    """A node's addresses in either notation of the option."""
    return [str(address) for address in [node.get("address"), *(node.get("addresses") or [])] if address]


def known_macs(
    nodes: t.Sequence[dict[str, t.Any]], holders: dict[IPv4Address, list[str]], segment: scanning.Segment
) -> dict[str, list[str]]:
    """The MACs of each node: those given, those that answer for its addresses, and this host's if it is the node."""
    known: dict[str, list[str]] = {}
    for node in nodes:
        macs = [str(mac) for mac in node.get("macs") or []]
        for address in addresses_of(node):
            macs += holders.get(IPv4Address(address), []) if ":" not in address else []
            macs += [segment.mac] if address == segment.address else []
        known[str(node["name"])] = macs
    return known


def inside(found: t.Mapping[t.Any, list[str]], pools: t.Sequence[AddressRange]) -> list[tuple[str, str]]:
    """Address and MAC of those that are in the pools, sorted."""
    return [
        (str(address), mac)
        for address in sorted(found)
        if any(address in pool for pool in pools)
        for mac in found[address]
    ]


def ask4(
    segment: scanning.Segment,
    want: Wanted,
    holders: t.Callable[[], dict[IPv4Address, list[str]]],
    options: dict[str, t.Any],
    rng: random.Random,
) -> tuple[reservation.Inquiry, dict[IPv4Address, list[str]]]:
    """All DHCP servers, asked, and who `holders` finds while they think about the first question."""
    inquiry, clients = reservation.Inquiry(want.pools4, want.lan, rng=rng), discover.Clients(segment.mac, rng)
    segment.ask(inquiry, clients)
    found = holders()
    held = {*found, IPv4Address(segment.address)}
    inquiry.ask_for(reservation.samples(want.pools4, held, wished(options), rng), held)
    segment.run(inquiry, clients, options["timeout"])
    return inquiry, found


def ask6(
    segment: scanning.Segment,
    want: Wanted,
    looked_at: t.Sequence[IPv6Address],
    holders: t.Mapping[IPv6Address, list[str]],
    options: dict[str, t.Any],
    rng: random.Random,
) -> tuple[reservation.Inquiry, list[solicit.Router]]:
    """All DHCPv6 servers, asked, and the routers that were heard meanwhile."""
    held = {*holders, *segment.addresses6}
    chosen = reservation.samples_of(looked_at, want.pools6, held, wished(options))
    inquiry = reservation.Inquiry(want.pools6, EVERY_IPV6, rng=rng)
    inquiry.ask_for(chosen, held)
    clients = solicit.Clients(segment.mac, segment.link_local, rng)
    with segment.client_port():
        segment.run(inquiry, clients, options["timeout"])
    return inquiry, list(clients.routers.values())


def wished(options: dict[str, t.Any]) -> int:
    """How many addresses of the pools are asked for."""
    return max(1, min(options["samples"], MOST_SAMPLES))


def macs_of(
    expected: t.Sequence[str], holders: t.Mapping[IPv4Address, list[str]], heard: t.Sequence[proof.Heard]
) -> set[str]:
    """The MACs of the servers that belong here: from ARP, and from what they answered by DHCP."""
    found = {mac for address, macs in holders.items() if str(address) in expected for mac in macs}
    return found | {item.mac for side in heard for item in side.judgements if item.server in expected}


def in_lan(expected: t.Sequence[str], lan: AddressRange) -> list[IPv4Address]:
    """The servers in the LAN."""
    given = [parse_address(text) for text in expected]
    return [item for item in given if isinstance(item, IPv4Address) and item in lan]


def known_here(
    expected: t.Sequence[str], lan: AddressRange, judgements: t.Sequence[reservation.Judgement]
) -> t.Sequence[str]:
    """The servers that belong here; [] if none is in the LAN or answers there, as with the router of another LAN."""
    answers = any(item.server in expected for item in judgements)
    return expected if answers or in_lan(expected, lan) else []


def devices(found: t.Sequence[tuple[str, str]], macs: t.Mapping[str, t.Sequence[str]]) -> list[proof.Device]:
    """Who has these addresses; strangers are asked for their names."""
    unknown = [address for address, mac in found if not proof.node_of(mac, macs)]
    names = strangers.names(unknown[:16])
    return [
        proof.Device(address, mac, proof.node_of(mac, macs), strangers.vendor(mac), names.get(address, ""))
        for address, mac in found
    ]


def prove(options: dict[str, t.Any]) -> dict[str, t.Any]:
    """What exit_json gets; ProbeError if this host cannot ask."""
    started = time.monotonic()
    want = wanted(options)
    interface = options["interface"] or interface_in(want.lan)
    nodes = [address for node in options["nodes"] for address in addresses_of(node)]
    expected = [str(address) for address in options["servers"]]
    rng = random.SystemRandom()
    heard: list[proof.Heard] = []
    asked: list[reservation.Question] = []
    warnings: list[str] = []
    # What the servers answer while the LAN is scanned waits in a socket of its own.
    with scanning.Segment(interface) as segment, scanning.Segment(interface) as asking:
        addresses = to_scan(want, nodes, options["scan_limit"])
        addresses6 = with_samples(to_scan6(want.pools6), want.pools6, wished(options), rng) if want.pools6 else []
        if want.pools4:
            inquiry, holders = ask4(asking, want, lambda: segment.holders(addresses), options, rng)
            judgements = inquiry.judgements()
            heard.append(proof.by_dhcp(judgements, known_here(expected, want.lan, judgements)))
            asked += inquiry.asked
        else:
            holders = segment.holders(addresses)
        holders6 = segment.holders6(addresses6) if addresses6 else {}
        if want.pools6 and not segment.link_local:
            heard.append(proof.not_asked(interface))
        elif want.pools6:
            inquiry, routers = ask6(segment, want, addresses6, holders6, options, rng)
            near = segment.holders(item for item in in_lan(expected, want.lan) if item not in holders)
            macs6 = macs_of(expected, {**holders, **near}, heard)
            heard.append(proof.by_dhcpv6(inquiry.judgements(), expected, macs6, routers))
            asked += inquiry.asked
            warnings = proof.crowded(want.pools6, routers)
        macs = known_macs(options["nodes"], holders, segment)
    found = inside(holders, want.pools4) + inside(holders6, want.pools6)
    vendors = {item.mac: strangers.vendor(item.mac) for side in heard for item in side.judgements}
    result = proof.report(heard, devices(found, macs), vendors, warnings)
    result["warnings_found"] = result.pop("warnings")
    result.update(
        changed=False,
        asked=[question.address for question in asked],
        scanned=len(addresses) + len(addresses6),
        seconds=round(time.monotonic() - started, 1),
    )
    return result


def interface_in(lan: AddressRange) -> str:
    """The interface of this host in the LAN."""
    where = "Put a host of that LAN, such as a node, into inventory group probe."
    for value in (lan.first + 1, lan.last - 1):
        route = probing.Wire().route(str(ip_address(value)))
        if route is None:
            raise probing.ProbeError(f"This host has no address in the LAN {lan} and knows no way there. {where}")
        if not route.gateway:
            return route.interface
    raise probing.ProbeError(
        f"This host is not in the LAN {lan}, but reaches it through {route.gateway}, and DHCP and ARP go no further "
        f"than that. {where}"
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "pools": {"type": "list", "elements": "str", "required": True},
            "network": {"type": "str", "required": True},
            "servers": {"type": "list", "elements": "str", "default": []},
            "nodes": {"type": "list", "elements": "dict", "default": []},
            "interface": {"type": "str", "default": ""},
            "samples": {"type": "int", "default": 4},
            "scan_limit": {"type": "int", "default": 1024},
            "timeout": {"type": "int", "default": 40},
        },
        supports_check_mode=True,
    )
    if scanning.LIBRARY_PROBLEM is not None:
        module.fail_json(msg=missing_required_lib("scapy"), exception=scanning.LIBRARY_PROBLEM)
    try:
        result = prove(module.params)
    except probing.ProbeError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
