# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applying, removing and pruning objects, and what counts as a change."""

from __future__ import annotations

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._cluster import objects
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.errors import ClusterError, UnservedKindError
from ansible_collections.homelab.lantern.tests.unit.plugins.fake_cluster import FakeCluster

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}}
LABELS = {objects.OWNER_LABEL: objects.OWNER}


def config(name="c", labels=None, **data):
    metadata = {"name": name, "namespace": "ns", **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def apply(cluster, *manifests, create_only=False, dry_run=False):
    return objects.apply(cluster, list(manifests), create_only=create_only, kind_seconds=0, dry_run=dry_run)


def remove(cluster, *manifests, owned_only=False, dry_run=False):
    return objects.remove(cluster, list(manifests), owned_only=owned_only, seconds=0, dry_run=dry_run)


@pytest.mark.parametrize(
    "manifest, told",
    [
        ("text", "Manifest number 1 is 'text', not a mapping"),
        ({"kind": "Pod", "metadata": {"name": "p"}}, "(Pod p) has no apiVersion"),
        ({"apiVersion": "v1", "metadata": {"name": "p"}}, "has no kind"),
        ({"apiVersion": "v1", "kind": "Pod"}, "(Pod) has no metadata.name"),
    ],
)
def test_an_incomplete_manifest_is_named(manifest, told):
    with pytest.raises(ClusterError) as caught:
        objects.check([manifest])
    assert told in str(caught.value)


def test_first_apply_changes_second_does_not_although_the_server_rewrites_metadata():
    cluster = FakeCluster(NAMESPACE)
    assert [outcome.changed for outcome in apply(cluster, config(a="1"))] == [True]
    before = cluster.get("v1", "ConfigMap", "c", "ns")["metadata"]["resourceVersion"]
    assert [outcome.changed for outcome in apply(cluster, config(a="1"))] == [False]
    assert cluster.get("v1", "ConfigMap", "c", "ns")["metadata"]["resourceVersion"] != before


def test_a_damaged_field_is_put_back_and_reported():
    cluster = FakeCluster(NAMESPACE)
    apply(cluster, config(a="1"))
    cluster.merge(config(), {"data": {"a": "2"}})
    (outcome,) = apply(cluster, config(a="1"))
    assert outcome.changed
    assert outcome.before["data"] == {"a": "2"}
    assert cluster.get("v1", "ConfigMap", "c", "ns")["data"] == {"a": "1"}


def test_dry_run_writes_nothing_but_tells():
    cluster = FakeCluster(NAMESPACE)
    (outcome,) = apply(cluster, config(a="1"), dry_run=True)
    assert outcome.changed and outcome.before is None and outcome.after["data"] == {"a": "1"}
    assert cluster.writes == []


def test_dry_run_takes_the_manifest_for_granted_where_the_server_could_only_refuse():
    cluster = FakeCluster()  # neither the namespace nor the kind is there
    lamp = {"apiVersion": "x/v1", "kind": "Lamp", "metadata": {"name": "l", "namespace": "ns"}}
    outcomes = apply(cluster, NAMESPACE, config(a="1"), lamp, dry_run=True)
    assert [outcome.changed for outcome in outcomes] == [True, True, True]
    assert cluster.writes == []


def test_a_kind_that_stays_unserved_is_an_error_outside_dry_runs():
    with pytest.raises(UnservedKindError):
        apply(FakeCluster(NAMESPACE), {"apiVersion": "x/v1", "kind": "Lamp", "metadata": {"name": "l"}})


def test_create_only_creates_once_and_never_touches_again():
    cluster = FakeCluster(NAMESPACE)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "ns"}, "data": {"k": "1"}}
    assert apply(cluster, secret, create_only=True)[0].changed
    (again,) = apply(cluster, dict(secret, data={"k": "2"}), create_only=True)
    assert not again.changed and again.note
    assert cluster.get("v1", "Secret", "s", "ns")["data"] == {"k": "1"}
    assert cluster.writes == ["create Secret s"]


