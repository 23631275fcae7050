# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller over an API server in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fakes.kube import FakeKube, raw
from lantern.adapters.kube.api import ApiError
from lantern.app.controller import Controller
from lantern.core.allocate import plan
from lantern.core.decisions import Plan
from lantern.core.model import Snapshot
from lantern.core.recall import Recall
from lantern.settings import ControllerSettings

SERVICES = "/api/v1/services"
POOLS = "/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools"

Scenario = Callable[[FakeKube, Controller], Awaitable[None]]


def web(name: str = "web", annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "default", "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {
        "metadata": meta | {"annotations": annotations or {}},
        "spec": {
            "type": "LoadBalancer",
            "clusterIP": "10.0.0.1",
            "clusterIPs": ["10.0.0.1"],
            "ipFamilies": ["IPv4"],
            **spec,
        },
    }


def home(*addresses: str, name: str = "home") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "metallb-system"}, "spec": {"addresses": list(addresses)}}


@asynccontextmanager
async def running(kube: FakeKube) -> AsyncIterator[Controller]:
    kube.set_down(False)
    settings = ControllerSettings(namespace="metallb-system", health_probe_port=0, health_probe_host="127.0.0.1")
    controller = Controller(settings, kube)  # type: ignore[arg-type]
    task = asyncio.create_task(controller.run())
    try:
        async with asyncio.timeout(10):
            yield controller
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def run(scenario: Scenario, *, existing: tuple[tuple[str, dict[str, Any]], ...] = ()) -> None:
    async def main() -> None:
        kube = FakeKube()
        for path, value in existing:
            kube.put(path, value)
        async with running(kube) as controller:
            await scenario(kube, controller)

    asyncio.run(main())


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def address(kube: FakeKube, name: str = "web") -> str | None:
    ingress = kube.objects[SERVICES][name].get("status", {}).get("loadBalancer", {}).get("ingress")
    return ingress[0]["ip"] if ingress else None


def reasons(kube: FakeKube) -> list[tuple[str, str]]:
    return [(event["reason"], event["message"]) for event in kube.events]


def test_service_gets_address_annotation_and_event_in_one_patch() -> None:
    async def scenario(kube: FakeKube, controller: Controller) -> None:
        kube.put(SERVICES, web())
        await until(lambda: kube.events)
        assert address(kube) == "192.168.2.128"
        assert kube.objects[SERVICES]["web"]["metadata"]["annotations"] == {"metallb.io/ip-allocated-from-pool": "home"}
        assert len(kube.patches) == 1
        assert reasons(kube) == [("IPAllocated", 'Assigned IP ["192.168.2.128"]')]
        assert kube.events[0]["source"]["component"] == "metallb-controller"

    run(scenario, existing=((POOLS, home("192.168.2.128/25")),))


def test_readiness_says_what_is_missing() -> None:
    async def scenario(kube: FakeKube, controller: Controller) -> None:
        assert "waiting for the Kubernetes API to list services, namespaces" in str(controller.not_ready())
        await until(lambda: "there is no IPAddressPool in namespace metallb-system" in str(controller.not_ready()))
        kube.put(POOLS, home("192.168.2.5"))
        await until(lambda: '"192.168.2.5" is a single address' in str(controller.not_ready()))
        kube.put(POOLS, home("192.168.2.128/25"))
        await until(lambda: controller.not_ready() is None)

    run(scenario)


def test_bad_pools_keep_the_last_good_ones_in_force() -> None:
    async def scenario(kube: FakeKube, controller: Controller) -> None:
        kube.put(SERVICES, web())
        await until(lambda: address(kube))
        kube.put(POOLS, home("192.168.2.200-192.168.2.100", name="bad"))
        await until(lambda: controller._configuration.current.is_stale)
        kube.put(SERVICES, web("second"))
        await until(lambda: address(kube, "second"))
        assert (address(kube), address(kube, "second")) == ("192.168.2.128", "192.168.2.129")
        assert controller.not_ready() is None
        kube.delete(POOLS, "bad")
        await until(lambda: not controller._configuration.current.is_stale)

    run(scenario, existing=((POOLS, home("192.168.2.128/25")),))


