# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clearing the way where MetalLB runs or ran. That the real one is replaced is in tests/e2e."""

from __future__ import annotations

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._cluster import metallb, objects
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.errors import ClusterError
from ansible_collections.homelab.lantern.tests.unit.plugins.fake_cluster import FakeCluster

NAMESPACE = "metallb-system"


def workload(kind, component, name=""):
    labels = {"app": "metallb", "component": component}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name or component, "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"spec": {"containers": [{"image": f"quay.io/metallb/{component}:v0.16.1"}]}},
        },
    }


def pod(name, component):
    labels = {"app": "metallb", "component": component, "pod-template-generation": "1"}
    return {"kind": "Pod", "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels}}


def webhooks(name, group, namespace=NAMESPACE):
    client = {"service": {"name": f"{name}-service", "namespace": namespace}}
    return {
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [{"clientConfig": client, "rules": [{"apiGroups": [group]}]}],
    }


def remains():
    service = {"kind": "Service", "metadata": {"name": "metallb-service", "namespace": NAMESPACE}}
    return [
        service,
        webhooks("metallb", "metallb.io"),
        webhooks("certs", "cert-manager.io"),
        webhooks("elsewhere", "metallb.io", namespace="other"),
    ]


def running():
    return [
        workload("DaemonSet", "speaker"),
        workload("Deployment", "controller"),
        pod("speaker-1", "speaker"),
        pod("speaker-2", "speaker"),
        pod("controller-1", "controller"),
    ]


def take_over(cluster, dry_run=False):
    outcomes = metallb.take_over(cluster, NAMESPACE, seconds=0, dry_run=dry_run)
    return [outcome.subject for outcome in outcomes if outcome.changed]


def test_webhooks_first_then_the_controller_and_last_the_speakers_without_their_pods():
    cluster = FakeCluster(*remains(), *running())
    changed = take_over(cluster)
    assert cluster.writes == [
        "delete ValidatingWebhookConfiguration metallb",
        "delete Service metallb-service",
        "delete Deployment controller",
        "merge Pod speaker-1",
        "merge Pod speaker-2",
        "orphan DaemonSet speaker",
    ]
    assert changed[-2:] == ["Deployment metallb-system/controller", "DaemonSet metallb-system/speaker"]
    assert cluster.get("v1", "Pod", "speaker-1", NAMESPACE)["metadata"]["labels"] == {
        "app": "metallb",
        "component": "speaker",
    }
    assert take_over(cluster) == []


def test_what_is_left_of_one_that_was_deleted():
    cluster = FakeCluster(*remains())
    assert take_over(cluster) == [
        "ValidatingWebhookConfiguration metallb",
        "Service metallb-system/metallb-service",
    ]


def test_dry_run_tells_and_leaves_all():
    cluster = FakeCluster(*remains(), *running())
    assert len(take_over(cluster, dry_run=True)) == 4 and cluster.writes == []


def test_lantern_itself_stays():
    ours = [workload("DaemonSet", "speaker"), workload("Deployment", "controller")]
    for one in ours:
        one["metadata"]["labels"] = {objects.OWNER_LABEL: objects.OWNER}
        one["spec"]["template"]["spec"]["containers"][0]["image"] = "localhost/lantern:1"
    assert take_over(FakeCluster(*ours)) == []


@pytest.mark.parametrize(
    "hindrance, told",
    [
        (
            workload("DaemonSet", "speaker", name="metallb-speaker"),
            "DaemonSet metallb-system/metallb-speaker is not call",
        ),
        ({"kind": "BGPPeer", "metadata": {"name": "router", "namespace": NAMESPACE}}, "by BGP here (BGPPeer router)"),
    ],
)
def test_refused_before_anything_is_changed(hindrance, told):
    cluster = FakeCluster(*remains(), *running(), hindrance)
    with pytest.raises(ClusterError) as caught:
        take_over(cluster)
    assert told in str(caught.value) and cluster.writes == []
