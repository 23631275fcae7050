# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Kubernetes API server for all tests of this folder, and an empty cluster for each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from lablib.kube import BOTH_FAMILIES, NAMESPACE, ONE_FAMILY, ApiServer, free_port
from lablib.process import Lantern, Start

CRDS = Path(__file__).resolve().parents[3] / "roles/deploy/files/crds"
_CONFIG = f"/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}"


@contextmanager
def running(work: Path, service_ranges: str = BOTH_FAMILIES) -> Iterator[ApiServer]:
    folder = os.environ.get("LANTERN_KUBE_BIN")
    if not folder:
        pytest.skip("LANTERN_KUBE_BIN does not name a folder with etcd, kube-apiserver and kubectl")
    server = ApiServer(Path(folder), work, service_ranges)
    try:
        server.start()
        server.apply_crds(CRDS)
        server.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running(tmp_path_factory.mktemp("kube")) as server:
        yield server


@pytest.fixture
def without_ipv6(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Another API server, of a cluster whose Services have IPv4 addresses only."""
    with running(tmp_path_factory.mktemp("kube"), ONE_FAMILY) as server:
        yield server


@pytest.fixture
def kube(api_server: ApiServer) -> Iterator[ApiServer]:
    """The API server; what the test made is removed afterwards."""
    yield api_server
    for item in api_server.get("/api/v1/services")["items"]:
        namespace, name = item["metadata"]["namespace"], item["metadata"]["name"]
        if name != "kubernetes":
            api_server.delete(f"/api/v1/namespaces/{namespace}/services/{name}")
    for path in (
        f"{_CONFIG}/ipaddresspools",
        f"{_CONFIG}/l2advertisements",
        f"{_CONFIG}/communities",
        f"{_CONFIG}/configurationstates",
        f"{_CONFIG}/servicel2statuses",
        f"/api/v1/namespaces/{NAMESPACE}/events",
        "/api/v1/namespaces/default/events",
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
        "/api/v1/nodes",
        f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases",
        f"/api/v1/namespaces/{NAMESPACE}/configmaps",
    ):
        api_server.delete(path)


@pytest.fixture
def start(kube: ApiServer, tmp_path: Path) -> Iterator[Start]:
    """Start `lantern ARGUMENTS`; whatever still runs is ended after the test."""
    running: list[Lantern] = []

    def make(*arguments: str, kubeconfig: Path = kube.kubeconfig, namespace: str | None = None) -> Lantern:
        log = tmp_path / f"lantern-{len(running)}.log"
        made = Lantern(log, kubeconfig, [*arguments, f"--namespace={NAMESPACE}"], free_port(), namespace)
        running.append(made)
        return made

    yield make
    for made in running:
        made.stop()
