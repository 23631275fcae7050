# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written to the cluster: the address in a Service's status, and Events that tell people about it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import msgspec

from lantern.adapters.kube.api import ApiError
from lantern.adapters.logs import fields
from lantern.core.model import TAKEN_OVER_ANNOTATION, ObjectRef, Service
from lantern.pools import Address

log = logging.getLogger("lantern.kube")

POOL_ANNOTATION = "metallb.io/ip-allocated-from-pool"
REASON_ANNOTATION = "lantern.homelab/reason"
_OLD_POOL_ANNOTATION = "metallb.universe.tf/ip-allocated-from-pool"
_API_VERSIONS = {"Service": "v1", "ConfigMap": "v1", "Node": "v1"}
_QUEUE_LENGTH = 10_000
_ATTEMPTS = 4
_QUIET_SECONDS = 0.25
_LONGEST_WAIT_SECONDS = 20.0


class Sink(Protocol):
    """The part of the API that writing needs."""

    async def patch(self, path: str, body: Mapping[str, Any], seconds: float | None = None) -> msgspec.Raw: ...

    async def create(self, path: str, body: Mapping[str, Any]) -> msgspec.Raw: ...


class Background:
    """Lets addresses go first: what only informs is written when none was written for a moment, or after long."""

    def __init__(self) -> None:
        self._urgent_at = float("-inf")

    def urgent(self) -> None:
        """Something that people wait for is being written."""
        self._urgent_at = asyncio.get_running_loop().time()

    async def turn(self, since: float) -> None:
        """Wait for the turn of something that has been waiting since the loop's time `since`."""
        clock = asyncio.get_running_loop().time
        while (now := clock()) < since + _LONGEST_WAIT_SECONDS and now < self._urgent_at + _QUIET_SECONDS:
            await asyncio.sleep(self._urgent_at + _QUIET_SECONDS - now)


def status_patch(service: Service, addresses: tuple[Address, ...], pool: str | None) -> dict[str, Any]:
    """The merge patch of services/status: addresses and the pool's name at once, on the version decided on.

    No addresses and no pool: take both away.
    """
    annotations: dict[str, str | None] = {POOL_ANNOTATION: pool}
    for outlived in (_OLD_POOL_ANNOTATION, TAKEN_OVER_ANNOTATION):
        if outlived in service.annotations:
            annotations[outlived] = None
    return {
        "metadata": {"resourceVersion": service.resource_version, "annotations": annotations},
        "status": {"loadBalancer": {"ingress": [{"ip": str(address)} for address in addresses] or None}},
    }


async def mark_taken_over(api: Sink, service: Service, leader: str, seconds: float) -> msgspec.Raw:
    """Give the Service a newer version, so that a write of another controller that is still under way is refused.

    Raises ApiError as `write_status`.
    """
    path = f"/api/v1/namespaces/{service.key.namespace}/services/{service.key.name}/status"
    annotations = {TAKEN_OVER_ANNOTATION: leader}
    body = {"metadata": {"resourceVersion": service.resource_version, "annotations": annotations}}
    return await api.patch(path, body, seconds)


async def write_status(
    api: Sink, service: Service, addresses: tuple[Address, ...], pool: str | None, seconds: float
) -> msgspec.Raw:
    """Write a Service's addresses; returns the Service afterwards.

    Raises ApiError: is_outdated when the Service has changed; also when it took longer than `seconds`.
    """
    path = f"/api/v1/namespaces/{service.key.namespace}/services/{service.key.name}/status"
    return await api.patch(path, status_patch(service, addresses, pool), seconds)


def event_target(target: Service | ObjectRef) -> ObjectRef:
    """What an Event is about."""
    if isinstance(target, ObjectRef):
        return target
    return ObjectRef("Service", target.key.name, target.key.namespace, target.uid, target.resource_version)


