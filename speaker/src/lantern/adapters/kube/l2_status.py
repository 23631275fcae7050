# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the ServiceL2Status objects of this node true: one for each Service that it announces.

Written on change only, in the background, so that nothing waits for it. Objects that an earlier process of this node
has left behind are taken over or deleted. Of other nodes' objects only those are deleted that are older than this
node's ownership of their Service: a dead owner cannot delete its own. Younger ones are left alone, so that two nodes
that both believe themselves the owner show both, rather than fight.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from lantern.adapters.kube import wire
from lantern.adapters.kube.api import ApiError
from lantern.adapters.kube.reflector import Source, Store, follow
from lantern.adapters.kube.writer import Background, Sink
from lantern.adapters.logs import fields
from lantern.core.announced import Announcer, Interfaces
from lantern.core.model import ServiceKey

log = logging.getLogger("lantern.kube")

_NODE_LABEL = "metallb.io/node"
_NAME_LABEL = "metallb.io/service-name"
_NAMESPACE_LABEL = "metallb.io/service-namespace"
_ROUND_SECONDS = 1.0
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 15.0
_LONGEST_FIGHT_SECONDS = 64.0
_CALM_SECONDS = 600.0
_OF_ONE_OBJECT = frozenset((404, 409, 422))


class StatusApi(Source, Sink, Protocol):
    """The part of the API that this needs."""

    async def remove(self, path: str, resource_version: str) -> None: ...


@dataclass(frozen=True, slots=True)
class L2Status:
    """A ServiceL2Status object."""

    name: str
    announcer: Announcer
    labels: Mapping[str, str]
    owners: frozenset[str]
    """Their uids."""
    told: bool
    """It has a status; what it says of node and Service can never be changed."""
    version: str = field(compare=False)


def l2_statuses_path(namespace: str) -> str:
    """The collection in the namespace of the configuration."""
    return f"/apis/metallb.io/v1beta1/namespaces/{namespace}/servicel2statuses"


def l2_status(raw: msgspec.Raw) -> L2Status:
    """Read the object; its labels stand in for a status that is not written yet. Raises ValueError when it is none."""
    found = msgspec.json.decode(raw, type=wire.ServiceL2Status)
    meta, status = found.metadata, found.status or wire.L2StatusStatus()
    labels = meta.labels or {}
    service = ServiceKey(
        status.serviceNamespace or labels.get(_NAMESPACE_LABEL, ""), status.serviceName or labels.get(_NAME_LABEL, "")
    )
    interfaces = tuple(sorted(item.name for item in status.interfaces or ()))
    return L2Status(
        name=meta.name,
        announcer=Announcer(service, status.node or labels.get(_NODE_LABEL, ""), interfaces),
        labels=labels,
        owners=frozenset(item.uid for item in meta.ownerReferences or ()),
        told=bool(status.node and status.serviceName and status.serviceNamespace),
        version=meta.resourceVersion,
    )


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes: the node, and the own pod, with which the objects go."""

    node: str
    pod_name: str = ""
    pod_uid: str = ""

    def object_name(self, service: ServiceKey) -> str:
        """Always the same, so that a creation whose answer was lost is not repeated beside it."""
        return f"l2-{hashlib.sha256(f'{self.node}#{service}'.encode()).hexdigest()[:16]}"

    def metadata(self, service: ServiceKey) -> dict[str, Any]:
        """Labels and owner as on the wire."""
        labels = {_NODE_LABEL: self.node, _NAME_LABEL: service.name, _NAMESPACE_LABEL: service.namespace}
        owner = {"apiVersion": "v1", "kind": "Pod", "name": self.pod_name, "uid": self.pod_uid}
        owned = {"ownerReferences": [owner]} if self.pod_name and self.pod_uid else {}
        return {"labels": labels, **owned}

    def has_marked(self, known: L2Status) -> bool:
        """Whether labels and owner are this writer's."""
        labels = self.metadata(known.announcer.service)["labels"].items()
        has_labels = all(known.labels.get(key) == value for key, value in labels)
        return has_labels and (not self.pod_name or not self.pod_uid or known.owners == {self.pod_uid})

    def status(self, service: ServiceKey, interfaces: Interfaces, known: L2Status | None) -> dict[str, Any] | None:
        """The status to write; None when the object says so already."""
        if known is not None and known.told and known.announcer == Announcer(service, self.node, interfaces):
            return None
        return {
            "node": self.node,
            "serviceName": service.name,
            "serviceNamespace": service.namespace,
            "interfaces": [{"name": name} for name in interfaces] or None,
        }


@dataclass(slots=True)
class _Tenure:
    """This node's announcing of one Service, as long as it lasts."""

    interfaces: Interfaces
    since: int | None = None
    """Objects of other nodes up to this version are older; None until the own one is there."""
    made_at: float = float("-inf")
    pause: float = 0.0
    """For how long the object is not made again, in case that somebody keeps deleting it."""


