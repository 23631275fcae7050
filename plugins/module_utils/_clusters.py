# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts a run is about, where one inventory describes several clusters. PRIVATE to the collection, pure.

A cluster is a group of the inventory with everything in it that belongs together: nodes, control plane, router, probe,
and one host in group `ansible_controller`, which stands for the machine that runs Ansible and so gets the cluster's
variables. One run is about one cluster, which `lantern_cluster` names. An inventory without that group has one cluster
without a name.
"""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Sequence

Groups = Mapping[str, Sequence[str]]

CONTROLLERS = "ansible_controller"
# Groups that say what a host is, not where it belongs.
ROLES = ("nodes", "control_plane", "router", "probe", CONTROLLERS)


class Neighbour(NamedTuple):
    """Another cluster in the same LAN: its variables as they came from YAML, its nodes' names."""

    cluster: str
    pools: Any
    pins: Any
    nodes: list[str]


def clusters(groups: Groups) -> dict[str, str]:
    """The controller of each cluster by the cluster's name: the smallest group that the controller is in."""
    found: dict[str, str] = {}
    for host in groups.get(CONTROLLERS, ()):
        around = [name for name, hosts in groups.items() if host in hosts and name not in (*ROLES, "all", "ungrouped")]
        if around:
            found[min(around, key=lambda name: (len(groups[name]), name))] = host
    return found


def hosts(groups: Groups, role: str, cluster: str) -> list[str]:
    """Those of group `role` that are in the cluster. ValueError if it is not clear which cluster is meant."""
    known = clusters(groups)
    if not cluster:
        if len(known) > 1:
            raise ValueError(
                f"This inventory has the clusters {_listed(known)}, and a run is about one of them: name it, such as "
                f"--extra-vars lantern_cluster={min(known)}"
            )
        return list(groups.get(role, ()))
    if cluster not in groups or cluster in (*ROLES, "all", "ungrouped"):
        raise ValueError(
            f'lantern_cluster: the inventory has no cluster "{cluster}". Its clusters, groups with a host that is also '
            f"in group {CONTROLLERS}, are: {_listed(known) or 'none'}."
        )
    for other in known:
        both = set(groups[other]) & set(groups[cluster]) if other != cluster else set()
        if both:
            raise ValueError(
                f"{_listed(both)} is in the clusters {_listed((cluster, other))}, whose variables would mix. Give each "
                "cluster a host of its own for it, with the same ansible_host."
            )
    return [host for host in groups.get(role, ()) if host in groups[cluster]]


def pattern(groups: Groups, role: str, cluster: str) -> str:
    """What a play writes as its hosts: `role` is nodes, router, controller (one host) or probe (one host)."""
    if role == "controller":
        return _controller(groups, cluster)
    found = hosts(groups, role, cluster)
    if role == "probe":
        return found[0] if found else _controller(groups, cluster)
    return f"{role}:&{cluster}" if cluster else role


def _controller(groups: Groups, cluster: str) -> str:
    found = hosts(groups, CONTROLLERS, cluster)
    if not cluster:
        return found[0] if found else "localhost"
    if len(found) != 1:
        raise ValueError(
            f"Cluster {cluster} has {_listed(found) or 'no host'} in group {CONTROLLERS}, but needs one host there, "
            f"for instance {cluster}-controller with ansible_connection: local."
        )
    return found[0]


def neighbours(groups: Groups, hostvars: Mapping[str, Mapping[str, Any]], cluster: str) -> list[Neighbour]:
    """The other clusters of the inventory that live in the same LAN behind the same router."""
    known = clusters(groups)
    if cluster not in known:
        return []
    found = []
    for name, host in known.items():
        if name != cluster and _share_a_lan(groups, hostvars, cluster, name):
            variables = hostvars[host]
            found.append(
                Neighbour(
                    name, variables.get("lantern_pools"), variables.get("lantern_pins"), hosts(groups, "nodes", name)
                )
            )
    return found


def _share_a_lan(groups: Groups, hostvars: Mapping[str, Mapping[str, Any]], one: str, other: str) -> bool:
    """By the routers' addresses where both are logged in to; else by what is said of LAN and router."""
    first, second = (
        {str(hostvars[host].get("ansible_host") or host) for host in hosts(groups, "router", name)}
        for name in (one, other)
    )
    if first and second:
        return bool(first & second)
    known = clusters(groups)
    said = [[hostvars[known[name]].get(key) for key in ("lantern_lan", "lantern_router")] for name in (one, other)]
    return said[0] == said[1]


def _listed(names: Any) -> str:
    return ", ".join(sorted(names))
