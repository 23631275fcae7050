# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes may announce addresses. PRIVATE to the homelab.lantern collection.

kubeadm labels its control plane node.kubernetes.io/exclude-from-external-load-balancers, and the speaker respects that
label. In a cluster of one node (or whose workers are all away) nobody could announce anything then: the label is taken
off, and an annotation keeps its value so that it can be put back.
"""

from __future__ import annotations

import typing as t

Found = t.Dict[str, t.Any]

EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"
IGNORE_FLAG = "--ignore-exclude-lb"
TAKEN_OFF = "homelab.lantern/taken-off-exclude-label"
CONTROL_PLANE_LABELS = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")


class NodeFacts(t.NamedTuple):
    """What matters of one node here."""

    name: str
    control_plane: bool
    excluded: bool
    taken_off: bool
    schedulable: bool
    ready: bool
    networked: bool
    addresses: list[str]


class Change(t.NamedTuple):
    """One patch of a node: `label` and `annotation` are the new values, None takes them off."""

    node: str
    label: str | None
    annotation: str | None
    sentence: str

    def patch(self) -> Found:
        return {"metadata": {"labels": {EXCLUDE_LABEL: self.label}, "annotations": {TAKEN_OFF: self.annotation}}}


def facts(node: Found) -> NodeFacts:
    metadata, spec, status = node["metadata"], node.get("spec") or {}, node.get("status") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    conditions = {c.get("type"): c.get("status") for c in status.get("conditions") or []}
    return NodeFacts(
        name=metadata["name"],
        control_plane=any(label in labels for label in CONTROL_PLANE_LABELS),
        excluded=EXCLUDE_LABEL in labels,
        taken_off=TAKEN_OFF in annotations,
        schedulable=not spec.get("unschedulable", False),
        ready=conditions.get("Ready") == "True",
        networked=conditions.get("NetworkUnavailable") != "True",
        addresses=[a["address"] for a in status.get("addresses") or [] if a.get("type") == "InternalIP"],
    )


def changes(nodes: list[Found], mode: str) -> list[Change]:
    """What to do to the nodes so that the control plane serves as `mode` says.

    "true": take the label off every control plane node. "false": put back what was taken off. "auto": take it off if no
    other node could announce, put it back as soon as another one can.
    """
    known = [facts(node) for node in nodes]
    # A node whose label we took off does not count as "another": otherwise it would be put back on the next run.
    others = [n for n in known if not n.excluded and not n.taken_off and n.schedulable]
    take_off = mode == "true" or (mode == "auto" and not others)
    done = []
    for node, one in zip(nodes, known):
        if take_off and one.control_plane and one.excluded:
            value = node["metadata"]["labels"][EXCLUDE_LABEL]
            reason = "" if mode == "true" else " (the cluster has no other node that could announce addresses)"
            done.append(Change(one.name, None, value, f"{one.name} may announce addresses from now on{reason}"))
        elif not take_off and one.taken_off:
            value = (node["metadata"].get("annotations") or {})[TAKEN_OFF]
            done.append(Change(one.name, value, None, f"{one.name} has its label {EXCLUDE_LABEL} back"))
    return done


def as_seen_by(speakers: list[Found], nodes: list[Found]) -> list[Found]:
    """The nodes, without the label if these pods are told to ignore it."""
    containers = [one for pod in speakers for one in (pod.get("spec") or {}).get("containers") or []]
    if all(IGNORE_FLAG not in (one.get("args") or []) for one in containers):
        return nodes
    return [_unlabelled(node) for node in nodes]


def _unlabelled(node: Found) -> Found:
    labels = {key: value for key, value in (node["metadata"].get("labels") or {}).items() if key != EXCLUDE_LABEL}
    return dict(node, metadata=dict(node["metadata"], labels=labels))


def obstacle(nodes: list[Found], speakers: set[str]) -> str:
    """Why no node can announce an address, with the remedy; "" if at least one can.

    `speakers` holds the names of the nodes with a ready speaker pod.
    """
    known = [facts(node) for node in nodes]
    if not known:
        return "The cluster has no nodes."
    free = [n for n in known if not n.excluded]
    if not free:
        return (
            f"Every node ({', '.join(n.name for n in known)}) is labelled {EXCLUDE_LABEL}, so that none may announce "
            "addresses. Set lantern_serve_from_control_plane: true, or take the label off a node: "
            f"kubectl label node {known[0].name} {EXCLUDE_LABEL}-"
        )
    up = [n for n in free if n.ready and n.networked]
    if not up:
        return (
            f"No node that may announce addresses is Ready ({', '.join(n.name for n in free)}): look at "
            "`kubectl describe node` and at the kubelet's log on it."
        )
    if not any(n.name in speakers for n in up):
        return (
            f"No speaker is ready on {', '.join(n.name for n in up)}: look at "
            "`kubectl -n metallb-system get pods -o wide` and run the deploy stage."
        )
    return ""
