# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server in memory: collections with growing resource versions, watches, conflicts, lost history, outages.

contract/test_fake.py compares it with a real one.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
from lantern.adapters.kube.api import ApiError
from lantern.adapters.kube.wire import WatchLine

_SERVICES = "/api/v1/services"


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def merge(target: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """RFC 7386."""
    result = dict(target)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            known = result.get(key)
            result[key] = merge(known if isinstance(known, dict) else {}, value)
        else:
            result[key] = value
    return result


def _collection(path: str) -> str:
    """Services of all namespaces are one collection here."""
    return _SERVICES if path.endswith("/services") else path


def _has_status(collection: str) -> bool:
    """Whether status is written at a path of its own, and nowhere else."""
    return collection == _SERVICES or collection.startswith("/apis/metallb.io/")


def _patched(collection: str, value: dict[str, Any], body: Mapping[str, Any], is_status: bool) -> dict[str, Any]:
    """The object with that part of the patch that counts at the path of its status, or at its own."""
    if is_status:
        counts = {"status": body.get("status", {})}
        if collection == _SERVICES:
            counts["metadata"] = body.get("metadata", {})
    elif _has_status(collection):
        counts = {key: part for key, part in body.items() if key != "status"}
    else:
        counts = dict(body)
    return merge(value, counts)


class FakeKube:
    """Holds objects by collection path and name; `events` are the created Events."""

    def __init__(self) -> None:
        self.version = 100
        self.oldest = 0
        self.down = False
        self.hold_watches_back_at_patch = False
        self.withheld_lists: set[str] = set()
        self.objects: dict[str, dict[str, dict[str, Any]]] = {}
        self.events: list[Mapping[str, Any]] = []
        self.patches: list[Mapping[str, Any]] = []
        """Of Services."""
        self.lists: Counter[str] = Counter()
        """How often each collection was listed."""
        self.requests: list[tuple[str, str]] = []
        """Every write that reached the server: method and path."""
        self.refuse_writes: dict[str, ApiError] = {}
        """By path: that of the collection for what is created."""
        self._history: list[tuple[int, str, str, dict[str, Any]]] = []
        self._moved = asyncio.Event()
        self._flowing = asyncio.Event()
        self._flowing.set()

    def put(self, path: str, value: dict[str, Any]) -> None:
        """Create or replace an object of a collection."""
        known = self.objects.setdefault(path, {})
        name = value["metadata"]["name"]
        self._store(path, "MODIFIED" if name in known else "ADDED", value)

    def delete(self, path: str, name: str) -> None:
        value = self.objects[path].pop(name)
        self._note(path, "DELETED", value)

    def forget_history(self) -> None:
        """What happened until now can no longer be watched."""
        self.oldest = self.version

    def set_down(self, down: bool) -> None:
        """Out of reach: requests fail and running watches break."""
        self.down = down
        self._wake()

    def hold_watches_back(self) -> None:
        """What happens from now on comes through no watch, until they flow again."""
        self._flowing.clear()

    def let_watches_flow(self) -> None:
        self._flowing.set()

    async def list(self, path: str, only: str = "", metadata_only: bool = False) -> tuple[str, list[msgspec.Raw]]:
        self._reach()
        self.lists[path] += 1
        while path in self.withheld_lists:
            await asyncio.sleep(0.005)
        found = self.objects.get(_collection(path), {})
        seen = (value for name, value in found.items() if only in ("", name))
        return str(self.version), [raw({"metadata": one["metadata"]} if metadata_only else one) for one in seen]

    async def watch(self, path: str, resource_version: str, only: str = "") -> AsyncIterator[WatchLine | None]:
        self._reach()
        yield None
        seen = int(resource_version)
        if seen < self.oldest:
            yield WatchLine("ERROR", raw({"code": 410, "message": "too old resource version"}))
            return
        while True:
            for version, where, kind, value in list(self._history):
                if version > seen and where == path and only in ("", value["metadata"]["name"]):
                    yield WatchLine(kind, raw(value))
            seen = self.version
            moved = self._moved
            await moved.wait()
            await self._flowing.wait()
            self._reach()

    async def get(self, path: str) -> msgspec.Raw:
        self._reach()
        return raw(self._known(path)[2])

    async def patch(self, path: str, body: Mapping[str, Any], seconds: float | None = None) -> msgspec.Raw:
        self._reach()
        self.requests.append(("PATCH", path))
        if (refusal := self.refuse_writes.get(path)) is not None:
            raise refusal
        at = path.removesuffix("/status")
        collection, _name, value = self._known(at)
        asked = body.get("metadata", {}).get("resourceVersion")
        if asked not in (None, value["metadata"]["resourceVersion"]):
            raise ApiError("the object has been modified", 409)
        if collection == _SERVICES:
            self.patches.append(body)
        if self.hold_watches_back_at_patch:
            self.hold_watches_back()
        wanted = _patched(collection, value, body, is_status=at != path)
        # What changes nothing makes no new version.
        return raw(value if wanted == value else self._store(collection, "MODIFIED", wanted))

    async def create(self, path: str, body: Mapping[str, Any]) -> msgspec.Raw:
        self._reach()
        self.requests.append(("POST", path))
        if (refusal := self.refuse_writes.get(path)) is not None:
            raise refusal
        if path.endswith("/events"):
            if body["metadata"]["name"] in {event["metadata"]["name"] for event in self.events}:
                raise ApiError("already exists", 409)
            self.events.append(body)
            return raw(body)
        name, collection = body["metadata"]["name"], _collection(path)
        if name in self.objects.setdefault(collection, {}):
            raise ApiError("already exists", 409)
        made = {key: part for key, part in body.items() if key != "status" or not _has_status(collection)}
        return raw(self._store(collection, "ADDED", made))

    async def remove(self, path: str, resource_version: str) -> None:
        self._reach()
        self.requests.append(("DELETE", path))
        if (refusal := self.refuse_writes.get(path)) is not None:
            raise refusal
        collection, name, value = self._known(path)
        if value["metadata"]["resourceVersion"] != resource_version:
            raise ApiError("the object has been modified", 409)
        self.delete(collection, name)

    def _known(self, path: str) -> tuple[str, str, dict[str, Any]]:
        """Collection, name and value of an object."""
        collection, _, name = path.rpartition("/")
        collection = _collection(collection)
        value = self.objects.get(collection, {}).get(name)
        if value is None:
            raise ApiError("not found", 404)
        return collection, name, value

    async def close(self) -> None:
        self.set_down(True)

    def _store(self, path: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        stored = merge(value, {"metadata": {"resourceVersion": str(self.version)}})
        self.objects[path][value["metadata"]["name"]] = stored
        self._history.append((self.version, path, kind, stored))
        self._wake()
        return stored

    def _note(self, path: str, kind: str, value: dict[str, Any]) -> None:
        self.version += 1
        gone = merge(value, {"metadata": {"resourceVersion": str(self.version)}})
        self._history.append((self.version, path, kind, gone))
        self._wake()

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def _reach(self) -> None:
        if self.down:
            raise ApiError("the Kubernetes API cannot be reached: connection refused")
