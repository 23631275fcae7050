# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Service made before anything can serve it, and forty addresses of a LAN whose nodes lie above them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cluster import Cluster, unchanged

ADDRESS = "192.168.2.10"
QUERY = "kubectl get service load-balancer-service -o wide"
# The pods that the Service selects; which image they run is not told.
GUESTBOOK = """kubectl create deployment frontend --image=nginx --dry-run=client --output=json |
  python3 -c 'import json, sys
made = json.load(sys.stdin)
labels = {"app": "guestbook", "tier": "frontend"}
made["spec"]["selector"]["matchLabels"] = made["spec"]["template"]["metadata"]["labels"] = labels
json.dump(made, sys.stdout)' | kubectl apply -f -"""


@pytest.fixture(scope="module")
def cluster(bare: Callable[..., Cluster]) -> Cluster:
    made = bare(
        "--lan=192.168.2.0/24",
        "--first-node=192.168.2.60",
        lantern_pools=[{"name": "default", "addresses": ["192.168.2.10-192.168.2.49"]}],
    )
    made.console(GUESTBOOK)
    made.rolled_out("frontend")
    made.apply("guestbook/kube-service-load-balancer.yaml")
    return made


def external(cluster: Cluster) -> str:
    header, row = (line.split() for line in cluster.console(QUERY).splitlines())
    assert row[0] == "load-balancer-service"
    assert row[-1] == "app=guestbook,tier=frontend"
    return row[header.index("EXTERNAL-IP")]


def test_at_first_the_service_waits(cluster: Cluster) -> None:
    assert external(cluster) == "<pending>"


def test_one_play_gives_it_the_first_address(cluster: Cluster) -> None:
    cluster.play("site")
    assert external(cluster) == ADDRESS
    assert "Welcome to nginx!" in cluster.page(f"http://{ADDRESS}")
    assert cluster.verified() == ["default/load-balancer-service"]


def test_the_address_is_assigned_to_no_node(cluster: Cluster) -> None:
    for node in cluster.boots():
        assert ADDRESS not in cluster.home.on(node, "ip -4 -oneline address show dev eth0")


def test_the_old_configuration_says_the_same_once_more(cluster: Cluster) -> None:
    cluster.apply("guestbook/metallb-config.yaml")
    assert cluster.configuration() == {"Valid"}
    ready = cluster.console("kubectl get deploy controller -n metallb-system -o wide").splitlines()[1].split()
    assert ready[0] == "controller"
    assert ready[1] == "2/2"
    assert external(cluster) == ADDRESS
    assert "Welcome to nginx!" in cluster.page(f"http://{ADDRESS}")


def test_a_second_run_changes_nothing(cluster: Cluster) -> None:
    unchanged(cluster.play("site"))


def test_no_device_is_given_an_address_of_the_pool(cluster: Cluster) -> None:
    for number, wanted in enumerate((ADDRESS, "192.168.2.49", ""), start=0x31):
        given = cluster.lease(f"02:00:00:00:00:{number:02x}", wanted)
        assert given
        assert int(given.split(".")[3]) not in range(10, 50)
