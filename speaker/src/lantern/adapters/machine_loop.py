# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives a machine with timers: delivers its effects and keeps exactly one timer of the event loop armed for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)


class TimedMachine(Protocol[E_co]):
    """The verbs that the loop needs."""

    def handle_timer(self, *, now: float) -> None: ...

    def next_timer(self) -> float | None: ...

    def drain(self) -> Sequence[E_co]: ...


class MachineLoop(Generic[E]):
    """Call `pump` after every input to the machine."""

    def __init__(self, machine: TimedMachine[E], deliver: Callable[[E], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._machine = machine
        self._deliver = deliver
        self._timer: asyncio.TimerHandle | None = None
        self._pumping = False

    @property
    def now(self) -> float:
        """The machine's clock: monotonic seconds."""
        return self._loop.time()

    def pump(self) -> None:
        """Deliver what the machine has queued and arm its next timer.

        Delivering may be an input to the machine again: what follows from that is delivered after what came before.
        """
        if self._pumping:
            return
        self._pumping = True
        try:
            while effects := self._machine.drain():
                for effect in effects:
                    self._deliver(effect)
        finally:
            self._pumping = False
        due = self._machine.next_timer()
        if self._timer is not None and self._timer.when() == due:
            return
        self.close()
        if due is not None:
            self._timer = self._loop.call_at(due, self._fire)

    def close(self) -> None:
        """Disarm the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        self._machine.handle_timer(now=self.now)
        self.pump()
