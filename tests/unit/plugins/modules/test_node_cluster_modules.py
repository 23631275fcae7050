# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""strict_arp, node_drain and cluster_health on a cluster in memory, and Services that really listen."""

from __future__ import annotations

import socket

import pytest

yaml = pytest.importorskip("yaml")

from ansible_collections.homelab.lantern.plugins.module_utils._cluster import draining, health, kube_proxy
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.errors import ClusterError
from ansible_collections.homelab.lantern.plugins.modules import cluster_health, node_drain, strict_arp
from ansible_collections.homelab.lantern.tests.unit.plugins.fake_cluster import FakeCluster
from ansible_collections.homelab.lantern.tests.unit.plugins.module_runner import run

KUBECONFIG = {"kubeconfig": "/nowhere"}
SETTINGS = """apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
# a line that somebody wrote
mode: MODE
ipvs:
  scheduler: rr
  strictARP: false
  syncPeriod: 0s
"""


def kube_proxy_objects(mode="ipvs", text=None):
    metadata = {"name": "kube-proxy", "namespace": "kube-system"}
    settings = SETTINGS.replace("MODE", mode) if text is None else text
    data = {"config.conf": settings, "kubeconfig.conf": "{}"}
    return (
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": dict(metadata), "data": data},
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": dict(metadata),
            "spec": {"template": {"metadata": {"labels": {"k8s-app": "kube-proxy"}}}},
        },
    )


def on(monkeypatch, module, cluster):
    monkeypatch.setattr(module, "connect", lambda _module: cluster)
    return cluster


def config_map(cluster):
    return cluster.get("v1", "ConfigMap", "kube-proxy", "kube-system")


# -- strict_arp ----------------------------------------------------------------------------------------------------


def test_ipvs_gets_strict_arp_once_and_gives_it_back(monkeypatch):
    cluster = on(monkeypatch, strict_arp, FakeCluster(*kube_proxy_objects()))
    looked = run(strict_arp, monkeypatch, check=True, diff=True, **KUBECONFIG)
    assert looked["changed"] and not looked["restarted"] and cluster.writes == []
    assert "strictARP: true" in looked["diff"]["after"]
    done = run(strict_arp, monkeypatch, **KUBECONFIG)
    assert (done["changed"], done["mode"], done["restarted"]) == (True, "ipvs", True)
    assert config_map(cluster)["data"]["config.conf"] == SETTINGS.replace("MODE", "ipvs").replace("false", "true")
    assert cluster.writes == ["merge ConfigMap kube-proxy", "merge DaemonSet kube-proxy"]
    assert not run(strict_arp, monkeypatch, **KUBECONFIG)["changed"]
    assert run(strict_arp, monkeypatch, state="absent", **KUBECONFIG)["restarted"]
    assert config_map(cluster)["data"]["config.conf"] == SETTINGS.replace("MODE", "ipvs")
    assert kube_proxy.BEFORE not in config_map(cluster)["metadata"]["annotations"]
    assert not run(strict_arp, monkeypatch, state="absent", **KUBECONFIG)["changed"]


@pytest.mark.parametrize("mode", ["iptables", "nftables", '""'])
def test_other_modes_are_left_alone(monkeypatch, mode):
    cluster = on(monkeypatch, strict_arp, FakeCluster(*kube_proxy_objects(mode)))
    done = run(strict_arp, monkeypatch, **KUBECONFIG)
    assert not done["changed"] and "no node has a Service's address" in done["reason"]
    assert cluster.writes == []


def test_without_a_config_map_kube_proxy_is_part_of_something_else(monkeypatch):
    on(monkeypatch, strict_arp, FakeCluster())
    done = run(strict_arp, monkeypatch, **KUBECONFIG)
    assert not done["changed"] and "k3s" in done["reason"]


def test_an_interrupted_run_is_finished(monkeypatch):
    settings, daemon_set = kube_proxy_objects()
    settings["data"]["config.conf"] = settings["data"]["config.conf"].replace("false", "true")
    settings["metadata"]["annotations"] = {kube_proxy.BEFORE: "false"}
    cluster = on(monkeypatch, strict_arp, FakeCluster(settings, daemon_set))
    done = run(strict_arp, monkeypatch, **KUBECONFIG)
    assert done["restarted"] and cluster.writes == ["merge DaemonSet kube-proxy"]