def test_refusal_is_told_once_and_ended_by_a_new_pool() -> None:
    async def scenario(kube: FakeKube, controller: Controller) -> None:
        await until(lambda: len(kube.events) == 2)
        kube.put(SERVICES, web("b", ports=[{"port": 81}]))
        kube.put("/api/v1/namespaces", {"metadata": {"name": "another"}})
        await asyncio.sleep(0.2)
        assert len(kube.events) == 2
        (failure,) = [message for reason, message in reasons(kube) if reason == "AllocationFailed"]
        assert failure.startswith('Failed to allocate IP for "default/b": no available IPs')
        kube.put(POOLS, home("10.0.0.0/30", name="more"))
        await until(lambda: address(kube, "b") == "10.0.0.0")

    run(scenario, existing=((POOLS, home("192.168.2.128/32")), (SERVICES, web("a")), (SERVICES, web("b"))))


def test_moved_address_is_told() -> None:
    async def scenario(kube: FakeKube, controller: Controller) -> None:
        await until(lambda: kube.events)
        kube.put(POOLS, home("10.0.0.0/30"))
        await until(lambda: address(kube) == "10.0.0.0")
        await until(lambda: len(kube.events) == 3)
        assert [reason for reason, _ in reasons(kube)] == ["IPAllocated", "ClearAssignment", "IPAllocated"]

    run(scenario, existing=((POOLS, home("192.168.2.128/25")), (SERVICES, web())))


