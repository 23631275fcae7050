# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ServiceL2Status objects over an API server in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fakes.kube import FakeKube, raw
from lantern.adapters.kube.api import ApiError
from lantern.adapters.kube.l2_status import L2StatusKeeper, Writer, l2_status, l2_statuses_path
from lantern.adapters.kube.writer import Background
from lantern.core.announced import Announcer
from lantern.core.model import ServiceKey

PATH = l2_statuses_path("metallb-system")
WEB, TV = ServiceKey("default", "web"), ServiceKey("media", "tv")
ME, OTHER = Writer("node1", "speaker-x", "uid-x"), Writer("node2", "speaker-y", "uid-y")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_ROUND_SECONDS", "_FIRST_PAUSE_SECONDS"):
        monkeypatch.setattr(f"lantern.adapters.kube.l2_status.{name}", 0.01)


def stored(writer: Writer, service: ServiceKey, *interfaces: str, **more: Any) -> dict[str, Any]:
    """An object as this writer leaves it."""
    return {
        "metadata": {"name": writer.object_name(service), **writer.metadata(service)},
        "status": {
            "node": writer.node,
            "serviceName": service.name,
            "serviceNamespace": service.namespace,
            "interfaces": [{"name": name} for name in interfaces],
        },
        **more,
    }


def told(kube: FakeKube) -> dict[tuple[str, str], list[str]]:
    """What the cluster is told: interfaces by Service and node."""
    found = {}
    for value in kube.objects.get(PATH, {}).values():
        status = value.get("status", {})
        key = f"{status.get('serviceNamespace')}/{status.get('serviceName')}", status.get("node", "")
        found[key] = [item["name"] for item in status.get("interfaces") or ()]
    return found


Scenario = Callable[[FakeKube, L2StatusKeeper], Awaitable[None]]


def run(scenario: Scenario, *existing: dict[str, Any]) -> FakeKube:
    async def main() -> FakeKube:
        kube = FakeKube()
        for value in existing:
            kube.put(PATH, value)
        keeper = L2StatusKeeper(kube, "metallb-system", ME, Background())
        task = asyncio.create_task(keeper.run())
        try:
            async with asyncio.timeout(10):
                await scenario(kube, keeper)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return kube

    return asyncio.run(main())


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


async def quiet() -> None:
    """Time for several rounds."""
    await asyncio.sleep(0.08)


def test_names_labels_and_owner() -> None:
    assert ME.object_name(WEB) == Writer("node1").object_name(WEB) != OTHER.object_name(WEB)
    assert ME.object_name(WEB).startswith("l2-") and len(ME.object_name(WEB)) == 19
    assert ME.metadata(WEB) == {
        "labels": {
            "metallb.io/node": "node1",
            "metallb.io/service-name": "web",
            "metallb.io/service-namespace": "default",
        },
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "speaker-x", "uid": "uid-x"}],
    }
    assert "ownerReferences" not in Writer("node1").metadata(WEB)


def test_an_object_without_status_is_known_by_its_labels() -> None:
    fresh = l2_status(raw({"metadata": {"name": "l2-x", "resourceVersion": "7", **ME.metadata(WEB)}}))
    assert fresh.announcer == Announcer(WEB, "node1") and not fresh.told and fresh.version == "7"
    strange = l2_status(raw({"metadata": {"name": "l2-y"}}))
    assert strange.announcer == Announcer(ServiceKey("", ""), "")
    with pytest.raises(ValueError):
        l2_status(raw({"metadata": {}}))


def test_written_on_change_only() -> None:
    async def scenario(kube: FakeKube, keeper: L2StatusKeeper) -> None:
        keeper.want({WEB: ("eth0", "eth1"), TV: ()})
        await until(lambda: told(kube) == {("default/web", "node1"): ["eth0", "eth1"], ("media/tv", "node1"): []})
        (web, tv) = (f"{PATH}/{ME.object_name(key)}/status" for key in (WEB, TV))
        assert kube.requests == [("POST", PATH), ("PATCH", web), ("POST", PATH), ("PATCH", tv)]
        keeper.want({TV: (), WEB: ("eth0", "eth1")})
        await quiet()
        assert len(kube.requests) == 4
        keeper.want({WEB: ("eth1",), TV: ()})
        await until(lambda: told(kube)["default/web", "node1"] == ["eth1"])
        keeper.want({WEB: (), TV: ()})
        await until(lambda: told(kube)["default/web", "node1"] == [])
        keeper.want({TV: ()})
        await until(lambda: told(kube) == {("media/tv", "node1"): []})
        await quiet()
        assert len(kube.requests) == 7 and kube.requests[-1] == ("DELETE", web.removesuffix("/status"))

    run(scenario)


def test_nothing_is_written_before_there_is_something_to_say() -> None:
    async def scenario(kube: FakeKube, keeper: L2StatusKeeper) -> None:
        keeper.want(None)
        await quiet()
        assert kube.requests == []
        keeper.want({})
        keeper.want(None)
        await until(lambda: told(kube) == {("media/tv", "node2"): []})

    run(scenario, stored(ME, WEB), stored(OTHER, TV))


def test_what_an_earlier_process_left_is_taken_over_or_deleted() -> None:
    before = Writer("node1", "speaker-old", "uid-old")
    generated = stored(before, WEB, metadata={"name": "l2-a1b2c", **before.metadata(WEB)})
    # Its process died between the two writes.
    half_done = {"metadata": {"name": before.object_name(TV), **before.metadata(TV)}}

    async def scenario(kube: FakeKube, keeper: L2StatusKeeper) -> None:
        keeper.want({WEB: ("eth0",), TV: ()})
        await until(lambda: len(told(kube)) == 2 and told(kube).get(("media/tv", "node1")) == [])
        await quiet()
        owners = [value["metadata"]["ownerReferences"][0]["uid"] for value in kube.objects[PATH].values()]
        assert owners == ["uid-x", "uid-x"]
        # One write for what was right but for its owner, and none of them makes anything anew.
        assert [method for method, _ in kube.requests] == ["DELETE", "PATCH", "PATCH", "PATCH"]

    run(scenario, stored(before, WEB, "eth0"), generated, half_done)


