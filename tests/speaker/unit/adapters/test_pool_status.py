# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pool counters: written on change, and no more often than needed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from fakes.kube import FakeKube
from lantern.adapters.kube import convert
from lantern.adapters.kube.api import ApiError
from lantern.adapters.kube.pool_status import Counters, PoolStatusWriter
from lantern.adapters.kube.reflector import Store, follow
from lantern.adapters.kube.writer import Background

POOLS = "/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools"
STATUS = f"{POOLS}/home/status"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lantern.adapters.kube.pool_status._PAUSE_SECONDS", 0.02)


def run(
    scenario: Callable[[FakeKube, PoolStatusWriter], Awaitable[None]],
    leads: bool = True,
    status: dict[str, int] | None = None,
) -> FakeKube:
    async def main() -> FakeKube:
        kube = FakeKube()
        kube.put(POOLS, {"metadata": {"name": "home"}, "spec": {"addresses": ["192.168.2.128/25"]}, "status": status})
        store = Store("ipaddresspools", POOLS, convert.pool)
        writer = PoolStatusWriter(kube, store, Background(), lambda: leads)
        tasks = [asyncio.create_task(writer.run()), asyncio.create_task(follow(kube, store, lambda: None))]
        async with asyncio.timeout(5):
            await until(lambda: store.is_synced)
            await scenario(kube, writer)
        for task in tasks:
            task.cancel()
        return kube

    return asyncio.run(main())


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def writes(kube: FakeKube) -> int:
    return kube.requests.count(("PATCH", STATUS))


def test_counters_are_written_once() -> None:
    async def scenario(kube: FakeKube, writer: PoolStatusWriter) -> None:
        kube.hold_watches_back_at_patch = True
        for _ in range(5):
            writer.want({"home": Counters(1, 0, 127, 0)})
        await until(lambda: writes(kube))
        # The watch has not brought it back yet.
        writer.want({"home": Counters(1, 0, 127, 0)})
        await asyncio.sleep(0.06)
        assert writes(kube) == 1

    kube = run(scenario)
    status = {"assignedIPv4": 1, "assignedIPv6": 0, "availableIPv4": 127, "availableIPv6": 0}
    assert kube.objects[POOLS]["home"]["status"] == status


def test_many_changes_are_few_writes_and_the_last_one_counts() -> None:
    async def scenario(kube: FakeKube, writer: PoolStatusWriter) -> None:
        for assigned in range(1, 41):
            writer.want({"home": Counters(assigned, 0, 128 - assigned, 0)})
            await asyncio.sleep(0.002)
        await until(lambda: kube.objects[POOLS]["home"]["status"] == Counters(40, 0, 88, 0).body())
        assert writes(kube) < 12

    run(scenario)


def test_what_the_object_says_already_is_not_written() -> None:
    async def scenario(kube: FakeKube, writer: PoolStatusWriter) -> None:
        writer.want({"home": Counters(1, 0, 127, 0)})
        await asyncio.sleep(0.05)
        assert writes(kube) == 0
        # Somebody else changed it, such as a former leader whose write was late.
        kube.put(POOLS, {**kube.objects[POOLS]["home"], "status": Counters(9, 9, 9, 9).body()})
        await asyncio.sleep(0.02)
        writer.want({"home": Counters(1, 0, 127, 0)})
        await until(lambda: kube.objects[POOLS]["home"]["status"] == Counters(1, 0, 127, 0).body())

    run(scenario, status=Counters(1, 0, 127, 0).body())


def test_change_of_the_pool_that_the_watch_has_not_brought_is_told_when_it_comes() -> None:
    async def main() -> None:
        kube, news = FakeKube(), asyncio.Event()
        kube.put(POOLS, {"metadata": {"name": "home"}, "spec": {"addresses": ["192.168.2.128/25"]}})
        store = Store("ipaddresspools", POOLS, convert.pool)
        writer = PoolStatusWriter(kube, store, Background(), lambda: True)
        tasks = [asyncio.create_task(writer.run()), asyncio.create_task(follow(kube, store, news.set))]
        async with asyncio.timeout(5):
            await until(lambda: store.is_synced)
            news.clear()
            kube.hold_watches_back()
            kube.put(POOLS, {**kube.objects[POOLS]["home"], "spec": {"addresses": ["192.168.3.128/25"]}})
            writer.want({"home": Counters(1, 0, 127, 0)})
            await until(lambda: writes(kube))
            kube.let_watches_flow()
            await news.wait()
            assert [spec.pool.addresses for spec in store.values()] == [("192.168.3.128/25",)]
            await until(lambda: kube.objects[POOLS]["home"].get("status"))
        for task in tasks:
            task.cancel()

    asyncio.run(main())


def test_refused_write_is_tried_again() -> None:
    async def scenario(kube: FakeKube, writer: PoolStatusWriter) -> None:
        kube.refuse_writes[STATUS] = ApiError("overloaded", 429)
        writer.want({"home": Counters(1, 0, 127, 0)})
        await until(lambda: writes(kube) >= 2)
        kube.refuse_writes.clear()
        await until(lambda: kube.objects[POOLS]["home"].get("status"))

    run(scenario)


def test_standby_writes_nothing() -> None:
    async def scenario(kube: FakeKube, writer: PoolStatusWriter) -> None:
        writer.want({"home": Counters(1, 0, 127, 0)})
        await asyncio.sleep(0.05)
        assert writes(kube) == 0

    run(scenario, leads=False)
