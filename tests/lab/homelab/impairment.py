# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bad cable does to frames: delay, jitter, loss, duplication, overtaking. Pure; the clock is an argument."""

from __future__ import annotations

import dataclasses
import heapq
import json
import random
from typing import Any, Literal, Self

Direction = Literal["in", "out"]
DIRECTIONS: tuple[Direction, ...] = ("in", "out")
# As a device with little memory would: what comes on top of this is dropped.
FRAMES_HELD = 20_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Impairment:
    """One direction of a cable. `delay` and `jitter` in seconds, the others as shares from 0 to 1.

    A frame takes `delay` plus or minus up to `jitter`, evenly spread, and never overtakes the one before it, except
    for the share `reorder`, which takes no time at all.
    """

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("delay", "jitter"):
            if not 0 <= getattr(self, name) <= 60:
                raise ValueError(f"{name} {getattr(self, name):g} s: choose 0 to 60 s")
        for name in ("loss", "duplicate", "reorder"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} {100 * getattr(self, name):g} %: choose 0 to 100 %")

    def __str__(self) -> str:
        parts = [f"{1000 * self.delay:g} ms"] if self.delay or self.jitter else []
        if self.jitter:
            parts[0] += f" ± {1000 * self.jitter:g} ms"
        parts += [
            f"{100 * share:g} % {name}"
            for share, name in ((self.loss, "lost"), (self.duplicate, "twice"), (self.reorder, "overtaking"))
            if share
        ]
        return ", ".join(parts) or "none"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BadCable:
    """Both directions of a host's cable: `inbound` towards the host, `outbound` from it."""

    inbound: Impairment = Impairment()
    outbound: Impairment = Impairment()

    def changed(self, directions: tuple[Direction, ...], impairment: Impairment) -> BadCable:
        """This cable with `impairment` in the given directions, the others as they are."""
        return BadCable(
            inbound=impairment if "in" in directions else self.inbound,
            outbound=impairment if "out" in directions else self.outbound,
        )

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls.of(json.loads(text))

    @classmethod
    def of(cls, data: dict[str, dict[str, Any]]) -> Self:
        """From the form that `dataclasses.asdict` gives."""
        return cls(inbound=Impairment(**data["inbound"]), outbound=Impairment(**data["outbound"]))

    def __str__(self) -> str:
        if dataclasses.replace(self.inbound, seed=0) == dataclasses.replace(self.outbound, seed=0):
            return str(self.inbound)
        return f"in: {self.inbound}; out: {self.outbound}"


class Line:
    """Frames under way in one direction.

    The fate of the Nth frame depends on seed, direction and N alone, whatever its content and time: each frame uses
    up the same count of random numbers.
    """

    def __init__(self, impairment: Impairment, direction: Direction) -> None:
        self._direction = direction
        self._under_way: list[tuple[float, int, bytes]] = []
        self._count = 0
        self._last = 0.0
        self.change(impairment)

    def change(self, impairment: Impairment) -> None:
        """Treat frames from now on by `impairment`; those under way keep their times. No change, no new start."""
        if getattr(self, "_impairment", None) == impairment:
            return
        self._impairment = impairment
        self._random = random.Random(f"{impairment.seed}/{self._direction}").random

    @property
    def next(self) -> float | None:
        """When the next frame comes out, in the clock of `put`'s `now`; None while the line is empty."""
        return self._under_way[0][0] if self._under_way else None

    def put(self, frame: bytes, now: float) -> None:
        """A frame enters."""
        rules, draw = self._impairment, self._random
        lost, twice, overtakes, shift = draw(), draw(), draw(), draw()
        if lost < rules.loss:
            return
        if overtakes < rules.reorder:
            due = now
        else:
            due = self._last = max(self._last, now + max(0.0, rules.delay + rules.jitter * (2 * shift - 1)))
        for _ in range(2 if twice < rules.duplicate else 1):
            if len(self._under_way) < FRAMES_HELD:
                self._count += 1
                heapq.heappush(self._under_way, (due, self._count, frame))

    def due(self, now: float) -> list[bytes]:
        """The frames that have come out by `now`, in order."""
        frames: list[bytes] = []
        while self._under_way and self._under_way[0][0] <= now:
            frames.append(heapq.heappop(self._under_way)[2])
        return frames
