# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter homelab.lantern.address_plan: from the inventory's variables to the pools that every stage uses."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence, Union

from ansible_collections.homelab.lantern.plugins.module_utils import _planner

DOCUMENTATION = r"""
name: address_plan
author: Lantern contributors
version_added: 0.1.0
short_description: Plan the address pools of a LAN
description:
  - Checks the pools of the inventory against the LANs, their router, the Kubernetes nodes, the addresses that hosts own
    and each other, and proposes addresses for pools that give only a size.
  - Nothing is changed and nothing is asked on the network. Every stage uses this filter, so that all see the same
    pools.
positional: _input
options:
  _input:
    description:
      - The pools. Each has a C(name) and either a list C(addresses) (CIDRs and C(first-last) ranges) or C(size), a
        number of addresses. These are taken from the first LAN of C(family), V(ipv4) or V(ipv6), by default the first
        one of IPv4 if there is any.
      - Optional keys are C(auto_assign) (default V(true)), C(avoid_buggy_ips) (default V(false)) and
        C(ipv6_host_parts), ranges such as C(::100-::1ff) that the controller completes by the nodes' own IPv6 prefix.
      - Who announces a pool is limited by C(nodes), names of group C(nodes), and by C(interfaces). With C(announce)
        V(none) instead of V(layer2) nobody does, for addresses that have a route of their own.
    type: raw
    required: true
  lan:
    description:
      - The LAN in CIDR notation, or a list of such networks, of IPv4 and IPv6.
      - IPv6 networks are taken to be in the same segment as the IPv4 network before them.
    type: raw
    required: true
  nodes:
    description:
      - Name and address of each Kubernetes node, or a list of all that are known; an empty one when none is.
    type: dict
    default: {}
  router:
    description:
      - V(type) (see role P(homelab.lantern.reserve#role)) and optionally V(address) of the router.
      - V(addresses) are others that it has, such as that of IPv6, and V(dhcp_ranges) what it hands out today.
    type: raw
  router_hosts:
    description: Name and address of the hosts in group C(router), or a list of all that are known.
    type: dict
    default: {}
  reservations:
    description: Addresses that hosts own, a list of dictionaries with C(name) and C(address).
    type: raw
  control_plane:
    description: Names of the control-plane nodes.
    type: list
    elements: str
    default: []
  serve_from_control_plane:
    description: Whether Services are announced from control-plane nodes.
    type: str
    choices: ['auto', 'true', 'false']
    default: auto
  pins:
    description:
      - Addresses that are held for Services, a dictionary from C(namespace/name) to an address.
      - Instead of an address a list with one of each family, or a dictionary with C(address) and C(host), the name that
        the Service gets in the router's DNS.
    type: raw
  cluster:
    description: Name of the cluster, empty if the inventory has one only.
    type: str
    default: ''
  neighbours:
    description: Other clusters in the LAN, as filter P(homelab.lantern.cluster_neighbours#filter) returns them.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Plan 32 addresses at the upper edge of the LAN
  ansible.builtin.debug:
    msg: "{{ [{'name': 'lan', 'size': 32}] | homelab.lantern.address_plan(lan='192.168.2.0/24') }}"
"""

RETURN = r"""
_value:
  description: The plan.
  type: dict
  contains:
    lan:
      description: The LAN in CIDR notation, of several the first one of IPv4. Empty when none was well-formed.
      type: str
      sample: 192.168.2.0/24
    lans:
      description: All LANs.
      type: list
      elements: str
      sample: [192.168.2.0/24, "fd00:2::/64"]
    router:
      description: Type and address of the router.
      type: dict
      sample: {type: dnsmasq, address: 192.168.2.1}
    router_addresses:
      description: All known addresses that the router has in the LANs.
      type: list
      elements: str
      sample: [192.168.2.1, "fd00:2::1"]
    nodes:
      description: Name and address of each node.
      type: dict
      sample: {node1: 192.168.2.11}
    node_addresses:
      description: Name of each node, and all its known addresses in the LANs, the inventory's own first.
      type: dict
      sample: {node1: [192.168.2.11, "fd00:2::11"]}
    to_ask:
      description: Names of nodes of which no address is known, or none of a family that pools have in a LAN.
      type: list
      elements: str
    pools:
      description: The pools, with their sizes. The LANs' network and broadcast addresses are left out.
      type: list
      elements: dict
      sample:
        - name: lan
          addresses: [192.168.2.223-192.168.2.254]
          auto_assign: true
          avoid_buggy_ips: false
          size: 32
          pinned: default/web=192.168.2.230
          ipv6_host_parts: []
          announce: layer2
          nodes: []
          interfaces: []
    advertisements:
      description: What announces the pools, one entry for each set of limits, as an L2Advertisement has them.
      type: list
      elements: dict
      sample: [{name: lantern, pools: [lan], nodes: [], interfaces: []}]
    reserved:
      description: What DHCP must not hand out, the pools of other clusters in the LAN included.
      type: list
      elements: str
      sample: [192.168.2.223-192.168.2.254]
    beside:
      description: The pools of other clusters in the LAN.
      type: list
      elements: str
    segments:
      description: The LANs that have pools, one for each segment, and the addresses of the pools there.
      type: list
      elements: dict
      sample:
        - network: 192.168.2.0/24
          pools: [192.168.2.223-192.168.2.254, "fd00:2::1:0/112"]
    reservations:
      description: Address of each host that owns one, by name.
      type: dict
      sample: {printer: 192.168.2.9}
    dhcp:
      description: What the router's DHCP server hands out today (C(before)) and without the pools (C(after)).
      type: dict
      sample: {before: [192.168.2.100-192.168.2.249], after: [192.168.2.100-192.168.2.222]}
    problems:
      description: What forbids using these pools, one sentence each; empty when the plan is good.
      type: list
      elements: str
    warnings:
      description: What is allowed but probably not meant.
      type: list
      elements: str
    notices:
      description: What the user should know.
      type: list
      elements: str
    summary:
      description: The plan as a table for people.
      type: str
"""

Addresses = Mapping[str, Union[str, Sequence[str]]]


def _listed(hosts: Addresses | None) -> dict[str, list[str]]:
    """The known addresses of each host."""
    given = {name: [known] if isinstance(known, str) else known for name, known in (hosts or {}).items()}
    return {name: [text for text in addresses if text] for name, addresses in given.items()}


def address_plan(
    pools: Any,
    lan: Any,
    nodes: Addresses | None = None,
    router: Any = None,
    router_hosts: Addresses | None = None,
    reservations: Any = None,
    control_plane: Sequence[str] | None = None,
    serve_from_control_plane: Any = "auto",
    pins: Any = None,
    cluster: Any = "",
    neighbours: Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """See DOCUMENTATION."""
    return _planner.address_plan(
        _planner.Inventory(
            lan=lan,
            pools=pools,
            router=router,
            reservations=reservations,
            nodes=_listed(nodes),
            router_hosts=_listed(router_hosts),
            control_plane=list(control_plane or []),
            serve_from_control_plane=serve_from_control_plane,
            pins=pins,
            cluster=str(cluster or ""),
            neighbours=list(neighbours or []),
        )
    )


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name and function of each filter."""
        return {"address_plan": address_plan}
