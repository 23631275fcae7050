# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the counters in IPAddressPool.status: on change only, at most once a second, after addresses.

A write changes nothing that decisions are made on, so it leads to no further pass here or in a speaker. It names the
version that is known, although counters do not depend on it: the answer goes into the store, and somebody's change of
the pool that came with it would be taken for known before anybody has acted on it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import NamedTuple

from lantern.adapters.kube.api import ApiError
from lantern.adapters.kube.reflector import Store
from lantern.adapters.kube.writer import Background, Sink
from lantern.adapters.logs import fields
from lantern.core.model import PoolSpec

log = logging.getLogger("lantern.pools")

_PAUSE_SECONDS = 1.0


class Counters(NamedTuple):
    """IPAddressPool.status."""

    assigned_ipv4: int = 0
    assigned_ipv6: int = 0
    available_ipv4: int = 0
    available_ipv6: int = 0

    def body(self) -> dict[str, int]:
        """Named as on the wire."""
        return {
            "assignedIPv4": self.assigned_ipv4,
            "assignedIPv6": self.assigned_ipv6,
            "availableIPv4": self.available_ipv4,
            "availableIPv6": self.available_ipv6,
        }


class PoolStatusWriter:
    """Keeps the counters of pools equal to what was wanted last. `may_write` is asked before each write."""

    def __init__(
        self, api: Sink, pools: Store[PoolSpec], background: Background, may_write: Callable[[], bool]
    ) -> None:
        self._api = api
        self._pools = pools
        self._background = background
        self._may_write = may_write
        self._wanted: dict[str, Counters] = {}
        self._changed = asyncio.Event()

    def want(self, counters: Mapping[str, Counters]) -> None:
        """The counters of all pools by name."""
        self._wanted = dict(counters)
        if self._differing():
            self._changed.set()

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await self._changed.wait()
            await self._background.turn(asyncio.get_running_loop().time())
            self._changed.clear()
            await asyncio.sleep(max(_PAUSE_SECONDS, await self._write_all()))

    def _differing(self) -> list[PoolSpec]:
        pools = (spec for spec in self._pools.values() if spec.pool.name in self._wanted)
        return [spec for spec in pools if self._wanted[spec.pool.name] != spec.reported]

    async def _write_all(self) -> float:
        """Write what differs; returns for how long the API server wants to be left alone."""
        for spec in self._differing():
            name = spec.pool.name
            counters = self._wanted.get(name)
            if counters is None or spec.object is None or not self._may_write():
                continue
            try:
                path, meta = f"{self._pools.path}/{name}/status", {"resourceVersion": spec.object.resource_version}
                self._pools.wrote(await self._api.patch(path, {"metadata": meta, "status": counters.body()}))
            except ApiError as error:
                log.warning("pool status not written", extra=fields(pool=name, error=str(error)))
                # A pool that is gone has no status; anything else is tried again.
                if error.code != 404:
                    self._changed.set()
                if error.retry_after is not None:
                    return error.retry_after
        return 0.0
