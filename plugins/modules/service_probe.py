#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: service_probe
short_description: Try LoadBalancer Services from a host in the LAN, hop by hop
version_added: 0.1.0
description:
  - Follows the way to each address of each Service, from its object in the cluster to the program behind it and back;
    the Service, its pool, its pods, the node that announces the address, who answers ARP (neighbour discovery for IPv6)
    for it, each TCP port, and what the program says. All are looked at together.
  - Each hop gets a verdict, and a bad one its likely causes and the command that repairs it. The first bad hop is the
    broken one. The module itself does not fail for a bad verdict.
  - Tries again where not all is good until the time is over, as rules and caches need a moment after a Service came.
    What the cluster says stays as it was given, so where that is bad, it is not tried again.
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
  services:
    description:
      - The Services as M(homelab.lantern.loadbalancer_services_info) tells them.
      - Without their C(owners), C(pool) and so on the hops inside the cluster are told from the wire alone.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Namespace and name.
        type: str
        required: true
      ports:
        description: Its ports.
        type: list
        elements: dict
        default: []
        suboptions:
          port:
            description: Port number.
            type: int
            required: true
          protocol:
            description: Only V(TCP) ports are tried.
            type: str
            default: TCP
          name:
            description: Name of the port in the Service.
            type: str
            default: ''
          node_port:
            description: The same port on the nodes themselves, 0 if there is none.
            type: int
            default: 0
      endpoints:
        description: How many pods behind it take traffic.
        type: int
        default: 1
      endpoints_starting:
        description: How many pods behind it do not take traffic yet.
        type: int
        default: 0
      endpoint_nodes:
        description: The nodes with a pod that takes traffic.
        type: list
        elements: str
        default: []
      selector:
        description: The labels by which it finds its pods.
        type: str
        default: ''
      local:
        description: Whether it has the external traffic policy Local.
        type: bool
        default: false
      pool:
        description: The pool that its addresses are from.
        type: str
        default: ''
      owners:
        description: The nodes that announce it, by address.
        type: dict
        default: {}
      warning:
        description: The newest Warning event about it.
        type: str
        default: ''
      addresses:
        description: The addresses to try. A Service without any is left out.
        type: list
        elements: str
        default: []
      waiting:
        description: Why it has no address. Not used here.
        type: str
        default: ''
  http_ports:
    description: Ports that are asked for a page. A port whose name begins with C(http), but not C(https), is asked too.
    type: list
    elements: int
    default: [80, 8080]
  nodes:
    description: The cluster's nodes, each with C(name), C(addresses) and whatever else is known of it.
    type: list
    elements: dict
    default: []
  pools:
    description: The cluster's pools, each with C(name), C(addresses), C(advertised) and C(unannounced).
    type: list
    elements: dict
    default: []
  obstacle:
    description: Why no node can announce anything, if that is known.
    type: str
    default: ''
  lans:
    description: The home's networks in CIDR notation, as far as they are known.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds until the last attempt.
    type: int
    default: 30
  attempt_seconds:
    description: Seconds to wait for each answer.
    type: float
    default: 1.5
requirements:
  - scapy (Python package), on the host that probes
notes:
  - Raw sockets need root, so use C(become).
  - On a node only the hop ARP means anything, as the node's own kube-proxy answers for all others.
"""

EXAMPLES = r"""
---
- name: Does the web server answer in the LAN?
  homelab.lantern.service_probe:
    services:
      - name: default/web
        addresses: [192.168.2.128]
        ports:
          - port: 80
    nodes:
      - name: node1
        addresses: [192.168.2.11]
  become: true
"""

RETURN = r"""
probes:
  description: What was seen of each address, in the order of the Services.
  returned: always
  type: list
  elements: dict
  contains:
    service:
      description: The Service that was tried.
      type: str
    address:
      description: The address that was tried.
      type: str
    verdicts:
      description: One entry for each hop, in the order of the way.
      type: list
      elements: dict
      contains:
        hop:
          description: The hop.
          type: str
          sample: TCP 80
        result:
          description: V(good), V(bad) or V(skipped).
          type: str
        text:
          description: What was seen.
          type: str
        causes:
          description: Likely causes of a bad verdict, the likeliest first.
          type: list
          elements: str
        command:
          description: The command that repairs a bad verdict, or shows more.
          type: str
        milliseconds:
          description: How long the hop took, null where there is nothing to measure.
          type: float
    good:
      description: Whether no verdict is bad.
      type: bool
    broken:
      description: The first bad hop, empty if there is none.
      type: str
      sample: ARP
    macs:
      description: The MACs that answered for the address.
      type: list
      elements: str
    node:
      description: The node that answered, empty if it is not known or if several did.
      type: str
    own_node:
      description: The node that the host that tried is itself, empty if it is none.
      type: str
    source:
      description: The address of the host that tried, empty if it has no route.
      type: str
    gateway:
      description: The router between that host and the address, empty if both are in one LAN.
      type: str
    node_macs:
      description: The MACs that answered for the nodes' own addresses, by node.
      type: dict
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.homelab.lantern.plugins.module_utils._wire import hops, looking, probing
from ansible_collections.homelab.lantern.plugins.module_utils._wire.facts import Facts, Node, Port, Seen
from ansible_collections.homelab.lantern.plugins.module_utils._wire.verdicts import Verdict, first_bad