def test_new_owner_removes_what_dead_owners_left() -> None:
    async def scenario(kube: FakeKube, keeper: L2StatusKeeper) -> None:
        keeper.want({WEB: ()})
        await until(lambda: told(kube) == {("default/web", "node1"): [], ("media/tv", "node2"): []})

    run(scenario, stored(OTHER, WEB, "eth0"), stored(Writer("node3"), WEB), stored(OTHER, TV))


def test_what_was_written_before_but_is_seen_later_is_removed_too() -> None:
    async def scenario(kube: FakeKube, keeper: L2StatusKeeper) -> None:
        keeper.want({WEB: ()})
        await until(lambda: told(kube))
        # Node 2 wrote this before, and died; the watch was not there yet.
        old = stored(OTHER, WEB)
        kube.objects[PATH][OTHER.object_name(WEB)] = {**old, "metadata": {**old["metadata"], "resourceVersion": "51"}}
        kube.version = 200
        kube.forget_history()
        kube.set_down(True)
        await asyncio.sleep(0.02)
        kube.set_down(False)
        await until(lambda: told(kube) == {("default/web", "node1"): []})

    run(scenario)


def test_two_that_both_believe_themselves_the_owner_do_not_fight() -> None:
    async def scenario(kube: FakeKube, keeper: L2StatusKeeper) -> None:
        keeper.want({WEB: ()})
        await until(lambda: told(kube) == {("default/web", "node1"): []})
        # Node 2 claims it later, and deletes what it holds for left over.
        kube.put(PATH, stored(OTHER, WEB))
        kube.delete(PATH, ME.object_name(WEB))
        await until(lambda: len(told(kube)) == 2)
        await quiet()
        assert ("DELETE", f"{PATH}/{OTHER.object_name(WEB)}") not in kube.requests
        made = kube.requests.count(("POST", PATH))
        # A speaker that goes on deleting is not answered each time.
        for _ in range(20):
            if ME.object_name(WEB) in kube.objects[PATH]:
                kube.delete(PATH, ME.object_name(WEB))
            await asyncio.sleep(0.02)
        assert kube.requests.count(("POST", PATH)) - made < 8

    run(scenario)


def test_back_after_it_was_deleted_and_right_after_it_was_changed() -> None:
    name = ME.object_name(WEB)

    async def scenario(kube: FakeKube, keeper: L2StatusKeeper) -> None:
        keeper.want({WEB: ("eth0",)})
        await until(lambda: told(kube))
        kube.delete(PATH, name)
        await until(lambda: told(kube) == {("default/web", "node1"): ["eth0"]})
        kube.put(PATH, {**kube.objects[PATH][name], "metadata": {"name": name}})
        await until(lambda: kube.objects[PATH][name]["metadata"].get("labels"))
        # What a status says of its node cannot be changed.
        kube.put(PATH, stored(OTHER, WEB, metadata={"name": name}))
        await until(lambda: told(kube) == {("default/web", "node1"): ["eth0"]})

    run(scenario)


def test_an_outage_is_waited_out() -> None:
    async def scenario(kube: FakeKube, keeper: L2StatusKeeper) -> None:
        keeper.want({WEB: ()})
        await until(lambda: told(kube))
        kube.set_down(True)
        keeper.want({TV: ()})
        await quiet()
        kube.set_down(False)
        await until(lambda: told(kube) == {("media/tv", "node1"): []})

    run(scenario)


@pytest.mark.parametrize("code", [403, 409, 422, 500])
def test_one_refusal_does_not_stop_the_others_and_is_tried_again(code: int) -> None:
    async def scenario(kube: FakeKube, keeper: L2StatusKeeper) -> None:
        refused = f"{PATH}/{ME.object_name(WEB)}/status"
        kube.refuse_writes[refused] = ApiError("because", code)
        keeper.want({WEB: (), TV: ()})
        if code in (409, 422):
            await until(lambda: ("media/tv", "node1") in told(kube))
        await until(lambda: kube.requests.count(("PATCH", refused)) >= 2)
        kube.refuse_writes.clear()
        await until(lambda: {("default/web", "node1"), ("media/tv", "node1")} == set(told(kube)))

    run(scenario)


def test_a_creation_whose_answer_was_lost_is_not_repeated() -> None:
    async def scenario(kube: FakeKube, keeper: L2StatusKeeper) -> None:
        create, lost = kube.create, [True]

        async def answers_late(path: str, body: Any) -> Any:
            made = await create(path, body)
            if lost.pop() if lost else False:
                raise ApiError("the Kubernetes API cannot be reached: timed out")
            return made

        kube.create = answers_late  # type: ignore[method-assign]
        keeper.want({WEB: ()})
        await until(lambda: told(kube) == {("default/web", "node1"): []})
        await quiet()
        assert len(kube.objects[PATH]) == 1

    run(scenario)


def test_addresses_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lantern.adapters.kube.writer._QUIET_SECONDS", 0.2)

    async def main() -> None:
        kube, background = FakeKube(), Background()
        keeper = L2StatusKeeper(kube, "metallb-system", ME, background)
        task = asyncio.create_task(keeper.run())
        background.urgent()
        keeper.want({WEB: ()})
        await asyncio.sleep(0.1)
        assert kube.requests == []
        await until(lambda: told(kube))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
