# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Short ways to ask what a plan says, by the names of Services."""

from __future__ import annotations

from typing import Any

from lantern.core.allocate import plan
from lantern.core.decisions import Plan
from lantern.core.model import PoolSpec, Service, Snapshot
from lantern.reasons import Reason

from fakes.records import applied


def decide(services: list[Service], *pools: PoolSpec, **more: Any) -> Plan:
    """The plan. Also proves that carrying it out leaves nothing to do."""
    decided = plan(Snapshot(pools=pools, services=tuple(services), **more))
    after = applied(tuple(services), decided)
    assert plan(Snapshot(pools=pools, services=after, **more)).is_empty
    return decided


def assigned(decided: Plan) -> dict[str, list[str]]:
    """Addresses that are written."""
    return {item.service.key.name: [str(ip) for ip in item.addresses] for item in decided.assign}


def holders(decided: Plan) -> dict[str, list[str]]:
    """Addresses of all Services once the plan is carried out."""
    held = {item.service.key.name: [str(ip) for ip in item.service.addresses] for item in decided.keep}
    return held | assigned(decided)


def kept(decided: Plan) -> list[str]:
    return [item.service.key.name for item in decided.keep]


def refused(decided: Plan) -> dict[str, tuple[Reason, str]]:
    return {item.service.key.name: (item.denied.reason, item.denied.sentence) for item in decided.refuse}


def released(decided: Plan) -> dict[str, Reason]:
    return {item.service.key.name: item.lost.reason for item in decided.release}


def lost(decided: Plan) -> dict[str, Reason]:
    """Why Services that get something give something up."""
    return {item.service.key.name: item.lost.reason for item in decided.assign if item.lost is not None}


def notes(decided: Plan) -> dict[str, list[tuple[str, str]]]:
    """Event reasons and messages."""
    found: dict[str, list[tuple[str, str]]] = {}
    for item in decided.notes:
        found.setdefault(item.service.key.name, []).append((item.event_reason, item.denied.sentence))
    return found
