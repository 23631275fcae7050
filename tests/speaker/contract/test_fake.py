# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server in memory answers as a real one does: every step is taken on both."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import msgspec
import pytest
from fakes.kube import FakeKube
from lablib.kube import NAMESPACE, ApiServer
from lantern.adapters.kube.api import ApiError, KubeApi, stream_error
from lantern.adapters.kube.l2_status import l2_statuses_path

Api = FakeKube | KubeApi
Scenario = Callable[[Api], Awaitable[None]]
MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
STATUSES = l2_statuses_path(NAMESPACE)
SERVICES = "/api/v1/services"
IN_DEFAULT = "/api/v1/namespaces/default/services"
TOLD = {"node": "node1", "serviceName": "web", "serviceNamespace": "default"}


@pytest.fixture(params=["fake", "real"])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[Scenario], None]:
    """Takes the steps of a scenario."""
    connect: Callable[[], Api] = FakeKube
    if request.param == "real":
        server: ApiServer = request.getfixturevalue("kube")
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig))
        connect = KubeApi.connect

    async def main(scenario: Scenario) -> None:
        api = connect()
        async with asyncio.timeout(10):
            await scenario(api)
        await api.close()

    return lambda scenario: asyncio.run(main(scenario))


def read(raw: msgspec.Raw) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(raw)
    return found


def version(value: dict[str, Any]) -> str:
    found: str = value["metadata"]["resourceVersion"]
    return found


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


def l2_status(name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "metallb.io/v1beta1", "kind": "ServiceL2Status", "metadata": {"name": name}, **more}