def test_what_people_switched_on_themselves_stays_theirs(monkeypatch):
    settings, daemon_set = kube_proxy_objects()
    settings["data"]["config.conf"] = settings["data"]["config.conf"].replace("false", "true")
    cluster = on(monkeypatch, strict_arp, FakeCluster(settings, daemon_set))
    assert not run(strict_arp, monkeypatch, **KUBECONFIG)["changed"]
    assert not run(strict_arp, monkeypatch, state="absent", **KUBECONFIG)["changed"]
    assert cluster.writes == []


@pytest.mark.parametrize(
    "text", ["mode: ipvs\n", "mode: ipvs\nipvs:\n  scheduler: rr\n", "mode: ipvs\nipvs: null\n", '{"mode": "ipvs"}']
)
def test_settings_without_the_line_get_it(text):
    after = kube_proxy.edited(text, True)
    assert kube_proxy.read(after) == ("ipvs", True)
    assert kube_proxy.read(kube_proxy.edited(after, False)) == ("ipvs", False)


def test_settings_that_are_none_are_an_error():
    with pytest.raises(ClusterError, match="no valid KubeProxyConfiguration"):
        kube_proxy.read("mode: [")


# -- node_drain ----------------------------------------------------------------------------------------------------


def node(name, address, ready="True", boot_id="1"):
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "spec": {},
        "status": {
            "addresses": [{"type": "InternalIP", "address": address}],
            "conditions": [{"type": "Ready", "status": ready}],
            "nodeInfo": {"bootID": boot_id},
        },
    }


def pod(name, owner, on_node="n1", ready="True", **annotations):
    owners = [{"kind": owner, "name": "x", "controller": True}] if owner else []
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "d", "ownerReferences": owners, "annotations": annotations},
        "spec": {"nodeName": on_node},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]},
    }


def cluster_with_pods(*more):
    return FakeCluster(
        node("n1", "192.168.2.11"),
        node("n2", "192.168.2.12"),
        pod("web", "ReplicaSet"),
        pod("speaker", "DaemonSet"),
        pod("bare", ""),
        pod("etcd", "Node", **{draining.MIRROR: "x"}),
        pod("elsewhere", "ReplicaSet", "n2"),
        *more,
    )


def test_only_what_comes_up_elsewhere_is_sent_away(monkeypatch):
    cluster = on(monkeypatch, node_drain, cluster_with_pods())
    monkeypatch.setattr(node_drain, "POLL_SECONDS", 0)
    looked = run(node_drain, monkeypatch, check=True, node=["192.168.2.11"], **KUBECONFIG)
    assert looked["evicted"] == ["d/web"] and cluster.writes == []
    done = run(node_drain, monkeypatch, node=["unknown", "192.168.2.11"], **KUBECONFIG)
    assert (done["changed"], done["evicted"], done["nodes"]) == (True, ["d/web"], ["n1"])
    assert cluster.get("v1", "Node", "n1")["spec"]["unschedulable"]
    again = run(node_drain, monkeypatch, node=["n1"], **KUBECONFIG)
    assert not again["changed"]
    back = run(node_drain, monkeypatch, state="restored", **KUBECONFIG)
    assert back["nodes"] == ["n1"] and "unschedulable" not in cluster.get("v1", "Node", "n1")["spec"]
    assert not run(node_drain, monkeypatch, state="restored", **KUBECONFIG)["changed"]


def test_a_node_that_people_made_unschedulable_stays_so(monkeypatch):
    theirs = node("n3", "192.168.2.13")
    theirs["spec"]["unschedulable"] = True
    cluster = on(monkeypatch, node_drain, cluster_with_pods(theirs))
    assert run(node_drain, monkeypatch, node=["n3"], **KUBECONFIG)["nodes"] == []
    assert not run(node_drain, monkeypatch, state="restored", node=["n3"], **KUBECONFIG)["changed"]
    assert cluster.get("v1", "Node", "n3")["spec"]["unschedulable"]


def test_what_an_interrupted_run_left_is_told_from_what_people_made_unschedulable(monkeypatch):
    theirs, ours = node("n3", "192.168.2.13"), node("n4", "192.168.2.14")
    theirs["spec"]["unschedulable"] = True
    cluster = on(monkeypatch, node_drain, cluster_with_pods(theirs, ours))
    cluster.merge(ours, draining.cordon_patch(True))
    looked = run(node_drain, monkeypatch, check=True, state="restored", **KUBECONFIG)
    assert looked["nodes"] == ["n4"] and cluster.get("v1", "Node", "n4")["spec"]["unschedulable"]
    assert run(node_drain, monkeypatch, state="restored", **KUBECONFIG)["nodes"] == ["n4"]
    assert "unschedulable" not in cluster.get("v1", "Node", "n4")["spec"]
    assert cluster.get("v1", "Node", "n4")["metadata"]["annotations"] == {}
    assert cluster.get("v1", "Node", "n3")["spec"]["unschedulable"]


