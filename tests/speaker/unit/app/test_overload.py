# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server that refuses for a while: all that a controller writes waits as asked, and is written then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from fakes.kube import FakeKube
from lantern.adapters.kube.api import ApiError
from lantern.app.controller import Controller
from lantern.settings import ControllerSettings

NAMESPACED = "namespaces/metallb-system"
POOLS = f"/apis/metallb.io/v1beta1/{NAMESPACED}/ipaddresspools"
STATES = f"/apis/metallb.io/v1beta1/{NAMESPACED}/configurationstates"
MAPS = f"/api/v1/{NAMESPACED}/configmaps"
LEASES = f"/apis/coordination.k8s.io/v1/{NAMESPACED}/leases"
SERVICES = "/api/v1/services"
SETTINGS = ControllerSettings(
    namespace="metallb-system", health_probe_port=0, health_probe_host="127.0.0.1", lease_duration=1.2, lease_renew=0.1
)
NUMBER = 20
PAUSE = 0.4

Done = Callable[[FakeKube], object]


def found(kube: FakeKube, path: str, name: str) -> dict[str, Any]:
    return kube.objects.get(path, {}).get(name, {})


def ingress(kube: FakeKube, name: str) -> list[dict[str, str]]:
    status: dict[str, Any] = found(kube, SERVICES, name).get("status", {})
    given: list[dict[str, str]] = status.get("loadBalancer", {}).get("ingress", [])
    return given


def remembered(kube: FakeKube) -> int:
    return str(found(kube, MAPS, "lantern-memory").get("data", {}).get("addresses", "")).count("\n")


def all_have_addresses(kube: FakeKube) -> bool:
    return all(ingress(kube, name) for name in kube.objects[SERVICES])


STATUSES = [f"/api/v1/namespaces/default/services/s{one}/status" for one in range(NUMBER)]
COUNTERS = [f"{POOLS}/{name}/status" for name in ("home", "more")]
# Who held the Lease before, what is refused, and when all is written.
WRITERS: dict[str, tuple[str, list[str], Done]] = {
    "addresses": ("", STATUSES, all_have_addresses),
    "marks of a takeover": ("one that died", STATUSES, all_have_addresses),
    "counters": ("", COUNTERS, lambda kube: all(found(kube, POOLS, name).get("status") for name in ("home", "more"))),
    "state": ("", [f"{STATES}/controller/status"], lambda kube: found(kube, STATES, "controller").get("status")),
    "new state": ("", [STATES], lambda kube: found(kube, STATES, "controller").get("status")),
    "memory": ("", [MAPS], lambda kube: remembered(kube) == NUMBER),
    "lease": ("", [f"{LEASES}/lantern-controller"], all_have_addresses),
}


@pytest.fixture(autouse=True)
def no_pauses_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "app.reconcile._FIRST_RETRY_SECONDS",
        "adapters.kube.pool_status._PAUSE_SECONDS",
        "adapters.kube.configuration_state._FIRST_PAUSE_SECONDS",
        "adapters.kube.memory_store._PAUSE_SECONDS",
        "adapters.kube.lease._RETRY_SECONDS",
        "adapters.kube.writer._QUIET_SECONDS",
    ):
        monkeypatch.setattr(f"lantern.{name}", 0.01)
    # One after the other, so that those that come later could see what the first one was told.
    monkeypatch.setattr("lantern.app.assigner._PARALLEL_WRITES", 1)


def service(name: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": "default", "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z"}
    spec = {"type": "LoadBalancer", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"]}
    return {"metadata": meta, "spec": spec}


def cluster(holder: str) -> FakeKube:
    kube = FakeKube()
    for name, addresses in (("home", "192.168.2.128/25"), ("more", "192.168.3.128/25")):
        kube.put(POOLS, {"metadata": {"name": name, "namespace": "metallb-system"}, "spec": {"addresses": [addresses]}})
    for one in range(NUMBER):
        kube.put(SERVICES, service(f"s{one}"))
    kube.put(LEASES, {"metadata": {"name": "lantern-controller"}, "spec": {"holderIdentity": holder}})
    return kube


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    "refusal",
    [ApiError("no", 429, PAUSE), ApiError("no", 503, PAUSE), ApiError("no", 500), ApiError("no", 504)],
    ids=["429", "503 with a pause", "500", "504"],
)
@pytest.mark.parametrize(("holder", "paths", "done"), WRITERS.values(), ids=WRITERS)
def test_refused_write_waits_as_asked_and_is_not_lost(
    holder: str, paths: list[str], done: Done, refusal: ApiError
) -> None:
    async def main() -> None:
        kube = cluster(holder)
        kube.refuse_writes = dict.fromkeys(paths, refusal)
        task = asyncio.create_task(Controller(SETTINGS, kube).run())  # type: ignore[arg-type]

        def asked() -> int:
            return sum(path in paths for _method, path in kube.requests)

        async with asyncio.timeout(10):
            await until(asked)
            if refusal.retry_after is not None:
                await asyncio.sleep(PAUSE * 0.75)
                assert asked() == 1
            else:
                await until(lambda: asked() >= 3)
            kube.refuse_writes.clear()
            await until(lambda: done(kube) and all_have_addresses(kube))
        given = [ingress(kube, f"s{one}")[0]["ip"] for one in range(NUMBER)]
        assert len(set(given)) == NUMBER
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