def service(name: str) -> dict[str, Any]:
    spec = {"type": "LoadBalancer", "selector": {"app": name}, "ports": [{"port": 80, "protocol": "TCP"}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


async def names(api: Api, path: str, only: str = "") -> set[str]:
    return {read(item)["metadata"]["name"] for item in (await api.list(path, only))[1]}


async def told(api: Api, path: str, since: str, count: int, only: str = "") -> list[tuple[str, dict[str, Any]]]:
    """The first `count` things that a watch tells; the server's bookmarks come when it likes and are left out."""
    found: list[tuple[str, dict[str, Any]]] = []
    async with aclosing(api.watch(path, since, only)) as lines:
        assert await anext(lines) is None
        while len(found) < count:
            line = await anext(lines)
            assert line is not None
            if line.type != "BOOKMARK":
                found.append((line.type, read(line.object)))
    return found


def test_what_was_created_is_read_and_listed(run: Callable[[Scenario], None]) -> None:
    async def scenario(api: Api) -> None:
        before, _ = await api.list(MAPS)
        made = read(await api.create(MAPS, config_map("one", key="a")))
        await api.create(MAPS, config_map("two"))
        after, items = await api.list(MAPS)
        assert int(before) < int(version(made)) < int(after)
        assert {item["metadata"]["name"]: item.get("data") for item in map(read, items)}["one"] == {"key": "a"}
        assert read(await api.get(f"{MAPS}/one")) == made
        assert await names(api, MAPS, "two") == {"two"} and await names(api, MAPS, "three") == set()
        (short,) = map(read, (await api.list(MAPS, "one", metadata_only=True))[1])
        assert version(short) == version(made) and "data" not in short

    run(scenario)


@pytest.mark.parametrize("path", [MAPS, STATUSES])
def test_a_name_is_taken_once(run: Callable[[Scenario], None], path: str) -> None:
    async def scenario(api: Api) -> None:
        body = config_map("one") if path == MAPS else l2_status("one")
        await api.create(path, body)
        with pytest.raises(ApiError) as refusal:
            await api.create(path, body)
        assert refusal.value.code == 409 and refusal.value.is_outdated

    run(scenario)


def test_what_is_not_there(run: Callable[[Scenario], None]) -> None:
    async def scenario(api: Api) -> None:
        for request in (
            api.get(f"{MAPS}/none"),
            api.patch(f"{MAPS}/none", {"data": {"key": "a"}}),
            api.patch(f"{STATUSES}/none/status", {"status": TOLD}),
            api.patch(f"{IN_DEFAULT}/none/status", {"status": {}}),
            api.remove(f"{MAPS}/none", "1"),
        ):
            with pytest.raises(ApiError) as refusal:
                await request
            assert refusal.value.code == 404

    run(scenario)


def test_merge_patch(run: Callable[[Scenario], None]) -> None:
    async def scenario(api: Api) -> None:
        made = read(await api.create(MAPS, config_map("one", keep="a", change="b", drop="c")))
        patch = {"metadata": {"resourceVersion": version(made)}, "data": {"change": "d", "drop": None, "add": "e"}}
        changed = read(await api.patch(f"{MAPS}/one", patch))
        assert changed["data"] == {"keep": "a", "change": "d", "add": "e"}
        assert int(version(changed)) > int(version(made)) and read(await api.get(f"{MAPS}/one")) == changed
        with pytest.raises(ApiError) as refusal:
            await api.patch(f"{MAPS}/one", patch | {"data": {"change": "late"}})
        assert refusal.value.code == 409
        # Without a version, the last one counts.
        assert read(await api.patch(f"{MAPS}/one", {"data": {"change": "f"}}))["data"]["change"] == "f"

    run(scenario)


def test_a_patch_that_changes_nothing_is_no_news(run: Callable[[Scenario], None]) -> None:
    async def scenario(api: Api) -> None:
        made = read(await api.create(MAPS, config_map("one", key="a")))
        assert version(read(await api.patch(f"{MAPS}/one", {"data": {"key": "a"}}))) == version(made)
        await api.patch(f"{MAPS}/one", {"data": {"key": "b"}})
        ((_, seen),) = await told(api, MAPS, version(made), 1)
        assert seen["data"] == {"key": "b"}

    run(scenario)


def test_status_is_written_at_its_own_path_only(run: Callable[[Scenario], None]) -> None:
    async def scenario(api: Api) -> None:
        made = read(await api.create(STATUSES, l2_status("one", status=TOLD)))
        assert "status" not in made
        path = f"{STATUSES}/one"
        labelled = read(await api.patch(path, {"metadata": {"labels": {"a": "b"}}, "status": TOLD}))
        assert labelled["metadata"]["labels"] == {"a": "b"} and "status" not in labelled
        body = {"metadata": {"labels": {"a": "c"}, "annotations": {"a": "b"}}, "status": TOLD}
        written = read(await api.patch(f"{path}/status", body))
        assert written["status"] == TOLD and written["metadata"]["labels"] == {"a": "b"}
        assert "annotations" not in written["metadata"]
        stale = {"metadata": {"resourceVersion": version(labelled)}, "status": {"interfaces": []}}
        with pytest.raises(ApiError) as refusal:
            await api.patch(f"{path}/status", stale)
        assert refusal.value.code == 409 and read(await api.get(path)) == written

    run(scenario)


def test_an_address_and_its_annotation_are_one_write(run: Callable[[Scenario], None]) -> None:
    async def scenario(api: Api) -> None:
        made = read(await api.create(IN_DEFAULT, service("web")))
        assert await names(api, SERVICES, "web") == {"web"}
        body = {
            "metadata": {"resourceVersion": version(made), "annotations": {"pool": "home"}},
            "spec": {"ports": [{"port": 81, "protocol": "TCP"}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.168.2.128"}]}},
        }
        written = read(await api.patch(f"{IN_DEFAULT}/web/status", body))
        assert written["metadata"]["annotations"] == {"pool": "home"}
        assert written["status"]["loadBalancer"]["ingress"][0]["ip"] == "192.168.2.128"
        assert written["spec"] == made["spec"]
        with pytest.raises(ApiError) as refusal:
            await api.patch(f"{IN_DEFAULT}/web/status", body)
        assert refusal.value.code == 409
        nothing = {"metadata": {"annotations": {"pool": None}}, "status": {"loadBalancer": {"ingress": None}}}
        emptied = read(await api.patch(f"{IN_DEFAULT}/web/status", nothing))
        assert not emptied["metadata"].get("annotations") and emptied["status"]["loadBalancer"] == {}

    run(scenario)


def test_watch_tells_all_since_a_version(run: Callable[[Scenario], None]) -> None:
    async def scenario(api: Api) -> None:
        await api.create(MAPS, config_map("before"))
        since, _ = await api.list(MAPS)
        one = read(await api.create(MAPS, config_map("one")))
        other = read(await api.create(MAPS, config_map("other")))
        changed = read(await api.patch(f"{MAPS}/one", {"data": {"key": "a"}}))
        await api.remove(f"{MAPS}/one", version(changed))
        seen = await told(api, MAPS, since, 4)
        assert seen[:3] == [("ADDED", one), ("ADDED", other), ("MODIFIED", changed)]
        kind, gone = seen[3]
        assert (kind, gone["metadata"]["name"], gone["data"]) == ("DELETED", "one", {"key": "a"})
        assert int(version(gone)) > int(version(changed))
        assert await told(api, MAPS, version(other), 2) == seen[2:]
        assert [kind for kind, _ in await told(api, MAPS, since, 3, only="one")] == ["ADDED", "MODIFIED", "DELETED"]

    run(scenario)


def test_watch_tells_what_happens_while_it_runs(run: Callable[[Scenario], None]) -> None:
    async def scenario(api: Api) -> None:
        since, _ = await api.list(MAPS)
        watching = asyncio.create_task(told(api, MAPS, since, 2))
        await asyncio.sleep(0.1)
        made = read(await api.create(MAPS, config_map("one")))
        await asyncio.sleep(0.1)
        await api.remove(f"{MAPS}/one", version(made))
        assert [kind for kind, _ in await watching] == ["ADDED", "DELETED"]

    run(scenario)


def test_lost_history_is_gone(run: Callable[[Scenario], None]) -> None:
    async def scenario(api: Api) -> None:
        await api.create(STATUSES, l2_status("one"))
        if isinstance(api, FakeKube):
            api.forget_history()
        # Older than the CustomResourceDefinition itself.
        async with aclosing(api.watch(STATUSES, "1")) as lines:
            assert await anext(lines) is None
            line = await anext(lines)
        assert line is not None and line.type == "ERROR" and stream_error(line).is_gone

    run(scenario)


def test_only_the_version_that_was_read_is_deleted(run: Callable[[Scenario], None]) -> None:
    async def scenario(api: Api) -> None:
        made = read(await api.create(STATUSES, l2_status("one")))
        changed = read(await api.patch(f"{STATUSES}/one/status", {"status": TOLD}))
        with pytest.raises(ApiError) as refusal:
            await api.remove(f"{STATUSES}/one", version(made))
        assert refusal.value.code == 409 and await names(api, STATUSES) == {"one"}
        await api.remove(f"{STATUSES}/one", version(changed))
        assert await names(api, STATUSES) == set()
        with pytest.raises(ApiError) as refusal:
            await api.get(f"{STATUSES}/one")
        assert refusal.value.code == 404

    run(scenario)
