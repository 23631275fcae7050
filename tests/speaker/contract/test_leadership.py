# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several controllers on one real API server: one writes, another takes over, and none writes after its time."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import jinja2
import pytest
import yaml
from lablib.kube import NAMESPACE, ApiServer
from lablib.objects import SERVICES, address, make_pool, make_service
from lablib.process import Lantern, Start, eventually

LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
LEASE = f"{LEASES}/lantern-controller"
GUARD = Path(__file__).resolve().parents[3] / "roles/deploy/templates/guard.yaml.j2"
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"


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
    first = start("controller")
    eventually(lambda: leads(first), 10, "it leads")
    first.process.kill()
    first.process.wait()
    began = time.monotonic()
    second = start("controller")
    eventually(lambda: leads(second), 10, "it leads")
    assert time.monotonic() - began < 3.0


class Fenced:
    """Two controllers' pods with their own tokens, and the policy that the deploy role applies."""

    def __init__(self, kube: ApiServer) -> None:
        self.kube = kube
        account = {"metadata": {"name": "controller", "namespace": NAMESPACE}}
        self.account = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/controller"
        kube.create(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", account)
        text = jinja2.Template(GUARD.read_text()).render(deploy_namespace=NAMESPACE, deploy_api_ports=[443])
        for manifest in yaml.safe_load_all(text):
            match manifest["kind"]:
                case "ValidatingAdmissionPolicy":
                    kube.create(POLICIES, manifest)
                case "ValidatingAdmissionPolicyBinding":
                    kube.create(BINDINGS, manifest)

    def pod_token(self, name: str) -> str:
        spec = {"containers": [{"name": "c", "image": "i"}], "serviceAccountName": "controller"}
        pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
        pod = self.kube.create(pods, {"metadata": {"name": name}, "spec": spec})
        bound = {"kind": "Pod", "apiVersion": "v1", "name": name, "uid": pod["metadata"]["uid"]}
        asked = {"spec": {"boundObjectRef": bound}}
        token: str = self.kube.create(f"{self.account}/token", asked)["status"]["token"]
        return token

    def patch(self, token: str, ip: str) -> httpx2.Response:
        return httpx2.patch(
            f"https://127.0.0.1:{self.kube.port}{SERVICES}/web/status",
            content=json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": ip}]}}}),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/merge-patch+json"},
            verify=False,
            trust_env=False,
        )

    def remove(self) -> None:
        for path in (POLICIES, BINDINGS, f"/api/v1/namespaces/{NAMESPACE}/pods", self.account):
            self.kube.delete(path)


@pytest.fixture
def fenced(kube: ApiServer) -> Iterator[Fenced]:
    made = Fenced(kube)
    yield made
    made.remove()


def lease_body(holder: str) -> dict[str, Any]:
    return {"metadata": {"name": "lantern-controller"}, "spec": {"holderIdentity": holder, "leaseDurationSeconds": 4}}


def test_api_server_refuses_writes_of_a_controller_that_does_not_lead(kube: ApiServer, fenced: Fenced) -> None:
    make_service(kube)
    old, new = fenced.pod_token("controller-old"), fenced.pod_token("controller-new")
    eventually(lambda: fenced.patch(old, "192.168.2.130").status_code == 422, 20, "refused while there is no Lease")
    kube.create(LEASES, lease_body("controller-old"))
    eventually(lambda: fenced.patch(old, "192.168.2.130").status_code == 200, 10, "the holder may write")
    kube.patch(LEASE, {"spec": {"holderIdentity": "controller-new"}})
    eventually(lambda: fenced.patch(new, "192.168.2.131").status_code == 200, 10, "the new holder may write")
    refused = fenced.patch(old, "192.168.2.130")
    assert refused.status_code == 422
    assert 'held by "controller-new"' in refused.json()["message"]
    assert address(kube) == "192.168.2.131"
    # Whoever is no controller of Lantern's is not its policy's business.
    kube.patch(f"{SERVICES}/web/status", {"status": {"loadBalancer": {"ingress": [{"ip": "192.168.2.132"}]}}})
