# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Contenders that freeze, lag and lose requests: never two of them may write at one moment."""

from __future__ import annotations

import heapq
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from lantern.core.leadership import Leadership, LeaseRecord, Take, Timings

TIMES = Timings(duration=4, renew=1, margin=1)
STEP = 0.05
CONTENDERS = ("a", "b", "c")


class Server:
    """The one Lease: updated only on the version named, told to watchers after a delay."""

    def __init__(self) -> None:
        self.record: LeaseRecord | None = None
        self.version = 0

    def write(self, name: str, take: Take) -> LeaseRecord | None:
        known = self.record.version if self.record else ""
        if take.version != known:
            return None
        self.version += 1
        self.record = LeaseRecord(name, str(self.version), take.transitions, TIMES.duration)
        return self.record


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), loss=st.sampled_from([0.0, 0.1, 0.5]), slow=st.sampled_from([0.01, 0.2, 2.5]))
def test_never_two_writers(seed: int, loss: float, slow: float) -> None:
    rng = random.Random(seed)
    server = Server()
    machines = {name: Leadership(name, TIMES) for name in CONTENDERS}
    frozen_until = dict.fromkeys(CONTENDERS, 0.0)
    busy = dict.fromkeys(CONTENDERS, False)
    pending: list[tuple[float, int, str, object]] = []
    order = 0
    for machine in machines.values():
        machine.saw(None, now=0)
    now, written_for = 0.0, dict.fromkeys(CONTENDERS, 0)
    while now < 60:
        now += STEP
        while pending and pending[0][0] <= now:
            _at, _order, name, event = heapq.heappop(pending)
            if frozen_until[name] > now:
                # What arrives while a process is frozen is read when it wakes.
                order += 1
                heapq.heappush(pending, (frozen_until[name], order, name, event))
                continue
            if isinstance(event, LeaseRecord):
                machines[name].saw(event, now=now)
            elif isinstance(event, tuple):
                busy[name] = False
                started, take, record = event
                if record is not None:
                    machines[name].took(record, take, started=started, now=now)
        for name, machine in machines.items():
            if rng.random() < 0.002:
                frozen_until[name] = now + rng.choice([0.5, 3, 5, 20])
            if frozen_until[name] > now or busy[name]:
                continue
            action = machine.decide(now=now)
            if isinstance(action, Take) and rng.random() >= loss:
                record = server.write(name, action)
                busy[name] = True
                order += 1
                heapq.heappush(pending, (now + rng.uniform(0, slow), order, name, (now, action, record)))
                if record is not None:
                    for other in CONTENDERS:
                        if other != name:
                            order += 1
                            heapq.heappush(pending, (now + rng.uniform(0, slow), order, other, record))
        writers = [
            name for name, machine in machines.items() if frozen_until[name] <= now and machine.may_write(now=now)
        ]
        assert len(writers) <= 1, f"at {now:.2f} s {writers} may write"
        for name in writers:
            written_for[name] += 1
    if loss == 0 and slow < 1:
        assert sum(written_for.values()) * STEP > 20, "most of the time somebody leads"
