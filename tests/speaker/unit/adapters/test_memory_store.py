# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory of addresses in a ConfigMap: written in batches, read back, never in the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

import pytest
from fakes.kube import FakeKube
from fakes.records import pool, service
from lantern.adapters.kube.api import ApiError
from lantern.adapters.kube.memory_store import NAME, MemoryStore
from lantern.adapters.kube.writer import Background
from lantern.core.allocate import plan
from lantern.core.memory import remember
from lantern.core.model import ServiceKey, Snapshot
from lantern.pools import Address

MAPS = "/api/v1/namespaces/metallb-system/configmaps"
Memory = dict[ServiceKey, tuple[Address, ...]]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lantern.adapters.kube.memory_store._PAUSE_SECONDS", 0.03)


def of(**services: str) -> Memory:
    return {ServiceKey("default", name): (ip_address(text),) for name, text in services.items()}


def run(
    scenario: Callable[[FakeKube, MemoryStore], Awaitable[None]], text: str | None = None, leads: bool = True
) -> FakeKube:
    async def main() -> FakeKube:
        kube = FakeKube()
        if text is not None:
            kube.put(MAPS, {"metadata": {"name": NAME}, "data": {"addresses": text}})
        store = MemoryStore(kube, "metallb-system", Background(), lambda: leads)
        await store.load()
        task = asyncio.create_task(store.run())
        async with asyncio.timeout(5):
            await scenario(kube, store)
        task.cancel()
        return kube

    return asyncio.run(main())


def written(kube: FakeKube) -> str:
    found: str = kube.objects.get(MAPS, {}).get(NAME, {}).get("data", {}).get("addresses", "")
    return found


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def test_many_changes_are_one_write_and_come_back_after_a_restart() -> None:
    async def scenario(kube: FakeKube, store: MemoryStore) -> None:
        for number in range(1, 11):
            store.want(of(web="192.168.2.130", other=f"192.168.2.{130 + number}"))
        await until(lambda: written(kube))
        await asyncio.sleep(0.1)
        assert len(kube.requests) == 1
        again = MemoryStore(kube, "metallb-system", Background(), lambda: True)
        await again.load()
        assert again.current == of(web="192.168.2.130", other="192.168.2.140")

    run(scenario)


def test_what_is_known_already_is_not_written() -> None:
    async def scenario(kube: FakeKube, store: MemoryStore) -> None:
        assert store.current == of(web="192.168.2.130")
        store.want(of(web="192.168.2.130"))
        await asyncio.sleep(0.1)
        assert kube.requests == []

    run(scenario, "default/web 192.168.2.130\n")


def test_more_living_services_than_the_bound_are_no_reason_to_write_again() -> None:
    services = tuple(service(f"s{number}", f"192.168.2.{130 + number}", pool="home") for number in range(9))
    decided = plan(Snapshot(pools=(pool("home", "192.168.2.128/25"),), services=services))

    async def scenario(kube: FakeKube, store: MemoryStore) -> None:
        for _ in range(5):
            store.want(remember(store.current, decided, 3))
            await asyncio.sleep(0.05)
        assert len(kube.requests) == 1
        assert written(kube).startswith("default/gone 192.168.2.129\ndefault/s0 192.168.2.130\n")

    run(scenario, "default/gone 192.168.2.129\n")


def test_damaged_memory_is_left_out_and_replaced() -> None:
    async def scenario(kube: FakeKube, store: MemoryStore) -> None:
        assert store.current == {}
        store.want(of(web="192.168.2.130"))
        await until(lambda: written(kube) == "default/web 192.168.2.130\n")

    run(scenario, "what is this\n")


def test_refused_write_is_tried_again_and_a_deleted_map_is_made_again() -> None:
    async def scenario(kube: FakeKube, store: MemoryStore) -> None:
        path = f"{MAPS}/{NAME}"
        kube.refuse_writes[path] = ApiError("overloaded", 429)
        store.want(of(web="192.168.2.131"))
        await until(lambda: kube.requests.count(("PATCH", path)) >= 2)
        kube.refuse_writes.clear()
        kube.delete(MAPS, NAME)
        await until(lambda: "192.168.2.131" in written(kube))

    run(scenario, "default/web 192.168.2.130\n")


def test_what_somebody_else_wrote_meanwhile_is_not_lost() -> None:
    async def scenario(kube: FakeKube, store: MemoryStore) -> None:
        # By hand, or late by a controller that led before: it knows another address of a Service that lives.
        kube.put(MAPS, {"metadata": {"name": NAME}, "data": {"addresses": written(kube) + "default/added 10.0.0.9\n"}})
        store.want(of(gone="192.168.2.130", web="192.168.2.131"))
        await until(lambda: "192.168.2.131" in written(kube))
        lines = ["default/added 10.0.0.9", "default/gone 192.168.2.130", "default/web 192.168.2.131"]
        assert written(kube).splitlines() == lines
        assert store.current == of(added="10.0.0.9", gone="192.168.2.130", web="192.168.2.131")

    run(scenario, "default/gone 192.168.2.130\ndefault/web 192.168.2.130\n")


def test_late_write_of_a_controller_that_led_before_is_refused() -> None:
    async def scenario(kube: FakeKube, store: MemoryStore) -> None:
        leads = True
        before = MemoryStore(kube, "metallb-system", Background(), lambda: leads)
        await before.load()
        store.want(of(web="192.168.2.131"))
        await until(lambda: "192.168.2.131" in written(kube))
        before.want(of(web="192.168.2.140"))
        await before.flush()
        leads = False
        await before.flush()
        assert written(kube) == "default/web 192.168.2.131\n"

    run(scenario, "default/web 192.168.2.130\n")


def test_standby_writes_nothing() -> None:
    async def scenario(kube: FakeKube, store: MemoryStore) -> None:
        store.want(of(web="192.168.2.130"))
        await asyncio.sleep(0.1)
        assert kube.requests == []

    run(scenario, leads=False)


def test_api_server_out_of_reach_is_an_error_while_loading() -> None:
    async def main() -> None:
        kube = FakeKube()
        kube.set_down(True)
        with pytest.raises(ApiError):
            await MemoryStore(kube, "metallb-system", Background(), lambda: True).load()

    asyncio.run(main())
