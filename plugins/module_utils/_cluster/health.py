# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a node back, and do all Services answer. PRIVATE to the homelab.lantern collection."""

from __future__ import annotations

import typing as t

from . import eligibility, rollout, services
from .draining import controller_of

Found = t.Dict[str, t.Any]


class Target(t.NamedTuple):
    """A TCP port of a Service as the LAN sees it."""

    name: str
    address: str
    port: int

    def __str__(self) -> str:
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.name} at {address}:{self.port}"


def targets(found: list[Found]) -> list[Target]:
    """What can be tried of all Services of type LoadBalancer. Ports of UDP give no answer that could be waited for."""
    return sorted(
        Target(f"{one['metadata']['namespace']}/{one['metadata']['name']}", address, port["port"])
        for one in found
        if services.is_loadbalancer(one)
        for address in services.addresses(one)
        for port in one["spec"].get("ports") or []
        if port.get("protocol", "TCP") == "TCP"
    )


def node_trouble(node: Found, pods: list[Found], boot_id: str) -> str:
    """Why a node is not back yet, "" if it is; `boot_id` is that of its present boot, `pods` are all on it."""
    name = node["metadata"]["name"]
    known = ((node.get("status") or {}).get("nodeInfo") or {}).get("bootID", "")
    if boot_id and known != boot_id:
        return f"{name} has not reported since its start"
    if not eligibility.facts(node).ready:
        return f"{name} is not Ready"
    late = [pod for pod in pods if controller_of(pod) == "DaemonSet" and not rollout.is_ready(pod)]
    if late:
        return f"{name} waits for {', '.join(sorted(pod['metadata']['name'] for pod in late))}"
    return ""


def progress(trouble: str, node: str, expected: int, silent: t.Sequence[Target]) -> str:
    """One line for a person who waits."""
    parts = [trouble or f"{node} is Ready"] if node else []
    if expected:
        parts.append(f"{expected - len(silent)} of {expected} Service ports answer")
    text = ", ".join(parts) or "there is nothing to wait for"
    return f"{text} ({', '.join(map(str, silent[:3]))} {'do' if len(silent) > 1 else 'does'} not)" if silent else text
