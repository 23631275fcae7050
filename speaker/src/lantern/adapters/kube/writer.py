# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written to the cluster: the address in a Service's status, and Events that tell people about it."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from lantern.adapters.kube.api import ApiError
from lantern.adapters.logs import fields
from lantern.core.model import Service
from lantern.pools import Address

log = logging.getLogger("lantern.kube")

POOL_ANNOTATION = "metallb.io/ip-allocated-from-pool"
_OLD_POOL_ANNOTATION = "metallb.universe.tf/ip-allocated-from-pool"
_QUEUE_LENGTH = 1000
_ATTEMPTS = 4


class Sink(Protocol):
    """The part of the API that writing needs."""

    async def patch(self, path: str, body: Mapping[str, Any]) -> msgspec.Raw: ...

    async def create(self, path: str, body: Mapping[str, Any]) -> None: ...


def status_patch(service: Service, addresses: tuple[Address, ...], pool: str | None) -> dict[str, Any]:
    """The merge patch of services/status: addresses and the pool's name at once, on the version decided on.

    No addresses and no pool: take both away.
    """
    annotations: dict[str, str | None] = {POOL_ANNOTATION: pool}
    if _OLD_POOL_ANNOTATION in service.annotations:
        annotations[_OLD_POOL_ANNOTATION] = None
    return {
        "metadata": {"resourceVersion": service.resource_version, "annotations": annotations},
        "status": {"loadBalancer": {"ingress": [{"ip": str(address)} for address in addresses] or None}},
    }


async def write_status(api: Sink, service: Service, addresses: tuple[Address, ...], pool: str | None) -> msgspec.Raw:
    """Write a Service's addresses; returns the Service afterwards. Raises ApiError, is_outdated when it has changed."""
    path = f"/api/v1/namespaces/{service.key.namespace}/services/{service.key.name}/status"
    return await api.patch(path, status_patch(service, addresses, pool))


def event_body(
    service: Service, component: str, host: str, kind: str, reason: str, message: str, now: datetime
) -> dict[str, Any]:
    """An Event on the Service, as `kubectl describe` shows it. `kind` is Normal or Warning."""
    moment = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{service.key.name[:230]}.{secrets.token_hex(8)}",
            "namespace": service.key.namespace,
        },
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Service",
            "namespace": service.key.namespace,
            "name": service.key.name,
            "uid": service.uid,
            "resourceVersion": service.resource_version,
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


class EventRecorder:
    """Writes Events in the background: they inform, so they hold nothing up, and are dropped rather than piled up."""

    def __init__(self, api: Sink, component: str, host: str = "") -> None:
        self._api = api
        self._component = component
        self._host = host
        self._queue: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue(_QUEUE_LENGTH)

    def record(self, service: Service, kind: str, reason: str, message: str) -> None:
        """Queue one Event; `kind` is Normal or Warning."""
        body = event_body(service, self._component, self._host, kind, reason, message, datetime.now(UTC))
        try:
            self._queue.put_nowait((f"/api/v1/namespaces/{service.key.namespace}/events", body))
        except asyncio.QueueFull:
            log.warning("event dropped, too many wait", extra=fields(service=str(service.key), reason=reason))

    async def run(self) -> None:
        """Write what is queued, for ever."""
        while True:
            path, body = await self._queue.get()
            await self._write(path, body)

    async def _write(self, path: str, body: dict[str, Any]) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                await self._api.create(path, body)
                return
            except ApiError as error:
                # A refusal stays one (no permission, namespace going away); an unreachable server may come back.
                if error.code or attempt == _ATTEMPTS - 1:
                    log.warning("event not written", extra=fields(reason=body["reason"], error=str(error)))
                    return
                await asyncio.sleep(2.0**attempt)
