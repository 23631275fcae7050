# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster in memory with the methods of module_utils/_cluster/api.py, for tests of what is built on it."""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.homelab.lantern.plugins.module_utils._cluster.errors import UnservedKindError

Object = t.Dict[str, t.Any]
BUILT_IN = ("Namespace", "Node", "Secret", "Pod", "Service", "Event", "Deployment", "DaemonSet", "ConfigMap")


def merged(old: Object, patch: Object) -> Object:
    """JSON merge patch (RFC 7386)."""
    new = dict(old)
    for key, value in patch.items():
        if value is None:
            new.pop(key, None)
        elif isinstance(value, dict):
            new[key] = merged(new.get(key) or {}, value)
        else:
            new[key] = value
    return new


class FakeCluster:
    """Objects by (kind, namespace, name). Applying adds what a real server adds and must not count as a change."""

    def __init__(self, *objects: Object, served: tuple[str, ...] = BUILT_IN) -> None:
        self.served = set(served)
        self.objects: dict[tuple[str, str | None, str], Object] = {}
        self.writes: list[str] = []
        self.logs: dict[str, str] = {}
        self.pages: dict[str, str] = {}
        self.never_gone: set[str] = set()
        self._version = 0
        for one in objects:
            self.put(one)

    @staticmethod
    def key(one: Object) -> tuple[str, str | None, str]:
        return one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]

    def put(self, one: Object) -> None:
        self.objects[self.key(one)] = copy.deepcopy(one)

    # -- the methods of Cluster

    def await_kind(self, api_version: str, kind: str, seconds: float) -> None:
        if kind not in self.served:
            raise UnservedKindError(f"no {kind}")

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Object | None:
        return copy.deepcopy(self.objects.get((kind, namespace, name)))

    def list(self, api_version: str, kind: str, namespace: str | None = None, **selectors: str) -> list[Object]:
        wanted = dict(part.split("=") for part in selectors.get("label_selector", "").split(",") if part)
        found = []
        for (found_kind, found_namespace, _name), one in self.objects.items():
            labels = one["metadata"].get("labels") or {}
            matches = all(labels.get(key) == value for key, value in wanted.items())
            on_node = selectors.get("field_selector", "").partition("spec.nodeName=")[2]
            matches = matches and on_node in ("", (one.get("spec") or {}).get("nodeName"))
            if matches and found_kind == kind and namespace in (None, found_namespace):
                found.append(dict(copy.deepcopy(one), apiVersion=api_version))
        return found

    def apply(self, manifest: Object, *, dry_run: bool = False) -> Object:
        old = self.objects.get(self.key(manifest))
        new = merged(old or {}, manifest)
        self._version += 1
        new["metadata"] = dict(
            new["metadata"], resourceVersion=str(self._version), managedFields=[{"manager": "lantern"}], uid="u"
        )
        return self._write("apply", new, dry_run)

    def create(self, manifest: Object, *, dry_run: bool = False) -> Object | None:
        if self.key(manifest) in self.objects:
            return None
        return self._write("create", copy.deepcopy(manifest), dry_run)

    def merge(self, manifest: Object, patch: Object, *, subresource: str = "", dry_run: bool = False) -> Object:
        named = dict(manifest)
        return self._write("merge", merged(self.objects[self.key(named)], patch), dry_run)

    def delete(self, manifest: Object, *, orphan: bool = False, dry_run: bool = False) -> None:
        if not dry_run:
            verb = "orphan" if orphan else "delete"
            self.writes.append(f"{verb} {manifest['kind']} {manifest['metadata']['name']}")
            if manifest["metadata"]["name"] not in self.never_gone:
                self.objects.pop(self.key(manifest), None)

    def evict(self, namespace: str, pod: str) -> bool:
        if pod in self.never_gone:
            return False
        self.delete({"kind": "Pod", "metadata": {"namespace": namespace, "name": pod}})
        return True

    def log(self, namespace: str, pod: str, container: str, lines: int, previous: bool = False) -> str:
        return self.logs.get(pod, "")

    def ask_pod(self, namespace: str, pod: str, port: int, path: str, seconds: float) -> str:
        return self.pages.get(pod, "")

    def _write(self, verb: str, new: Object, dry_run: bool) -> Object:
        if not dry_run:
            self.writes.append(f"{verb} {new['kind']} {new['metadata']['name']}")
            self.put(new)
        return copy.deepcopy(new)
