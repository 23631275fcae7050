# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that talk to the cluster, on a cluster in memory."""

from __future__ import annotations

import pytest

pytest.importorskip("yaml")

from ansible_collections.homelab.lantern.plugins.module_utils._cluster.eligibility import EXCLUDE_LABEL, TAKEN_OFF
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.errors import ClusterError
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.services import POOL_ANNOTATION
from ansible_collections.homelab.lantern.plugins.modules import (
    cluster_objects,
    control_plane_announcers,
    loadbalancer_conflicts,
    loadbalancer_release,
    loadbalancer_services_info,
    metallb_takeover,
    rollout,
)
from ansible_collections.homelab.lantern.tests.unit.plugins.fake_cluster import FakeCluster
from ansible_collections.homelab.lantern.tests.unit.plugins.module_runner import run

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}}
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "ns"}, "data": {"a": "1"}}
WORKLOADS = [{"kind": "Deployment", "name": "controller", "namespace": "metallb-system"}]
KUBECONFIG = {"kubeconfig": "/nowhere"}


def on(monkeypatch, module, cluster):
    monkeypatch.setattr(module, "connect", lambda _module: cluster)
    return cluster


def deployment(ready):
    count = 1 if ready else 0
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "controller", "namespace": "metallb-system", "generation": 1},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "metallb", "component": "controller"}}},
        "status": {
            "observedGeneration": 1,
            "replicas": 1,
            "updatedReplicas": 1,
            "availableReplicas": count,
        },
    }


def pod(reason):
    return {
        "kind": "Pod",
        "metadata": {
            "name": "controller-1",
            "namespace": "metallb-system",
            "labels": {"app": "metallb", "component": "controller"},
        },
        "spec": {"nodeName": "n1"},
        "status": {
            "containerStatuses": [{"name": "controller", "restartCount": 2, "state": {"waiting": {"reason": reason}}}]
        },
    }


def service(name, ip=None, ours=True, cls=None):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": name,
            "annotations": {POOL_ANNOTATION: "lan", "kept": "yes"} if ours else {},
        },
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], **({"loadBalancerClass": cls} if cls else {})},
        "status": {"loadBalancer": {"ingress": [{"ip": ip}]} if ip else {}},
    }


def node(name="n1", excluded=False):
    labels = {"node-role.kubernetes.io/control-plane": ""}
    if excluded:
        labels[EXCLUDE_LABEL] = ""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {}},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": "192.168.2.11"}],
        },
    }


class TestClusterObjects:
    def test_apply_check_repeat_remove(self, monkeypatch):
        cluster = on(monkeypatch, cluster_objects, FakeCluster())
        both = {"manifests": [NAMESPACE, CONFIG], **KUBECONFIG}
        checked = run(cluster_objects, monkeypatch, check=True, diff=True, **both)
        assert checked["changed"] and cluster.writes == []
        assert [record["after_header"] for record in checked["diff"]] == ["Namespace ns", "ConfigMap ns/c"]
        assert "a: '1'" in checked["diff"][1]["after"] and checked["diff"][1]["before"] == ""
        assert run(cluster_objects, monkeypatch, **both)["changed"]
        again = run(cluster_objects, monkeypatch, diff=True, **both)
        assert not again["changed"] and again["diff"] == []
        gone = run(cluster_objects, monkeypatch, state="absent", **both)
        assert [(one["name"], one["changed"]) for one in gone["objects"]] == [
            ("ConfigMap ns/c", True),
            ("Namespace ns", True),
        ]
        assert not run(cluster_objects, monkeypatch, state="absent", **both)["changed"]

    def test_prune(self, monkeypatch):
        stale = dict(CONFIG, metadata=dict(CONFIG["metadata"], labels={"app.kubernetes.io/managed-by": "lantern"}))
        cluster = on(monkeypatch, cluster_objects, FakeCluster(NAMESPACE, stale))
        kinds = [{"api_version": "v1", "kind": "ConfigMap", "namespace": "ns"}]
        result = run(cluster_objects, monkeypatch, manifests=[], prune=kinds, **KUBECONFIG)
        assert result["changed"] and cluster.get("v1", "ConfigMap", "c", "ns") is None

    def test_errors_are_the_message(self, monkeypatch):
        on(monkeypatch, cluster_objects, FakeCluster())
        result = run(cluster_objects, monkeypatch, manifests=[{"kind": "Pod"}], **KUBECONFIG)
        assert result["failed"] and "has no apiVersion" in result["msg"]

    def test_a_kubeconfig_that_cannot_be_read(self, monkeypatch):
        pytest.importorskip("kubernetes")
        result = run(cluster_objects, monkeypatch, manifests=[], kubeconfig="/nowhere/at/all")
        assert result["failed"] and "/nowhere/at/all cannot be read" in result["msg"]
        result = run(cluster_objects, monkeypatch, manifests=[])
        assert result["failed"] and "No way to the cluster" in result["msg"]