def test_what_was_there_before_is_marked_and_survives_removal():
    cluster = FakeCluster(NAMESPACE)
    apply(cluster, NAMESPACE, config(a="1", labels=LABELS))
    assert objects.ADOPTED in cluster.get("v1", "Namespace", "ns")["metadata"]["annotations"]
    assert "annotations" not in cluster.get("v1", "ConfigMap", "c", "ns")["metadata"]
    assert not any(outcome.changed for outcome in apply(cluster, NAMESPACE, config(a="1", labels=LABELS)))
    outcomes = remove(cluster, NAMESPACE, config(), owned_only=True)
    assert [(outcome.subject, outcome.changed) for outcome in outcomes] == [
        ("ConfigMap ns/c", True),
        ("Namespace ns", False),
    ]
    assert cluster.get("v1", "Namespace", "ns") is not None


def test_our_object_is_not_adopted_when_somebody_took_its_label_off():
    cluster = FakeCluster(NAMESPACE)
    apply(cluster, config(a="1", labels=LABELS))
    cluster.merge(config(), {"metadata": {"labels": None}})
    (outcome,) = apply(cluster, config(a="1", labels=LABELS))
    assert outcome.changed
    assert "annotations" not in cluster.get("v1", "ConfigMap", "c", "ns")["metadata"]


def test_conversion_webhook_of_a_program_that_is_gone_is_taken_off_a_kind():
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "peers"}}
    ours = dict(crd, spec={"group": "metallb.io", "conversion": {"strategy": "None"}})
    webhook = {"clientConfig": {}, "conversionReviewVersions": ["v1"]}
    theirs = dict(crd, spec={"conversion": {"strategy": "Webhook", "webhook": webhook}})
    cluster = FakeCluster(theirs, served=("CustomResourceDefinition",))
    options = {"create_only": False, "kind_seconds": 0}
    (checked,) = objects.apply(cluster, [ours], dry_run=True, **options)
    assert checked.changed and cluster.writes == []
    (done,) = objects.apply(cluster, [ours], dry_run=False, **options)
    assert done.changed and done.after["spec"] == ours["spec"]
    assert done.after["metadata"]["annotations"] == {objects.ADOPTED: "true"}
    assert cluster.writes == ["merge CustomResourceDefinition peers", "apply CustomResourceDefinition peers"]
    (again,) = objects.apply(cluster, [ours], dry_run=False, **options)
    assert not again.changed and len(cluster.writes) == 3


def test_removal_goes_backwards_and_is_idempotent():
    cluster = FakeCluster(NAMESPACE, config("one"), config("two"))
    remove(cluster, config("one"), config("two"))
    assert cluster.writes == ["delete ConfigMap two", "delete ConfigMap one"]
    assert not any(outcome.changed for outcome in remove(cluster, config("one"), config("two")))


def test_removal_in_a_dry_run_leaves_everything():
    cluster = FakeCluster(NAMESPACE, config("one"))
    assert remove(cluster, config("one"), dry_run=True)[0].changed
    assert cluster.get("v1", "ConfigMap", "one", "ns")


def test_an_object_that_does_not_go_is_named_with_the_reason():
    stuck = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "ns"},
        "status": {"conditions": [{"status": "True", "message": "2 pods remain"}]},
    }
    cluster = FakeCluster(stuck)
    cluster.never_gone.add("ns")
    with pytest.raises(ClusterError, match="Namespace ns is still there .*2 pods remain"):
        remove(cluster, stuck)


def test_prune_deletes_only_labelled_objects_that_are_not_wanted():
    cluster = FakeCluster(NAMESPACE, config("wanted", labels=LABELS), config("stale", labels=LABELS), config("users"))
    kinds = [{"api_version": "v1", "kind": "ConfigMap", "namespace": "ns"}]
    outcomes = objects.prune(cluster, [config("wanted")], kinds, dry_run=False)
    assert [outcome.subject for outcome in outcomes] == ["ConfigMap ns/stale"]
    assert cluster.writes == ["delete ConfigMap stale"]


def test_diff_hides_secrets_even_when_only_their_contents_differ():
    def secret(value):
        return {"kind": "Secret", "metadata": {"name": "s"}, "data": {"k": value}}

    outcomes = [
        objects.Outcome("Secret s", None, secret("topsecret1")),
        objects.Outcome("Secret s", secret("topsecret1"), secret("topsecret2")),
        objects.Outcome("Secret t", secret("topsecret1"), secret("topsecret1")),
    ]
    records = objects.differences(outcomes)
    assert len(records) == 2
    assert "topsecret" not in str(records)
    assert all(record["before"] != record["after"] for record in records)