def test_a_budget_that_forbids_it_leaves_the_node_as_it_was(monkeypatch):
    cluster = on(monkeypatch, node_drain, cluster_with_pods())
    cluster.never_gone.add("web")
    monkeypatch.setattr(node_drain, "POLL_SECONDS", 0)
    done = run(node_drain, monkeypatch, node=["n1"], timeout=0, **KUBECONFIG)
    assert done["failed"] and "d/web did not leave n1" in done["msg"] and "PodDisruptionBudget" in done["msg"]
    assert "unschedulable" not in cluster.get("v1", "Node", "n1")["spec"]


def test_an_unknown_node_is_named(monkeypatch):
    on(monkeypatch, node_drain, FakeCluster())
    done = run(node_drain, monkeypatch, node=["n9"], **KUBECONFIG)
    assert done["failed"] and "n9" in done["msg"]


# -- cluster_health ------------------------------------------------------------------------------------------------


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def service(name, port, protocol="TCP"):
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": "d"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": port, "protocol": protocol}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}},
    }


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_look_tells_what_answers(monkeypatch, listener):
    closed = closed_port()
    services = (service("web", listener), service("dead", closed), service("dns", 53, "UDP"))
    on(monkeypatch, cluster_health, FakeCluster(*services))
    seen = run(cluster_health, monkeypatch, timeout=0, **KUBECONFIG)
    assert seen["answering"] == [{"name": "d/web", "address": "127.0.0.1", "port": listener}]
    assert seen["silent"] == [{"name": "d/dead", "address": "127.0.0.1", "port": closed}]


def test_all_is_well(monkeypatch, listener):
    cluster = cluster_with_pods(service("web", listener), service("dead", closed_port()))
    on(monkeypatch, cluster_health, cluster)
    expected = [{"name": "d/web", "address": "127.0.0.1", "port": listener}]
    options = dict(KUBECONFIG, node=["n1"], boot_id="1", expected=expected, steady=0)
    seen = run(cluster_health, monkeypatch, **options)
    assert seen["ready"] and seen["progress"] == "n1 is Ready, 1 of 1 Service ports answer"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (node("n1", "192.168.2.11", boot_id="0"), "n1 has not reported since its start"),
        (node("n1", "192.168.2.11", ready="Unknown"), "n1 is not Ready"),
        (pod("speaker", "DaemonSet", ready="False"), "n1 waits for speaker"),
    ],
)
def test_a_node_that_is_not_back(monkeypatch, change, words):
    cluster = on(monkeypatch, cluster_health, cluster_with_pods())
    cluster.put(change)
    options = dict(KUBECONFIG, node=["n1"], boot_id="1", previous_progress="")
    seen = run(cluster_health, monkeypatch, **options)
    assert not seen["ready"] and seen["progress"] == words


def test_when_the_time_is_over_it_is_said_what_is_missing(monkeypatch):
    closed = closed_port()
    on(monkeypatch, cluster_health, FakeCluster())
    monkeypatch.setattr(cluster_health, "POLL_SECONDS", 0.6)
    expected = [{"name": "d/web", "address": "127.0.0.1", "port": closed}]
    done = run(cluster_health, monkeypatch, expected=expected, timeout=1, **KUBECONFIG)
    assert done["failed"] and f"d/web at 127.0.0.1:{closed} does not" in done["msg"]


def test_an_api_server_that_is_away_is_waited_for(monkeypatch):
    cluster = on(monkeypatch, cluster_health, FakeCluster())

    def away(*_arguments, **_options):
        raise ClusterError("refused")

    monkeypatch.setattr(cluster, "list", away)
    seen = run(cluster_health, monkeypatch, previous_progress="", **KUBECONFIG)
    assert seen["progress"] == "the API server does not answer"
    assert run(cluster_health, monkeypatch, timeout=0, **KUBECONFIG)["failed"]


def test_an_ipv6_address_is_shown_in_brackets():
    assert str(health.Target("d/web", "fd00::80", 80)) == "d/web at [fd00::80]:80"