class TestRollout:
    def test_ready(self, monkeypatch):
        on(monkeypatch, rollout, FakeCluster(deployment(True)))
        result = run(rollout, monkeypatch, workloads=WORKLOADS, **KUBECONFIG)
        assert (result["changed"], result["ready"], result["progress"]) == (False, True, "controller 1 of 1 ready")

    def test_news_end_the_waiting(self, monkeypatch):
        on(monkeypatch, rollout, FakeCluster(deployment(False), pod("ErrImageNeverPull")))
        result = run(rollout, monkeypatch, workloads=WORKLOADS, previous_progress="", **KUBECONFIG)
        assert result["ready"] is False
        assert result["progress"] == "controller 0 of 1 ready (n1: ErrImageNeverPull)"

    def test_the_end_of_time_is_explained_with_the_log_of_the_run_before(self, monkeypatch):
        cluster = on(monkeypatch, rollout, FakeCluster(deployment(False), pod("CrashLoopBackOff")))
        cluster.logs["controller-1"] = "no route to the API server"
        result = run(rollout, monkeypatch, workloads=WORKLOADS, timeout=0, **KUBECONFIG)
        assert result["failed"]
        assert "Pod controller-1 on n1: CrashLoopBackOff (2 restarts)" in result["msg"]
        assert "log: no route to the API server" in result["msg"]

    def test_check_mode_waits_for_nothing(self, monkeypatch):
        def connect(_module):
            raise ClusterError("asked")

        monkeypatch.setattr(rollout, "connect", connect)
        assert run(rollout, monkeypatch, check=True, workloads=WORKLOADS, **KUBECONFIG)["changed"] is False


class TestConflicts:
    FOREIGN = {
        "kind": "Deployment",
        "metadata": {"name": "controller", "namespace": "metallb-system"},
        "spec": {"template": {"spec": {"containers": [{"image": "quay.io/metallb/controller:v0.15.2"}]}}},
    }

    def test_refused_with_the_way_out(self, monkeypatch):
        on(monkeypatch, loadbalancer_conflicts, FakeCluster(self.FOREIGN))
        result = run(loadbalancer_conflicts, monkeypatch, **KUBECONFIG)
        assert result["failed"]
        assert (
            "MetalLB already serves LoadBalancer Services here (Deployment metallb-system/controller)" in result["msg"]
        )
        assert "lantern_replace_metallb: true" in result["msg"]
        assert "deploy_allow_other_implementations" not in result["msg"]

    def test_allowed(self, monkeypatch):
        on(monkeypatch, loadbalancer_conflicts, FakeCluster(self.FOREIGN))
        result = run(loadbalancer_conflicts, monkeypatch, allow=["metallb"], **KUBECONFIG)
        assert not result["failed"] and [one["key"] for one in result["found"]] == ["metallb"]

    def test_nothing_there(self, monkeypatch):
        on(monkeypatch, loadbalancer_conflicts, FakeCluster(node()))
        assert run(loadbalancer_conflicts, monkeypatch, **KUBECONFIG)["found"] == []


class TestTakeover:
    def test_tells_what_has_gone(self, monkeypatch):
        cluster = on(monkeypatch, metallb_takeover, FakeCluster(TestConflicts.FOREIGN))
        checked = run(metallb_takeover, monkeypatch, check=True, diff=True, **KUBECONFIG)
        assert checked["changed"] and cluster.writes == []
        assert checked["diff"][0]["after"] == "" and "image: quay.io/metallb/controller" in checked["diff"][0]["before"]
        result = run(metallb_takeover, monkeypatch, **KUBECONFIG)
        assert result["changed"] and result["objects"] == ["Deployment metallb-system/controller"]
        assert not run(metallb_takeover, monkeypatch, **KUBECONFIG)["changed"]


class TestControlPlaneAnnouncers:
    def test_off_again_and_back(self, monkeypatch):
        cluster = on(monkeypatch, control_plane_announcers, FakeCluster(node(excluded=True)))
        checked = run(control_plane_announcers, monkeypatch, check=True, diff=True, **KUBECONFIG)
        assert checked["changed"] and cluster.writes == []
        assert (checked["diff"][0]["before"], checked["diff"][0]["after"]) == (f"{EXCLUDE_LABEL}=\n", "not labelled\n")
        assert run(control_plane_announcers, monkeypatch, **KUBECONFIG)["changed"]
        metadata = cluster.get("v1", "Node", "n1")["metadata"]
        assert EXCLUDE_LABEL not in metadata["labels"] and metadata["annotations"] == {TAKEN_OFF: ""}
        assert not run(control_plane_announcers, monkeypatch, **KUBECONFIG)["changed"]
        back = run(control_plane_announcers, monkeypatch, serve="false", diff=True, **KUBECONFIG)
        assert back["changed"] and back["diff"][0]["before"] == "not labelled\n"
        assert cluster.get("v1", "Node", "n1")["metadata"]["labels"][EXCLUDE_LABEL] == ""
        assert not run(control_plane_announcers, monkeypatch, serve="false", **KUBECONFIG)["changed"]


