# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide, apply, and retry: the loop that both processes run over the whole cluster state.

A change only sets a flag, and one pass looks at everything. When nothing was going on the pass begins at once. Under a
storm of changes passes are paced by what they cost: whatever arrives during the pause is part of the next one, so that
a process takes no more than its share of a core however many changes there are. What it did not use is saved up for a
moment, so that a handful of changes after a quiet time is not paced at all. Where nobody waits for the outcome it may
also begin a little later: one change mostly brings others along.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from lantern.adapters.kube.api import ApiError
from lantern.adapters.logs import fields
from lantern.metrics import ClientMetrics

log = logging.getLogger("lantern")

_SAVED_SECONDS = 0.2
_FIRST_RETRY_SECONDS = 0.5
_LONGEST_RETRY_SECONDS = 10.0


class Reconciler:
    """Runs `one_pass` after every change. A pass that raises ApiError is repeated after a growing pause.

    `share` is the part of a core (0 to 1) that passes may take while changes keep coming; `lull` is the time in seconds
    for which a pass waits for more of them.
    """

    def __init__(
        self, one_pass: Callable[[], Awaitable[None]], metrics: ClientMetrics, share: float, lull: float = 0.0
    ) -> None:
        self._one_pass = one_pass
        self._metrics = metrics
        self._share = share
        self._lull = lull
        self._changed = asyncio.Event()
        self._failures = 0

    def notify(self) -> None:
        """Something changed."""
        self._metrics.updates.inc()
        self._changed.set()

    async def run(self) -> None:
        """For ever."""
        clock = asyncio.get_running_loop().time
        saved, since = _SAVED_SECONDS, clock()
        while True:
            await self._changed.wait()
            # Lines that have arrived already belong to this pass.
            await asyncio.sleep(self._lull)
            self._changed.clear()
            began = time.process_time()
            await self.step()
            now = clock()
            saved = min(saved + (now - since) * self._share, _SAVED_SECONDS) - (time.process_time() - began)
            since = now
            if saved < 0:
                await asyncio.sleep(-saved / self._share)

    async def step(self) -> None:
        """One pass, and the pause after a failed one."""
        try:
            await self._one_pass()
            self._failures = 0
        except ApiError as error:
            pause = min(_FIRST_RETRY_SECONDS * 2.0**self._failures, _LONGEST_RETRY_SECONDS)
            pause = max(pause, error.retry_after or 0.0)
            self._failures = min(self._failures + 1, 16)
            self._metrics.update_errors.inc()
            log.warning("pass failed, will retry", extra=fields(error=str(error), retry_seconds=pause))
            await asyncio.sleep(pause)
            self._changed.set()
