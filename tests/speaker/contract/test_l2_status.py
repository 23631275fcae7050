# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ServiceL2Status objects on a real Kubernetes API server, and what `lantern explain` makes of them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from lablib.kube import NAMESPACE, ApiServer
from lablib.objects import (
    SERVICES,
    VIP,
    give_address,
    make_advertisement,
    make_endpoints,
    make_node,
    make_pool,
    make_service,
)
from lablib.process import SOURCES, eventually
from lantern.adapters.kube.api import KubeApi
from lantern.adapters.kube.l2_status import L2StatusKeeper, Writer, l2_statuses_path
from lantern.adapters.kube.writer import Background
from lantern.core.model import ServiceKey

PATH = l2_statuses_path(NAMESPACE)
WEB, TV = ServiceKey("default", "web"), ServiceKey("media", "tv")


@pytest.fixture(autouse=True)
def configured(kube: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kube.kubeconfig))


@asynccontextmanager
async def keeping(node: str, uid: str = "uid-1") -> AsyncIterator[L2StatusKeeper]:
    """The keeper of this node's speaker."""
    api = KubeApi.connect()
    keeper = L2StatusKeeper(api, NAMESPACE, Writer(node, f"speaker-{node}", uid), Background())
    task = asyncio.create_task(keeper.run())
    try:
        yield keeper
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await api.close()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(main())


async def until(check: Callable[[], object]) -> None:
    while not await asyncio.to_thread(check):
        await asyncio.sleep(0.05)


def objects(kube: ApiServer) -> list[dict[str, Any]]:
    """All there are. For a moment after its start the API server answers "too many requests" for custom resources."""
    answer = eventually(lambda: (found := kube.send("GET", PATH)).is_success and found, 10, "the objects are served")
    listed: list[dict[str, Any]] = answer.json()["items"]  # type: ignore[union-attr]
    return listed


def told(kube: ApiServer) -> set[tuple[str, str, tuple[str, ...]]]:
    """Service, node and interfaces of each object."""
    found = set()
    for item in objects(kube):
        status: dict[str, Any] = item.get("status", {})
        names = tuple(one["name"] for one in status.get("interfaces") or ())
        found.add((f"{status.get('serviceNamespace')}/{status.get('serviceName')}", status.get("node", ""), names))
    return found


def kubectl(kube: ApiServer, *arguments: str) -> str:
    command = [str(kube.binaries / "kubectl"), f"--kubeconfig={kube.kubeconfig}", f"--namespace={NAMESPACE}"]
    return subprocess.run([*command, *arguments], check=True, capture_output=True, text=True, timeout=30).stdout


