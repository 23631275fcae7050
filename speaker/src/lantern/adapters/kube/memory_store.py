# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps in a ConfigMap which address each Service had last: read when a controller begins to lead, written in batches.

Losing the last batch costs nothing that anybody relies on: living Services carry their address in their own status.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from lantern.adapters.kube.api import ApiError
from lantern.adapters.kube.wire import ConfigMap, Versioned
from lantern.adapters.kube.writer import Background, Sink
from lantern.adapters.logs import fields
from lantern.core.memory import decode, encode
from lantern.core.model import ServiceKey
from lantern.pools import Address, Problem

log = logging.getLogger("lantern.memory")

NAME = "lantern-memory"
_KEY = "addresses"
_PAUSE_SECONDS = 10.0

Memory = Mapping[ServiceKey, tuple[Address, ...]]


class MemoryApi(Sink, Protocol):
    """The part of the API that the memory needs."""

    async def get(self, path: str) -> msgspec.Raw: ...


class MemoryStore:
    """The memory, in this process and in the cluster. `may_write` is asked before each write."""

    def __init__(self, api: MemoryApi, namespace: str, background: Background, may_write: Callable[[], bool]) -> None:
        self._api = api
        self._collection = f"/api/v1/namespaces/{namespace}/configmaps"
        self._background = background
        self._may_write = may_write
        self._written = ""
        self._version = ""
        """Of the ConfigMap as last read or written; empty: there was none."""
        self._is_outdated = False
        """Whether somebody else has written it since."""
        self._changed = asyncio.Event()
        self.current: Memory = {}

    async def load(self) -> None:
        """Read it from the cluster. Raises ApiError when that cannot be asked; what is damaged is left out."""
        self.current = await self._read()

    async def _read(self) -> Memory:
        try:
            raw = await self._api.get(f"{self._collection}/{NAME}")
        except ApiError as error:
            if error.code != 404:
                raise
            self._version, self._written, self._is_outdated = "", "", False
            return {}
        found = msgspec.json.decode(raw, type=ConfigMap)
        self._version, self._written = found.metadata.resourceVersion, (found.data or {}).get(_KEY, "")
        self._is_outdated = False
        memory = decode(self._written)
        if isinstance(memory, Problem):
            log.warning("remembered addresses are left out", extra=fields(problem=memory.message))
            return {}
        return memory

    def want(self, memory: Memory) -> None:
        """Remember exactly this."""
        if memory != self.current:
            self.current = memory
            self._changed.set()

    async def run(self) -> None:
        """Write batches for ever."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(_PAUSE_SECONDS)
            await self._background.turn(asyncio.get_running_loop().time())
            await asyncio.sleep(await self.flush())

    async def flush(self) -> float:
        """Write now what was not written yet; returns for how long the API server wants to be left alone."""
        self._changed.clear()
        try:
            if self._is_outdated and self._may_write():
                await self._catch_up()
            text = encode(self.current)
            if text != self._written and self._may_write():
                await self._write(text)
        except ApiError as error:
            self._is_outdated = self._is_outdated or error.is_outdated
            self._changed.set()
            log.warning("addresses not remembered, will retry", extra=fields(error=str(error)))
            return error.retry_after or 0.0
        return 0.0

    async def _catch_up(self) -> None:
        """Take in what somebody else has written. Of what is known here the controller that leads knows better."""
        newer = await self._read()
        added = [(key, addresses) for key, addresses in newer.items() if key not in self.current]
        self.current = OrderedDict([*added, *self.current.items()])

    async def _write(self, text: str) -> None:
        """On the version decided on: a former leader's late write must not undo what was remembered since."""
        body: dict[str, Any] = {"metadata": {"name": NAME}, "data": {_KEY: text}}
        if self._version:
            body["metadata"]["resourceVersion"] = self._version
            answer = await self._api.patch(f"{self._collection}/{NAME}", body)
        else:
            answer = await self._api.create(self._collection, body)
        self._version, self._written = msgspec.json.decode(answer, type=Versioned).metadata.resourceVersion, text
