# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Raspberry Pis, half of a LAN for Services, and a test page; the owner keeps what MetalLB was configured by."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from cluster import SYSTEM, Cluster, unchanged, until

NAMESPACE = "kube-verify"
ADDRESS = "192.168.2.128"


@pytest.fixture(scope="module")
def cluster(bare: Callable[..., Cluster]) -> Cluster:
    made = bare(
        "--lan=192.168.2.0/24",
        "--os=raspbian",
        lantern_pools=[{"name": "address-pool-1", "addresses": ["192.168.2.128/25"]}],
    )
    made.console("kubectl create namespace metallb-system")
    made.apply("kube_verify/config.yaml", "kubectl create -f -")
    made.play("site")
    return made


def test_the_old_configuration_stays_beside_the_pool(cluster: Cluster) -> None:
    """The pool lacks the LAN's broadcast address, which the ConfigMap has."""
    assert cluster.configuration() == {"Valid"}
    (pool,) = cluster.items("ipaddresspools", SYSTEM)
    assert pool["metadata"]["name"] == "address-pool-1"
    assert pool["spec"]["addresses"] == ["192.168.2.128-192.168.2.254"]


def test_the_speakers_have_a_key(cluster: Cluster) -> None:
    secret = cluster.home.get(SYSTEM, "secret", "memberlist")["data"]["secretkey"]
    assert len(base64.b64decode(base64.b64decode(secret))) >= 128


def test_the_router_ignores_the_upper_half(cluster: Cluster) -> None:
    for number, wanted in enumerate((ADDRESS, "192.168.2.254", ""), start=0x31):
        given = cluster.lease(f"02:00:00:00:00:{number:02x}", wanted)
        assert given
        assert int(given.split(".")[3]) < 128


def test_deployment_and_service(cluster: Cluster) -> None:
    cluster.console("kubectl create namespace kube-verify")
    cluster.apply("kube_verify/deployment.yaml", "kubectl create -f -")
    cluster.apply("kube_verify/service.yaml")
    cluster.rolled_out("kube-verify", NAMESPACE)
    assert cluster.address("kube-verify", NAMESPACE) == ADDRESS
    columns = cluster.console("kubectl get service kube-verify -n kube-verify").splitlines()[1].split()
    assert columns[1] == "LoadBalancer"
    assert columns[3] == ADDRESS
    assert columns[4].startswith("80:")


def test_the_page(cluster: Cluster) -> None:
    assert "Test Page for the HTTP Server" in cluster.page(ADDRESS)
    assert cluster.verified() == ["kube-verify/kube-verify"]


def test_describe_tells_who_did_what(cluster: Cluster) -> None:
    command = "kubectl describe service kube-verify -n kube-verify"
    until(lambda: "nodeAssigned" in cluster.console(command))
    told = cluster.console(command)
    events = [line.split(maxsplit=4) for line in told.splitlines() if line.split()[:1] == ["Normal"]]
    said = {(event[1], event[3]): event[4] for event in events}
    assert said["IPAllocated", "metallb-controller"] == f'Assigned IP ["{ADDRESS}"]'
    assert said["nodeAssigned", "metallb-speaker"].startswith('announcing from node "node')
    (ingress,) = [line for line in told.splitlines() if line.startswith("LoadBalancer Ingress:")]
    assert ADDRESS in ingress


def test_a_second_run_changes_nothing(cluster: Cluster) -> None:
    unchanged(cluster.play("site"))
