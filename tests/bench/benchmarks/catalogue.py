# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All scenarios in the order they are measured, and the tables that their rows make."""

from __future__ import annotations

from collections.abc import Iterable

from . import controller, failover, handover, partition, playbook, speaker
from .figures import Row
from .scenario import Extent, Scenario


def scenarios(extent: Extent) -> tuple[Scenario, ...]:
    """Those that share a lab in the order they build on each other."""
    return (*controller.scenarios(extent.sizes), *_failover(extent), *speaker.scenarios(extent), *playbook.scenarios())


def _failover(extent: Extent) -> tuple[Scenario, ...]:
    return (*failover.scenarios(extent), *handover.scenarios(extent), *partition.scenarios(extent))


def tables(extent: Extent) -> Iterable[tuple[str, list[Row]]]:
    """Title and rows of each."""
    yield "Addresses for Services", _rows(controller.scenarios(extent.sizes))
    yield "Failover", _rows(_failover(extent))
    yield "Answering", _rows(speaker.scenarios(extent))
    yield "Playbook", _rows(playbook.scenarios())
    yield "Deciding", list(controller.MICRO_ROWS)


def _rows(chosen: Iterable[Scenario]) -> list[Row]:
    return [row for scenario in chosen for row in scenario.rows]