PAUSE_SECONDS = 1.0


def facts_of(options: dict[str, t.Any]) -> list[Facts]:
    """What the cluster says of each address, from the module's options."""
    pools = {pool["name"]: pool for pool in options["pools"]}
    nodes = hops.nodes_of(options["nodes"])
    return [
        _facts_of(service, address, pools.get(service["pool"], {}), nodes, options)
        for service in options["services"]
        for address in service["addresses"]
    ]


def _facts_of(
    service: dict[str, t.Any],
    address: str,
    pool: dict[str, t.Any],
    nodes: tuple[Node, ...],
    options: dict[str, t.Any],
) -> Facts:
    advertised = pool.get("advertised")
    return Facts(
        service=service["name"],
        address=address,
        ports=tuple(Port(**port) for port in service["ports"]),
        endpoints=service["endpoints"],
        endpoints_starting=service["endpoints_starting"],
        endpoint_nodes=tuple(service["endpoint_nodes"]),
        selector=service["selector"],
        local=service["local"],
        pool=service["pool"],
        pool_addresses=tuple(pool.get("addresses") or ()),
        advertised=None if advertised is None else tuple(advertised),
        unannounced=bool(pool.get("unannounced")),
        owners=tuple(service["owners"].get(address) or ()),
        warning=service["warning"],
        obstacle=options["obstacle"],
        lans=tuple(options["lans"]),
        nodes=nodes,
    )


def result_of(facts: Facts, seen: Seen, verdicts: list[Verdict]) -> dict[str, t.Any]:
    """One of RETURN's probes."""
    broken = first_bad(verdicts)
    return {
        "service": facts.service,
        "address": facts.address,
        "verdicts": [dict(verdict._asdict(), causes=list(verdict.causes)) for verdict in verdicts],
        "good": broken is None,
        "broken": "" if broken is None else broken.hop,
        "macs": [answer.mac for answer in seen.answers],
        "node": seen.node_with(seen.answers[0].mac) if len(seen.answers) == 1 else "",
        "own_node": seen.own_node,
        "source": "" if seen.route is None else seen.route.source,
        "gateway": "" if seen.route is None else seen.route.gateway,
        "node_macs": {name: list(macs) for name, macs in seen.node_macs.items()},
    }


def probe(wire: probing.Wire, options: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Look until all is good or the time is over; ProbeError if this host cannot probe."""
    deadline = time.monotonic() + options["timeout"]
    looks = looking.Looks(wire, options["http_ports"], options["attempt_seconds"])
    looked: dict[Facts, Seen] = dict.fromkeys(facts_of(options), Seen())
    left = list(looked)
    while left:
        looked.update(zip(left, looks.once(left)))
        if time.monotonic() >= deadline:
            break
        left = [one for one in left if hops.may_mend(one) and first_bad(hops.judge(one, looked[one])) is not None]
        if left:
            time.sleep(PAUSE_SECONDS)
    closer = zip(looked, looks.closer(list(looked.items())))
    return [result_of(facts, seen, hops.judge(facts, seen)) for facts, seen in closer]


SERVICE_OPTIONS: dict[str, t.Any] = {
    "name": {"type": "str", "required": True},
    "ports": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "port": {"type": "int", "required": True},
            "protocol": {"type": "str", "default": "TCP"},
            "name": {"type": "str", "default": ""},
            "node_port": {"type": "int", "default": 0},
        },
    },
    "endpoints": {"type": "int", "default": 1},
    "endpoints_starting": {"type": "int", "default": 0},
    "endpoint_nodes": {"type": "list", "elements": "str", "default": []},
    "selector": {"type": "str", "default": ""},
    "local": {"type": "bool", "default": False},
    "pool": {"type": "str", "default": ""},
    "owners": {"type": "dict", "default": {}},
    "warning": {"type": "str", "default": ""},
    "addresses": {"type": "list", "elements": "str", "default": []},
    "waiting": {"type": "str", "default": ""},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "services": {"type": "list", "elements": "dict", "required": True, "options": SERVICE_OPTIONS},
            "http_ports": {"type": "list", "elements": "int", "default": [80, 8080]},
            "nodes": {"type": "list", "elements": "dict", "default": []},
            "pools": {"type": "list", "elements": "dict", "default": []},
            "obstacle": {"type": "str", "default": ""},
            "lans": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 30},
            "attempt_seconds": {"type": "float", "default": 1.5},
        },
        supports_check_mode=True,
    )
    if probing.LIBRARY_PROBLEM is not None:
        module.fail_json(msg=missing_required_lib("scapy"), exception=probing.LIBRARY_PROBLEM)
    try:
        probes = probe(probing.Wire(), module.params)
    except probing.ProbeError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=False, probes=probes)


if __name__ == "__main__":
    main()
