# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long nobody serves when the owner of addresses dies: the rows about failover."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from . import lab, lan, pods, processes
from .figures import Row, quantile
from .front import Front, Pair, repeated
from .scenario import Extent, Lab, Scenario
from .session import Session

LAB = Lab(name="failover")
CLIENTS = {"cached": "client with a neighbour entry", "fresh": "client without one"}
LEAD_SECONDS = 1.0
# It is over when pages have come for so long without a longer gap, and not before the shortest time has passed.
STEADY_SECONDS, STEADY_GAP = 5.0, 0.5
SHORTEST_SECONDS = 7.0
LONGEST_SECONDS = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """The longest time without a page of each client, in seconds, and whether pages came again at all."""

    gaps: dict[str, float]
    lost: int
    served_again: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """A way to lose an owner. `caused` does it and returns; what it has done is undone when it is left."""

    name: str
    what: str
    how: str
    caused: Callable[[Front, Pair], AbstractContextManager[None]]


@contextlib.contextmanager
def _cut(_: Front, pair: Pair) -> Iterator[None]:
    try:
        lab.run("cable", pair.owner, "cut")
        yield
    finally:
        lab.run("cable", pair.owner, "join")


@contextlib.contextmanager
def _without_power(_: Front, pair: Pair) -> Iterator[None]:
    try:
        lab.run("power", pair.owner, "off")
        yield
    finally:
        lab.run("power", pair.owner, "on")


@contextlib.contextmanager
def _killed(scene: Front, pair: Pair) -> Iterator[None]:
    pod = scene.speaker(pair.owner)
    processes.kill(pod.container)
    try:
        yield
    finally:
        # In a new pod: kubelet waits the longer the more often it has started the same one again.
        scene.session.services.api.delete(pods.path(pod.name) + "?gracePeriodSeconds=0")


DEATHS = (
    Death(name="cut", what="Owner's cable pulled", how="`lab cable cut`", caused=_cut),
    Death(name="power", what="Owner switched off", how="`lab power off`", caused=_without_power),
    Death(name="kill_speaker", what="Owner's speaker killed, its node lives", how="SIGKILL", caused=_killed),
)


def scenarios(extent: Extent) -> tuple[Scenario, ...]:
    return tuple(_scenario(death, extent.failovers) for death in DEATHS)


def _scenario(death: Death, count: int) -> Scenario:
    rows = []
    for client, described in CLIENTS.items():
        again = f"{death.what} → pages again, {described}"
        how = f"{death.how}; longest gap of 100 requests a second"
        rows += [
            Row(key=f"{death.name}_{client}_p95", what=f"{again}, p95", how=how, target=1, counted=True),
            Row(key=f"{death.name}_{client}_p50", what="The same, p50"),
        ]
    unserved = Row(
        key=f"{death.name}_unserved",
        what=f"{death.what}: times without pages after {LONGEST_SECONDS:.0f} s",
        how="their gaps count as so long",
        unit="times",
        target=0,
    )
    lost = Row(
        key=f"{death.name}_lost",
        what="The same, requests without a page in a second, mean",
        how="of both clients",
        unit="requests",
    )
    return Scenario(
        name=death.name,
        rows=(*rows, unserved, lost),
        measure=lambda session: _measure(session, death, count),
        lab=LAB,
        once=True,
    )


def _measure(session: Session, death: Death, count: int) -> None:
    outages = repeated(session, f"{death.name}_cached_p95", count, lambda scene: _outage(scene, death))
    for client in CLIENTS:
        gaps = [outage.gaps[client] for outage in outages]
        session.record(f"{death.name}_{client}_p95", quantile(gaps, 0.95), gaps)
        session.record(f"{death.name}_{client}_p50", quantile(gaps, 0.5))
    session.record(f"{death.name}_unserved", sum(not outage.served_again for outage in outages))
    losses = [float(outage.lost) for outage in outages]
    session.record(f"{death.name}_lost", sum(losses) / len(losses), losses)


def _outage(scene: Front, death: Death) -> Outage:
    pair = scene.pair()
    with lan.visiting(pair.clients()) as visits:
        time.sleep(LEAD_SECONDS)
        since = time.monotonic()
        with death.caused(scene, pair):
            served_again = _wait_steady(visits, since)
            until = time.monotonic()
    gaps = visits.gaps(since, until)
    lost = sum(not visit.served for visit in visits.seen if visit.started < until - lan.VISIT_TIMEOUT)
    return Outage(gaps=gaps, lost=lost, served_again=served_again)


def _wait_steady(visits: lan.Visits, since: float) -> bool:
    """Wait until pages come without interruption to all clients; False when they do not."""
    while (now := time.monotonic()) - since < LONGEST_SECONDS:
        if now - since > SHORTEST_SECONDS and max(visits.gaps(now - STEADY_SECONDS, now).values()) < STEADY_GAP:
            return True
        time.sleep(0.25)
    return False
