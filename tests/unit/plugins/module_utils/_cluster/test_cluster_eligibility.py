# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may announce addresses, and what happens to the control plane's label."""

from __future__ import annotations

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._cluster import eligibility
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.eligibility import EXCLUDE_LABEL, TAKEN_OFF


def node(name, control_plane=False, excluded=False, taken_off=False, cordoned=False, ready=True):
    labels = {"node-role.kubernetes.io/control-plane": ""} if control_plane else {}
    if excluded:
        labels[EXCLUDE_LABEL] = "kept"
    return {
        "metadata": {"name": name, "labels": labels, "annotations": {TAKEN_OFF: "kept"} if taken_off else {}},
        "spec": {"unschedulable": True} if cordoned else {},
        "status": {
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "addresses": [
                {"type": "InternalIP", "address": "192.168.2.11"},
                {"type": "Hostname", "address": name},
            ],
        },
    }


ALONE = node("cp", control_plane=True, excluded=True)
SERVING = node("cp", control_plane=True, taken_off=True)


@pytest.mark.parametrize(
    "nodes, mode, done",
    [
        ([ALONE], "auto", ["take"]),
        ([ALONE], "true", ["take"]),
        ([ALONE], "false", []),
        ([ALONE, node("w")], "auto", []),
        ([ALONE, node("w")], "true", ["take"]),
        ([ALONE, node("w", cordoned=True)], "auto", ["take"]),
        ([ALONE, node("w", excluded=True)], "auto", ["take"]),
        ([SERVING], "auto", []),
        ([SERVING], "true", []),
        ([SERVING], "false", ["back"]),
        ([SERVING, node("w")], "auto", ["back"]),
        # kubeadm upgrade labels again
        ([node("cp", control_plane=True, excluded=True, taken_off=True)], "auto", ["take"]),
        # a worker that its owner excluded stays excluded
        ([node("w", excluded=True)], "auto", []),
        ([node("cp", control_plane=True)], "auto", []),
    ],
)
def test_changes(nodes, mode, done):
    changes = eligibility.changes(nodes, mode)
    assert ["take" if change.label is None else "back" for change in changes] == done


def test_the_value_of_the_label_survives_taking_off_and_putting_back():
    (off,) = eligibility.changes([ALONE], "auto")
    assert off.patch() == {"metadata": {"labels": {EXCLUDE_LABEL: None}, "annotations": {TAKEN_OFF: "kept"}}}
    assert "no other node" in off.sentence
    (back,) = eligibility.changes([SERVING], "false")
    assert back.patch() == {"metadata": {"labels": {EXCLUDE_LABEL: "kept"}, "annotations": {TAKEN_OFF: None}}}


def test_facts_take_the_lan_address_only():
    assert eligibility.facts(ALONE).addresses == ["192.168.2.11"]


@pytest.mark.parametrize(
    "nodes, speakers, told",
    [
        ([], set(), "has no nodes"),
        ([ALONE], {"cp"}, "lantern_serve_from_control_plane: true"),
        ([ALONE, node("w", ready=False)], {"cp", "w"}, "is Ready (w)"),
        ([ALONE, node("w")], {"cp"}, "No speaker is ready on w"),
    ],
)
def test_obstacles_are_told_with_a_remedy(nodes, speakers, told):
    assert told in eligibility.obstacle(nodes, speakers)


def test_no_obstacle_when_one_node_can():
    assert eligibility.obstacle([ALONE, node("w")], {"w"}) == ""


@pytest.mark.parametrize("args, excluded", [(["speaker"], True), (["speaker", "--ignore-exclude-lb"], False)])
def test_label_that_the_speakers_ignore_is_no_obstacle(args, excluded):
    speaker = {"spec": {"containers": [{"name": "speaker", "args": args}]}}
    (seen,) = eligibility.as_seen_by([speaker], [ALONE])
    assert eligibility.facts(seen) == eligibility.facts(ALONE)._replace(excluded=excluded)
    assert bool(eligibility.obstacle([seen], {"cp"})) is excluded
