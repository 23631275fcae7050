# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the last good configuration in force and tells about a bad one: in the log and by two metrics."""

from __future__ import annotations

import logging

from lantern.adapters.kube.reflector import Store
from lantern.adapters.logs import fields
from lantern.core.config import Configuration, adopt
from lantern.core.model import L2Advertisement, PoolSpec
from lantern.metrics import ClientMetrics

log = logging.getLogger("lantern.config")


class ConfigurationKeeper:
    """The configuration in force, refreshed at the beginning of each pass."""

    def __init__(
        self, metrics: ClientMetrics, pools: Store[PoolSpec], advertisements: Store[L2Advertisement] | None = None
    ) -> None:
        self._metrics = metrics
        self._pools = pools
        self._advertisements = advertisements
        self.current = Configuration()

    def refresh(self) -> Configuration:
        """The configuration in force, after looking at the newest one."""
        before = self.current
        advertisements: list[L2Advertisement] = []
        unreadable = self._pools.unreadable()
        if self._advertisements is not None:
            advertisements = list(self._advertisements.values())
            unreadable += self._advertisements.unreadable()
        self.current = adopt(before, self._pools.values(), advertisements, unreadable)
        self._metrics.config_loaded.set(self.current.is_loaded)
        self._metrics.config_stale.set(self.current.is_stale)
        if self.current.problems != before.problems:
            for problem in self.current.problems:
                kept = "the last valid one stays in force" if self.current.is_loaded else "none is in force yet"
                log.error("configuration refused", extra=fields(problem=problem.message, consequence=kept))
        if self.current.pools != before.pools and self.current.pools is not None:
            names = [spec.pool.name for spec in self.current.pools]
            log.info("configuration in force", extra=fields(pools=names))
        return self.current
