# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What requests are lost when the owner of addresses goes in good order: the rows about handing over."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from homelab.shell import LabError

from . import lab, lan, pods
from .failover import LAB, LEAD_SECONDS
from .figures import Row
from .front import BACKEND_NODE, Front, Pair, repeated
from .scenario import Extent, Scenario
from .services import until
from .session import Session
from .timeline import lost

EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
CALM_SECONDS = 15.0
REST_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to go. `done` does it and returns; what it has done is undone when it is left, after `seconds`."""

    name: str
    what: str
    done: Callable[[Front, Pair], AbstractContextManager[None]]
    seconds: float = 10.0
    compared: bool = False
    """Nothing is handed over: what the machine and the way lose by themselves."""


@contextlib.contextmanager
def _deleted(scene: Front, pair: Pair) -> Iterator[None]:
    _delete_speaker(scene, pair.owner)
    yield


@contextlib.contextmanager
def _other_deleted(scene: Front, pair: Pair) -> Iterator[None]:
    """As much work for this machine, but what the clients ask for stays where it is."""
    other = next(node for node in lan.node_names().values() if node not in (pair.owner, BACKEND_NODE))
    _delete_speaker(scene, other)
    yield


def _delete_speaker(scene: Front, node: str) -> None:
    """The DaemonSet makes another one."""
    scene.session.services.api.delete(pods.path(scene.speaker(node).name))


@contextlib.contextmanager
def _excluded(scene: Front, pair: Pair) -> Iterator[None]:
    api, node = scene.session.services.api, f"/api/v1/nodes/{pair.owner}"
    api.merge(node, {"metadata": {"labels": {EXCLUDED: ""}}})
    try:
        yield
    finally:
        api.merge(node, {"metadata": {"labels": {EXCLUDED: None}}})


@contextlib.contextmanager
def _shut_down(_: Front, pair: Pair) -> Iterator[None]:
    # The shell that is asked to end the machine may end before it has answered.
    with contextlib.suppress(LabError):
        lab.on(pair.owner, "systemctl --no-block poweroff")
    try:
        yield
    finally:
        until(lambda: not _has_power(pair.owner), 120, f"{pair.owner} is off", every=1)
        lab.run("power", pair.owner, "on")


def _has_power(node: str) -> bool:
    return lab.network(node).exists()


@contextlib.contextmanager
def _nothing(_: Front, __: Pair) -> Iterator[None]:
    yield


WAYS = (
    Way(name="calm", what="Nothing happens, for comparison", done=_nothing, seconds=CALM_SECONDS, compared=True),
    Way(name="delete_other", what="Another speaker's pod deleted, for comparison", done=_other_deleted, compared=True),
    Way(name="delete_speaker", what="Owner's speaker pod deleted", done=_deleted),
    Way(name="exclude", what="Owner labelled exclude-from-external-load-balancers", done=_excluded),
    Way(name="shutdown", what="Owner shut down (systemctl poweroff)", done=_shut_down, seconds=20.0),
)


def scenarios(extent: Extent) -> tuple[Scenario, ...]:
    return tuple(_scenario(way, extent.handovers) for way in WAYS)


def _scenario(way: Way, count: int) -> Scenario:
    how = f"{way.seconds:.0f} s of two clients, 100 requests a second each"
    target, gap = (None, None) if way.compared else (0, 50)
    return Scenario(
        name=way.name,
        rows=(
            Row(
                key=f"{way.name}_lost",
                what=f"{way.what}: requests lost, all",
                how=how,
                unit="requests",
                target=target,
                counted=True,
            ),
            Row(key=f"{way.name}_cut", what="The same, connections under way that were reset", unit="connections"),
            Row(key=f"{way.name}_gap_worst", what="The same, longest gap, worst", unit="ms", target=gap),
            Row(key=f"{way.name}_gap", what="The same, longest gap, mean", unit="ms"),
        ),
        measure=lambda session: _measure(session, way, count),
        lab=LAB,
        once=True,
    )


def _measure(session: Session, way: Way, count: int) -> None:
    found = repeated(session, f"{way.name}_lost", count, lambda scene: _handover(scene, way), REST_SECONDS)
    losses, gaps = [float(lost) for lost, _, _ in found], [gap * 1e3 for _, _, gap in found]
    session.record(f"{way.name}_lost", sum(losses), losses)
    session.record(f"{way.name}_cut", sum(cut for _, cut, _ in found))
    session.record(f"{way.name}_gap_worst", max(gaps), gaps)
    session.record(f"{way.name}_gap", sum(gaps) / len(gaps))


def _handover(scene: Front, way: Way) -> tuple[int, int, float]:
    """How many requests were lost and how many cut off, and the longest gap in seconds of either client."""
    pair = scene.pair()
    with lan.visiting(pair.clients()) as visits:
        time.sleep(LEAD_SECONDS)
        since = time.monotonic()
        with way.done(scene, pair):
            time.sleep(way.seconds)
            ends = time.monotonic()
    seen = [visit for visit in visits.seen if since - lan.VISIT_TIMEOUT < visit.started < ends]
    cut = sum(visit.cut for visit in seen)
    return len(lost(seen)) - cut, cut, max(visits.gaps(since, ends).values())
