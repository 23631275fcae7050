# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node is meant, and which pods leave it before it reboots. PRIVATE to the homelab.lantern collection."""

from __future__ import annotations

import typing as t

Found = t.Dict[str, t.Any]

# On a node that we made unschedulable, so that only we make it schedulable again.
CORDONED = "homelab.lantern/cordoned"
MIRROR = "kubernetes.io/config.mirror"


def find(nodes: list[Found], names: t.Sequence[str]) -> Found | None:
    """The node that has one of these names or addresses, names first."""
    wanted = [name for name in names if name]
    for name in wanted:
        for node in nodes:
            addresses = (node.get("status") or {}).get("addresses") or []
            if name == node["metadata"]["name"] or name in [one.get("address") for one in addresses]:
                return node
    return None


def is_cordoned_by_us(node: Found) -> bool:
    return CORDONED in (node["metadata"].get("annotations") or {})


def cordon_patch(on: bool) -> Found:
    """Merge patch that makes a node unschedulable, or schedulable again (null takes a field off)."""
    return {
        "metadata": {"annotations": {CORDONED: "true" if on else None}},
        "spec": {"unschedulable": True if on else None},
    }


def controller_of(pod: Found) -> str:
    """Kind of what made the pod, "" for a bare one."""
    owners = pod["metadata"].get("ownerReferences") or []
    return next((owner.get("kind", "") for owner in owners if owner.get("controller")), "")


def leaving(pods: list[Found]) -> list[tuple[str, str]]:
    """(namespace, name) of the pods that something makes anew elsewhere.

    A DaemonSet's pods and the node's own static pods belong to the node. A bare pod would be lost for ever: it stays
    and comes up with the node again.
    """
    return [
        (pod["metadata"]["namespace"], pod["metadata"]["name"])
        for pod in pods
        if MIRROR not in (pod["metadata"].get("annotations") or {})
        and controller_of(pod) not in ("", "DaemonSet", "Node")
        and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
    ]
