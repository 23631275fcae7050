# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The driver of machines: effects are delivered, one timer is armed."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

from lantern.adapters.machine_loop import MachineLoop
from lantern.l2.bursts import Bursts, SendGratuitous


def test_effects_are_delivered_and_the_timer_fires_until_closed() -> None:
    async def main() -> tuple[int, int]:
        machine = Bursts()
        sent: list[SendGratuitous] = []
        loop = MachineLoop(machine, sent.append)
        # A burst that began long ago, so that its next announcement is due at once.
        machine.start(ip_address("192.168.2.128"), now=loop.now - 1.09)
        loop.pump()
        at_once = len(sent)
        while len(sent) < 2:
            await asyncio.sleep(0.001)
        loop.close()
        return at_once, len(sent)

    assert asyncio.run(main()) == (1, 2)
