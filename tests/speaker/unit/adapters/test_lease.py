# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contending for a Lease over an API server in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import pytest
from fakes.kube import FakeKube
from lantern.adapters.kube.lease import LeaseKeeper
from lantern.core.leadership import Timings

LEASES = "/apis/coordination.k8s.io/v1/namespaces/metallb-system/leases"
QUICK = Timings(duration=0.4, renew=0.05, margin=0.1)

Scenario = Callable[[FakeKube, LeaseKeeper, LeaseKeeper], Awaitable[None]]


def run(scenario: Scenario) -> None:
    async def main() -> None:
        kube = FakeKube()
        keepers = [
            LeaseKeeper(kube, "metallb-system", "lantern-controller", name, QUICK, lambda: None) for name in "ab"
        ]
        tasks = [asyncio.create_task(keepers[0].run(), name="a")]
        async with asyncio.timeout(10):
            await until(keepers[0].may_write)
            tasks.append(asyncio.create_task(keepers[1].run()))
            await until(lambda: keepers[1].holder == "a")
            await scenario(kube, *keepers)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def test_lease_says_who_leads_and_since_when() -> None:
    async def scenario(kube: FakeKube, first: LeaseKeeper, second: LeaseKeeper) -> None:
        spec = kube.objects[LEASES]["lantern-controller"]["spec"]
        assert spec["holderIdentity"] == "a" and spec["leaseTransitions"] == 0 and spec["leaseDurationSeconds"] == 1
        assert spec["acquireTime"].endswith("Z")
        before = spec["renewTime"]
        await until(lambda: kube.objects[LEASES]["lantern-controller"]["spec"]["renewTime"] != before)
        assert first.may_write() and not second.may_write()

    run(scenario)


def test_released_lease_changes_hands_at_once() -> None:
    async def scenario(kube: FakeKube, first: LeaseKeeper, second: LeaseKeeper) -> None:
        # As when the process stops: it contends no more, then gives back.
        next(task for task in asyncio.all_tasks() if task.get_name() == "a").cancel()
        await asyncio.sleep(0)
        await first.release()
        began = asyncio.get_running_loop().time()
        await until(second.may_write)
        assert asyncio.get_running_loop().time() - began < 0.2
        assert not first.may_write()
        assert kube.objects[LEASES]["lantern-controller"]["spec"]["leaseTransitions"] >= 1

    run(scenario)


def test_api_server_out_of_reach_ends_leadership_in_time_and_gives_it_back_after() -> None:
    async def scenario(kube: FakeKube, first: LeaseKeeper, second: LeaseKeeper) -> None:
        kube.set_down(True)
        await until(lambda: not first.may_write())
        assert not second.may_write()
        await asyncio.sleep(0.2)
        kube.set_down(False)
        await until(lambda: first.may_write() or second.may_write())
        assert not (first.may_write() and second.may_write())

    run(scenario)


class LateAnswers(FakeKube):
    """Writes are carried out at once, and answered later."""

    async def patch(self, path: str, body: Mapping[str, Any], seconds: float | None = None) -> msgspec.Raw:
        answer = await super().patch(path, body, seconds)
        await asyncio.sleep(0.2)
        return answer

    async def create(self, path: str, body: Mapping[str, Any]) -> msgspec.Raw:
        answer = await super().create(path, body)
        await asyncio.sleep(0.2)
        return answer


@pytest.mark.parametrize("renewals", [0, 1])
def test_lease_that_was_taken_or_renewed_in_the_last_moment_is_given_back_too(renewals: int) -> None:
    async def main() -> None:
        kube = LateAnswers()
        keeper = LeaseKeeper(kube, "metallb-system", "lantern-controller", "a", QUICK, lambda: None)
        task = asyncio.create_task(keeper.run())

        def spec() -> dict[str, Any]:
            return dict(kube.objects.get(LEASES, {}).get("lantern-controller", {}).get("spec", {}))

        async with asyncio.timeout(10):
            await until(lambda: spec().get("holderIdentity") == "a")
            if renewals:
                await until(keeper.may_write)
                before = spec()["renewTime"]
                await until(lambda: spec()["renewTime"] != before)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await keeper.release()
        assert spec() and not spec().get("holderIdentity")

    asyncio.run(main())
