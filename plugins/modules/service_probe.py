#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: service_probe
short_description: Try a LoadBalancer Service from a host in the LAN, hop by hop
version_added: 0.1.0
description:
  - Asks by ARP who has the address, tells which node that is, connects to each TCP port and gets a page from those
    that speak HTTP.
  - Each hop gets a verdict, and a bad one a remedy. The module itself does not fail for a bad verdict.
  - Tries again until all is good or the time is over, as rules and caches need a moment after a Service came.
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
  service:
    description: Namespace and name of the Service.
    type: str
    required: true
  address:
    description: The address to try.
    type: str
    required: true
  ports:
    description: The Service's ports.
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
  http_ports:
    description: Ports that are asked for a page. A port whose name begins with C(http), but not C(https), is asked too.
    type: list
    elements: int
    default: [80, 8080]
  nodes:
    description: The cluster's nodes, each with C(name), C(addresses) and optionally C(macs).
    type: list
    elements: dict
    default: []
  endpoints:
    description: How many pods behind the Service take traffic.
    type: int
    default: 1
  local:
    description: Whether the Service has the external traffic policy Local.
    type: bool
    default: false
  obstacle:
    description: Why no node can announce anything, if that is known.
    type: str
    default: ''
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
"""

EXAMPLES = r"""
---
- name: Does the web server answer in the LAN?
  homelab.lantern.service_probe:
    service: default/web
    address: 192.168.2.128
    ports: [{port: 80}]
    nodes: [{name: node1, addresses: [192.168.2.11]}]
  become: true
"""

RETURN = r"""
service:
  description: The Service that was tried.
  returned: always
  type: str
address:
  description: The address that was tried.
  returned: always
  type: str
verdicts:
  description: One entry for each hop.
  returned: always
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
    remedy:
      description: What to do about a bad verdict.
      type: str
good:
  description: Whether no verdict is bad.
  returned: always
  type: bool
macs:
  description: The MACs that answered for the address.
  returned: always
  type: list
  elements: str
node:
  description: The node that answered, empty if it is not known or if several did.
  returned: always
  type: str
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.homelab.lantern.plugins.module_utils._wire import probing, verdicts

PAUSE_SECONDS = 1.0


class Look(t.NamedTuple):
    """One attempt's outcome."""

    verdicts: list[verdicts.Verdict]
    macs: list[str]
    node: str


def node_macs(wire: probing.Wire, route: probing.Route, options: dict[str, t.Any]) -> dict[str, list[str]]:
    """The MACs of each node: those given, and the one that answers for the node's own address in this LAN."""
    known: dict[str, list[str]] = {}
    for node in options["nodes"]:
        macs = [str(mac) for mac in node.get("macs") or []]
        for address in node.get("addresses") or []:
            if ":" not in address and not wire.route(address).gateway:
                macs += wire.who_has(address, route.interface, options["attempt_seconds"], first_only=True)
        known[node["name"]] = list(dict.fromkeys(macs))
    return known


def speaks_http(port: dict[str, t.Any], http_ports: list[int]) -> bool:
    name = port["name"].lower()
    return port["port"] in http_ports or (name.startswith("http") and not name.startswith("https"))


def attempt(
    wire: probing.Wire, options: dict[str, t.Any], macs: dict[str, list[str]], route: probing.Route | None
) -> Look:
    """Try every hop once. Only where nobody has the address the later hops are left out, as they cannot but fail."""
    target = verdicts.Target(
        options["service"], options["address"], options["endpoints"], options["local"], options["obstacle"]
    )
    seconds = options["attempt_seconds"]
    answers: list[str] = []
    if route is None:
        told = [verdicts.Verdict("NDP", verdicts.SKIPPED, "neighbour discovery of IPv6 is not tried")]
    elif own_node := next((n["name"] for n in options["nodes"] if route.source in (n.get("addresses") or [])), ""):
        told = [verdicts.is_node(target, own_node)]
    elif route.gateway:
        told = [verdicts.off_lan(target, route.gateway)]
    else:
        answers = wire.who_has(target.address, route.interface, seconds)
        told = [verdicts.arp(target, answers, macs)]
        if not answers:
            return Look(told, [], "")
    for port in options["ports"]:
        if port["protocol"] != "TCP":
            told.append(verdicts.Verdict(f"{port['protocol']} {port['port']}", verdicts.SKIPPED, "only TCP is tried"))
            continue
        verdict = verdicts.tcp(target, port["port"], wire.connect(target.address, port["port"], seconds))
        told.append(verdict)
        if verdict.result == verdicts.GOOD and speaks_http(port, options["http_ports"]):
            status, problem = wire.get(target.address, port["port"], seconds)
            told.append(verdicts.http(target, port["port"], status, problem))
    node = verdicts.node_with(answers[0], macs) if len(answers) == 1 else ""
    return Look(told, answers, node)


def probe(wire: probing.Wire, options: dict[str, t.Any]) -> dict[str, t.Any]:
    """What exit_json gets; ProbeError if this host cannot probe."""
    deadline = time.monotonic() + options["timeout"]
    route = None if ":" in options["address"] else wire.route(options["address"])
    macs = {} if route is None or route.gateway else node_macs(wire, route, options)
    while True:
        seen = attempt(wire, options, macs, route)
        good = verdicts.all_good(seen.verdicts)
        if good or time.monotonic() >= deadline:
            return {
                "changed": False,
                "service": options["service"],
                "address": options["address"],
                "verdicts": [dict(verdict._asdict()) for verdict in seen.verdicts],
                "good": good,
                "macs": seen.macs,
                "node": seen.node,
            }
        time.sleep(PAUSE_SECONDS)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "service": {"type": "str", "required": True},
            "address": {"type": "str", "required": True},
            "ports": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "port": {"type": "int", "required": True},
                    "protocol": {"type": "str", "default": "TCP"},
                    "name": {"type": "str", "default": ""},
                },
            },
            "http_ports": {"type": "list", "elements": "int", "default": [80, 8080]},
            "nodes": {"type": "list", "elements": "dict", "default": []},
            "endpoints": {"type": "int", "default": 1},
            "local": {"type": "bool", "default": False},
            "obstacle": {"type": "str", "default": ""},
            "timeout": {"type": "int", "default": 30},
            "attempt_seconds": {"type": "float", "default": 1.5},
        },
        supports_check_mode=True,
    )
    if probing.LIBRARY_PROBLEM is not None:
        module.fail_json(msg=missing_required_lib("scapy"), exception=probing.LIBRARY_PROBLEM)
    try:
        result = probe(probing.Wire(), module.params)
    except probing.ProbeError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
