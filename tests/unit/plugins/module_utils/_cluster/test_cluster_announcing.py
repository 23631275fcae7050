# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who announces what, from metrics, ServiceL2Status objects and Events."""

from __future__ import annotations

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._cluster import announcing, services
from ansible_collections.homelab.lantern.tests.unit.plugins.fake_cluster import FakeCluster

SERIES = 'metallb_speaker_announced{{ip="{ip}",node="{node}",protocol="{protocol}",service="default/web"}} {value}\n'
SERVICE = {"metadata": {"namespace": "default", "name": "web", "uid": "u1"}}


def series(node, ip="192.168.2.130", protocol="layer2", value="1.0"):
    return SERIES.format(ip=ip, node=node, protocol=protocol, value=value)


def speaker(name, node):
    return {"metadata": {"name": name}, "spec": {"nodeName": node}}


@pytest.mark.parametrize(
    ("selector", "holds"),
    [
        ({}, True),
        ({"matchLabels": {"a": "1"}}, True),
        ({"matchLabels": {"a": "2"}}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, False),
        ({"matchExpressions": [{"key": "b", "operator": "DoesNotExist"}, {"key": "a", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Near"}]}, False),
    ],
)
def test_label_selectors(selector, holds):
    assert announcing.matches(selector, {"a": "1"}) is holds


def test_a_pool_is_advertised_by_name_by_label_or_by_an_advertisement_for_all():
    pool = {"metadata": {"name": "lan", "labels": {"use": "home"}}}
    by_label = {"spec": {"ipAddressPoolSelectors": [{"matchLabels": {"use": "home"}}]}}
    assert announcing.advertised(pool, [{"spec": {"ipAddressPools": ["other", "lan"]}}])
    assert announcing.advertised(pool, [by_label]) and announcing.advertised(pool, [{}])
    assert not announcing.advertised(pool, [{"spec": {"ipAddressPools": ["other"]}}])
    assert not announcing.advertised(pool, [])


def test_nodes_that_advertisements_select():
    nodes = [{"metadata": {"name": "n1", "labels": {"lan": "yes"}}}, {"metadata": {"name": "n2"}}]
    chosen = [{"spec": {"nodeSelectors": [{"matchLabels": {"lan": "yes"}}]}}]
    assert announcing.announcing_nodes(nodes, chosen) == ["n1"]
    assert announcing.announcing_nodes(nodes, [*chosen, {}]) == ["n1", "n2"]


def test_metrics_of_all_speakers_are_joined_and_silent_ones_named():
    cluster = FakeCluster()
    cluster.pages = {
        "s1": series("n1") + series("n1", ip="192.168.2.131", value="0.0") + series("n1", protocol="bgp"),
        "s2": "# HELP metallb_speaker_announced Services\n" + series("n2"),
    }
    speakers = [speaker("s1", "n1"), speaker("s2", "n2"), speaker("s3", "n3")]
    owners, silent = announcing.from_metrics(cluster, "metallb-system", speakers)
    assert owners == {"192.168.2.130": ["n1", "n2"]}
    assert silent == {"n3"}


@pytest.mark.parametrize("annotations, told", [(None, False), ({announcing.ANNOUNCE_ANNOTATION: "none"}, True)])
def test_the_inventory_may_want_a_pool_unannounced(annotations, told):
    assert announcing.is_unannounced({"metadata": {"name": "lan", "annotations": annotations}}) is told


def test_statuses_and_events_name_the_owner():
    statuses = [
        {"status": {"node": "n3", "serviceName": "web", "serviceNamespace": "default"}},
        {"status": {"node": "n1", "serviceName": "web", "serviceNamespace": "other"}},
    ]
    own = services.grouped(statuses, announcing.of_status)[services.identity(SERVICE)]
    assert announcing.from_statuses(own) == ["n3"]
    events = [
        {"reason": "nodeAssigned", "message": f'announcing from node "{node}" with protocol "layer2"',
         "lastTimestamp": when, "involvedObject": {"uid": uid}}
        for node, when, uid in (("n2", "2026-01-01T00:00:02Z", "u1"), ("n1", "2026-01-01T00:00:01Z", "u1"),
                                ("n9", "2026-01-01T00:00:09Z", "u2"))
    ]  # fmt: skip
    assert announcing.from_events(services.grouped(events, services.of_event)["u1"]) == ["n2"]
    assert announcing.from_events([]) == []
