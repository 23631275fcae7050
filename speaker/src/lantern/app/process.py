# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a process until SIGTERM or SIGINT, and says in one line why it cannot run."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine
from typing import Any

from lantern import __version__
from lantern.adapters.kube.api import ApiError
from lantern.adapters.logs import configure, fields
from lantern.settings import Settings

log = logging.getLogger("lantern")


def run_until_stopped(name: str, settings: Settings, main: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Run `main` in an event loop; a signal cancels it. Returns the exit status."""
    configure(settings.log_level)
    log.info(f"{name} starts", extra=fields(version=__version__, namespace=settings.namespace))
    try:
        asyncio.run(_supervise(main()))
    except (OSError, ApiError) as error:
        log.error(f"{name} cannot run", extra=fields(error=str(error)))
        return 1
    except Exception:
        # A task of the process died. Kubernetes starts it again; the log says that it should not have happened.
        log.exception(f"{name} failed, which is a defect")
        return 1
    log.info(f"{name} stopped")
    return 0


async def _supervise(main: Coroutine[Any, Any, None]) -> None:
    """Returns when a signal has ended `main`; raises what `main` raises."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(main)
    stopping = False

    def stop() -> None:
        nonlocal stopping
        # At a shutdown several may ask for it. To cancel again would cancel what it still has to do.
        if not stopping:
            stopping = True
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not stopping:
            raise
