# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Readiness of workloads, and the report about those that do not become ready."""

from __future__ import annotations

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._cluster import rollout


def workload(spec=None, generation=2, **status):
    return {"metadata": {"name": "w", "generation": generation}, "spec": spec or {}, "status": status}


def pod(name="p1", node="n1", ready=False, waiting=None, restarts=0, state=None, conditions=(), phase="Pending"):
    container_state = state or ({"waiting": waiting} if waiting else {})
    return {
        "metadata": {"name": name},
        "spec": {"nodeName": node} if node else {},
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": str(ready)}, *conditions],
            "containerStatuses": [{"name": "c", "restartCount": restarts, "state": container_state}],
        },
    }


@pytest.mark.parametrize(
    "kind, found, ready, have, want",
    [
        ("Deployment", None, False, 0, 1),
        (
            "Deployment",
            workload({"replicas": 1}, observedGeneration=2, replicas=1, updatedReplicas=1, availableReplicas=1),
            True,
            1,
            1,
        ),
        # the old pod is still there
        (
            "Deployment",
            workload({"replicas": 1}, observedGeneration=2, replicas=2, updatedReplicas=1, availableReplicas=1),
            False,
            1,
            1,
        ),
        # the controller manager has not seen the new specification yet: the numbers are of the old one
        (
            "Deployment",
            workload({"replicas": 1}, observedGeneration=1, replicas=1, updatedReplicas=1, availableReplicas=1),
            False,
            0,
            1,
        ),
        (
            "DaemonSet",
            workload(observedGeneration=2, desiredNumberScheduled=3, updatedNumberScheduled=3, numberAvailable=2),
            False,
            2,
            3,
        ),
        (
            "DaemonSet",
            workload(observedGeneration=2, desiredNumberScheduled=3, updatedNumberScheduled=1, numberAvailable=3),
            False,
            1,
            3,
        ),
        (
            "DaemonSet",
            workload(observedGeneration=2, desiredNumberScheduled=3, updatedNumberScheduled=3, numberAvailable=3),
            True,
            3,
            3,
        ),
    ],
)
def test_state(kind, found, ready, have, want):
    assert rollout.state(kind, "w", found) == rollout.State("w", ready, have, want)


def test_trouble_is_the_first_thing_that_is_wrong():
    assert rollout.trouble(pod(waiting={"reason": "ContainerCreating"})) == ("", "")
    assert rollout.trouble(pod(waiting={"reason": "ErrImageNeverPull", "message": "m"})) == ("ErrImageNeverPull", "m")
    assert rollout.trouble(pod(state={"terminated": {"exitCode": 2, "reason": "Error"}})) == ("Error", "exit status 2")
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    assert rollout.trouble(pod(conditions=[unschedulable])) == ("Unschedulable", "0/1 nodes")
    assert rollout.trouble(pod(phase="Running"))[0] == "NotReady"


def test_progress_names_nodes_with_trouble_only():
    states = [rollout.State("controller", True, 1, 1), rollout.State("speaker", False, 1, 3)]
    pods = {
        "speaker": [
            pod("s1", "n1", ready=True),
            pod("s2", "n2", waiting={"reason": "ContainerCreating"}),
            pod("s3", "n3", waiting={"reason": "ImagePullBackOff"}),
        ]
    }
    assert rollout.progress(states, pods) == ("controller 1 of 1 ready, speaker 1 of 3 ready (n3: ImagePullBackOff)")


def event(name, reason, message, when, kind="Warning"):
    return {
        "type": kind,
        "reason": reason,
        "message": message,
        "lastTimestamp": when,
        "involvedObject": {"name": name},
    }


def test_report_holds_state_events_log_and_remedy():
    broken = pod("w-1", "n1", waiting={"reason": "CrashLoopBackOff", "message": "back-off 10s"}, restarts=4)
    events = [
        event("w-1", "BackOff", "restarting\n container", "2026-01-01T00:00:02Z"),
        event("w-1", "Started", "fine", "2026-01-01T00:00:01Z", kind="Normal"),
        event("other", "Failed", "not ours", "2026-01-01T00:00:03Z"),
    ]
    text = rollout.report(
        rollout.State("w", False, 0, 1), "Deployment", "ns", [broken], events, {"w-1": "first\nlast line"}
    )
    assert text.splitlines() == [
        "Deployment ns/w is not ready in time: 0 of 1 pods are.",
        "Pod w-1 on n1: CrashLoopBackOff: back-off 10s (4 restarts)",
        "  event: BackOff: restarting container",
        "  log: first",
        "  log: last line",
        rollout.REMEDIES["CrashLoopBackOff"],
    ]


def test_report_without_pods_tells_why_none_could_be_made():
    events = [event("speaker", "FailedCreate", "serviceaccount not found", "2026-01-01T00:00:02Z")]
    text = rollout.report(rollout.State("speaker", False, 0, 3), "DaemonSet", "ns", [], events, {})
    assert "event: FailedCreate: serviceaccount not found" in text


def test_pods_on_their_way_out_are_not_blamed():
    leaving = pod("a", phase="Running")
    leaving["metadata"]["deletionTimestamp"] = "now"
    blamed = [one["metadata"]["name"] for one in rollout.failing([pod("b"), leaving, pod("c", phase="Running")])]
    assert blamed == ["c", "b"]


@pytest.mark.parametrize(
    "state, restarts, expected",
    [
        ({"running": {}}, 0, ("c", False)),
        ({"terminated": {"exitCode": 1}}, 1, ("c", False)),
        ({"waiting": {"reason": "CrashLoopBackOff"}}, 3, ("c", True)),
        ({"waiting": {"reason": "ErrImageNeverPull"}}, 0, ("", False)),
    ],
)
def test_whose_log_tells_most(state, restarts, expected):
    assert rollout.container_for_log(pod(state=state, restarts=restarts)) == expected


@pytest.mark.parametrize(
    ("cause", "remedy"),
    [
        ("dial tcp 192.168.2.1:5000: connection refused", "check deploy_image"),
        ('Head "https://192.168.2.1:5000/v2/": http: server gave HTTP response to HTTPS client', "speaks plain HTTP"),
    ],
)
def test_a_registry_that_the_runtime_takes_for_another_has_a_remedy_of_its_own(cause, remedy):
    broken = [pod(name, waiting={"reason": "ErrImagePull", "message": cause}) for name in ("w-1", "w-2")]
    text = rollout.report(rollout.State("w", False, 0, 2), "Deployment", "ns", broken, [], {})
    assert remedy in text.splitlines()[-1] and text.count(remedy) == 1


def test_events_that_only_repeat_the_state_are_left_out():
    cause = "dial tcp: lookup registry.invalid on 192.168.2.1:53: no such host, and this is the cause"
    broken = pod("w-1", waiting={"reason": "ImagePullBackOff", "message": f"Back-off pulling: {cause}"})
    events = [
        event("w-1", "Failed", "Error: ImagePullBackOff", "2026-01-01T00:00:01Z"),
        event("w-1", "Failed", f"Failed to pull image: {cause}", "2026-01-01T00:00:02Z"),
        event("w-1", "FailedMount", "secret not found", "2026-01-01T00:00:03Z"),
    ]
    text = rollout.report(rollout.State("w", False, 0, 1), "Deployment", "ns", [broken], events, {})
    assert [line for line in text.splitlines() if "event" in line] == ["  event: FailedMount: secret not found"]
