# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reason for which an allocation is refused, changed or explained, each produced from a cluster."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from fakes.plans import decide
from fakes.refusals import CASES
from lantern.core.explain import explain
from lantern.core.model import PoolSpec, Service, Snapshot
from lantern.reasons import Reason

# Declared after those of allocation in lantern.reasons.
ALLOCATION = list(Reason)[: list(Reason).index(Reason.NO_ADDRESS)]


def told(services: list[Service], pools: Iterable[PoolSpec]) -> dict[Reason, str]:
    """All reasons a plan and its explanations give, with their sentences."""
    decided = decide(services, *pools)
    found = [*decided.refuse, *decided.notes]
    denied = [item.denied for item in found]
    denied += [item.lost for item in decided.release]
    denied += [item.lost for item in decided.assign if item.lost is not None]
    snapshot = Snapshot(pools=tuple(pools), services=tuple(services))
    for item in services:
        denied += [one.denied for one in explain(snapshot, item.key).pools if one.denied is not None]
    return {item.reason: item.sentence for item in denied}


@pytest.mark.parametrize(("reason", "services", "pools"), CASES, ids=[case[0].name for case in CASES])
def test_reason_comes_about(reason: Reason, services: list[Service], pools: list[PoolSpec]) -> None:
    sentences = told(services, pools)
    assert reason in sentences and len(sentences[reason]) > 15


def test_no_reason_of_allocation_is_left_out() -> None:
    assert {reason.name for reason, _services, _pools in CASES} >= {reason.name for reason in ALLOCATION}
