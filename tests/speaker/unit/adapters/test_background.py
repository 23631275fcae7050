# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses first: what only informs waits until none was written for a moment."""

from __future__ import annotations

import asyncio

import pytest
from lantern.adapters.kube import writer
from lantern.adapters.kube.writer import Background


async def waited(background: Background) -> float:
    clock = asyncio.get_running_loop().time
    began = clock()
    await background.turn(began)
    return clock() - began


def test_nothing_urgent_means_no_wait() -> None:
    assert asyncio.run(waited(Background())) < 0.01


def test_informing_waits_until_addresses_are_written() -> None:
    async def main() -> float:
        background = Background()
        background.urgent()
        task = asyncio.create_task(waited(background))
        for _ in range(4):
            await asyncio.sleep(0.05)
            background.urgent()
        return await task

    assert 0.2 + writer._QUIET_SECONDS <= asyncio.run(main()) < 1.0


def test_informing_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_LONGEST_WAIT_SECONDS", 0.1)
    monkeypatch.setattr(writer, "_QUIET_SECONDS", 0.02)

    async def main() -> float:
        background = Background()
        background.urgent()
        task = asyncio.create_task(waited(background))
        while not task.done():
            background.urgent()
            await asyncio.sleep(0.005)
        return task.result()

    assert 0.1 <= asyncio.run(main()) < 0.5
