# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a Lease for this process: takes it when it is free, renews it, gives it back. `core.leadership` decides."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from lantern.adapters.kube.api import ApiError
from lantern.adapters.kube.reflector import Source, Store, follow
from lantern.adapters.kube.wire import Lease
from lantern.adapters.logs import fields
from lantern.core.leadership import Leadership, LeaseRecord, Take, Timings, Wait

log = logging.getLogger("lantern.lease")

_RETRY_SECONDS = 0.5
_LAST_ANSWER_SECONDS = 1.0
"""At the end, for the answer of a write under way."""


class LeaseApi(Source, Protocol):
    """The part of the API that a Lease needs."""

    async def patch(self, path: str, body: Mapping[str, Any], seconds: float | None = None) -> msgspec.Raw: ...

    async def create(self, path: str, body: Mapping[str, Any]) -> msgspec.Raw: ...


def lease_record(raw: msgspec.Raw) -> LeaseRecord:
    """Read a Lease object. Raises ValueError when it is none."""
    found = msgspec.json.decode(raw, type=Lease)
    spec = found.spec
    duration = float(spec.leaseDurationSeconds or 0)
    return LeaseRecord(spec.holderIdentity or "", found.metadata.resourceVersion, spec.leaseTransitions or 0, duration)


class LeaseKeeper:
    """One contender for the Lease `name`. `on_change` is called when it was gained or lost."""

    def __init__(
        self, api: LeaseApi, namespace: str, name: str, identity: str, timings: Timings, on_change: Callable[[], None]
    ) -> None:
        self._api = api
        self._name = name
        self._identity = identity
        self._timings = timings
        self._on_change = on_change
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._store = Store("leases", self._path, lease_record, only=name)
        self._machine = Leadership(identity, timings)
        self._moved = asyncio.Event()
        self._looked = asyncio.Event()
        self._held = False
        self._left_alone_until = -math.inf
        """The API server asked for no write before."""

    async def run(self) -> None:
        """Contend for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(follow(self._api, self._store, self._see))
            tasks.create_task(self._contend())

    def may_write(self) -> bool:
        """Whether this process is the one that writes, at this very moment."""
        return self._machine.may_write(now=self._now())

    async def looked_at(self, seconds: float) -> None:
        """Until the Lease was read, and taken if it was free; for so many seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._looked.wait()

    @property
    def by_force(self) -> bool:
        """Whether the one before did not give the Lease back, and may still believe to hold it."""
        return self._machine.by_force

    @property
    def holder(self) -> str:
        """Who holds the Lease, as far as known; empty: nobody."""
        return self._machine.holder

    async def release(self) -> None:
        """Give the Lease back, so that another contender takes it at once. `run` must have ended."""
        if not self._machine.holds:
            return
        self._machine.resign()
        body = {
            "metadata": {"resourceVersion": self._machine.version},
            "spec": {"holderIdentity": None, "renewTime": _stamp()},
        }
        try:
            await self._api.patch(f"{self._path}/{self._name}", body, seconds=1.0)
            log.info("lease given back", extra=fields(lease=self._name))
        except ApiError as error:
            log.warning("lease not given back, it has to expire", extra=fields(lease=self._name, error=str(error)))

    async def _contend(self) -> None:
        while True:
            self._tell()
            self._moved.clear()
            match self._machine.decide(now=self._now()):
                case Wait(seconds):
                    pause = seconds
                case Take() as take:
                    # Whatever the watch tells meanwhile, and even if leadership ends by that.
                    wait = self._left_alone_until - self._now()
                    pause = wait if wait > 0 else await self._take(take)
            if self._store.is_synced:
                self._looked.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._until_change(pause)):
                    await self._moved.wait()

    def _until_change(self, pause: float) -> float:
        """The pause, cut short where leadership ends by time alone."""
        moments = [pause, self._machine.seconds_left(now=self._now())]
        return max(0.001, min(moment for moment in moments if moment > 0)) if pause > 0 else 0.0

    async def _take(self, take: Take) -> float:
        """Write the Lease; returns the pause after that."""
        started = self._now()
        spec: dict[str, Any] = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, math.ceil(self._timings.duration)),
            "renewTime": _stamp(),
            "leaseTransitions": take.transitions,
        }
        if not take.is_renewal:
            spec["acquireTime"] = spec["renewTime"]
        write = asyncio.create_task(self._write(take.version, spec))
        try:
            answer = await asyncio.shield(write)
        except asyncio.CancelledError:
            # It may have been carried out: only who has its answer can give the Lease back.
            await asyncio.wait([write], timeout=_LAST_ANSWER_SECONDS)
            if not write.cancel() and not write.cancelled() and write.exception() is None:
                self._machine.took(lease_record(write.result()), take, started=started, now=self._now())
            raise
        except ApiError as error:
            level = logging.DEBUG if error.code == 409 else logging.WARNING
            log.log(level, "lease not written", extra=fields(lease=self._name, error=str(error)))
            self._left_alone_until = self._now() + (error.retry_after or 0.0)
            return max(_RETRY_SECONDS, error.retry_after or 0.0)
        self._store.wrote(answer)
        self._machine.took(lease_record(answer), take, started=started, now=self._now())
        self._tell()
        return 0.0

    async def _write(self, version: str, spec: dict[str, Any]) -> Any:
        """Create the Lease when `version` is empty, else update exactly that version; the answer. Raises ApiError."""
        if not version:
            return await self._api.create(self._path, {"metadata": {"name": self._name}, "spec": spec})
        body = {"metadata": {"resourceVersion": version}, "spec": spec}
        return await self._api.patch(
            f"{self._path}/{self._name}", body, seconds=self._timings.duration - self._timings.margin
        )

    def _see(self) -> None:
        self._machine.saw(next(self._store.values(), None), now=self._now())
        self._tell()
        self._moved.set()

    def _tell(self) -> None:
        held = self.may_write()
        if held != self._held:
            self._held = held
            what = "this controller leads" if held else "this controller does not lead any more"
            log.info(what, extra=fields(lease=self._name, holder=self.holder))
            self._on_change()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
