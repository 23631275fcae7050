# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three Raspberry Pis and an nginx. The pool reaches out of the LAN; iptables has to be the old one, with reboots."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cluster import SYSTEM, Cluster

ADDRESS = "192.168.0.230"
TOOLS = ("iptables", "ip6tables", "arptables", "ebtables")


@pytest.fixture(scope="module")
def cluster(bare: Callable[..., Cluster]) -> Cluster:
    made = bare(
        "--lan=192.168.0.0/24",
        "--first-node=192.168.0.26",
        "--os=raspbian",
        lantern_pools=[{"name": "default", "addresses": ["192.168.0.230-192.168.1.250"]}],
        prepare_iptables="legacy",
    )
    # `kubectl run` made a Deployment until Kubernetes 1.17; this is what does so since.
    made.console("kubectl create deployment nginx --image=nginx")
    made.console("kubectl expose deploy nginx --port 80 --type LoadBalancer")
    made.rolled_out("nginx")
    return made


def test_without_a_load_balancer_the_service_waits(cluster: Cluster) -> None:
    (row,) = [line.split() for line in cluster.console("kubectl get services").splitlines() if line.startswith("nginx")]
    assert row[:2] == ["nginx", "LoadBalancer"]
    assert row[3] == "<pending>"
    assert "Raspbian GNU/Linux" in cluster.console("kubectl get nodes -o wide")


def test_one_play_does_all_of_it(cluster: Cluster) -> None:
    before = cluster.boots()
    assert all("nft" in cluster.home.on(node, "update-alternatives --query iptables | grep Value") for node in before)
    done = cluster.play("site")
    # What lies outside the LAN cannot be reached in it.
    assert "192.168.0.230-192.168.0.254" in done.output
    assert "192.168.0.0/23 would hold all of it" in " ".join(done.output.split())
    for node, boot in cluster.boots().items():
        assert boot != before[node], f"{node} still has the old rules"
        for tool in TOOLS:
            chosen = cluster.home.on(node, f"update-alternatives --query {tool} | sed -n 's/^Value: //p'").strip()
            assert chosen == f"/usr/sbin/{tool}-legacy"


def test_what_was_created_is_called_as_the_write_up_shows_it(cluster: Cluster) -> None:
    listed = cluster.console("kubectl get all -n metallb-system")
    assert "daemonset.apps/speaker" in listed
    assert "deployment.apps/controller" in listed
    assert cluster.home.get(SYSTEM, "daemonset", "speaker")["status"]["numberReady"] == 3
    pods = [line.split() for line in listed.splitlines() if line.startswith("pod/")]
    assert all(pod[2] == "Running" for pod in pods), listed


def test_the_page(cluster: Cluster) -> None:
    (row,) = [line.split() for line in cluster.console("kubectl get services").splitlines() if line.startswith("nginx")]
    assert row[3] == ADDRESS
    assert "Welcome to nginx!" in cluster.page(ADDRESS)
    assert cluster.verified() == ["default/nginx"]


def test_no_device_is_given_an_address_of_the_pool(cluster: Cluster) -> None:
    for number, wanted in enumerate((ADDRESS, "192.168.0.254", ""), start=0x31):
        given = cluster.lease(f"02:00:00:00:00:{number:02x}", wanted)
        assert given.startswith("192.168.0.")
        assert int(given.split(".")[3]) < 230