def event_body(
    target: ObjectRef, component: str, host: str, kind: str, reason: str, message: str, now: datetime, code: str = ""
) -> dict[str, Any]:
    """An Event on the object, as `kubectl describe` shows it. `kind` is Normal or Warning, `code` is for programs.

    Its name follows from what it says of whom: whether that was told can be seen without reading all Events.
    """
    told = hashlib.blake2b("\n".join((component, host, target.uid, kind, reason, message)).encode(), digest_size=8)
    moment = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{target.name[:230]}.{told.hexdigest()}",
            "namespace": target.namespace,
            **({"annotations": {REASON_ANNOTATION: code}} if code else {}),
        },
        "involvedObject": {
            "apiVersion": _API_VERSIONS.get(target.kind, "metallb.io/v1beta1"),
            "kind": target.kind,
            "namespace": target.namespace,
            "name": target.name,
            "uid": target.uid,
            "resourceVersion": target.resource_version,
        },
        "type": kind,
        "reason": reason,
        "message": message[:1024],
        "source": {"component": component, "host": host},
        "reportingComponent": component,
        "reportingInstance": host,
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }


class _Event(NamedTuple):
    """An Event that waits: small, as a burst of Services makes thousands."""

    queued_at: float
    moment: datetime
    about: ObjectRef
    kind: str
    reason: str
    message: str
    code: str
    unless_told: bool


class EventRecorder:
    """Writes Events in the background: they inform, so they hold nothing up, and are dropped rather than piled up."""

    def __init__(self, api: Sink, component: str, host: str = "", background: Background | None = None) -> None:
        self._api = api
        self._component = component
        self._host = host
        self._background = background or Background()
        self._queue: asyncio.Queue[_Event] = asyncio.Queue(_QUEUE_LENGTH)

    def record(
        self,
        target: Service | ObjectRef,
        kind: str,
        reason: str,
        message: str,
        *,
        code: str = "",
        unless_told: bool = False,
    ) -> None:
        """Queue one Event; `kind` is Normal or Warning, `reason` is MetalLB's word, `code` what logs and metrics say.

        With `unless_told` it is left out when one that says the same of the same object is still kept, by whichever
        process: an hour.
        """
        self._queue_up(self._event(target, kind, reason, message, code, unless_told))

    async def write_now(
        self, target: Service | ObjectRef, kind: str, reason: str, message: str, *, code: str = ""
    ) -> None:
        """Write one Event before going on: for what people should know before it happens. It is queued if it fails."""
        event = self._event(target, kind, reason, message, code)
        if not await self._write(event, attempts=1):
            self._queue_up(event)

    async def run(self) -> None:
        """Write what is queued, for ever."""
        while True:
            event = await self._queue.get()
            await self._background.turn(event.queued_at)
            if not await self._write(event, _ATTEMPTS):
                log.warning("event given up", extra=fields(object=event.about.name, reason=event.reason))

    @staticmethod
    def _event(
        target: Service | ObjectRef, kind: str, reason: str, message: str, code: str, unless_told: bool = False
    ) -> _Event:
        queued_at = asyncio.get_running_loop().time()
        return _Event(queued_at, datetime.now(UTC), event_target(target), kind, reason, message, code, unless_told)

    def _queue_up(self, event: _Event) -> None:
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            log.warning("event dropped, too many wait", extra=fields(object=event.about.name, reason=event.reason))

    async def _write(self, event: _Event, attempts: int) -> bool:
        """Write it, or find that it is refused for good; False when another attempt makes sense."""
        path = f"/api/v1/namespaces/{event.about.namespace}/events"
        who = (event.about, self._component, self._host)
        body = event_body(*who, event.kind, event.reason, event.message, event.moment, event.code)
        may_be_written = event.unless_told
        for attempt in range(attempts):
            try:
                await self._create(path, body, may_be_written)
                return True
            except ApiError as error:
                # A refusal stays one (no permission, namespace going away), unless the server is only overloaded; an
                # unreachable server may come back.
                if not error.is_temporary:
                    log.warning("event not written", extra=fields(reason=event.reason, error=str(error)))
                    return True
                # Only the answer may have been lost.
                may_be_written = may_be_written or error.code == 0
                if attempt < attempts - 1:
                    await asyncio.sleep(error.retry_after or 2.0**attempt)
        return False

    async def _create(self, path: str, body: dict[str, Any], may_be_written: bool) -> None:
        """Raises ApiError. What was told before and has happened again gets another name."""
        try:
            await self._api.create(path, body)
        except ApiError as error:
            if error.code != 409:
                raise
            if not may_be_written:
                again = f"{body['metadata']['name'].rpartition('.')[0]}.{secrets.token_hex(8)}"
                await self._api.create(path, {**body, "metadata": {**body["metadata"], "name": again}})
