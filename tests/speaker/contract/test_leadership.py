# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several controllers on one real API server: one writes, another takes over, and none writes after its time."""

from __future__ import annotations

import signal
import time

import pytest
from lablib.kube import NAMESPACE, ApiServer
from lablib.objects import address, make_pool, make_service
from lablib.process import Lantern, Start, eventually

LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
LEASE = f"{LEASES}/lantern-controller"


def leads(process: Lantern) -> bool:
    return "lantern_leader 1.0" in process.get("/metrics")[1]


def pair(kube: ApiServer, start: Start) -> tuple[Lantern, Lantern]:
    """A controller that leads, and one that stands by."""
    make_pool(kube)
    first = start("controller")
    eventually(lambda: leads(first), 10, "the first one leads")
    second = start("controller")
    eventually(lambda: second.get("/readyz")[0] == 200, 10, "the second one is ready to take over")
    assert not leads(second)
    return first, second


def seconds_until_served(kube: ApiServer, name: str) -> float:
    began = time.monotonic()
    make_service(kube, name)
    eventually(lambda: address(kube, name), 15, "an address")
    return time.monotonic() - began


def all_addresses(kube: ApiServer) -> list[str]:
    listed = kube.get("/api/v1/services")["items"]
    return [entry["ip"] for one in listed for entry in one["status"]["loadBalancer"].get("ingress", [])]


def test_standby_takes_over_at_once_when_the_leader_stops(kube: ApiServer, start: Start) -> None:
    first, second = pair(kube, start)
    make_service(kube)
    eventually(lambda: address(kube), 5, "an address")
    first.process.send_signal(signal.SIGTERM)
    assert seconds_until_served(kube, "after") < 1.0
    assert first.process.wait(5) == 0
    assert leads(second) and first.said("lease given back")


def test_standby_takes_over_within_five_seconds_when_the_leader_is_killed(kube: ApiServer, start: Start) -> None:
    first, second = pair(kube, start)
    first.process.kill()
    assert seconds_until_served(kube, "after") < 5.0
    assert leads(second)


def test_frozen_leader_that_wakes_writes_nothing(kube: ApiServer, start: Start) -> None:
    first, second = pair(kube, start)
    names = [f"burst{number}" for number in range(60)]
    for name in names[:30]:
        make_service(kube, name)
    # In the middle of its work.
    first.process.send_signal(signal.SIGSTOP)
    try:
        for name in names[30:]:
            make_service(kube, name)
        eventually(lambda: leads(second), 8, "the second one leads")
        eventually(lambda: all(address(kube, name) for name in names), 15, "addresses for all")
    finally:
        first.process.send_signal(signal.SIGCONT)
    eventually(lambda: first.said("this controller does not lead any more"), 5, "the first one notices")
    seconds_until_served(kube, "after")
    time.sleep(1)
    found = all_addresses(kube)
    assert len(found) == len(set(found)) == 61
    assert leads(second) and not leads(first)


def test_deleted_lease_is_made_again_and_no_service_waits(kube: ApiServer, start: Start) -> None:
    make_pool(kube)
    controller = start("controller")
    eventually(lambda: leads(controller), 10, "it leads")
    kube.delete(LEASE)
    assert seconds_until_served(kube, "web") < 2.0
    assert kube.get(LEASE)["spec"]["holderIdentity"]


def test_restarted_process_of_the_same_pod_does_not_wait_for_its_own_lease(
    kube: ApiServer, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METALLB_POD_NAME", "controller-1")
    make_pool(kube)
    patient = ("controller", "--lease-duration=120", "--lease-renew=5")
    first = start(*patient)
    eventually(lambda: leads(first), 20, "it leads")
    first.process.kill()
    first.process.wait()
    second = start(*patient)
    eventually(lambda: leads(second), 20, "it leads, long before the Lease expires")
