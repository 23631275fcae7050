# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three Raspberry Pis and an nginx. The pool reaches out of the LAN; iptables has to be the old one, with reboots."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from cluster import SYSTEM, Cluster, unchanged, until

ADDRESS = "192.168.0.230"
TOOLS = ("iptables", "ip6tables", "arptables", "ebtables")
# Each moment at which the page came, in seconds, as long as the unit runs.
WATCH = f"""while sleep 0.2; do
  curl --silent --max-time 1 http://{ADDRESS}/ | grep -q nginx && date +%s.%N >> /run/page
done"""
# Seconds without the page that no handover takes.
LONG = 5.0


@dataclass
class Nodes:
    """Which nodes were away, at each look at them that the cluster answered."""

    cluster: Cluster
    away: list[frozenset[str]] = field(default_factory=list)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        over = threading.Event()
        watching = threading.Thread(target=self._look, args=(over,))
        watching.start()
        try:
            yield
        finally:
            over.set()
            watching.join()

    def _look(self, over: threading.Event) -> None:
        while not over.wait(1):
            listed = self.cluster.home.kubectl("get", "nodes", "--no-headers", "--request-timeout=2s", check=False)
            rows = [line.split() for line in listed.splitlines()]
            if len(rows) == 3:
                # Such as NotReady, or SchedulingDisabled.
                self.away.append(frozenset(row[0] for row in rows if row[1] != "Ready"))


@contextlib.contextmanager
def page_watched(cluster: Cluster) -> Iterator[None]:
    cluster.home.on("client", "cat > /run/watch", stdin=WATCH)
    cluster.home.on("client", "systemd-run --quiet --collect --unit=watch sh /run/watch")
    try:
        until(lambda: cluster.home.on("client", "cat /run/page", check=False))
        yield
    finally:
        cluster.home.on("client", "systemctl stop watch")


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


def test_a_second_run_changes_nothing(cluster: Cluster) -> None:
    unchanged(cluster.play("site"))


def test_the_cluster_is_watched_while_each_node_reboots(cluster: Cluster) -> None:
    before = cluster.boots()
    nodes = Nodes(cluster)
    with page_watched(cluster), nodes.watched():
        done = cluster.play("prepare", "--extra-vars", json.dumps({"prepare_reboot": "always"}))
        until(lambda: cluster.page(ADDRESS))
    after = cluster.boots()
    assert not [node for node in before if after[node] == before[node]]
    assert "is Ready, 1 of 1 Service ports answer" in done.output
    assert max(len(away) for away in nodes.away) <= 1, "one node after the other"
    assert nodes.away[-1] == frozenset()
    moments = [float(line) for line in cluster.home.on("client", "cat /run/page").splitlines()]
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    # nginx has one pod, which its own node takes along; another node that reboots hands the address over.
    assert len([gap for gap in gaps if gap > LONG]) <= 1, sorted(gaps)[-5:]


def test_the_old_configuration_goes_with_the_pool_that_took_its_place(cluster: Cluster) -> None:
    """The pool is the part of it that lies in the LAN."""
    cluster.put("raspbian/config.yml", "manifests/dev-raspberry/metallb/config.yml")
    assert "configmap/config created" in cluster.console("kubectl apply -f manifests/dev-raspberry/metallb/config.yml")
    assert cluster.configuration() == {"Valid"}
    assert cluster.address("nginx") == ADDRESS
    assert "Welcome to nginx!" in cluster.page(ADDRESS)
    unchanged(cluster.play("site"))
