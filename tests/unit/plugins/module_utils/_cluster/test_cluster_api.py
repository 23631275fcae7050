# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls to the API server: what is asked of the library, and what becomes of its exceptions."""

from __future__ import annotations

import pytest

pytest.importorskip("kubernetes")

import urllib3
from ansible_collections.homelab.lantern.plugins.module_utils._cluster import api
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.errors import (
    ClusterError,
    RefusedError,
    UnservedKindError,
)
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.exceptions import ResourceNotFoundError

MANIFEST = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "ns"}}


class Answer:
    def __init__(self, content):
        self.content = content

    def to_dict(self):
        return self.content


class Library:
    """DynamicClient and resource in one: every call is recorded, and answered by `reply` or raised."""

    def __init__(self, reply=None, unknown_lookups=0):
        self.reply, self.unknown_lookups = reply, unknown_lookups
        self.calls = []
        self.resources = self

    def get(self, **options):
        if "api_version" in options:
            if self.unknown_lookups:
                self.unknown_lookups -= 1
                raise ResourceNotFoundError("no")
            return self
        return self._called("get", options)

    def invalidate_cache(self):
        self.calls.append(("invalidate", {}))

    def __getattr__(self, name):
        if name == "status":
            return self
        return lambda **options: self._called(name, options)

    def _called(self, name, options):
        self.calls.append((name, options))
        if isinstance(self.reply, Exception):
            raise self.reply
        return Answer(self.reply)


def cluster(library):
    return api.Cluster(lambda: library, server="https://h:6443", timeout=7)


def refusal(code):
    exception = ApiException(status=code)
    exception.body = '{"message": "no"}'
    return exception


def test_apply_is_server_side_forced_and_ours():
    library = Library({"kind": "Pod"})
    assert cluster(library).apply(MANIFEST, dry_run=True) == {"kind": "Pod"}
    ((name, options),) = library.calls
    assert name == "server_side_apply"
    assert options == {
        "body": MANIFEST,
        "namespace": "ns",
        "field_manager": "lantern",
        "force_conflicts": True,
        "dry_run": "All",
        "_request_timeout": 7,
    }


def test_what_does_not_exist_is_none_or_empty_and_deleting_it_is_fine():
    missing = cluster(Library(refusal(404)))
    assert missing.get("v1", "Pod", "p", "ns") is None
    assert missing.list("v1", "Pod") == []
    missing.delete(MANIFEST)
    unserved = cluster(Library(unknown_lookups=9))
    assert unserved.get("x/v1", "Lamp", "l") is None
    assert unserved.list("x/v1", "Lamp") == []
    unserved.delete(MANIFEST)
    assert unserved._client.calls == []


def test_objects_of_a_list_say_their_kind_as_those_that_are_read_alone():
    listed = [{"metadata": {"name": "p"}}, {"metadata": {"name": "q"}}]
    found = cluster(Library({"kind": "PodList", "items": listed})).list("v1", "Pod", "ns")
    assert [(one["apiVersion"], one["kind"], one["metadata"]["name"]) for one in found] == [
        ("v1", "Pod", "p"),
        ("v1", "Pod", "q"),
    ]


def test_other_refusals_are_explained():
    with pytest.raises(RefusedError, match="Cannot apply Pod ns/p: no. The user of this kubeconfig lacks") as caught:
        cluster(Library(refusal(403))).apply(MANIFEST)
    assert caught.value.code == 403
    with pytest.raises(RefusedError):
        cluster(Library(refusal(404))).apply(MANIFEST)


def test_create_leaves_what_came_into_being_meanwhile():
    assert cluster(Library(refusal(409))).create(MANIFEST) is None
    with pytest.raises(RefusedError):
        cluster(Library(refusal(422))).create(MANIFEST)


def test_a_dead_server_is_one_message():
    with pytest.raises(ClusterError, match="The API server https://h:6443 does not answer"):
        cluster(Library(urllib3.exceptions.ConnectTimeoutError("slow"))).list("v1", "Pod")

    def broken():
        raise urllib3.exceptions.MaxRetryError(None, "/version", "refused")

    with pytest.raises(ClusterError, match="does not answer"):
        api.Cluster(broken, server="https://h:6443", timeout=7).list("v1", "Pod")


def test_a_fresh_kind_is_waited_for_with_new_discovery(monkeypatch):
    monkeypatch.setattr(api, "KIND_RETRY_SECONDS", 0)
    library = Library(unknown_lookups=2)
    cluster(library).await_kind("x/v1", "Lamp", 5)
    assert library.calls == [("invalidate", {}), ("invalidate", {})]
    with pytest.raises(UnservedKindError, match="serves no Lamp of x/v1"):
        cluster(Library(unknown_lookups=99)).await_kind("x/v1", "Lamp", 0)


def test_a_status_patch_goes_to_the_subresource_as_merge_patch():
    library = Library({})
    cluster(library).merge(MANIFEST, {"status": None}, subresource="status")
    ((name, options),) = library.calls
    assert name == "patch"
    assert options["content_type"] == "application/merge-patch+json"
    assert (options["name"], options["namespace"], options["body"]) == ("p", "ns", {"status": None})
