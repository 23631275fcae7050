# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Service made before anything can serve it, and forty addresses of a LAN whose nodes lie above them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from cluster import Cluster, unchanged, until

ADDRESS = "192.168.2.10"
QUERY = "kubectl get service load-balancer-service -o wide"
DEPLOY = "kubectl get deploy -n metallb-system -o wide"
# Back to where the write-up has applied two manifests of three: the play brought their contents in one go.
UNCONFIGURED = """kubectl delete -n metallb-system configmap config
kubectl delete -n metallb-system ipaddresspools,l2advertisements --all
kubectl delete service load-balancer-service
kubectl delete pods -n metallb-system -l component=controller"""
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


def shown(cluster: Cluster, query: str) -> dict[str, str]:
    """The only row that kubectl prints, by the names of its columns."""
    header, row = (line.split() for line in cluster.console(query).splitlines())
    return dict(zip(header, row, strict=True))


def external(cluster: Cluster) -> str:
    row = shown(cluster, QUERY)
    assert (row["NAME"], row["TYPE"]) == ("load-balancer-service", "LoadBalancer")
    assert re.fullmatch(r"80:\d+/TCP", row["PORT(S)"])
    assert row["SELECTOR"] == "app=guestbook,tier=frontend"
    return row["EXTERNAL-IP"]


def ready(cluster: Cluster) -> str:
    row = shown(cluster, DEPLOY)
    assert (row["NAME"], row["CONTAINERS"]) == ("controller", "controller")
    assert row["SELECTOR"] == "app=metallb,component=controller"
    return row["READY"]


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
    assert ready(cluster) == "2/2"
    assert external(cluster) == ADDRESS
    assert "Welcome to nginx!" in cluster.page(f"http://{ADDRESS}")


def test_a_second_run_changes_nothing(cluster: Cluster) -> None:
    unchanged(cluster.play("site"))


def test_step_by_step_the_controller_and_the_service_wait_for_the_configuration(cluster: Cluster) -> None:
    cluster.console(UNCONFIGURED)
    cluster.apply("guestbook/kube-service-load-balancer.yaml")
    until(lambda: ready(cluster) == "0/2")
    assert external(cluster) == "<pending>"
    cluster.apply("guestbook/metallb-config.yaml")
    until(lambda: ready(cluster) == "2/2")
    until(lambda: external(cluster) == ADDRESS)
    assert "Welcome to nginx!" in cluster.page(f"http://{ADDRESS}")


def test_the_next_run_makes_a_pool_of_it_and_the_service_keeps_its_address(cluster: Cluster) -> None:
    cluster.play("site")
    assert external(cluster) == ADDRESS
    unchanged(cluster.play("site"))


def test_no_device_is_given_an_address_of_the_pool(cluster: Cluster) -> None:
    for number, wanted in enumerate((ADDRESS, "192.168.2.49", ""), start=0x31):
        given = cluster.lease(f"02:00:00:00:00:{number:02x}", wanted)
        assert given
        assert int(given.split(".")[3]) not in range(10, 50)