class L2StatusKeeper:
    """Makes the cluster's objects of this node equal to what was wanted last."""

    def __init__(self, api: StatusApi, namespace: str, writer: Writer, background: Background) -> None:
        self._api = api
        self._writer = writer
        self._background = background
        self._path = l2_statuses_path(namespace)
        self._store = Store("servicel2statuses", self._path, l2_status)
        self._wanted: dict[ServiceKey, _Tenure] | None = None
        self._moved = asyncio.Event()

    def want(self, announced: Mapping[ServiceKey, Interfaces] | None) -> None:
        """Everything that this node announces from now on; None changes nothing.

        Nothing is written before the first call.
        """
        known = self._wanted or {}
        before = None if self._wanted is None else {key: tenure.interfaces for key, tenure in known.items()}
        if announced is None or announced == before:
            return
        wanted: dict[ServiceKey, _Tenure] = {}
        for key, interfaces in announced.items():
            tenure = wanted[key] = known.get(key) or _Tenure(interfaces)
            tenure.interfaces = interfaces
        self._wanted = wanted
        self._moved.set()

    async def run(self) -> None:
        """Follow and write for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(follow(self._api, self._store, self._moved.set))
            tasks.create_task(self._keep())

    async def _keep(self) -> None:
        clock, failures = asyncio.get_running_loop().time, 0
        while True:
            await self._moved.wait()
            if not self._store.is_synced or self._wanted is None:
                self._moved.clear()
                continue
            began = clock()
            await self._background.turn(began)
            self._moved.clear()
            pause = _ROUND_SECONDS
            try:
                complete = await self._round(began)
                failures = 0 if complete else failures + 1
            except ApiError as error:
                failures += 1
                pause = error.retry_after or 0.0
                log.warning("announcements are not told to the cluster, will retry", extra=fields(error=str(error)))
            if failures:
                pause = max(pause, min(_FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 16), _LONGEST_PAUSE_SECONDS))
                self._moved.set()
            await asyncio.sleep(pause)

    async def _round(self, began: float) -> bool:
        """One comparison with the cluster; whether all could be written. Raises ApiError when no write would do."""
        known = {item.name: item for item in self._store.values()}
        newest = max((_number(item.version) for item in known.values()), default=0)
        complete = True
        for item in known.values():
            if item.announcer.node == self._writer.node and not self._is_wanted(item):
                complete &= await self._delete(item, began)
        for key, tenure in list((self._wanted or {}).items()):
            if self._tenure(key) is tenure:
                complete &= await self._tell(key, tenure, known.get(self._writer.object_name(key)), newest, began)
        for item in known.values():
            if item.announcer.node != self._writer.node and self._is_left_over(item):
                complete &= await self._delete(item, began)
        return complete

    def _tenure(self, key: ServiceKey) -> _Tenure | None:
        return self._wanted.get(key) if self._wanted is not None else None

    def _is_wanted(self, item: L2Status) -> bool:
        key = item.announcer.service
        return self._tenure(key) is not None and item.name == self._writer.object_name(key)

    def _is_left_over(self, item: L2Status) -> bool:
        tenure = self._tenure(item.announcer.service)
        return tenure is not None and tenure.since is not None and _number(item.version) <= tenure.since

    async def _tell(self, key: ServiceKey, tenure: _Tenure, known: L2Status | None, newest: int, began: float) -> bool:
        """Bring one own object up to date."""
        name = self._writer.object_name(key)
        if known is not None and known.announcer.node != self._writer.node:
            return await self._delete(known, began)
        metadata = self._writer.metadata(key)
        try:
            if known is None:
                if self._is_fought_over(tenure):
                    return True
                await self._background.turn(began)
                body = {"apiVersion": "metallb.io/v1beta1", "kind": "ServiceL2Status"}
                made = await self._api.create(self._path, {**body, "metadata": {"name": name, **metadata}})
                self._store.upsert(made)
                known = l2_status(made)
            elif not self._writer.has_marked(known):
                await self._background.turn(began)
                known = self._wrote(await self._api.patch(f"{self._path}/{name}", {"metadata": metadata}))
            if (status := self._writer.status(key, tenure.interfaces, known)) is not None:
                await self._background.turn(began)
                known = self._wrote(await self._api.patch(f"{self._path}/{name}/status", {"status": status}))
        except ApiError as error:
            return _forgive(error, name)
        if tenure.since is None:
            tenure.since = max(newest, _number(known.version))
        return True

    def _is_fought_over(self, tenure: _Tenure) -> bool:
        """Whether the object is to stay away for now, as it was made just before. Notes that it is made, if not."""
        loop = asyncio.get_running_loop()
        since = loop.time() - tenure.made_at
        if since < tenure.pause:
            loop.call_later(tenure.pause - since, self._moved.set)
            return True
        calm = since > _CALM_SECONDS
        tenure.pause = _FIRST_PAUSE_SECONDS if calm else min(2 * tenure.pause, _LONGEST_FIGHT_SECONDS)
        tenure.made_at = loop.time()
        return False

    async def _delete(self, item: L2Status, began: float) -> bool:
        await self._background.turn(began)
        try:
            await self._api.remove(f"{self._path}/{item.name}", item.version)
        except ApiError as error:
            # Its node may have been faster.
            return error.code == 404 or _forgive(error, item.name)
        return True

    def _wrote(self, raw: msgspec.Raw) -> L2Status:
        self._store.wrote(raw)
        return l2_status(raw)


def _forgive(error: ApiError, name: str) -> bool:
    """False, for: not done. Raises the error again when it is not about this object alone."""
    if error.code not in _OF_ONE_OBJECT:
        raise error
    # Deleted, made or changed meanwhile by somebody else: the watch tells, and the next round does the rest.
    level = logging.DEBUG if error.is_outdated else logging.WARNING
    log.log(level, "announcement is not told to the cluster, will retry", extra=fields(object=name, error=str(error)))
    return False


def _number(version: str) -> int:
    return int(version) if version.isdecimal() else 0
