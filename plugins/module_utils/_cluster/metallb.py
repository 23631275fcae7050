# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in Lantern's way where MetalLB is or was. PRIVATE to the homelab.lantern collection.

Both have the same kinds, and their workloads the same names. A Deployment cannot be applied over one of somebody else
without keeping parts of it, so MetalLB's are deleted: the controller with its pod, the speakers without theirs. These
go on announcing until Lantern's DaemonSet, which finds that their labels fit, replaces them node by node.
"""

from __future__ import annotations

import typing as t

from . import implementations
from .errors import ClusterError
from .objects import Manifest, Outcome, remove

if t.TYPE_CHECKING:  # pragma: no cover
    from .api import Cluster

GROUP = "metallb.io"
# A DaemonSet holds a pod for its own, current one if this number fits, and the first template's number is 1 everywhere.
GENERATION_LABEL = "pod-template-generation"


def take_over(cluster: Cluster, namespace: str, *, seconds: float, dry_run: bool) -> list[Outcome]:
    """Remove a running MetalLB, or what is left of one, so that Lantern can be applied in its place.

    Pools, its other custom resources, the speakers' key and the speakers' pods stay. ClusterError, before anything is
    changed, if this MetalLB was not installed by its manifests or announces by BGP.
    """
    workloads = _workloads(cluster)
    _check(cluster, workloads, namespace)
    outcomes = _without_webhooks(cluster, namespace, seconds, dry_run)
    for workload in sorted(workloads, key=lambda one: one["kind"], reverse=True):  # Deployment before DaemonSet
        orphan = workload["kind"] == "DaemonSet"
        if orphan and not dry_run:
            _disown(cluster, workload)
        outcomes += remove(cluster, [workload], owned_only=False, seconds=seconds, dry_run=dry_run, orphan=orphan)
    return outcomes


def _workloads(cluster: Cluster) -> list[Manifest]:
    return implementations.metallb_workloads(
        cluster.list("apps/v1", "Deployment") + cluster.list("apps/v1", "DaemonSet")
    )


def _check(cluster: Cluster, workloads: list[Manifest], namespace: str) -> None:
    for one in workloads:
        place = (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"])
        if place not in (("Deployment", namespace, "controller"), ("DaemonSet", namespace, "speaker")):
            raise ClusterError(
                f"{implementations.where(one)} is not called as in MetalLB's own manifests, so Lantern cannot replace "
                f"it node by node. {implementations.METALLB_REMEDY}"
            )
    peers = cluster.list(f"{GROUP}/v1beta2", "BGPPeer", namespace) if workloads else []
    if peers:
        names = ", ".join(peer["metadata"]["name"] for peer in peers)
        raise ClusterError(
            f"MetalLB announces by BGP here (BGPPeer {names}), which Lantern does not do yet: keep MetalLB, or delete "
            "these BGPPeers if layer 2 is enough."
        )


def _without_webhooks(cluster: Cluster, namespace: str, seconds: float, dry_run: bool) -> list[Outcome]:
    """Nobody answers them any more, and until then the API server refuses to write any pool."""
    outcomes = []
    for configuration in cluster.list("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"):
        services = _services(configuration, namespace)
        if services:
            doomed = [_service(name, namespace) for name in sorted(services)] + [configuration]
            outcomes += remove(cluster, doomed, owned_only=False, seconds=seconds, dry_run=dry_run)
    return outcomes


def _services(configuration: Manifest, namespace: str) -> set[str]:
    """Names of the Services that are asked about objects of MetalLB's kinds."""
    asked = set()
    for webhook in configuration.get("webhooks") or []:
        service = webhook["clientConfig"].get("service") or {}
        groups = {group for rule in webhook.get("rules") or [] for group in rule.get("apiGroups") or []}
        if GROUP in groups and service.get("namespace") == namespace:
            asked.add(service["name"])
    return asked


def _disown(cluster: Cluster, daemon_set: Manifest) -> None:
    """Have whoever adopts the pods take them for outdated."""
    namespace = daemon_set["metadata"]["namespace"]
    labels = daemon_set["spec"]["selector"]["matchLabels"]
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    for pod in cluster.list("v1", "Pod", namespace, label_selector=selector):
        cluster.merge(pod, {"metadata": {"labels": {GENERATION_LABEL: None}}})


def _service(name: str, namespace: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}}
