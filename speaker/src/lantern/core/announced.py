# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which node announces which Service on which interfaces: what the cluster is told of it (ServiceL2Status)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lantern.core.announce import Decision
from lantern.core.model import ServiceKey
from lantern.reasons import Reason

Interfaces = tuple[str, ...]
"""Names in alphabetical order; none: all interfaces of the node, as for MetalLB."""


@dataclass(frozen=True, slots=True)
class Announcer:
    """A node that announces a Service, as the cluster was told."""

    service: ServiceKey
    node: str
    interfaces: Interfaces = ()


def announced(decision: Decision) -> Mapping[ServiceKey, Interfaces] | None:
    """Everything that this node announces. Interfaces are named only where L2Advertisements name them.

    None while the speaker is starting: what the cluster was told before may be right again in a moment.
    """
    told: dict[ServiceKey, Interfaces] = {}
    for key, verdict in decision.verdicts.items():
        if isinstance(verdict, tuple):
            named = verdict[0].interfaces
            told[key] = tuple(sorted(named)) if named else ()
        elif verdict.denied.reason is Reason.STARTING:
            return None
    return told
