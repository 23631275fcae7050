# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What requests and ARP answers over time say: gaps, losses, who answered when. Pure; moments are monotonic seconds."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of one client, over a connection of its own.

    `served`: it got the page in time; `cut`: it got none, for its connection had come about and was reset.
    """

    client: str
    started: float
    ended: float
    served: bool
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """An ARP answer for one address."""

    moment: float
    mac: str


@dataclass(frozen=True, slots=True)
class Presence:
    """A time in which one MAC address kept answering."""

    mac: str
    since: float
    until: float


def longest_gap(visits: Iterable[Visit], since: float, until: float) -> float:
    """The longest time between two pages, from the last one before `since` on; `until` ends what is known."""
    ends = sorted(visit.ended for visit in visits if visit.served and visit.ended <= until)
    before = [end for end in ends if end <= since]
    moments = [before[-1] if before else since, *ends[len(before) :], until]
    return max(later - earlier for earlier, later in itertools.pairwise(moments))


def lost(visits: Iterable[Visit]) -> list[Visit]:
    """Those that got no page."""
    return [visit for visit in visits if not visit.served]


def of_client(visits: Iterable[Visit], client: str) -> list[Visit]:
    return [visit for visit in visits if visit.client == client]


def presences(answers: Iterable[Answer], quiet: float) -> list[Presence]:
    """Who answered from when to when, in the order they began; who says nothing for `quiet` seconds has stopped."""
    found: list[Presence] = []
    latest: dict[str, Presence] = {}
    for answer in sorted(answers, key=lambda answer: answer.moment):
        known = latest.get(answer.mac)
        if known is not None and answer.moment - known.until <= quiet:
            latest[answer.mac] = Presence(answer.mac, known.since, answer.moment)
            continue
        found += [known] if known is not None else []
        latest[answer.mac] = Presence(answer.mac, answer.moment, answer.moment)
    return sorted([*found, *latest.values()], key=lambda presence: (presence.since, presence.until))


def overlap(present: Sequence[Presence]) -> float:
    """For how many seconds at least two answered."""
    steps = sorted([(item.since, 1) for item in present] + [(item.until, -1) for item in present])
    total, count, before = 0.0, 0, 0.0
    for moment, step in steps:
        if count >= 2:
            total += moment - before
        count, before = count + step, moment
    return total


def takings(answers: Iterable[Answer], quiet: float) -> list[float]:
    """When anybody but the first began to answer, or began again after `quiet` seconds of silence."""
    return [presence.since for presence in presences(answers, quiet)[1:]]


def disturbed(visits: Iterable[Visit], answers: Sequence[Answer], quiet: float) -> list[Visit]:
    """Lost requests that the load balancer may have lost, and not the cables.

    That is: while they were under way, or in the `quiet` seconds before, the announcing node changed or nobody answered
    for their address for `quiet` seconds. On a bad cable, choose as many seconds as no run of lost answers lasts.
    """
    moments = sorted(answer.moment for answer in answers)
    if not moments:
        return lost(visits)
    spans = [(moment, moment) for moment in takings(answers, quiet)]
    spans += [(early, late) for early, late in itertools.pairwise(moments) if late - early > quiet]
    spans += [(float("-inf"), moments[0] - quiet), (moments[-1] + quiet, float("inf"))]
    return [
        visit
        for visit in lost(visits)
        if any(visit.started - quiet <= late and early <= visit.ended for early, late in spans)
    ]
