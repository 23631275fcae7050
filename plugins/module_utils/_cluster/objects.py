# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply and remove manifests, and tell what really changed. PRIVATE to the homelab.lantern collection."""

from __future__ import annotations

import copy
import time
import typing as t

from . import messages
from .errors import ClusterError, UnservedKindError

try:
    import yaml
except ImportError:  # reported by connection.connect(), which every module calls first
    yaml = None

if t.TYPE_CHECKING:  # pragma: no cover
    from .api import Cluster

Manifest = t.Dict[str, t.Any]

# Written by the API server and its controllers on every write: no change that a person made or would want to see.
NOISE_METADATA = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")
NOISE_ANNOTATIONS = ("deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")
OWNER_LABEL = "app.kubernetes.io/managed-by"
OWNER = "lantern"
# On objects that were in the cluster before Lantern came: it uses them, but they are not its own to delete.
ADOPTED = "homelab.lantern/adopted"
HIDDEN = "hidden: contents of a Secret"
GONE_POLL_SECONDS = 0.5


class Outcome(t.NamedTuple):
    """What became of one manifest. `before` and `after` are cleaned objects, None for an object that does not exist."""

    subject: str
    before: Manifest | None
    after: Manifest | None
    # Only for an object that was left alone on purpose: why.
    note: str = ""

    @property
    def changed(self) -> bool:
        return self.before != self.after


def check(manifests: t.Any) -> None:
    """ClusterError naming the first manifest that lacks what every object needs."""
    for number, manifest in enumerate(manifests, start=1):
        if not isinstance(manifest, dict):
            raise ClusterError(
                f"Manifest number {number} is {manifest!r}, not a mapping: correct the list of manifests."
            )
        for field in ("apiVersion", "kind"):
            if not manifest.get(field):
                raise ClusterError(f"Manifest number {number} ({messages.name_of(manifest)}) has no {field}: add it.")
        if not (manifest.get("metadata") or {}).get("name"):
            raise ClusterError(f"Manifest number {number} ({manifest['kind']}) has no metadata.name: add it.")


def cleaned(found: Manifest | None) -> Manifest | None:
    """The object without what the API server adds by itself, comparable between two reads."""
    if found is None:
        return None
    tidy = copy.deepcopy(found)
    tidy.pop("status", None)
    metadata = tidy.get("metadata", {})
    for field in NOISE_METADATA:
        metadata.pop(field, None)
    annotations = metadata.get("annotations") or {}
    for annotation in NOISE_ANNOTATIONS:
        annotations.pop(annotation, None)
    if not annotations:
        metadata.pop("annotations", None)
    return tidy


def public(tidy: Manifest | None) -> Manifest | None:
    """A cleaned object as it may be shown: nothing of a Secret's contents, only which keys it has."""
    if tidy is None or tidy.get("kind") != "Secret":
        return tidy
    shown = copy.deepcopy(tidy)
    for field in ("data", "stringData"):
        if field in shown:
            shown[field] = dict.fromkeys(shown[field], HIDDEN)
    return shown


def differences(outcomes: list[Outcome]) -> list[dict[str, str]]:
    """Ansible's diff records, one per changed object, as YAML."""
    records = []
    for outcome in outcomes:
        if not outcome.changed:
            continue
        before, after = public(outcome.before), public(outcome.after)
        if before is not None and before == after:  # only hidden contents differ: say that something did
            after = dict(t.cast("Manifest", after), data="hidden: other contents of a Secret")
        records.append(
            {
                "before_header": outcome.subject,
                "after_header": outcome.subject,
                "before": _text(before),
                "after": _text(after),
            }
        )
    return records


def _text(tidy: Manifest | None) -> str:
    return "" if tidy is None else yaml.safe_dump(tidy, sort_keys=True, width=120)


def apply(
    cluster: Cluster, manifests: list[Manifest], *, create_only: bool, kind_seconds: float, dry_run: bool
) -> list[Outcome]:
    """Bring the objects into being as the manifests say, in their order.

    `create_only` leaves an object that exists as it is. A kind that is not served yet is waited for up to
    `kind_seconds`; in a dry run nothing is installed that would make it appear, so that the manifest itself stands for
    what would be there.
    """
    check(manifests)
    outcomes = []
    absent_namespaces = set()
    for manifest in manifests:
        namespace = manifest["metadata"].get("namespace")
        served = _served(cluster, manifest, 0 if dry_run else kind_seconds, dry_run)
        found = _find(cluster, manifest) if served else None
        before = cleaned(found)
        if create_only and found is not None:
            outcomes.append(Outcome(messages.name_of(manifest), before, before, "exists, left as it is"))
            continue
        if dry_run and (not served or _lacks(cluster, namespace, absent_namespaces)):
            after = cleaned(manifest)
        elif create_only:
            made = cluster.create(manifest, dry_run=dry_run)
            after = before if made is None else cleaned(made)
        else:
            freed = _without_webhook(cluster, manifest, found, dry_run=dry_run)
            # A dry run has freed nothing: what follows would be refused.
            applied = freed if freed and dry_run else cluster.apply(_as_found(manifest, found), dry_run=dry_run)
            after = cleaned(applied)
        outcomes.append(Outcome(messages.name_of(manifest), before, after))
    return outcomes


