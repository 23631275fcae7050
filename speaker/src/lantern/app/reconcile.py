# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settle, decide, apply, and retry: the loop that both processes run over the whole cluster state.

A change only sets a flag. A short pause lets changes that belong together arrive; then one pass looks at everything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from lantern.adapters.kube.api import ApiError
from lantern.adapters.logs import fields
from lantern.metrics import ClientMetrics

log = logging.getLogger("lantern")

SETTLE_SECONDS = 0.05
_FIRST_RETRY_SECONDS = 0.5
_LONGEST_RETRY_SECONDS = 10.0


class Reconciler:
    """Runs `one_pass` after every change. A pass that raises ApiError is repeated after a growing pause."""

    def __init__(self, one_pass: Callable[[], Awaitable[None]], metrics: ClientMetrics) -> None:
        self._one_pass = one_pass
        self._metrics = metrics
        self._changed = asyncio.Event()
        self._failures = 0

    def notify(self) -> None:
        """Something changed."""
        self._metrics.updates.inc()
        self._changed.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(SETTLE_SECONDS)
            self._changed.clear()
            await self.step()

    async def step(self) -> None:
        """One pass, and the pause after a failed one."""
        try:
            await self._one_pass()
            self._failures = 0
        except ApiError as error:
            pause = min(_FIRST_RETRY_SECONDS * 2.0**self._failures, _LONGEST_RETRY_SECONDS)
            self._failures = min(self._failures + 1, 16)
            self._metrics.update_errors.inc()
            log.warning("pass failed, will retry", extra=fields(error=str(error), retry_seconds=pause))
            await asyncio.sleep(pause)
            self._changed.set()
