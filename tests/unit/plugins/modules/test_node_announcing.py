# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module node_announcing: a label set and taken off, but only its own."""

from __future__ import annotations

import pytest
from ansible_collections.homelab.lantern.plugins.modules import node_announcing
from ansible_collections.homelab.lantern.tests.unit.plugins.fake_cluster import FakeCluster
from ansible_collections.homelab.lantern.tests.unit.plugins.module_runner import run

LABEL = node_announcing.EXCLUDE_LABEL


@pytest.fixture
def cluster(monkeypatch):
    found = FakeCluster({"kind": "Node", "metadata": {"name": "n1", "labels": {"kept": "yes"}}})
    monkeypatch.setattr(node_announcing, "connect", lambda _module: found)
    return found


def bring(monkeypatch, state, check=False, **options):
    options.setdefault("node", "n1")
    return run(node_announcing, monkeypatch, check=check, kubeconfig="/nowhere", state=state, **options)


def labels(cluster):
    return cluster.get("v1", "Node", "n1")["metadata"]["labels"]


def test_withheld_and_allowed_again(cluster, monkeypatch):
    assert bring(monkeypatch, "withheld", check=True)["changed"] and LABEL not in labels(cluster)
    assert bring(monkeypatch, "withheld")["changed"] and LABEL in labels(cluster)
    assert not bring(monkeypatch, "withheld")["changed"]
    assert bring(monkeypatch, "allowed")["changed"] and labels(cluster) == {"kept": "yes"}
    assert not bring(monkeypatch, "allowed")["changed"]


def test_a_label_of_somebody_else_stays(cluster, monkeypatch):
    cluster.put({"kind": "Node", "metadata": {"name": "n1", "labels": {LABEL: ""}}})
    assert not bring(monkeypatch, "withheld")["changed"]
    assert not bring(monkeypatch, "allowed")["changed"] and LABEL in labels(cluster)


def test_an_unknown_node_is_named(cluster, monkeypatch):
    result = bring(monkeypatch, "withheld", node="n9")
    assert result["failed"] and "n9" in result["msg"]


def test_all_that_an_interrupted_run_left_are_allowed_again(cluster, monkeypatch):
    cluster.put({"kind": "Node", "metadata": {"name": "n2", "labels": {LABEL: ""}}})
    bring(monkeypatch, "withheld")
    assert bring(monkeypatch, "allowed", check=True, node=None)["nodes"] == ["n1"] and LABEL in labels(cluster)
    assert bring(monkeypatch, "allowed", node=None)["nodes"] == ["n1"] and labels(cluster) == {"kept": "yes"}
    assert LABEL in cluster.get("v1", "Node", "n2")["metadata"]["labels"], "people excluded it"


def test_whom_to_withhold_has_to_be_said(cluster, monkeypatch):
    result = bring(monkeypatch, "withheld", node=None)
    assert result["failed"] and "say which one by node" in result["msg"]