def explain(kube: ApiServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`lantern explain` as on a workstation. No speaker serves on port 9."""
    command = [sys.executable, "-m", "lantern", "explain", "service", "default/web", "--health-probe-port=9"]
    environ = {**os.environ, "PYTHONPATH": str(SOURCES), "KUBECONFIG": str(kube.kubeconfig)}
    return subprocess.run([*command, *arguments], env=environ, capture_output=True, text=True, timeout=30)


def test_people_see_what_metallb_shows(kube: ApiServer) -> None:
    async def scenario() -> None:
        async with keeping("node1") as keeper:
            keeper.want({WEB: ("eth0", "eth1"), TV: ()})
            await until(lambda: told(kube) == {("default/web", "node1", ("eth0", "eth1")), ("media/tv", "node1", ())})
        header, *rows = kubectl(kube, "get", "servicel2statuses").splitlines()
        assert header.split("  ")[0] == "NAME"
        assert [title.strip() for title in header.split("  ") if title.strip()] == [
            "NAME",
            "ALLOCATED NODE",
            "SERVICE NAME",
            "SERVICE NAMESPACE",
        ]
        assert sorted(row.split()[1:] for row in rows) == [["node1", "tv", "media"], ["node1", "web", "default"]]
        by_label = kubectl(kube, "get", "servicel2statuses", "-o", "name", "-l", "metallb.io/service-name=web")
        assert len(by_label.splitlines()) == 1 and "/l2-" in by_label
        (web,) = [item for item in objects(kube) if item["status"]["serviceName"] == "web"]
        assert web["metadata"]["ownerReferences"] == [
            {"apiVersion": "v1", "kind": "Pod", "name": "speaker-node1", "uid": "uid-1"}
        ]

    run(scenario)


def test_interfaces_change_and_services_go(kube: ApiServer) -> None:
    async def scenario() -> None:
        async with keeping("node1") as keeper:
            for interfaces in (("eth0",), ("eth1", "lan0"), ()):
                keeper.want({WEB: interfaces})
                await until(lambda interfaces=interfaces: told(kube) == {("default/web", "node1", interfaces)})  # type: ignore[misc]
            keeper.want({})
            await until(lambda: told(kube) == set())

    run(scenario)


def test_handover_and_death_of_an_owner(kube: ApiServer) -> None:
    async def scenario() -> None:
        async with keeping("node2") as second:
            async with keeping("node1") as first:
                first.want({WEB: (), TV: ()})
                second.want({})
                await until(lambda: len(told(kube)) == 2)
                first.want({TV: ()})
                second.want({WEB: ()})
                await until(lambda: told(kube) == {("default/web", "node2", ()), ("media/tv", "node1", ())})
            # Node 1 is dead and cannot delete its own; nobody else touches what is nobody else's yet.
            await asyncio.sleep(1)
            assert ("media/tv", "node1", ()) in told(kube)
            second.want({WEB: (), TV: ("eth0",)})
            await until(lambda: told(kube) == {("default/web", "node2", ()), ("media/tv", "node2", ("eth0",))})

    run(scenario)


def test_restart_takes_over_what_is_left(kube: ApiServer) -> None:
    async def scenario() -> None:
        async with keeping("node1", "uid-1") as keeper:
            keeper.want({WEB: (), TV: ()})
            await until(lambda: len(told(kube)) == 2)
        before = {item["metadata"]["uid"] for item in objects(kube)}
        async with keeping("node1", "uid-2") as keeper:
            keeper.want({WEB: ("eth0",)})
            await until(lambda: told(kube) == {("default/web", "node1", ("eth0",))})
            await until(lambda: objects(kube)[0]["metadata"]["ownerReferences"][0]["uid"] == "uid-2")
        assert {item["metadata"]["uid"] for item in objects(kube)} < before

    run(scenario)


def test_deleted_objects_come_back_and_two_owners_show_both(kube: ApiServer) -> None:
    async def scenario() -> None:
        async with keeping("node1") as first, keeping("node2") as second:
            first.want({WEB: ()})
            one = {("default/web", "node1", ())}
            await until(lambda: told(kube) == one)
            kube.delete(f"{PATH}/{Writer('node1').object_name(WEB)}")
            await until(lambda: told(kube) == one)
            # They do not hear each other. The later one deletes what is there, and that comes back once.
            before = objects(kube)[0]["metadata"]["uid"]
            second.want({WEB: ()})
            both = one | {("default/web", "node2", ())}
            await until(
                lambda: told(kube) == both and before not in [item["metadata"]["uid"] for item in objects(kube)]
            )
            versions = {item["metadata"]["resourceVersion"] for item in objects(kube)}
            await asyncio.sleep(3)
            assert {item["metadata"]["resourceVersion"] for item in objects(kube)} == versions

    run(scenario)


def test_outage_of_the_api_server(kube: ApiServer) -> None:
    async def scenario() -> None:
        async with keeping("node1") as keeper:
            keeper.want({WEB: ()})
            await until(lambda: len(told(kube)) == 1)
            kube.stop_server()
            keeper.want({TV: ()})
            await asyncio.sleep(1)
            await asyncio.to_thread(kube.start)
            await until(lambda: told(kube) == {("media/tv", "node1", ())})

    run(scenario)


def test_explain_tells_who_announces_from_a_workstation(kube: ApiServer) -> None:
    make_pool(kube)
    make_advertisement(kube)
    for name in ("node1", "node2"):
        make_node(kube, name)
    make_node(kube, "node3", **{"node.kubernetes.io/exclude-from-external-load-balancers": ""})
    make_service(kube)
    make_endpoints(kube, "node1")
    give_address(kube)
    about = {"apiVersion": "v1", "kind": "Service", "namespace": "default", "name": "web"}
    about["uid"] = kube.get(f"{SERVICES}/web")["metadata"]["uid"]
    kube.create(
        "/api/v1/namespaces/default/events",
        {
            "metadata": {"name": "web.1"},
            "involvedObject": about,
            "type": "Warning",
            "reason": "addressConflict",
            "message": f"another host uses {VIP} too: MAC address b8:27:eb:00:00:66 on eth0",
            "lastTimestamp": "2026-01-01T00:00:00Z",
            "source": {"component": "metallb-speaker", "host": "node1"},
        },
    )

    async def scenario() -> None:
        async with keeping("node1") as keeper:
            keeper.want({WEB: ("eth0",)})
            await until(lambda: told(kube) == {("default/web", "node1", ("eth0",))})

    run(scenario)
    found = explain(kube)
    assert found.returncode == 0 and found.stderr == ""
    assert f" {VIP} from pool home." in found.stdout
    assert f"  state     node1 announces {VIP} on eth0.\n" in found.stdout
    assert "  next      node2, if node1 died now (only: " in found.stdout
    assert (
        "conflict  2026-01-01T00:00:00Z on node1: another host uses 192.168.2.128 too: MAC address b8:27"
        in found.stdout
    )
    assert "  node2  next; 0 addresses (notOwner)\n" in found.stdout
    assert "  node3  cannot (nodeExcluded): " in found.stdout
    assert "nodeExcluded" not in explain(kube, "--ignore-exclude-lb").stdout
    kube.patch(f"{SERVICES}/web", {"spec": {"type": "ClusterIP"}})
    assert "Announcement" not in explain(kube).stdout