def remove(
    cluster: Cluster,
    manifests: list[Manifest],
    *,
    owned_only: bool,
    seconds: float,
    dry_run: bool,
    orphan: bool = False,
) -> list[Outcome]:
    """Delete the objects, last one first, and wait up to `seconds` in all until they are gone.

    With `owned_only` an object is left alone that Lantern did not make or only adopted: it belongs to somebody else.
    With `orphan` what they own stays.
    """
    check(manifests)
    outcomes = []
    deadline = time.monotonic() + seconds
    for manifest in reversed(manifests):
        subject = messages.name_of(manifest)
        found = _find(cluster, manifest)
        if found is None:
            outcomes.append(Outcome(subject, None, None))
            continue
        before = cleaned(found)
        if owned_only and (_adopted(found) or not is_ours(found)):
            outcomes.append(Outcome(subject, before, before, "was not made by Lantern, left as it is"))
            continue
        cluster.delete(manifest, orphan=orphan, dry_run=dry_run)
        if not dry_run:
            _await_gone(cluster, manifest, deadline, seconds)
        outcomes.append(Outcome(subject, before, None))
    return outcomes


def prune(cluster: Cluster, manifests: list[Manifest], kinds: list[dict[str, str]], *, dry_run: bool) -> list[Outcome]:
    """Delete objects that bear Lantern's label and are not among the manifests, as an inventory no longer names them.

    `kinds`: api_version, kind and namespace of the objects to look at.
    """
    wanted = {(m["kind"], m["metadata"].get("namespace"), m["metadata"]["name"]) for m in manifests}
    outcomes = []
    for one in kinds:
        selector = f"{OWNER_LABEL}={OWNER}"
        for found in cluster.list(one["api_version"], one["kind"], one["namespace"], label_selector=selector):
            name = found["metadata"]["name"]
            if (one["kind"], one["namespace"], name) not in wanted and not _adopted(found):
                cluster.delete(found, dry_run=dry_run)
                outcomes.append(Outcome(messages.name_of(found), cleaned(found), None))
    return outcomes


def is_ours(found: Manifest) -> bool:
    """True if Lantern made the object or applied itself to it: by its label, or, if that was lost, by who wrote it."""
    metadata = found.get("metadata") or {}
    writers = {entry.get("manager") for entry in metadata.get("managedFields") or []}
    return (metadata.get("labels") or {}).get(OWNER_LABEL) == OWNER or OWNER in writers


def _adopted(found: Manifest) -> bool:
    return ADOPTED in (found["metadata"].get("annotations") or {})


def _as_found(manifest: Manifest, found: Manifest | None) -> Manifest:
    """The manifest, with a mark if the object was there before Lantern: then reset has to leave it in the cluster."""
    if found is None or (is_ours(found) and not _adopted(found)):
        return manifest
    marked = copy.deepcopy(manifest)
    marked["metadata"].setdefault("annotations", {})[ADOPTED] = "true"
    return marked


def _without_webhook(cluster: Cluster, manifest: Manifest, found: Manifest | None, *, dry_run: bool) -> Manifest | None:
    """A kind without the conversion webhook that somebody else, such as MetalLB, gave it; None if there is none.

    Applying leaves what others have set, and the API server refuses a webhook beside the strategy None.
    """
    wanted, there = (((one or {}).get("spec") or {}).get("conversion") or {} for one in (manifest, found))
    if wanted.get("strategy") != "None" or not there.get("webhook"):
        return None
    return cluster.merge(manifest, {"spec": {"conversion": {"strategy": "None", "webhook": None}}}, dry_run=dry_run)


def _find(cluster: Cluster, manifest: Manifest) -> Manifest | None:
    metadata = manifest["metadata"]
    return cluster.get(manifest["apiVersion"], manifest["kind"], metadata["name"], metadata.get("namespace"))


def _served(cluster: Cluster, manifest: Manifest, seconds: float, tolerate: bool) -> bool:
    try:
        cluster.await_kind(manifest["apiVersion"], manifest["kind"], seconds)
    except UnservedKindError:
        if tolerate:
            return False
        raise
    return True


def _lacks(cluster: Cluster, namespace: str | None, known: set[str]) -> bool:
    """True if the namespace does not exist: then the API server refuses even a dry run of what shall lie in it."""
    if namespace is None:
        return False
    if namespace not in known and cluster.get("v1", "Namespace", namespace) is None:
        known.add(namespace)
    return namespace in known


def _await_gone(cluster: Cluster, manifest: Manifest, deadline: float, seconds: float) -> None:
    while True:
        found = _find(cluster, manifest)
        if found is None:
            return
        if time.monotonic() >= deadline:
            conditions = (found.get("status") or {}).get("conditions") or []
            told = [c["message"] for c in conditions if c.get("status") == "True" and c.get("message")]
            holders = (found["metadata"].get("finalizers") or []) + ((found.get("spec") or {}).get("finalizers") or [])
            why = "; ".join(told) or (
                f"finalizers {', '.join(holders)}" if holders else "the API server gives no reason"
            )
            raise ClusterError(
                f"{messages.name_of(manifest)} is still there {seconds:g} seconds after it was deleted: {why}. "
                "Check that the cluster's controller manager runs, then run the play again."
            )
        time.sleep(GONE_POLL_SECONDS)
