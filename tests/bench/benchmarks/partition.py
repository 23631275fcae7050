# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who answers when nodes that did not hear each other meet again, and while cables are bad: the rows about staying."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Iterator

from homelab.shell import LabError
from prometheus_client.parser import text_string_to_metric_families

from . import lab, lan
from .failover import LAB, LONGEST_SECONDS
from .figures import Row
from .front import Front, front, repeated
from .scenario import Extent, Scenario
from .session import Session
from .timeline import Answer, disturbed, overlap, presences, takings

# Asked so often, and silent for so long that an answer cannot merely be late.
HEAL_INTERVAL, HEAL_QUIET = 0.02, 0.1
# A node that hears nobody takes a while to decide that it is not cut off.
APART_SECONDS, HEAL_SECONDS = 8.0, 20.0
# Of frames and their answers a tenth is lost on the way to a node and back: eight in a row once in 10^8.
BAD_INTERVAL, BAD_QUIET = 0.25, 2.0
JITTER, LOSS = "200ms", "5%"
BAD_VISIT_INTERVAL, BAD_VISIT_TIMEOUT = 0.1, 10.0
# Lantern evens its addresses out a minute after a node has come back.
EVEN_SECONDS = 75.0
_TAKEOVERS = "lantern_takeovers_total"
_METRICS_PORT = 17472


def scenarios(extent: Extent) -> tuple[Scenario, ...]:
    return _heal(extent.handovers), _impaired(extent.impaired_minutes)


def _heal(count: int) -> Scenario:
    return Scenario(
        name="heal",
        rows=(
            Row(
                key="heal_two_worst",
                what="A dead switch port works again: time in which two nodes answer for an address, worst",
                how=f"ARP asked every {HEAL_INTERVAL * 1e3:.0f} ms",
                target=0.5,
                counted=True,
            ),
            Row(key="heal_two", what="The same, mean"),
        ),
        measure=lambda session: _measure_heal(session, count),
        lab=LAB,
        once=True,
    )


def _measure_heal(session: Session, count: int) -> None:
    times = repeated(session, "heal_two_worst", count, _two_answering)
    session.record("heal_two_worst", max(times), times)
    session.record("heal_two", sum(times) / len(times))


def _two_answering(scene: Front) -> float:
    """Cut a node off without it seeing that, until another one has followed; seconds with both after the cable heals.

    Raises:
        LabError: nobody followed.
    """
    pair = scene.pair()
    address = pair.addresses[0]
    try:
        lab.run("cable", pair.owner, "cut", "--keep-carrier")
        _wait_follower(scene, address)
        with lan.watching([address], HEAL_INTERVAL) as watch:
            time.sleep(APART_SECONDS)
            lab.run("cable", pair.owner, "join")
            time.sleep(HEAL_SECONDS)
    finally:
        lab.run("cable", pair.owner, "join")
    return overlap(presences(watch.answers[address], HEAL_QUIET))


def _wait_follower(scene: Front, address: str) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while not scene.asker.who_has([address])[address]:
        if time.monotonic() > deadline:
            raise LabError(f"nobody took {address} from a node that is cut off within {LONGEST_SECONDS:.0f} s")


def _impaired(minutes: float) -> Scenario:
    bad = f"{minutes:g} min with {JITTER} of jitter and {LOSS} of loss in all nodes' cables"
    asked = f"ARP asked every {BAD_INTERVAL:g} s, silences of {BAD_QUIET:g} s"
    return Scenario(
        name="impaired",
        rows=(
            Row(key="impaired_changes", what=f"{bad}: changes of who answers", how=asked, unit="changes", target=0),
            Row(
                key="impaired_takeovers",
                what="The same, takeovers by the speakers' own count",
                how=f"`{_TAKEOVERS}`, handovers apart",
                unit="takeovers",
                target=0,
            ),
            Row(
                key="impaired_lost",
                what="The same, requests lost while the announcing node changed or was silent",
                how=f"10 requests a second, {BAD_VISIT_TIMEOUT:.0f} s for each",
                unit="requests",
                target=0,
            ),
            Row(
                key="impaired_cable",
                what="The same, requests that the cables lost",
                how="all others without an answer",
                unit="% of all",
            ),
        ),
        measure=lambda session: _measure_impaired(session, minutes),
        lab=LAB,
        once=True,
    )


def _measure_impaired(session: Session, minutes: float) -> None:
    with front(session) as scene:
        scene.settle(EVEN_SECONDS)
        address = scene.pair().addresses[0]
        before = _takeovers()
        with (
            lan.watching(scene.addresses, BAD_INTERVAL) as watch,
            lan.visiting(
                {"visitor": lan.Client(address)}, interval=BAD_VISIT_INTERVAL, timeout=BAD_VISIT_TIMEOUT
            ) as visits,
        ):
            with _bad_cables():
                time.sleep(minutes * 60)
            # What is under way then comes home over good cables.
            time.sleep(BAD_QUIET)
        after = _takeovers()
        scene.settle(0)
    changes = [takings(_known(watch, item), BAD_QUIET) for item in scene.addresses]
    seen = visits.seen
    caused = disturbed(seen, _known(watch, address), BAD_QUIET)
    session.record("impaired_changes", sum(map(len, changes)))
    if before is not None and after is not None:
        session.record("impaired_takeovers", after - before)
    session.record("impaired_lost", len(caused))
    session.record("impaired_cable", (sum(not visit.served for visit in seen) - len(caused)) / len(seen) * 100)


def _known(watch: lan.Watch, address: str) -> list[Answer]:
    return watch.answers.get(address, [])


@contextlib.contextmanager
def _bad_cables() -> Iterator[None]:
    nodes = [node.name for node in lab.topology().nodes]
    try:
        for number, node in enumerate(nodes):
            lab.run("cable", node, "impair", "--jitter", JITTER, "--loss", LOSS, "--seed", str(number))
        yield
    finally:
        for node in nodes:
            lab.run("cable", node, "clear")


def _takeovers() -> float | None:
    """How often any speaker has taken addresses from a dead owner; None when speakers do not count that."""
    counts = [counted(_metrics(node.name)) for node in lab.topology().nodes]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def counted(page: str) -> float | None:
    """The takeovers on a speaker's page of metrics, handovers apart; None when it says nothing of takeovers."""
    for family in text_string_to_metric_families(page):
        if family.name == _TAKEOVERS.removesuffix("_total"):
            # Before the first takeover the family has no samples.
            taken = [one for one in family.samples if one.name == _TAKEOVERS and one.labels["cause"] != "handover"]
            return sum(one.value for one in taken)
    return None


def _metrics(node: str) -> str:
    """What the speaker of a node tells there, empty when it tells nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", _METRICS_PORT, timeout=5)
    try:
        with lab.sockets_in(lab.network(node)):
            connection.connect()
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        return answer.read().decode() if answer.status == 200 else ""
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()