@pytest.mark.parametrize("code", [409, 500])
def test_loss_of_an_address_is_told_once_however_many_attempts_it_takes(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lantern.app.reconcile._FIRST_RETRY_SECONDS", 0.01)
    monkeypatch.setattr("lantern.app.reconcile._LONGEST_RETRY_SECONDS", 0.01)
    path = "/api/v1/namespaces/default/services/web/status"

    async def scenario(kube: FakeKube, controller: Controller) -> None:
        await until(lambda: kube.events)
        kube.refuse_writes[path] = ApiError("no", code)
        kube.put(POOLS, home("10.0.0.0/30"))
        for attempts in range(2, 5):
            await until(lambda attempts=attempts: kube.requests.count(("PATCH", path)) >= attempts)  # type: ignore[misc]
            controller._reconciler.notify()
        kube.refuse_writes.clear()
        controller._reconciler.notify()
        await until(lambda: address(kube) == "10.0.0.0")
        await until(lambda: len(kube.events) >= 3)
        assert [reason for reason, _ in reasons(kube)] == ["IPAllocated", "ClearAssignment", "IPAllocated"]
        # Another loss with the same words is another Event.
        kube.put(POOLS, home("192.168.2.128/25"))
        await until(lambda: len(kube.events) >= 5)
        assert [reason for reason, _ in reasons(kube)][3:] == ["ClearAssignment", "IPAllocated"]

    run(scenario, existing=((POOLS, home("192.168.2.128/25")), (SERVICES, web())))


def test_controller_that_starts_repeats_no_event_that_is_still_there() -> None:
    async def main() -> None:
        kube = FakeKube()
        kube.put(POOLS, home("192.168.2.128/32"))
        kube.put(SERVICES, web("a"))
        kube.put(SERVICES, web("b", {"metallb.universe.tf/address-pool": "home"}))
        async with running(kube):
            await until(lambda: len(kube.events) == 3)
            kube.put(POOLS, home("192.168.2.5", name="bad"))
            await until(lambda: len(kube.events) == 4)
        before = reasons(kube)
        told = {"IPAllocated", "AllocationFailed", "deprecatedAnnotation", "ConfigurationError"}
        assert {reason for reason, _ in before} == told
        async with running(kube) as controller:
            await until(controller._lease.may_write)
            kube.delete(POOLS, "bad")
            await until(lambda: controller.not_ready() is None)
            await asyncio.sleep(0.2)
            assert reasons(kube) == before
            # What begins from then on is told, also in the same words.
            kube.put(POOLS, home("192.168.2.5", name="bad"))
            await until(lambda: len(kube.events) == 5)
            assert reasons(kube)[4] == next(item for item in before if item[0] == "ConfigurationError")

    asyncio.run(main())


def test_outage_of_the_api_server_is_survived() -> None:
    async def scenario(kube: FakeKube, controller: Controller) -> None:
        await until(lambda: address(kube))
        kube.set_down(True)
        await asyncio.sleep(0.05)
        kube.put(SERVICES, web("second"))
        kube.set_down(False)
        await until(lambda: address(kube, "second") == "192.168.2.129")

    run(scenario, existing=((POOLS, home("192.168.2.128/25")), (SERVICES, web())))


def test_service_that_changes_while_it_is_written_is_written_again() -> None:
    async def scenario(kube: FakeKube, controller: Controller) -> None:
        await until(lambda: controller.not_ready() is None)
        original = kube.patch
        conflicts = 0

        async def meanwhile(path: str, body: Mapping[str, Any], seconds: float | None = None) -> Any:
            nonlocal conflicts
            if not conflicts and "/services/" in path:
                conflicts += 1
                kube.put(SERVICES, web(ports=[{"port": 443}]))
            return await original(path, body, seconds)

        kube.patch = meanwhile  # type: ignore[method-assign]
        kube.put(SERVICES, web())
        await until(lambda: address(kube))
        assert conflicts == 1 and len(kube.patches) == 1
        await until(lambda: len(kube.events) == 1)

    run(scenario, existing=((POOLS, home("192.168.2.128/25")),))


def test_no_address_is_given_twice_before_the_watch_tells_of_the_first() -> None:
    """The watch is held back after the first write; the next pass must know of it all the same."""

    async def scenario(kube: FakeKube, controller: Controller) -> None:
        await until(lambda: controller.not_ready() is None)
        kube.hold_watches_back_at_patch = True
        kube.put(SERVICES, web("zebra"))
        await until(lambda: address(kube, "zebra"))
        # Sorts before the first one, so a decision on stale state would give it the same address.
        kube.put(SERVICES, web("ant"))
        controller._services.upsert(raw(kube.objects[SERVICES]["ant"]))
        controller._reconciler.notify()
        await until(lambda: address(kube, "ant"))
        assert (address(kube, "zebra"), address(kube, "ant")) == ("192.168.2.128", "192.168.2.129")

    run(scenario, existing=((POOLS, home("192.168.2.128/25")),))


def test_nothing_is_decided_before_everything_is_listed() -> None:
    """Pools that are not listed yet must not look like pools that were removed."""

    async def scenario(kube: FakeKube, controller: Controller) -> None:
        kube.withheld_lists.add(POOLS)
        await until(lambda: str(controller.not_ready()).endswith("to list ipaddresspools"))
        await asyncio.sleep(0.2)
        kube.withheld_lists.clear()
        await until(lambda: controller.not_ready() is None)
        await asyncio.sleep(0.1)
        assert kube.patches == [] and kube.events == []

    served = web()
    served["status"] = {"loadBalancer": {"ingress": [{"ip": "192.168.2.130"}]}}
    served["metadata"]["annotations"] = {"metallb.io/ip-allocated-from-pool": "home"}
    run(scenario, existing=((POOLS, home("192.168.2.128/25")), (SERVICES, served)))


LEASES = "/apis/coordination.k8s.io/v1/namespaces/metallb-system/leases"


def test_write_of_a_leader_that_was_frozen_is_out_of_date_when_another_took_over() -> None:
    """What it decided before may be sent at any time after: the version that it names must be gone by then."""

    async def scenario(kube: FakeKube, controller: Controller) -> None:
        stale = dict(kube.objects[SERVICES]["web"]["metadata"])
        await until(lambda: address(kube))
        marks = [patch for patch in kube.patches if "status" not in patch]
        assert [patch["metadata"]["resourceVersion"] for patch in marks] == [stale["resourceVersion"]]
        late = {"metadata": {"resourceVersion": stale["resourceVersion"]}, "status": {"loadBalancer": None}}
        with pytest.raises(ApiError) as refused:
            await kube.patch("/api/v1/namespaces/default/services/web/status", late)
        assert refused.value.code == 409
        # The mark goes with the assignment.
        assert "lantern.homelab/taken-over-by" not in kube.objects[SERVICES]["web"]["metadata"]["annotations"]

    lease = {"metadata": {"name": "lantern-controller"}, "spec": {"holderIdentity": "dead", "leaseDurationSeconds": 1}}
    existing = ((POOLS, home("192.168.2.128/25")), (SERVICES, web()), (LEASES, lease))
    run(scenario, existing=existing)


def test_starting_controller_that_finds_the_lease_free_lists_once() -> None:
    async def scenario(kube: FakeKube, controller: Controller) -> None:
        await until(lambda: address(kube))
        assert set(kube.lists.values()) == {1}, kube.lists

    run(scenario, existing=((POOLS, home("192.168.2.128/25")), (SERVICES, web())))


def test_standby_that_takes_the_lease_lists_everything_anew_before_it_writes() -> None:
    async def scenario(kube: FakeKube, controller: Controller) -> None:
        await until(lambda: controller.not_ready() is None)
        assert kube.lists[SERVICES] == 1 and not kube.patches
        # The last that the leader wrote has not come through the watch yet.
        kube.hold_watches_back()
        kube.put(SERVICES, web() | {"status": {"loadBalancer": {"ingress": [{"ip": "192.168.2.128"}]}}})
        kube.put(SERVICES, web("second"))
        kube.put(LEASES, {"metadata": {"name": "lantern-controller"}, "spec": {"holderIdentity": ""}})
        controller._lease._store.upsert(raw(kube.objects[LEASES]["lantern-controller"]))
        controller._lease._see()
        await until(lambda: address(kube, "second"))
        assert address(kube, "second") == "192.168.2.129"
        decided_on = [SERVICES, POOLS, "/api/v1/namespaces", "/api/v1/nodes"]
        assert [kube.lists[path] for path in decided_on] == [2, 2, 2, 2]

    lease = {"metadata": {"name": "lantern-controller"}, "spec": {"holderIdentity": "a", "leaseDurationSeconds": 60}}
    run(scenario, existing=((POOLS, home("192.168.2.128/25")), (LEASES, lease)))


def test_first_plan_of_a_term_knows_who_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    known: list[tuple[bool, int]] = []

    def spied(snapshot: Snapshot, recall: Recall) -> Plan:
        decided = plan(snapshot, recall)
        known.append((controllers[0]._lease.may_write(), len(recall._known)))
        return decided

    controllers: list[Controller] = []
    monkeypatch.setattr("lantern.app.controller.plan", spied)
    monkeypatch.setattr("lantern.app.controller._REHEARSE_SECONDS", 0.01)

    async def scenario(kube: FakeKube, controller: Controller) -> None:
        controllers.append(controller)
        await until(lambda: known)
        assert known == [(False, 0)] and not kube.patches
        kube.put(LEASES, {"metadata": {"name": "lantern-controller"}, "spec": {"holderIdentity": ""}})
        await until(lambda: len(known) > 1)
        assert known[1] == (True, 1)

    lease = {"metadata": {"name": "lantern-controller"}, "spec": {"holderIdentity": "a", "leaseDurationSeconds": 60}}
    had = web(annotations={"metallb.io/ip-allocated-from-pool": "home"})
    served = had | {"status": {"loadBalancer": {"ingress": [{"ip": "192.168.2.128"}]}}}
    run(scenario, existing=((POOLS, home("192.168.2.128/25")), (SERVICES, served), (LEASES, lease)))


def test_lease_that_was_given_back_needs_no_marks() -> None:
    async def scenario(kube: FakeKube, controller: Controller) -> None:
        await until(lambda: address(kube))
        assert len(kube.patches) == 1

    lease = {"metadata": {"name": "lantern-controller"}, "spec": {"leaseDurationSeconds": 1}}
    run(scenario, existing=((POOLS, home("192.168.2.128/25")), (SERVICES, web()), (LEASES, lease)))


def test_write_whose_answer_is_lost_is_told_all_the_same() -> None:
    async def scenario(kube: FakeKube, controller: Controller) -> None:
        await until(lambda: controller.not_ready() is None)
        original = kube.patch
        lost = 0

        async def without_answer(path: str, body: Mapping[str, Any], seconds: float | None = None) -> Any:
            nonlocal lost
            answer = await original(path, body, seconds)
            if not lost and "/services/" in path:
                lost += 1
                raise ApiError("the Kubernetes API did not answer within 10.0 s")
            return answer

        kube.patch = without_answer  # type: ignore[method-assign]
        kube.put(SERVICES, web())
        await until(lambda: kube.events)
        assert reasons(kube) == [("IPAllocated", 'Assigned IP ["192.168.2.128"]')]
        assert len(kube.patches) == 1

    run(scenario, existing=((POOLS, home("192.168.2.128/25")),))
