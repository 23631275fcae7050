# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller through arbitrary histories of a cluster whose API server refuses, loses and delays writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import pytest
from fakes.kube import FakeKube, merge, raw
from hypothesis import given, settings
from hypothesis import strategies as st
from lantern.adapters.kube import convert
from lantern.adapters.kube.api import ApiError
from lantern.app.controller import Controller
from lantern.core.allocate import plan
from lantern.core.decisions import Plan
from lantern.core.model import PINS_ANNOTATION, Snapshot
from lantern.settings import ControllerSettings

SERVICES = "/api/v1/services"
POOLS = "/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools"
NAMES = [f"s{number}" for number in range(6)]
POOL = (["10.0.0.0/30"], "")
CHANGED = (
    (["10.0.0.0/31"], ""),
    (["10.0.0.2/31", "10.0.0.8/31"], ""),
    (["10.0.0.8/30"], ""),
    (["10.0.0.0/30"], "default/s0=10.0.0.0, default/s1=10.0.0.1"),
    (["10.0.0.0/30"], "default/s0=10.0.0.1, default/s1=10.0.0.0"),
)
"""The addresses of the only pool, and which it holds for whom."""
WISHES = ({}, *({"metallb.io/loadBalancerIPs": f"10.0.0.{last}"} for last in (0, 1, 2, 3, 8)))
FAULTS = ("slow", "refused", "changed", "lost", "unsent")


class UnreliableKube(FakeKube):
    """Takes one of `faults` for each write of an address as long as there are any; notes who was where together."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.clashes: list[str] = []

    async def patch(self, path: str, body: Mapping[str, Any], seconds: float | None = None) -> msgspec.Raw:
        fault = self.faults.pop() if self.faults and "/services/" in path else ""
        # Requests take time, and overtake each other.
        await asyncio.sleep(0.003 if fault == "slow" else 0)
        if fault == "refused":
            raise ApiError("internal error", 500)
        if fault == "unsent":
            raise ApiError("the Kubernetes API cannot be reached: connection refused")
        if fault == "changed":
            self.touch(path.split("/")[-2])
        answer = await super().patch(path, body, seconds)
        if fault == "lost":
            raise ApiError("the Kubernetes API did not answer within 10.0 s")
        return answer

    def touch(self, name: str, **meta: Any) -> None:
        """Somebody changes a Service."""
        if (known := self.objects[SERVICES].get(name)) is not None:
            self.put(SERVICES, merge(known, {"metadata": {"labels": {"changed": str(self.version)}, **meta}}))

    def _store(self, path: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
        stored = super()._store(path, kind, value)
        if path == SERVICES:
            addresses = list(self.addresses())
            self.clashes += [f"version {self.version}: {ip}" for ip in set(addresses) if addresses.count(ip) > 1]
        return stored

    def addresses(self) -> Iterator[str]:
        for item in self.objects[SERVICES].values():
            yield from (entry["ip"] for entry in item.get("status", {}).get("loadBalancer", {}).get("ingress", ()))

    def decided(self) -> Plan:
        """What a controller that starts now would do."""
        services = tuple(convert.service(raw(item)) for item in self.objects[SERVICES].values())
        pools = tuple(convert.pool(raw(item)) for item in self.objects[POOLS].values())
        return plan(Snapshot(pools=pools, services=services, namespaces={"default": {}}))


def make(kube: UnreliableKube, name: str) -> None:
    meta = {"name": name, "namespace": "default", "uid": f"{name}-{kube.version}"}
    spec = {"type": "LoadBalancer", "clusterIP": "10.1.0.1", "clusterIPs": ["10.1.0.1"], "ipFamilies": ["IPv4"]}
    kube.put(SERVICES, {"metadata": {**meta, "creationTimestamp": f"{kube.version:08}"}, "spec": spec})


def make_pool(kube: UnreliableKube, addresses: list[str], pins: str) -> None:
    meta = {"name": "home", "namespace": "metallb-system", "annotations": {PINS_ANNOTATION: pins}}
    kube.put(POOLS, {"metadata": meta, "spec": {"addresses": addresses}})


def change(kube: UnreliableKube, step: tuple[Any, ...]) -> None:
    match step:
        case ("toggle", name):
            if name in kube.objects[SERVICES]:
                kube.delete(SERVICES, name)
            else:
                make(kube, name)
        case ("ask", name, wish):
            kube.touch(name, annotations={"metallb.io/loadBalancerIPs": None, **wish})
        case ("pool", (addresses, pins)):
            make_pool(kube, addresses, pins)
        case ("down", is_down):
            kube.set_down(is_down)
        case ("fault", faults):
            kube.faults = list(faults)


STEPS = st.one_of(
    st.tuples(st.just("toggle"), st.sampled_from(NAMES)),
    st.tuples(st.just("ask"), st.sampled_from(NAMES), st.sampled_from(WISHES)),
    st.tuples(st.just("pool"), st.sampled_from([POOL, *CHANGED])),
    st.tuples(st.just("down"), st.booleans()),
    st.tuples(st.just("fault"), st.lists(st.sampled_from(FAULTS), max_size=4)),
)


@pytest.fixture(autouse=True, scope="module")
def no_pauses() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lantern.app.reconcile._FIRST_RETRY_SECONDS", 0.002)
        patch.setattr("lantern.app.reconcile._LONGEST_RETRY_SECONDS", 0.01)
        patch.setattr("lantern.adapters.kube.reflector._FIRST_PAUSE_SECONDS", 0.002)
        patch.setattr("lantern.adapters.kube.reflector._LONGEST_PAUSE_SECONDS", 0.01)
        patch.setattr("lantern.adapters.kube.writer._QUIET_SECONDS", 0.0)
        yield


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.002)


@given(st.lists(st.tuples(STEPS, st.sampled_from([0, 0, 1, 5])), max_size=25))
@settings(max_examples=200, deadline=None)
def test_no_address_is_ever_at_two_services_and_all_are_served_or_told_why(
    steps: list[tuple[tuple[Any, ...], int]],
) -> None:
    async def main() -> None:
        kube = UnreliableKube()
        make_pool(kube, *POOL)
        for name in NAMES[:4]:
            make(kube, name)
        found = ControllerSettings(namespace="metallb-system", health_probe_port=0, health_probe_host="127.0.0.1")
        controller = asyncio.create_task(Controller(found, kube).run())  # type: ignore[arg-type]
        try:
            async with asyncio.timeout(10):
                await until(lambda: kube.decided().is_empty)
                for step, pause in steps:
                    change(kube, step)
                    await asyncio.sleep(pause / 1000)
                kube.set_down(False)
                kube.faults = []
                await until(lambda: kube.decided().is_empty)
                waiting = {item.service.key.name for item in kube.decided().refuse}
                await until(lambda: waiting <= {event["involvedObject"]["name"] for event in kube.events})
        finally:
            controller.cancel()
            await asyncio.gather(controller, return_exceptions=True)
        assert not kube.clashes

    asyncio.run(main())
