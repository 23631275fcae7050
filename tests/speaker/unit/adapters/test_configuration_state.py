# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ConfigurationState object over an API server in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from fakes.kube import FakeKube, raw
from lantern.adapters.kube.api import ApiError
from lantern.adapters.kube.configuration_state import Reporter, StateKeeper, Verdict, reported, status_body

PATH = "/apis/metallb.io/v1beta1/namespaces/metallb-system/configurationstates"
CONTROLLER = Reporter.controller("controller-x", "uid-x")
BAD = Verdict(("pool a overlaps", "pool b is empty"))
EARLIER, NOW = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)


def known(body: dict[str, Any]) -> Any:
    return reported(raw({"metadata": {"name": "controller"}, "status": body}))


def test_status_of_a_good_configuration() -> None:
    assert status_body(CONTROLLER, Verdict(notes=("pool a holds the router",)), None, NOW) == {
        "result": "Valid",
        "errorSummary": None,
        "conditions": [
            {
                "type": "poolReconcilerValid",
                "status": "True",
                "reason": "Reconciled",
                "message": "pool a holds the router",
                "lastTransitionTime": "2026-01-02T00:00:00Z",
            }
        ],
    }


def test_status_of_a_bad_configuration() -> None:
    body = status_body(Reporter.speaker("node1"), BAD, None, NOW)
    assert body is not None
    assert (body["result"], body["errorSummary"]) == ("Invalid", "pool a overlaps\npool b is empty")
    (condition,) = body["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "configReconcilerValid",
        "False",
        "ConfigurationError",
    )
    assert condition["message"] == body["errorSummary"]


def test_time_of_a_condition_is_that_of_its_change() -> None:
    first = status_body(CONTROLLER, BAD, None, EARLIER)
    assert first is not None
    assert status_body(CONTROLLER, BAD, known(first), NOW) is None
    other = status_body(CONTROLLER, Verdict(("something else",)), known(first), NOW)
    assert other is not None and other["conditions"][0]["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    repaired = status_body(CONTROLLER, Verdict(), known(first), NOW)
    assert repaired is not None and repaired["conditions"][0]["lastTransitionTime"] == "2026-01-02T00:00:00Z"


def test_message_is_as_long_as_the_schema_allows() -> None:
    body = status_body(CONTROLLER, Verdict(("x" * 40_000,)), None, NOW)
    assert body is not None and len(body["conditions"][0]["message"]) == 32768


def test_names_labels_and_owner() -> None:
    assert CONTROLLER.name == "controller"
    assert CONTROLLER.metadata() == {
        "labels": {"metallb.io/component-type": "controller"},
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "controller-x", "uid": "uid-x"}],
    }
    speaker = Reporter.speaker("node1")
    assert speaker.name == "speaker-node1"
    assert speaker.metadata() == {"labels": {"metallb.io/component-type": "speaker", "metallb.io/node-name": "node1"}}


Scenario = Callable[[FakeKube, StateKeeper], Awaitable[None]]


def run(scenario: Scenario, may_write: Callable[[], bool] = lambda: True, kube: FakeKube | None = None) -> None:
    async def main() -> None:
        cluster = kube or FakeKube()
        keeper = StateKeeper(cluster, "metallb-system", CONTROLLER, may_write)
        task = asyncio.create_task(keeper.run())
        try:
            async with asyncio.timeout(10):
                await scenario(cluster, keeper)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def result(kube: FakeKube) -> str | None:
    value = kube.objects.get(PATH, {}).get("controller")
    return value.get("status", {}).get("result") if value else None


def test_written_on_change_only() -> None:
    async def scenario(kube: FakeKube, keeper: StateKeeper) -> None:
        keeper.want(Verdict())
        await until(lambda: result(kube) == "Valid")
        assert kube.requests == [("POST", PATH), ("PATCH", f"{PATH}/controller/status")]
        meta = kube.objects[PATH]["controller"]["metadata"]
        assert meta["ownerReferences"][0]["uid"] == "uid-x"
        keeper.want(Verdict())
        await asyncio.sleep(0.05)
        assert len(kube.requests) == 2
        keeper.want(BAD)
        await until(lambda: result(kube) == "Invalid")
        assert kube.objects[PATH]["controller"]["status"]["errorSummary"] == "pool a overlaps\npool b is empty"
        keeper.want(Verdict())
        await until(lambda: result(kube) == "Valid")
        assert "errorSummary" not in kube.objects[PATH]["controller"]["status"]
        assert len(kube.requests) == 4

    run(scenario)


def test_nothing_is_written_before_there_is_something_to_say() -> None:
    async def scenario(kube: FakeKube, keeper: StateKeeper) -> None:
        await asyncio.sleep(0.05)
        assert kube.requests == []

    run(scenario)


def test_back_after_it_was_deleted_and_right_after_it_was_changed() -> None:
    async def scenario(kube: FakeKube, keeper: StateKeeper) -> None:
        keeper.want(BAD)
        await until(lambda: result(kube) == "Invalid")
        kube.delete(PATH, "controller")
        await until(lambda: result(kube) == "Invalid")
        kube.put(PATH, {**kube.objects[PATH]["controller"], "status": {"result": "Valid"}})
        await until(lambda: result(kube) == "Invalid")
        kube.put(PATH, {**kube.objects[PATH]["controller"], "metadata": {"name": "controller"}})
        await until(lambda: kube.objects[PATH]["controller"]["metadata"].get("ownerReferences"))

    run(scenario)


def test_object_of_another_pod_is_taken_over() -> None:
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "old", "uid": "uid-old"}
    kube = FakeKube()

    async def scenario(kube: FakeKube, keeper: StateKeeper) -> None:
        kube.put(
            PATH, {"metadata": {"name": "controller", "ownerReferences": [owner]}, "status": {"result": "Unknown"}}
        )
        keeper.want(Verdict())
        await until(lambda: result(kube) == "Valid")
        (reference,) = kube.objects[PATH]["controller"]["metadata"]["ownerReferences"]
        assert reference["uid"] == "uid-x"

    run(scenario, kube=kube)


def test_standby_writes_when_it_begins_to_lead() -> None:
    leads = False

    async def scenario(kube: FakeKube, keeper: StateKeeper) -> None:
        nonlocal leads
        keeper.want(Verdict())
        await asyncio.sleep(0.05)
        assert kube.requests == []
        leads = True
        keeper.want(Verdict())
        await until(lambda: result(kube) == "Valid")

    run(scenario, may_write=lambda: leads)


def test_refused_write_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lantern.adapters.kube.configuration_state._FIRST_PAUSE_SECONDS", 0.01)

    async def scenario(kube: FakeKube, keeper: StateKeeper) -> None:
        kube.refuse_writes[f"{PATH}/controller/status"] = ApiError("forbidden", 403)
        keeper.want(Verdict())
        await until(lambda: len(kube.requests) >= 3)
        assert kube.requests.count(("POST", PATH)) == 1
        kube.refuse_writes.clear()
        await until(lambda: result(kube) == "Valid")

    run(scenario)
