# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights that people deploy are enough for all that controller and speaker do, and no more than that.

A real API server decides, for the service accounts and roles of the deploy role's template.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jinja2
import pytest
from lablib.kube import ACCOUNTS, NAMESPACE, ApiServer
from lablib.objects import (
    SERVICES,
    address,
    events,
    make_advertisement,
    make_endpoints,
    make_node,
    make_pool,
    make_service,
)
from lablib.process import SOURCES, Start, eventually
from lantern.adapters.kube.api import ApiError, KubeApi
from lantern.adapters.kube.l2_status import L2StatusKeeper, Writer, l2_statuses_path
from lantern.adapters.kube.writer import Background
from lantern.core.model import ServiceKey

TEMPLATE = Path(__file__).resolve().parents[3] / "roles/deploy/templates/rbac.yaml.j2"
STATUSES = l2_statuses_path(NAMESPACE)
WEB = ServiceKey("default", "web")
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
FOLLOW = {"list", "watch"}
Rights = dict[str, set[str]]
"""Verbs by resource: PLURAL.GROUP/SUBRESOURCE NAME, as far as there is more than the plural."""
STATE: Rights = {
    "configurationstates.metallb.io": {*FOLLOW, "create", "patch"},
    "configurationstates.metallb.io/status": {"patch"},
    "ipaddresspools.metallb.io": FOLLOW,
    "communities.metallb.io": FOLLOW,
    "configmaps config": FOLLOW,
}
IN_CLUSTER: dict[str, Rights] = {
    "controller": {
        "services": FOLLOW,
        "services/status": {"patch"},
        "namespaces": FOLLOW,
        "nodes": FOLLOW,
        "events": {"create", "list"},
        "endpointslices.discovery.k8s.io": {"list"},
    },
    "speaker": {
        "services": FOLLOW,
        "namespaces": {"list"},
        "nodes": FOLLOW,
        "events": {"create", "list"},
        "endpointslices.discovery.k8s.io": FOLLOW,
    },
}
IN_NAMESPACE: dict[str, Rights] = {
    "controller": STATE
    | {
        "l2advertisements.metallb.io": {"list"},
        "servicel2statuses.metallb.io": {"list"},
        "ipaddresspools.metallb.io/status": {"patch"},
        "leases.coordination.k8s.io": {"create"},
        "leases.coordination.k8s.io lantern-controller": {*FOLLOW, "create", "patch"},
        "leases.coordination.k8s.io other": {"create"},
        "configmaps": {"create"},
        "configmaps lantern-memory": {"get", "create", "patch"},
        "configmaps config": {*FOLLOW, "create"},
        "configmaps other": {"create"},
    },
    "speaker": STATE
    | {
        "l2advertisements.metallb.io": FOLLOW,
        "servicel2statuses.metallb.io": {*FOLLOW, "create", "patch", "delete"},
        "servicel2statuses.metallb.io/status": {"patch"},
        "configmaps lantern-memory": {"get"},
    },
}
UNTOUCHED = (
    *("secrets", "pods", "serviceaccounts", "serviceaccounts/token", "nodes/status", "configmaps", "configmaps other"),
    *("leases.coordination.k8s.io", "leases.coordination.k8s.io other", "daemonsets.apps", "deployments.apps"),
    *("roles.rbac.authorization.k8s.io", "clusterroles.rbac.authorization.k8s.io"),
    *(
        "bgppeers.metallb.io",
        "bgpadvertisements.metallb.io",
        "bfdprofiles.metallb.io",
        "l2advertisements.metallb.io/status",
    ),
    *(
        "customresourcedefinitions.apiextensions.k8s.io",
        "ipaddresspools.metallb.io",
        "servicel2statuses.metallb.io/status",
    ),
)
"""Resources that are nobody's business, but for what is granted above."""

Account = Callable[[str], Path]


@pytest.fixture
def account(kube: ApiServer, tmp_path: Path) -> Account:
    """The kubeconfig of a service account, with the rights that people deploy."""
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["to_json"] = json.dumps
    template = environment.from_string(TEMPLATE.read_text())
    rights = tmp_path / "rbac.yaml"
    rights.write_text(template.render(deploy_namespace=NAMESPACE, deploy_config_map="config"))
    kubectl = [str(kube.binaries / "kubectl"), f"--kubeconfig={kube.kubeconfig}"]
    subprocess.run([*kubectl, "apply", "-f", str(rights)], check=True, capture_output=True, timeout=60)

    def make(name: str) -> Path:
        file = tmp_path / f"kubeconfig-{name}"
        kube.write_kubeconfig(file, kube.port, name)
        return file

    return make


@pytest.fixture
def cluster(kube: ApiServer) -> ApiServer:
    make_pool(kube)
    make_advertisement(kube)
    make_node(kube, "node1")
    make_service(kube)
    make_endpoints(kube, "node1")
    return kube


