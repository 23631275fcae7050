# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two controllers over one API server in memory, while the wall clock of one of them jumps by hours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime, timedelta, tzinfo
from typing import Any

import pytest
from fakes.kube import FakeKube
from lantern.adapters.kube.api import ApiError
from lantern.app.controller import Controller
from lantern.settings import ControllerSettings

SERVICES = "/api/v1/services"
POOLS = "/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/metallb-system/leases"

# Everything that a controller does happens in its own context.
RUNS: ContextVar[str] = ContextVar("RUNS", default="")
JUMPED: dict[str, float] = {}
WALL = time.time


class Clock(datetime):
    """The wall clock of whoever asks."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Clock:
        return cls.fromtimestamp(WALL(), tz) + timedelta(seconds=JUMPED.get(RUNS.get(), 0.0))


@pytest.fixture(autouse=True)
def wall_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    JUMPED.clear()
    for name in ("lease", "writer", "configuration_state"):
        monkeypatch.setattr(f"lantern.adapters.kube.{name}.datetime", Clock)
    monkeypatch.setattr("time.time", lambda: WALL() + JUMPED.get(RUNS.get(), 0.0))
    monkeypatch.setattr("lantern.adapters.kube.memory_store._PAUSE_SECONDS", 0.05)


async def start(kube: FakeKube, name: str) -> tuple[Controller, asyncio.Task[None]]:
    RUNS.set(name)
    controller = Controller(
        ControllerSettings(
            namespace="metallb-system",
            health_probe_port=0,
            health_probe_host="127.0.0.1",
            pod_name=name,
            lease_duration=1.2,
            lease_renew=0.1,
        ),
        kube,  # type: ignore[arg-type]
    )
    task = asyncio.create_task(controller.run())
    await until(lambda: controller._lease.holder)
    RUNS.set("")
    return controller, task


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def service(name: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": "default", "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z"}
    spec = {"type": "LoadBalancer", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"]}
    return {"metadata": meta, "spec": spec}


def addresses(kube: FakeKube) -> dict[str, str]:
    held = {name: item["status"]["loadBalancer"] for name, item in kube.objects[SERVICES].items() if "status" in item}
    return {name: status["ingress"][0]["ip"] for name, status in held.items()}


async def unreachable(*_args: object) -> Any:
    raise ApiError("the Kubernetes API cannot be reached")


@pytest.mark.parametrize("jumps", ["leader", "standby"])
@pytest.mark.parametrize("hours", [-7, 7])
def test_nobody_leads_beside_another_and_no_address_is_given_twice(jumps: str, hours: int) -> None:
    async def main() -> None:
        kube = FakeKube()
        pool = {"metadata": {"name": "home", "namespace": "metallb-system"}, "spec": {"addresses": ["10.0.0.0/24"]}}
        kube.put(POOLS, pool)
        leader, *tasks = await start(kube, "leader")
        standby, task = await start(kube, "standby")
        tasks.append(task)
        given: dict[str, str] = {}

        async def watch_closely() -> None:
            while True:
                assert not (leader._lease.may_write() and standby._lease.may_write())
                now = addresses(kube)
                assert len(set(now.values())) == len(now)
                assert all(now.get(name, ip) == ip for name, ip in given.items()), "moved"
                given.update(now)
                await asyncio.sleep(0.005)

        async def serve(name: str) -> None:
            kube.put(SERVICES, service(name))
            await until(lambda: name in addresses(kube))

        tasks.append(asyncio.create_task(watch_closely()))
        async with asyncio.timeout(15):
            for number in range(3):
                await serve(f"before{number}")
            JUMPED[jumps] = hours * 3600.0
            for number in range(3):
                await serve(f"after{number}")
                # Longer in all than a Lease lasts.
                await asyncio.sleep(0.5)
            lease = kube.objects[LEASES]["lantern-controller"]["spec"]
            ahead = datetime.fromisoformat(lease["renewTime"]).timestamp() - WALL()
            assert lease["holderIdentity"] == "leader"
            assert round(ahead / 3600.0) == (hours if jumps == "leader" else 0)
            kube.delete(SERVICES, "before1")
            await serve("new")
            leader._lease._write = unreachable  # type: ignore[method-assign]
            await until(standby._lease.may_write)
            assert not leader._lease.may_write() and standby._lease.by_force
            # It comes back under its name, to the controller that has the memory of the other.
            await serve("before1")
            JUMPED[jumps] = 0.0
            await serve("last")
        assert not tasks[-1].done(), tasks[-1].exception()
        assert len(addresses(kube)) == 8
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
