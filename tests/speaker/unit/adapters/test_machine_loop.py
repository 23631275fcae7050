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


class Echo:
    """A machine that queues what it is told."""

    def __init__(self) -> None:
        self.queued: list[str] = []

    def handle_timer(self, *, now: float) -> None:
        self.queued.append(f"timer at {now}")

    def next_timer(self) -> float | None:
        return None

    def drain(self) -> list[str]:
        queued, self.queued = self.queued, []
        return queued


def test_what_follows_from_delivering_is_delivered_after_what_came_before() -> None:
    async def main() -> list[str]:
        machine, delivered = Echo(), list[str]()

        def deliver(effect: str) -> None:
            delivered.append(effect)
            if effect == "first":
                machine.queued.append("follows")
                loop.pump()

        loop = MachineLoop(machine, deliver)
        machine.queued += ["first", "second"]
        loop.pump()
        return delivered

    assert asyncio.run(main()) == ["first", "second", "follows"]


def test_timer_follows_the_machine_and_is_left_alone_while_its_time_stays() -> None:
    class Alarm(Echo):
        due: float | None = None

        def next_timer(self) -> float | None:
            return self.due

    async def main() -> None:
        machine = Alarm()
        loop: MachineLoop[str] = MachineLoop(machine, lambda effect: None)

        def armed() -> asyncio.TimerHandle | None:
            loop.pump()
            return loop._timer

        assert armed() is None
        machine.due = loop.now + 60
        first = armed()
        assert first is not None and armed() is first and first.when() == machine.due
        machine.due += 1
        second = armed()
        assert second is not None and second is not first and first.cancelled() and second.when() == machine.due
        machine.due = None
        assert armed() is None and second.cancelled()

    asyncio.run(main())
