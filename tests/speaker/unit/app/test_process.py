# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a process ends."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from lantern.app.process import run_until_stopped
from lantern.settings import Settings


def test_second_signal_does_not_cut_short_what_the_first_one_began(monkeypatch: pytest.MonkeyPatch) -> None:
    # It is for the whole process, and this one has other tests.
    monkeypatch.setattr("lantern.app.process.configure", lambda level: None)
    done: list[str] = []

    async def main() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.05)
            done.append("handed over")

    assert run_until_stopped("speaker", Settings(namespace="metallb-system"), main) == 0
    assert done == ["handed over"]
