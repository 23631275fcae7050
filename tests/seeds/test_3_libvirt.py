# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Four machines with CentOS in a virtual network whose DHCP server hands out the pool; strictARP and a key by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cluster import SYSTEM, Cluster, unchanged

ADDRESS = "192.168.122.2"
PROXY = "--namespace=kube-system"
LOOK = "kubectl describe cm -n kube-system kube-proxy | grep -i strictarp"
# As it stands, sed prints what it has changed, and what was there is put back.
STRICT = (
    "kubectl get cm kube-proxy -n kube-system -o json > strict.json && "
    "sed 's/strictARP: false/strictARP: true/g' strict.json && kubectl replace -f strict.json; rm -f strict.json"
)
RESTART = (
    "kubectl rollout restart daemonset/kube-proxy -n kube-system\n"
    "kubectl rollout status daemonset/kube-proxy -n kube-system --timeout=180s"
)
# What the kubelet gives to the node's own pod of kube-proxy.
MOUNTED = "grep -h strictARP /var/lib/kubelet/pods/*/volumes/kubernetes.io~configmap/kube-proxy/config.conf"
KEY = (
    'kubectl create secret generic -n metallb-system memberlist --from-literal=secretkey="$(openssl rand -base64 128)"'
)


@pytest.fixture(scope="module")
def cluster(bare: Callable[..., Cluster]) -> Cluster:
    return bare(
        "--nodes=4",
        "--lan=192.168.122.0/24",
        "--os=el",
        lantern_pools=[{"name": "default", "addresses": ["192.168.122.2-192.168.122.10"]}],
    )


def key(cluster: Cluster) -> str:
    found: str = cluster.home.get(SYSTEM, "secret", "memberlist")["data"]["secretkey"]
    return found


def proxies(cluster: Cluster) -> set[str]:
    """The uids of kube-proxy's pods."""
    return {pod["metadata"]["uid"] for pod in cluster.items("pods", PROXY, "--selector=k8s-app=kube-proxy")}


def strict_arp(cluster: Cluster) -> str:
    """What the owner sees of it."""
    name, value = cluster.console(LOOK).split()
    assert name == "strictARP:"
    return value


def test_one_master_and_three_workers(cluster: Cluster) -> None:
    rows = cluster.console("kubectl get nodes -o wide").splitlines()[1:]
    assert len(rows) == 4
    assert all("CentOS" in row for row in rows)
    assert ["control-plane" in row for row in rows] == [True, False, False, False]


def test_strict_arp_is_switched_on_by_hand(cluster: Cluster) -> None:
    assert strict_arp(cluster) == "false"
    assert "strictARP: true" in cluster.console(STRICT)
    assert strict_arp(cluster) == "false"
    assert "configmap/kube-proxy replaced" in cluster.console(STRICT.replace("sed '", "sed -i '"))
    assert strict_arp(cluster) == "true"

    before = proxies(cluster)
    assert "successfully rolled out" in cluster.console(RESTART)
    assert not proxies(cluster) & before
    for node in cluster.boots():
        assert cluster.home.on(node, MOUNTED).split() == ["strictARP:", "true"]


def test_one_play_keeps_the_key_and_leaves_kube_proxy_alone(cluster: Cluster) -> None:
    """kube-proxy is in iptables mode, in which strictARP is nobody's business but its owner's."""
    cluster.console(f"kubectl create namespace metallb-system\n{KEY}")
    before = key(cluster), proxies(cluster)
    cluster.play("site")
    assert (key(cluster), proxies(cluster)) == before
    assert strict_arp(cluster) == "true"


def test_what_was_deployed_is_called_as_the_write_up_says(cluster: Cluster) -> None:
    assert cluster.home.get(SYSTEM, "deployment", "controller")["status"]["readyReplicas"] >= 1
    assert cluster.home.get(SYSTEM, "daemonset", "speaker")["status"]["numberReady"] == 4
    accounts = {item["metadata"]["name"] for item in cluster.items("serviceaccounts", SYSTEM)}
    assert {"controller", "speaker"} <= accounts


def test_the_old_configuration_says_the_same_once_more(cluster: Cluster) -> None:
    cluster.put("libvirt/metallb-config.yaml", "metallb-config.yaml")
    assert "configmap/config created" in cluster.console("kubectl apply -f metallb-config.yaml")
    assert cluster.configuration() == {"Valid"}


def test_a_service_gets_the_first_address_and_answers(cluster: Cluster) -> None:
    cluster.console("kubectl create deployment nginx --image=nginx")
    cluster.console("kubectl expose deploy nginx --port 80 --type LoadBalancer")
    cluster.rolled_out("nginx")
    assert cluster.address("nginx") == ADDRESS
    assert "Welcome to nginx!" in cluster.page(ADDRESS)
    assert cluster.verified() == ["default/nginx"]


def test_a_second_run_changes_nothing(cluster: Cluster) -> None:
    before = key(cluster), proxies(cluster)
    unchanged(cluster.play("site"))
    assert (key(cluster), proxies(cluster)) == before
    assert strict_arp(cluster) == "true"
    assert "Welcome to nginx!" in cluster.page(ADDRESS)


def test_no_device_is_given_an_address_of_the_pool(cluster: Cluster) -> None:
    for number, wanted in enumerate((ADDRESS, "192.168.122.10", ""), start=0x31):
        given = cluster.lease(f"02:00:00:00:00:{number:02x}", wanted)
        assert given
        assert int(given.split(".")[3]) > 10
