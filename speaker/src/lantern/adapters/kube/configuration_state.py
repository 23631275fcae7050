# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps this process's ConfigurationState object true: whether the configuration can be used, and what is wrong.

Written on change only. The object is watched, so that it is back at once when somebody deleted it, and right again when
somebody changed it: for that a write names no version, as it does not depend on what the object said before. A write
that fails is tried again in the background: nothing waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from lantern.adapters.kube import wire
from lantern.adapters.kube.api import ApiError
from lantern.adapters.kube.reflector import Source, Store, follow
from lantern.adapters.kube.writer import Sink
from lantern.adapters.logs import fields

log = logging.getLogger("lantern.config")

_COMPONENT_LABEL = "metallb.io/component-type"
_NODE_LABEL = "metallb.io/node-name"
_LONGEST_MESSAGE = 32768
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 15.0


class StateApi(Source, Sink, Protocol):
    """The part of the API that this needs."""


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who reports: names and labels of the object, and the own pod, with which the object goes."""

    name: str
    condition: str
    labels: Mapping[str, str]
    pod_name: str = ""
    pod_uid: str = ""

    @classmethod
    def controller(cls, pod_name: str = "", pod_uid: str = "") -> Reporter:
        return cls("controller", "poolReconcilerValid", {_COMPONENT_LABEL: "controller"}, pod_name, pod_uid)

    @classmethod
    def speaker(cls, node: str, pod_name: str = "", pod_uid: str = "") -> Reporter:
        labels = {_COMPONENT_LABEL: "speaker", _NODE_LABEL: node}
        return cls(f"speaker-{node}", "configReconcilerValid", labels, pod_name, pod_uid)

    def metadata(self) -> dict[str, Any]:
        """Labels and owner as on the wire."""
        owner = {"apiVersion": "v1", "kind": "Pod", "name": self.pod_name, "uid": self.pod_uid}
        owned = {"ownerReferences": [owner]} if self.pod_name and self.pod_uid else {}
        return {"labels": dict(self.labels), **owned}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is reported: what is wrong with the newest configuration, and what to know about the one in force."""

    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reported:
    """The object as it is in the cluster."""

    labels: Mapping[str, str]
    owners: frozenset[str]
    """Their uids."""
    result: str
    summary: str
    conditions: tuple[wire.Condition, ...]

    def said(self, kind: str) -> wire.Condition | None:
        """The condition of this type."""
        return next((item for item in self.conditions if item.type == kind), None)


def reported(raw: msgspec.Raw) -> Reported:
    """Read the object. Raises ValueError when it is none."""
    found = msgspec.json.decode(raw, type=wire.ConfigurationState)
    status = found.status or wire.StateStatus()
    return Reported(
        labels=found.metadata.labels or {},
        owners=frozenset(item.uid for item in found.metadata.ownerReferences or ()),
        result=status.result,
        summary=status.errorSummary,
        conditions=tuple(status.conditions or ()),
    )


def status_body(reporter: Reporter, verdict: Verdict, known: Reported | None, now: datetime) -> dict[str, Any] | None:
    """The status to write, None when the object says so already. A condition's time is that of its last change."""
    told = "\n".join(verdict.problems)
    status = "False" if verdict.problems else "True"
    before = known.said(reporter.condition) if known is not None else None
    is_news = before is None or before.status != status
    moment = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = wire.Condition(
        type=reporter.condition,
        status=status,
        reason="ConfigurationError" if verdict.problems else "Reconciled",
        message=(told or "\n".join(verdict.notes))[:_LONGEST_MESSAGE],
        lastTransitionTime=moment if is_news or before is None else before.lastTransitionTime,
    )
    result = "Invalid" if verdict.problems else "Valid"
    if known is not None and (known.result, known.summary, known.conditions) == (result, told, (condition,)):
        return None
    # An absent field is written as null: that is how a merge patch takes it away.
    return {"result": result, "errorSummary": told or None, "conditions": [msgspec.to_builtins(condition)]}


class StateKeeper:
    """Writes one ConfigurationState. `may_write` is asked before each write, as only one controller may."""

    def __init__(
        self, api: StateApi, namespace: str, reporter: Reporter, may_write: Callable[[], bool] = lambda: True
    ) -> None:
        self._api = api
        self._reporter = reporter
        self._may_write = may_write
        self._path = f"/apis/metallb.io/v1beta1/namespaces/{namespace}/configurationstates"
        self._store = Store("configurationstates", self._path, reported, only=reporter.name)
        self._verdict: Verdict | None = None
        self._moved = asyncio.Event()

    def want(self, verdict: Verdict) -> None:
        """Report this from now on."""
        self._verdict = verdict
        self._moved.set()

    async def run(self) -> None:
        """Follow and write for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(follow(self._api, self._store, self._moved.set))
            tasks.create_task(self._keep())

    async def _keep(self) -> None:
        failures = 0
        while True:
            await self._moved.wait()
            self._moved.clear()
            if not self._store.is_synced or self._verdict is None or not self._may_write():
                continue
            try:
                await self._write(self._verdict)
                failures = 0
            except ApiError as error:
                # Deleted or made meanwhile by somebody else: the watch tells, and the next round does the rest.
                level = logging.DEBUG if error.is_outdated else logging.WARNING
                log.log(level, "configuration state not written, will retry", extra=fields(error=str(error)))
                pause = min(_FIRST_PAUSE_SECONDS * 2.0**failures, _LONGEST_PAUSE_SECONDS)
                failures = min(failures + 1, 16)
                await asyncio.sleep(max(pause, error.retry_after or 0.0))
                self._moved.set()

    async def _write(self, verdict: Verdict) -> None:
        known = next(self._store.values(), None)
        metadata = self._reporter.metadata()
        if known is None:
            made = {
                "apiVersion": "metallb.io/v1beta1",
                "kind": "ConfigurationState",
                "metadata": {"name": self._reporter.name, **metadata},
            }
            self._store.upsert(await self._api.create(self._path, made))
            known = next(self._store.values(), None)
        elif not self._is_ours(known):
            self._store.wrote(await self._api.patch(f"{self._path}/{self._reporter.name}", {"metadata": metadata}))
        body = status_body(self._reporter, verdict, known, datetime.now(UTC))
        if body is not None:
            answer = await self._api.patch(f"{self._path}/{self._reporter.name}/status", {"status": body})
            self._store.wrote(answer)

    def _is_ours(self, known: Reported) -> bool:
        uid = self._reporter.pod_uid
        has_labels = all(known.labels.get(key) == value for key, value in self._reporter.labels.items())
        return has_labels and (not uid or not self._reporter.pod_name or known.owners == {uid})