def allowed(kube: ApiServer, account: str, namespace: str, resource: str) -> set[str]:
    """The verbs that the API server allows; in all namespaces when `namespace` is empty."""
    kind, _, name = resource.partition(" ")
    kind, _, subresource = kind.partition("/")
    plural, _, group = kind.partition(".")
    attributes = {"namespace": namespace, "group": group, "resource": plural, "subresource": subresource, "name": name}
    groups = ["system:authenticated", "system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}"]
    who = {"user": f"system:serviceaccount:{NAMESPACE}:{account}", "groups": groups}

    def is_allowed(verb: str) -> bool:
        review = {"spec": {**who, "resourceAttributes": {**attributes, "verb": verb}}}
        answer = kube.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        return bool(answer["status"]["allowed"])

    return {verb for verb in VERBS if is_allowed(verb)}


def explain(kubeconfig: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lantern", "explain", "service", "default/web", "--health-probe-port=9"]
    environ = {**os.environ, "PYTHONPATH": str(SOURCES), "KUBECONFIG": str(kubeconfig)}
    return subprocess.run([*command], env=environ, capture_output=True, text=True, timeout=30)


def test_controller_does_its_work(cluster: ApiServer, account: Account, start: Start) -> None:
    controller = start("controller", kubeconfig=account("controller"))
    eventually(lambda: address(cluster), 15, "an address")
    eventually(lambda: [item for item in events(cluster) if item["reason"] == "IPAllocated"], 5, "an event")
    pools = f"/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}/ipaddresspools/home"
    eventually(lambda: cluster.get(pools).get("status", {}).get("assignedIPv4") == 1, 5, "counters")
    states = f"/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}/configurationstates/controller"
    eventually(lambda: cluster.send("GET", states).is_success, 5, "a report")
    controller.stop()
    assert "forbidden" not in controller.log_file.read_text()
    memory = f"/api/v1/namespaces/{NAMESPACE}/configmaps/lantern-memory"
    assert cluster.send("GET", memory).is_success
    found = explain(account("controller"))
    assert (found.returncode, found.stderr) == (0, "") and "Announcement" in found.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="packet sockets need root")
def test_speaker_does_its_work(cluster: ApiServer, account: Account, start: Start) -> None:
    speaker = start("speaker", "--node-name=node1", kubeconfig=account("speaker"))
    eventually(lambda: speaker.get("/readyz")[0] == 200, 15, "ready")
    states = f"/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}/configurationstates/speaker-node1"
    eventually(lambda: cluster.send("GET", states).is_success, 5, "a report")
    found = explain(account("speaker"))
    assert (found.returncode, found.stderr) == (0, "") and "Announcement" in found.stdout
    speaker.stop()
    assert "forbidden" not in speaker.log_file.read_text()


def test_speaker_tells_what_it_announces(cluster: ApiServer, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(account("speaker")))

    def nodes() -> list[str]:
        return [item.get("status", {}).get("node", "") for item in cluster.get(STATUSES)["items"]]

    async def keep(node: str, *wanted: dict[ServiceKey, tuple[str, ...]], until: list[str]) -> None:
        api = KubeApi.connect()
        keeper = L2StatusKeeper(api, NAMESPACE, Writer(node, f"speaker-{node}", f"uid-{node}"), Background())
        task = asyncio.create_task(keeper.run())
        for one in wanted:
            keeper.want(one)
            async with asyncio.timeout(10):
                while await asyncio.to_thread(nodes) != (until if one else []):
                    await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await api.close()

    eventually(lambda: cluster.send("GET", STATUSES).is_success, 10, "the objects are served")
    asyncio.run(keep("node1", {WEB: ("eth0",)}, until=["node1"]))
    asyncio.run(keep("node2", {WEB: ()}, {}, until=["node2"]))


def test_speaker_may_not_do_what_the_controller_does(
    cluster: ApiServer, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(account("speaker")))

    async def main() -> None:
        api = KubeApi.connect()
        for path in (f"{SERVICES}/web/status", f"{SERVICES}/web", "/api/v1/nodes/node1"):
            with pytest.raises(ApiError, match="forbidden"):
                await api.patch(path, {"metadata": {"labels": {"a": "b"}}})
        with pytest.raises(ApiError, match="forbidden"):
            await api.list(f"/api/v1/namespaces/{NAMESPACE}/secrets")
        await api.close()

    asyncio.run(main())


@pytest.mark.parametrize("name", ACCOUNTS)
def test_every_verb_that_is_granted(kube: ApiServer, account: Account, name: str) -> None:
    account(name)
    cluster, own = IN_CLUSTER[name], IN_CLUSTER[name] | IN_NAMESPACE[name]
    for namespace, granted in (("", cluster), (NAMESPACE, own)):
        asked = dict.fromkeys((*own, *UNTOUCHED))
        found = {resource: allowed(kube, name, namespace, resource) for resource in asked}
        assert found == {resource: granted.get(resource, set()) for resource in asked}
