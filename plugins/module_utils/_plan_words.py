# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people are told about a plan: its table, and which nodes will announce. PRIVATE to the collection, pure."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Protocol, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils import _plan_announcing
from ansible_collections.homelab.lantern.plugins.module_utils._pools import Problem, parse_address

EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"


class Hosts(Protocol):
    """The part of the planner's Inventory that counts here."""

    nodes: Mapping[str, Sequence[str]]
    control_plane: Sequence[str]
    serve_from_control_plane: Any
    cluster: str


def _only_control_plane(inventory: Hosts) -> bool:
    workers: set[str] = set(inventory.nodes) - set(inventory.control_plane)
    return bool(inventory.nodes) and (not workers or len(inventory.nodes) == 1)


def control_plane_warnings(inventory: Hosts, planned: Sequence[Mapping[str, Any]]) -> list[str]:
    """That nobody will announce anything, or nobody a certain pool."""
    if _only_control_plane(inventory) and str(inventory.serve_from_control_plane).lower() == "false":
        message = (
            "Every node is a control-plane node ({0}), and kubeadm labels those {1}: no Service will answer. "
            "Set lantern_serve_from_control_plane: auto, or remove the label yourself: kubectl label node {2} {1}-"
        )
        return [message.format(", ".join(inventory.nodes), EXCLUDE_LABEL, next(iter(inventory.nodes)))]
    if _only_control_plane(inventory):
        return []
    serve = str(inventory.serve_from_control_plane).lower()
    return _plan_announcing.warnings(planned, inventory.control_plane, serve, EXCLUDE_LABEL)


def notices(inventory: Hosts) -> list[str]:
    """What stage deploy will do to the control plane's label."""
    serve = str(inventory.serve_from_control_plane).lower()
    found = []
    if _only_control_plane(inventory) and serve != "false":
        message = (
            "There is no node besides the control plane ({0}). kubeadm labels such nodes {1}, which keeps Services "
            "away from them; stage deploy removes the label, so that Services answer "
            "(lantern_serve_from_control_plane: false leaves it alone)."
        )
        found.append(message.format(", ".join(inventory.nodes), EXCLUDE_LABEL))
    elif serve == "true":
        message = "lantern_serve_from_control_plane is true: stage deploy removes the label {0} from {1}."
        found.append(message.format(EXCLUDE_LABEL, ", ".join(inventory.control_plane) or "the control-plane nodes"))
    return found


def reserving_notices(planned: Sequence[Mapping[str, Any]]) -> list[str]:
    """What stage reserve has nothing to do with."""
    texts = [text for pool in planned for text in pool["addresses"] if ":" in text]
    message = (
        "IPv6 addresses of pools ({0}) need no DHCP reservation: hosts choose their own ones (SLAAC). Stage "
        "reserve changes ranges of IPv4 only, so a DHCPv6 range that reaches into a pool has to be moved by hand."
    )
    return [message.format(", ".join(texts))] if texts else []


class Shown(NamedTuple):
    """What the table says of the LANs: addresses of router and nodes, and what DHCP hands out before and after."""

    lans: Sequence[str]
    router_type: str
    router: Sequence[str]
    nodes: Mapping[str, Sequence[str]]
    dhcp: Mapping[str, Sequence[str]]


def _sort_key(addresses: Sequence[str]) -> tuple[int, int]:
    address = parse_address(next(iter(addresses), ""))
    return (9, 0) if isinstance(address, Problem) else (address.version, int(address))


def summary(
    inventory: Hosts, shown: Shown, planned: Sequence[Mapping[str, Any]], foreign: Sequence[Mapping[str, Any]]
) -> str:
    """The plan as a table; `foreign` are the pools of other clusters in the LAN."""
    dhcp = shown.dhcp
    rows = [("Cluster", inventory.cluster)] if inventory.cluster else []
    rows += [("LAN", lan) for lan in shown.lans or ["?"]]
    managed = "not managed" if shown.router_type == "none" else shown.router_type
    rows.append(("Router", f"{', '.join(shown.router) or 'address not known'}, {managed}"))
    if dhcp["before"]:
        rows += [("DHCP", "today  " + ", ".join(dhcp["before"])), ("DHCP", "then   " + ", ".join(dhcp["after"]))]
    for name, addresses in sorted(shown.nodes.items(), key=lambda item: _sort_key(item[1])):
        role = ", control plane" if name in inventory.control_plane else ""
        rows.append(("Node", f"{name}  {', '.join(addresses) or 'address not known'}{role}"))
    for pool in planned:
        count = "{} address{}".format(pool["size"], "" if pool["size"] == 1 else "es")
        hand = "" if pool["auto_assign"] else ", only on request"
        rows.append(("Pool", "{}  {}  {}{}".format(pool["name"], ", ".join(pool["addresses"]), count, hand)))
        if pool["ipv6_host_parts"]:
            parts = ", ".join(pool["ipv6_host_parts"])
            rows.append(("Pool", f"{pool['name']}  {parts} below the nodes' own IPv6 prefix"))
        if limits := _plan_announcing.words(pool):
            rows.append(("Pool", f"{pool['name']}  {limits}"))
        rows += [("Pin", "{}  {}".format(*pin.split("="))) for pin in pool["pinned"].split(",") if pin]
    rows += [("Beside", "{}  {}".format(pool["name"], ", ".join(pool["addresses"]))) for pool in foreign]
    width = max(len(title) for title, _text in rows)
    return "\n".join(f"{title.ljust(width)}  {text}" for title, text in rows)
