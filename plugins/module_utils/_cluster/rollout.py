# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a workload ready, and if not, what does a person have to know. PRIVATE to the homelab.lantern collection.

The readiness rules are those of `kubectl rollout status`.
"""

from __future__ import annotations

import typing as t

Found = t.Dict[str, t.Any]

LOG_LINES = 15
SHOWN_PODS = 3
SHOWN_EVENTS = 4

# What a container waits for when nothing is wrong: no news for a person.
ORDINARY_REASONS = ("ContainerCreating", "PodInitializing")
# What container runtimes say of a registry that they take for one with HTTPS.
PLAIN_HTTP = "server gave HTTP response to HTTPS client"
PLAIN_HTTP_REMEDY = (
    "The registry speaks plain HTTP, and that node's container runtime has to be told so: the README of role deploy, "
    "'Into the nodes, or by a registry', shows the file."
)
REMEDIES = {
    "ErrImageNeverPull": "The image is not on that node: the node must be in the inventory's group nodes; run "
    "the deploy stage.",
    "ErrImagePull": "The node cannot fetch the image: check deploy_image and the node's way to that registry.",
    "ImagePullBackOff": "The node cannot fetch the image: check deploy_image and the node's way to that registry.",
    "InvalidImageName": "Correct deploy_image.",
    "CreateContainerConfigError": "Something that the pod mounts or reads is missing: run the deploy stage from "
    "its beginning.",
    "CrashLoopBackOff": "The program ends again and again; the last lines of its log say why.",
    "Unschedulable": "No node takes the pod: add a node, free resources, or remove the taints named above.",
}


class State(t.NamedTuple):
    """How far a workload is."""

    name: str
    ready: bool
    have: int
    want: int


def state(kind: str, name: str, found: Found | None) -> State:
    """The state of a Deployment or DaemonSet as read from the API server, None if it does not exist."""
    if found is None:
        return State(name, False, 0, 1)
    spec, status = found.get("spec") or {}, found.get("status") or {}
    seen = status.get("observedGeneration", 0) >= found["metadata"].get("generation", 0)
    if kind == "DaemonSet":
        want = status.get("desiredNumberScheduled", 0)
        updated, available = status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0)
        settled = True
    else:
        want = spec.get("replicas", 1)
        updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
        settled = status.get("replicas", 0) <= updated
    have = min(updated, available)
    return State(name, seen and settled and have >= want, have if seen else 0, want)


def selector(found: Found) -> str:
    """The label selector of a workload's pods, as a query parameter."""
    labels = ((found.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def is_ready(pod: Found) -> bool:
    """True if the pod's condition Ready holds."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def trouble(pod: Found) -> tuple[str, str]:
    """(reason, message) for a pod that is not ready, from its containers, else its scheduling; ("", "") if unknown."""
    status = pod.get("status") or {}
    for container in (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or []):
        waiting = (container.get("state") or {}).get("waiting")
        if waiting and waiting.get("reason") not in ORDINARY_REASONS:
            return waiting.get("reason", "Waiting"), waiting.get("message", "")
        ended = (container.get("state") or {}).get("terminated")
        if ended and ended.get("exitCode", 0) != 0:
            return ended.get("reason", "Error"), f"exit status {ended['exitCode']}"
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return condition.get("reason", "Unschedulable"), condition.get("message", "")
    if status.get("phase") == "Running":
        return "NotReady", "it runs, but its readiness probe does not succeed"
    return "", ""


def progress(states: list[State], pods: dict[str, list[Found]]) -> str:
    """One line for a person who waits: `controller 1 of 1 ready, speaker 2 of 3 ready (node3: ImagePullBackOff)`."""
    parts = []
    for one in states:
        text = f"{one.name} {one.have} of {one.want} ready"
        hints = []
        for pod in pods.get(one.name, []):
            reason = "" if is_ready(pod) else trouble(pod)[0]
            if reason and reason != "NotReady":
                hints.append(f"{_node(pod)}: {reason}")
        if hints and not one.ready:
            text += f" ({', '.join(sorted(set(hints)))})"
        parts.append(text)
    return ", ".join(parts)


def failing(pods: list[Found]) -> list[Found]:
    """The pods that are not ready, those with a known trouble first; not those that are on their way out."""
    waiting = [pod for pod in pods if not is_ready(pod) and not pod["metadata"].get("deletionTimestamp")]
    return sorted(waiting, key=lambda pod: (not trouble(pod)[0], pod["metadata"]["name"]))


def container_for_log(pod: Found) -> tuple[str, bool]:
    """(container, previous): whose log tells most about why this pod is not ready. ("", False) if none ever ran."""
    for container in (pod.get("status") or {}).get("containerStatuses") or []:
        current = container.get("state") or {}
        if "running" in current or "terminated" in current:
            return container["name"], False
        if container.get("restartCount", 0) > 0:
            return container["name"], True
    return "", False


def events_about(events: list[Found], names: list[str]) -> list[str]:
    """The newest warnings about objects whose name begins with one of `names`, without repetitions, oldest first."""
    told: dict[str, str] = {}
    for event in events:
        involved = (event.get("involvedObject") or {}).get("name", "")
        if event.get("type") == "Warning" and any(involved == n or involved.startswith(f"{n}-") for n in names):
            when = event.get("lastTimestamp") or event.get("eventTime") or ""
            text = f"{event.get('reason', '')}: {' '.join(str(event.get('message', '')).split())}"
            told[text] = max(told.get(text, ""), str(when))
    newest = sorted(told.items(), key=lambda item: item[1])[-SHOWN_EVENTS:]
    return [text for text, _when in newest]


def report(one: State, kind: str, namespace: str, pods: list[Found], events: list[Found], logs: dict[str, str]) -> str:
    """The message for a workload that did not become ready; `logs` by pod name."""
    lines = [f"{kind} {namespace}/{one.name} is not ready in time: {one.have} of {one.want} pods are."]
    broken = failing(pods)[:SHOWN_PODS]
    for pod in broken:
        name = pod["metadata"]["name"]
        reason, message = trouble(pod)
        restarts = sum(c.get("restartCount", 0) for c in (pod.get("status") or {}).get("containerStatuses") or [])
        lines.append(
            f"Pod {name} on {_node(pod)}: {reason or (pod.get('status') or {}).get('phase', 'no state yet')}"
            + (f": {message}" if message else "")
            + (f" ({restarts} restarts)" if restarts else "")
        )
        lines += [f"  event: {text}" for text in events_about(events, [name]) if _is_news(text, reason, message)]
        lines += [f"  log: {line}" for line in logs.get(name, "").splitlines()[-LOG_LINES:]]
    if not broken:
        lines += [f"  event: {text}" for text in events_about(events, [one.name])]
    remedies = {_remedy(*trouble(pod)) for pod in broken} - {""}
    lines += sorted(remedies) or [f"Look at: kubectl -n {namespace} describe pods"]
    return "\n".join(lines)


def _remedy(reason: str, message: str) -> str:
    return PLAIN_HTTP_REMEDY if PLAIN_HTTP in message else REMEDIES.get(reason, "")


def _is_news(event: str, reason: str, message: str) -> bool:
    """False for an event that only repeats what the container's state says: same end of the message, or bare reason."""
    text = event.split(": ", 1)[-1]
    return not text.startswith("Error: ") and reason not in text and (not message or message[-60:] not in text)


def _node(pod: Found) -> str:
    return (pod.get("spec") or {}).get("nodeName") or "no node"
