# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each test breaks one thing while Services are being made; `Scene.check` says what must hold afterwards."""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Iterator
from functools import partial

import pytest
from benchmarks import lab
from benchmarks.pods import SYSTEM
from benchmarks.pods import path as pod_path
from benchmarks.services import until
from faults import Scene, kill_etcd, stopped_api_server

BURST = 100
# A controller that was killed is started again by kubelet, after some failures only after a pause.
SERVED_SECONDS = 90.0


def test_api_server_away_for_a_minute(scene: Scene) -> None:
    with scene.burst(BURST) as names:
        scene.addressed(names, BURST // 5)
        with stopped_api_server(scene.api):
            time.sleep(60)
    scene.services.wait(names, SERVED_SECONDS)
    scene.check()


def test_etcd_killed(scene: Scene) -> None:
    with scene.burst(BURST) as names:
        scene.addressed(names, BURST // 5)
        kill_etcd(scene.api)
    scene.services.wait(names, SERVED_SECONDS)
    scene.check()


def test_leader_killed_in_the_middle_of_a_burst(scene: Scene) -> None:
    with scene.burst(500) as names:
        scene.addressed(names, 150)
        scene.kill_leader()
        assert len(scene.services.watch.addresses) < 500, "the burst was over before the leader died"
    scene.services.wait(names, SERVED_SECONDS)
    scene.check()


def test_leaders_stopped_gracefully_one_after_the_other(scene: Scene) -> None:
    """Each handover meets Services that come while the next leader reads the state."""
    with scene.burst(500) as names:
        for served in (80, 160, 240):
            scene.addressed(names, served)
            stopped = scene.pods.leader().name
            scene.api.delete(pod_path(stopped))
            until(partial(_another_leads, scene, stopped), SERVED_SECONDS, "another controller leads")
    scene.services.wait(names, SERVED_SECONDS)
    scene.check()


def _another_leads(scene: Scene, than: str) -> bool:
    return scene.pods.has_leader() and scene.pods.leader().name != than


@pytest.fixture
def patient_kubelet(scene: Scene) -> Iterator[None]:
    """No liveness probe, or kubelet would kill a frozen controller before it can wake up."""
    path = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/controller"
    containers = scene.api.get(path)["spec"]["template"]["spec"]["containers"]
    patch = [{"op": "remove", "path": "/spec/template/spec/containers/0/livenessProbe"}]
    probe = containers[0]["livenessProbe"]
    scene.api.request("PATCH", path, patch, "application/json-patch+json")
    _rolled_out()
    scene.pods.wait_ready()
    yield
    back = [{"op": "add", "path": "/spec/template/spec/containers/0/livenessProbe", "value": probe}]
    scene.api.request("PATCH", path, back, "application/json-patch+json")
    _rolled_out()


def _rolled_out() -> None:
    lab.kubectl(f"--namespace={SYSTEM}", "rollout", "status", "deployment/controller", "--timeout=120s")


@pytest.mark.usefixtures("patient_kubelet")
def test_leader_frozen_for_a_minute_and_awake_again(scene: Scene) -> None:
    with scene.burst(BURST) as names:
        scene.addressed(names, BURST // 5)
        with scene.frozen_leader():
            time.sleep(60)
            late = scene.services.names("late", 20)
            scene.services.create_many(late)
            if len(scene.pods.of("controller")) > 1:
                # A standby has taken over: nobody waits for the frozen one.
                scene.services.wait([*names, *late], SERVED_SECONDS)
    scene.services.wait([*names, *late], SERVED_SECONDS)
    # What the one that woke up still meant to write has been refused by now.
    time.sleep(5)
    scene.check()


def test_pool_shrunk_and_grown_under_load(scene: Scene) -> None:
    whole, half = ["172.30.4.0/24"], ["172.30.4.0/26"]
    annotation = scene.pool("shrinking", whole)
    with scene.burst(200, annotation) as names:
        scene.addressed(names, 120)
        scene.resize(annotation, half)
        scene.addressed(names, 64)
        _all_within(scene, names, half)
        scene.check_pending()
        scene.resize(annotation, whole)
    scene.addressed(names, len(names), SERVED_SECONDS)
    _all_within(scene, names, whole)
    inside = ipaddress.ip_network(half[0])
    losses = {name: ips for name, ips in scene.services.watch.losses.items() if name in names}
    moved = frozenset(name for name, ips in losses.items() if ipaddress.ip_address(ips[0]) not in inside)
    assert moved, "nobody had an address that left the pool"
    scene.check(moved=moved)


def _all_within(scene: Scene, names: list[str], networks: list[str]) -> None:
    """Every Service that has an address has it out of these networks, soon."""
    allowed = [ipaddress.ip_network(network) for network in networks]

    def within() -> bool:
        addresses = scene.services.watch.addresses
        held = [ipaddress.ip_address(ip) for name in names for ip in addresses.get(name, ())]
        return all(any(address in network for network in allowed) for address in held)

    assert scene.services.watch.wait_for(within, SERVED_SECONDS), "Services keep addresses that left their pool"


def test_full_pool_serves_the_oldest_that_wait(scene: Scene) -> None:
    annotation = scene.pool("full", ["172.30.8.0-172.30.8.9"])
    first = scene.services.names("first", 10)
    for name in first:
        scene.services.create(name, annotation)
    scene.services.wait(first, SERVED_SECONDS)
    waiting = scene.services.names("waiting", 5)
    for name in waiting:
        scene.services.create(name, annotation)
        time.sleep(1.1)  # creationTimestamp counts whole seconds
    scene.check()
    assert not set(waiting) & scene.services.watch.addresses.keys(), "a full pool has nothing to give"
    freed = {scene.services.watch.addresses[name] for name in first[:2]}
    for name in first[:2]:
        scene.services.delete(name)
    scene.services.wait(waiting[:2], SERVED_SECONDS)
    assert {scene.services.watch.addresses[name] for name in waiting[:2]} == freed
    scene.check()
    assert not set(waiting[2:]) & scene.services.watch.addresses.keys(), "those that came first are served first"
    scene.resize(annotation, ["172.30.8.0-172.30.8.19"])
    scene.services.wait(waiting, SERVED_SECONDS)
    scene.check()


def test_namespace_deleted_gives_its_addresses_back(scene: Scene) -> None:
    annotation = scene.pool("handed-on", ["172.30.12.0-172.30.12.29"])
    other = Scene.begin(scene.api, scene.pods, "leaves")
    gone = other.services.names("gone", 30)
    other.services.create_many(gone, annotation)
    other.services.wait(gone, SERVED_SECONDS)
    other.check()
    heirs = scene.services.names("heir", 30)
    scene.services.create_many(heirs, annotation)
    scene.check()
    assert not set(heirs) & scene.services.watch.addresses.keys(), "those of the other namespace have all of them"
    freed = {other.services.watch.addresses[name] for name in gone}
    other.end()
    scene.services.wait(heirs, SERVED_SECONDS)
    assert {scene.services.watch.addresses[name] for name in heirs} == freed
    scene.check()


def test_lantern_says_nothing_is_wrong_in_the_end(scene: Scene) -> None:
    """No pod of Lantern's was restarted but those that were killed, and all are ready."""
    pods = json.loads(lab.kubectl(f"--namespace={SYSTEM}", "get", "pods", "--output=json"))["items"]
    unready = [pod["metadata"]["name"] for pod in pods if not pod["status"]["containerStatuses"][0]["ready"]]
    assert not unready
    restarts = {pod["metadata"]["name"]: pod["status"]["containerStatuses"][0]["restartCount"] for pod in pods}
    assert all(count == 0 for name, count in restarts.items() if name.startswith("speaker")), restarts
