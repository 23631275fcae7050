# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `lantern explain` reads, over an API server in memory and a real HTTP port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fakes.kube import FakeKube
from lantern.adapters.http import StatusServer
from lantern.adapters.kube.api import ApiError
from lantern.adapters.kube.l2_status import Writer, l2_statuses_path
from lantern.app.explain import Cluster, read_cluster
from lantern.core.explain_announcing import explain_announcing
from lantern.core.model import ServiceKey
from lantern.reasons import Reason
from lantern.settings import ExplainSettings
from prometheus_client import CollectorRegistry

KEY = ServiceKey("default", "web")
KINDS = "/apis/metallb.io/v1beta1/namespaces/metallb-system"
SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
EVENTS = "/api/v1/namespaces/default/events"


def home() -> FakeKube:
    """Two nodes; node1 announces the Service web, as the cluster was told."""
    kube = FakeKube()
    ingress = {"loadBalancer": {"ingress": [{"ip": "192.168.2.128"}]}}
    spec = {"type": "LoadBalancer", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"]}
    meta = {"name": "web", "namespace": "default", "uid": "u"}
    kube.put("/api/v1/services", {"metadata": meta, "spec": spec, "status": ingress})
    for name in ("node1", "node2"):
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        kube.put("/api/v1/nodes", {"metadata": {"name": name}, "status": ready})
    pool = {"metadata": {"name": "home", "namespace": "metallb-system"}, "spec": {"addresses": ["192.168.2.128/25"]}}
    kube.put(f"{KINDS}/ipaddresspools", pool)
    kube.put(f"{KINDS}/l2advertisements", {"metadata": {"name": "all"}, "spec": {}})
    labels = {"kubernetes.io/service-name": "web"}
    slices = {"metadata": {"name": "web-1", "namespace": "default", "labels": labels}, "endpoints": [{}]}
    kube.put(SLICES, slices)
    writer = Writer("node1")
    status = {"node": "node1", "serviceName": "web", "serviceNamespace": "default"}
    kube.put(
        l2_statuses_path("metallb-system"),
        {"metadata": {"name": writer.object_name(KEY), **writer.metadata(KEY)}, "status": status},
    )
    kube.put(
        EVENTS,
        {
            "metadata": {"name": "web.1"},
            "involvedObject": {"uid": "u"},
            "reason": "addressConflict",
            "message": "another host uses it: 02:00:00:00:00:66",
            "lastTimestamp": "2026-01-01T00:00:00Z",
        },
    )
    return kube


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def read(kube: FakeKube, page: Any = None) -> Cluster:
    """What is read while a speaker serves `page`, if any."""

    async def main() -> Cluster:
        port = free_port()
        server = StatusServer(
            CollectorRegistry(),
            lambda: None,
            folders={"/announcements": lambda name: page if name == "default/web" else None},
        )
        if page is not None:
            port = await server.start("127.0.0.1", 0)
        try:
            return await read_cluster(ExplainSettings(service=KEY, namespace="metallb-system", port=port), kube)  # type: ignore[arg-type]
        finally:
            server.close()

    return asyncio.run(main())


@contextmanager
def forbidden(kube: FakeKube, *paths: str) -> Iterator[None]:
    """Refuse to list these."""
    listed = kube.list

    async def refuse(path: str, only: str = "") -> Any:
        if path in paths:
            raise ApiError(f"the Kubernetes API refused: {path} is forbidden", 403)
        return await listed(path, only)

    kube.list = refuse  # type: ignore[method-assign]
    yield


def test_from_objects_alone() -> None:
    cluster = read(home())
    assert cluster.remarks == () and cluster.announced is not None
    found = explain_announcing(cluster.announced, KEY, cluster.evidence)
    assert found is not None and found.source == "its ServiceL2Status"
    assert found.state == "node1 announces 192.168.2.128 on all its interfaces."
    assert [item.message for item in found.conflicts] == ["another host uses it: 02:00:00:00:00:66"]
    assert found.next.startswith("node2, ")


def test_with_the_word_of_the_speaker_on_this_host() -> None:
    said = {"addresses": ["192.168.2.128"], "owner": "node2", "term": 2, "in_use": [], "next": None, "reason": None}
    word = {"ready": True, "settled": True, "leaving": False, "interfaces": ["eth0"], "addresses": 1}
    page = {
        "node": "node2",
        "election": "owner",
        "speakers": {"node2": word},
        "foreign": [],
        "addressed": True,
        "services": {"default/web": said},
    }
    cluster = read(home(), page)
    assert cluster.announced is not None
    found = explain_announcing(cluster.announced, KEY, cluster.evidence)
    assert found is not None and found.state == "node2 announces 192.168.2.128 on eth0."
    assert [row.denied and row.denied.reason for row in found.nodes] == [Reason.NO_SPEAKER, None]


def test_another_program_on_that_port_is_no_speaker() -> None:
    for page in ("hello", {"services": 5}):
        assert read(home(), page).evidence.told is None


def test_what_this_account_must_not_read_is_left_out_and_said() -> None:
    kube = home()
    with forbidden(kube, EVENTS, l2_statuses_path("metallb-system")):
        cluster = read(kube)
    assert [remark.split(":")[0] for remark in sorted(cluster.remarks)] == [
        "without Events",
        "without ServiceL2Status objects",
    ]
    assert cluster.announced is not None and cluster.evidence.announcers == () and cluster.evidence.sightings == ()
    with forbidden(kube, SLICES):
        assert read(kube).announced is None


def test_what_cannot_be_done_without_is_an_error() -> None:
    kube = home()
    with forbidden(kube, "/api/v1/nodes"), pytest.raises(ApiError, match="nodes is forbidden"):
        read(kube)


def test_a_faulty_advertisement_stops_the_speakers_only() -> None:
    kube = home()
    doubled = {"metadata": {"name": "bad"}, "spec": {"ipAddressPools": ["home", "home"]}}
    kube.put(f"{KINDS}/l2advertisements", doubled)
    cluster = read(kube)
    assert len(cluster.remarks) == 1 and cluster.remarks[0].startswith("the configuration has a problem: ")
    assert cluster.announced is not None
    assert [item.name for item in cluster.announced.advertisements] == ["all"]
    assert [spec.pool.name for spec in cluster.allocated.pools] == ["home"]
