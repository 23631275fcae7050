# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries out a plan: writes addresses into Services while this process leads, and tells people on change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec

from lantern.adapters.kube.api import ApiError
from lantern.adapters.kube.reflector import Store
from lantern.adapters.kube.wire import Versioned
from lantern.adapters.kube.writer import Background, EventRecorder, Sink, mark_taken_over, write_status
from lantern.adapters.logs import fields
from lantern.core.decisions import TAKEN_AWAY, Assign, AssignKind, Note, Plan, Refuse, Release
from lantern.core.diff import difference
from lantern.core.model import Service, ServiceKey
from lantern.core.requests import Denied, quoted
from lantern.core.turns import Turns
from lantern.metrics import ControllerMetrics
from lantern.reasons import Reason

log = logging.getLogger("lantern.controller")

_PARALLEL_WRITES = 16
_WRITE_SECONDS = 10.0


def detail(service: Service, denied: Denied | None = None, **values: object) -> dict[str, Any]:
    """Log fields about a Service."""
    why = {} if denied is None else {"reason": denied.reason.value, "why": denied.sentence}
    return fields(service=str(service.key), **values, **why)


class Assigner:
    """Writes plans. `may_write` is asked before each write."""

    def __init__(
        self,
        api: Sink,
        services: Store[Service],
        events: EventRecorder,
        background: Background,
        metrics: ControllerMetrics,
        may_write: Callable[[], bool],
    ) -> None:
        self._api = api
        self._services = services
        self._events = events
        self._background = background
        self._metrics = metrics
        self._may_write = may_write
        self._refused: Mapping[ServiceKey, tuple[Denied, ...]] = {}
        self._noted: Mapping[tuple[ServiceKey, str], Denied] = {}
        self._is_new_term = True
        self._losses_told: dict[ServiceKey, Denied] = {}
        """Why Services will lose addresses: told, but not written yet."""
        self._waiting_since: dict[ServiceKey, float] = {}
        self._under_way: set[asyncio.Task[msgspec.Raw]] = set()
        self._unsure: dict[ServiceKey, Assign] = {}
        """Writes whose answer was lost: they may have happened all the same, and then people must be told."""
        self._overload: ApiError | None = None
        """By which the API server asked to be left alone, since this plan is being carried out."""

    async def apply(self, plan: Plan) -> None:
        """Write all of a plan. One Service that cannot be written holds up no other; an error is raised last.

        It is the one that asks for the longest pause. Nothing more is written once the API server asked for one.
        """
        self._overload = None
        self._note_waiting(plan)
        self._tell_unsure(plan)
        planned: tuple[Assign | Release, ...] = (*plan.release, *plan.assign)
        losses = {item.service.key: item.lost for item in planned}
        self._losses_told = {key: lost for key, lost in self._losses_told.items() if losses.get(key) == lost}
        turns = Turns(plan)
        errors: list[ApiError] = []
        while batch := turns.next():
            gate = asyncio.Semaphore(_PARALLEL_WRITES)
            outcomes = await asyncio.gather(*(self._write(gate, item) for item in batch))
            for item, outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, ApiError):
                    errors.append(outcome)
                elif outcome is not None:
                    turns.wrote(item, outcome)
        if errors:
            raise max(errors, key=lambda error: error.retry_after or 0.0)

    async def fence(self, plan: Plan, leader: str) -> None:
        """Make out of date whatever a controller that led before may still send to Services this plan is about.

        Raises ApiError. A Service that has changed meanwhile needs no mark, but must be read anew.
        """
        concerned: tuple[Assign | Release | Refuse, ...] = (*plan.assign, *plan.release, *plan.refuse)
        services = {item.service.key: item.service for item in concerned}
        gate = asyncio.Semaphore(_PARALLEL_WRITES)

        async def mark(service: Service) -> None:
            async with gate:
                if self._overload is not None:
                    raise self._overload
                self._background.urgent()
                try:
                    await mark_taken_over(self._api, service, leader, _WRITE_SECONDS)
                except ApiError as error:
                    self._note_overload(error)
                    if not error.is_outdated:
                        raise

        self._overload = None
        await asyncio.gather(*(mark(service) for service in services.values()))

    def begin_term(self) -> None:
        """What is to be told next may have been told by the controller that led before."""
        self._is_new_term = True

    def tell(self, plan: Plan) -> None:
        """Log and Event for refusals and notes that are new or say something else than before."""
        self._tell_refusals(plan.refuse)
        self._tell_notes(plan.notes)
        self._is_new_term = False

    async def drain(self, seconds: float) -> bool:
        """Let writes under way come to their end when the process stops; False when they did not in time."""
        if not self._under_way:
            return True
        _done, late = await asyncio.wait(self._under_way, timeout=seconds)
        return not late

    async def _to_its_end(self, writing: Coroutine[Any, Any, msgspec.Raw]) -> msgspec.Raw:
        """Stopping the process must not leave open whether a write happened."""
        task = asyncio.create_task(writing)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    def _note_overload(self, error: ApiError) -> None:
        if error.retry_after is not None:
            self._overload = error

    def _note_waiting(self, plan: Plan) -> None:
        now = asyncio.get_running_loop().time()
        waiting = {item.service.key for item in plan.assign} | {item.service.key for item in plan.refuse}
        since = self._waiting_since
        self._waiting_since = {key: since.get(key, now) for key in waiting}

    async def _write(self, gate: asyncio.Semaphore, item: Assign | Release) -> str | ApiError | None:
        """The Service's new version; None when this is out of date."""
        service = item.service
        addresses, pool = (item.addresses, item.pool) if isinstance(item, Assign) else ((), None)
        async with gate:
            if self._overload is not None:
                return self._overload
            self._background.urgent()
            if item.lost is not None and item.lost.reason in TAKEN_AWAY:
                await self._tell_lost(service, item.lost)
            # Asked for last. A write that is on its way when another controller takes over is refused: see `fence`.
            if not self._may_write():
                self._metrics.writes.labels(outcome="not leading").inc()
                return None
            try:
                writing = write_status(self._api, service, addresses, pool, _WRITE_SECONDS)
                answer = await self._to_its_end(writing)
                self._services.wrote(answer)
            except ApiError as error:
                if error.is_outdated:
                    self._metrics.writes.labels(outcome="conflict").inc()
                    log.debug("Service changed meanwhile", extra=detail(service, error=str(error)))
                    return None
                self._metrics.writes.labels(outcome="error").inc()
                if error.is_temporary and isinstance(item, Assign):
                    self._unsure[service.key] = item
                self._note_overload(error)
                log.error("Service not written", extra=detail(service, error=str(error)))
                return error
        self._metrics.writes.labels(outcome="written").inc()
        self._tell_written(item)
        return msgspec.json.decode(answer, type=Versioned).metadata.resourceVersion

    def _tell_unsure(self, plan: Plan) -> None:
        """The Service has what was written without an answer: so it was written."""
        unsure, self._unsure = self._unsure, {}
        for kept in plan.keep if unsure else ():
            item = unsure.get(kept.service.key)
            if item is not None and item.addresses == kept.service.addresses:
                self._tell_written(item)

    def _tell_written(self, item: Assign | Release) -> None:
        service, code = item.service, ""
        if item.lost is not None:
            code = item.lost.reason.value
            self._metrics.lost.labels(reason=code).inc()
        if isinstance(item, Release):
            log.info("address released", extra=detail(service, item.lost, ips=quoted(service.addresses)))
            return
        since = self._waiting_since.get(service.key)
        if since is not None and item.kind is not AssignKind.POOL_NAME:
            self._metrics.queue_seconds.observe(asyncio.get_running_loop().time() - since)
        match item.kind:
            case AssignKind.POOL_NAME:
                return
            case AssignKind.ADDITIONAL:
                added = next(address for address in item.addresses if address not in service.addresses)
                self._events.record(service, "Normal", "IPAllocated", f'Assigned additional IP "{added}"')
            case AssignKind.NEW | AssignKind.FEWER:
                message = f"Assigned IP {quoted(item.addresses)}"
                self._events.record(service, "Normal", "IPAllocated", message, code=code)
        log.info("address assigned", extra=detail(service, item.lost, ips=quoted(item.addresses), pool=item.pool))

    async def _tell_lost(self, service: Service, lost: Denied) -> None:
        """Before it happens: whoever watches should not learn of it from a connection that broke.

        Once, however many attempts it takes.
        """
        if self._losses_told.get(service.key) == lost:
            return
        self._losses_told[service.key] = lost
        message = (
            f'current IP for "{service.key}" not allowed by config, will attempt for new IP assignment: {lost.sentence}'
        )
        log.warning("address will change", extra=detail(service, lost, ips=quoted(service.addresses)))
        await self._events.write_now(service, "Normal", "ClearAssignment", message, code=lost.reason.value)

    def _tell_refusals(self, refuse: tuple[Refuse, ...]) -> None:
        now: dict[ServiceKey, tuple[Denied, ...]] = {}
        for item in refuse:
            now[item.service.key] = (*now.get(item.service.key, ()), item.denied)
        news = difference(self._refused, now)
        self._refused = now
        for item in refuse:
            service, denied = item.service, item.denied
            if service.key not in news.gained and service.key not in news.changed:
                continue
            log.warning("Service refused", extra=detail(service, denied))
            if denied.reason is Reason.BAD_REQUEST:
                event, message = "LoadBalancerFailed", f"invalid requested loadbalancer IPs: {denied.sentence}"
            else:
                event, message = "AllocationFailed", f'Failed to allocate IP for "{service.key}": {denied.sentence}'
            self._record_state(service, "Warning", event, message, denied)

    def _tell_notes(self, notes: tuple[Note, ...]) -> None:
        now = {(item.service.key, item.event_reason): item.denied for item in notes}
        news = difference(self._noted, now)
        self._noted = now
        for item in notes:
            key = (item.service.key, item.event_reason)
            if key in news.gained or key in news.changed:
                log.info("noted about a Service", extra=detail(item.service, item.denied))
                kind = "Warning" if item.is_warning else "Normal"
                self._record_state(item.service, kind, item.event_reason, item.denied.sentence, item.denied)

    def _record_state(self, service: Service, kind: str, event: str, message: str, denied: Denied) -> None:
        code, may_be_told = denied.reason.value, self._is_new_term
        self._events.record(service, kind, event, message, code=code, unless_told=may_be_told)