class TestRelease:
    def test_only_our_services_lose_their_addresses_and_nothing_else(self, monkeypatch):
        objects = [service("ours", "192.168.2.130"), service("foreign", "192.168.2.99", ours=False)]
        cluster = on(monkeypatch, loadbalancer_release, FakeCluster(*objects))
        checked = run(loadbalancer_release, monkeypatch, check=True, diff=True, **KUBECONFIG)
        assert checked["services"] == ["default/ours"] and cluster.writes == []
        assert checked["diff"][0]["before"] == "192.168.2.130\n"
        result = run(loadbalancer_release, monkeypatch, **KUBECONFIG)
        assert result["changed"] and result["services"] == ["default/ours"]
        ours = cluster.get("v1", "Service", "ours", "default")
        assert ours["metadata"]["annotations"] == {"kept": "yes"}
        assert not ours["status"]["loadBalancer"].get("ingress")
        assert cluster.get("v1", "Service", "foreign", "default")["status"]["loadBalancer"]["ingress"]
        assert not run(loadbalancer_release, monkeypatch, **KUBECONFIG)["changed"]


class TestServicesInfo:
    @pytest.mark.parametrize("wanted, told", [("", ["default/plain"]), ("lan", ["default/classed"]), ("x", [])])
    def test_only_services_of_the_class_that_is_served(self, monkeypatch, wanted, told):
        on(monkeypatch, loadbalancer_services_info, FakeCluster(service("plain"), service("classed", cls="lan")))
        result = run(loadbalancer_services_info, monkeypatch, lb_class=wanted, **KUBECONFIG)
        assert [one["name"] for one in result["services"]] == told

    def test_everything_at_once(self, monkeypatch):
        speaker = {
            "kind": "Pod",
            "metadata": {
                "name": "s",
                "namespace": "metallb-system",
                "labels": {"app": "metallb", "component": "speaker"},
            },
            "spec": {"nodeName": "n1"},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }
        pool = {
            "kind": "IPAddressPool",
            "metadata": {"name": "lan", "namespace": "metallb-system"},
            "spec": {"addresses": ["192.168.2.128/25"]},
        }
        slices = {
            "kind": "EndpointSlice",
            "metadata": {"namespace": "default", "name": "x", "labels": {"kubernetes.io/service-name": "web"}},
            "endpoints": [{"addresses": ["10.0.0.1"]}],
        }
        cluster = FakeCluster(
            deployment(True),
            node(),
            speaker,
            pool,
            slices,
            service("web", "192.168.2.130"),
            service("pending"),
            service("classed", cls="other"),
            {"kind": "Service", "metadata": {"name": "k", "namespace": "default"}, "spec": {"type": "ClusterIP"}},
        )
        on(monkeypatch, loadbalancer_services_info, cluster)
        cluster.pages["s"] = (
            'metallb_speaker_announced{ip="192.168.2.130",node="n1",protocol="layer2",service="default/web"} 1.0\n'
        )
        result = run(loadbalancer_services_info, monkeypatch, **KUBECONFIG)
        assert result["changed"] is False
        assert result["services"][1]["owners"] == {"192.168.2.130": ["n1"]}
        assert [(one["name"], one["addresses"], one["endpoints"]) for one in result["services"]] == [
            ("default/pending", [], 0),
            ("default/web", ["192.168.2.130"], 1),
        ]
        assert "logs deployment/controller" in result["services"][0]["waiting"]
        assert result["services"][1]["waiting"] == ""
        assert result["controller"] == {"ready": True, "text": "controller 1 of 1 ready"}
        assert result["speaker"] == {"ready": False, "text": "speaker is not there"}
        pool = {"name": "lan", "addresses": ["192.168.2.128/25"], "advertised": [], "unannounced": False}
        assert result["pools"] == [pool]
        assert result["nodes"] == [
            {
                "name": "n1",
                "addresses": ["192.168.2.11"],
                "ready": True,
                "excluded": False,
                "selected": False,
                "speaker": True,
                "speaker_silent": False,
                "proxy": None,
            }
        ]
        assert result["obstacle"] == "" and result["stale"] == ""

    @pytest.mark.parametrize("result, told", [("Invalid", "pool a is wrong"), ("Valid", "")])
    def test_configuration_that_is_not_in_force(self, monkeypatch, result, told):
        state = {
            "kind": "ConfigurationState",
            "metadata": {"name": "controller", "namespace": "metallb-system"},
            "status": {"result": result, "errorSummary": "pool a is wrong"},
        }
        on(monkeypatch, loadbalancer_services_info, FakeCluster(state))
        assert run(loadbalancer_services_info, monkeypatch, **KUBECONFIG)["stale"] == told

    def test_waits_for_services_that_are_not_served_yet(self, monkeypatch):
        cluster = on(monkeypatch, loadbalancer_services_info, FakeCluster(service("web")))
        naps = []

        def sleep(seconds):
            naps.append(seconds)
            cluster.objects.clear()

        monkeypatch.setattr(loadbalancer_services_info.time, "sleep", sleep)
        assert run(loadbalancer_services_info, monkeypatch, timeout=30, **KUBECONFIG)["services"] == []
        assert len(naps) == 1
