# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop: many changes, one pass; a failed pass is repeated."""

from __future__ import annotations

import asyncio

import pytest
from lantern.adapters.kube.api import ApiError
from lantern.app.reconcile import Reconciler
from lantern.metrics import ClientMetrics
from prometheus_client import CollectorRegistry


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lantern.app.reconcile._FIRST_RETRY_SECONDS", 0.001)


def run(
    outcomes: list[Exception | None], changes: int = 1, *, apart: float = 0.0, lull: float = 0.0
) -> tuple[int, CollectorRegistry]:
    """Passes end as given; how many there were when all had their turn and a little later."""

    async def main() -> tuple[int, CollectorRegistry]:
        registry = CollectorRegistry()
        passes = 0

        async def one_pass() -> None:
            nonlocal passes
            passes += 1
            if passes <= len(outcomes) and (outcome := outcomes[passes - 1]) is not None:
                raise outcome

        reconciler = Reconciler(one_pass, ClientMetrics(registry), share=0.5, lull=lull)
        task = asyncio.create_task(reconciler.run())
        for _ in range(changes):
            reconciler.notify()
            if apart:
                await asyncio.sleep(apart)
        done, _ = await asyncio.wait([task], timeout=0.1)
        for finished in done:
            finished.result()
        task.cancel()
        return passes, registry

    return asyncio.run(main())


def test_many_changes_are_one_pass() -> None:
    passes, registry = run([None], changes=50)
    assert passes == 1
    assert registry.get_sample_value("metallb_k8s_client_updates_total") == 50


def test_what_follows_within_the_lull_is_part_of_the_pass() -> None:
    assert run([], changes=3, apart=0.01)[0] == 3
    assert run([], changes=3, apart=0.01, lull=0.05)[0] == 1


def test_failed_pass_is_repeated_until_it_works() -> None:
    passes, registry = run([ApiError("down"), ApiError("down"), None])
    assert passes == 3
    assert registry.get_sample_value("metallb_k8s_client_update_errors_total") == 2


def test_defect_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        run([ZeroDivisionError()])
