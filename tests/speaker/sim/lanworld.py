# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speakers on a LAN in memory: whole failover machines, a network that loses and delays, and who answers for what.

Membership is played by the world itself, as slow as memberlist: deaths are known after five seconds, returns after ten
at the latest. Everything else is the real thing. The same seed gives the same run.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from fakes.records import advertisement, node, pool, service
from lantern.app import failover_effects as effects
from lantern.app.failover import Failover, Options
from lantern.app.roster import Presence
from lantern.core.model import Endpoint, Snapshot
from lantern.core.vips import VipIndex
from lantern.gossip.timers import Clock
from lantern.pools import Address
from lantern.watch import effects as watched

GOSSIP_DEATH_SECONDS = 5.0
LAN_ANSWER_SECONDS = 0.36


@dataclass
class Link:
    """How the network treats what is sent; the delay is one way, drawn evenly."""

    loss: float = 0.0
    delay_seconds: tuple[float, float] = (0.0001, 0.001)
    in_order: bool = False
    """What a box sends does not overtake what it sent before."""


def snapshot(names: Iterable[str], vips: int, **changes: Any) -> Snapshot:
    """Services web-0 and so on, one address each, announced from all nodes."""
    names = list(names)
    services = tuple(service(f"web-{number}", f"10.9.{number >> 8}.{number & 255}") for number in range(vips))
    endpoints = tuple(Endpoint(name, True) for name in names)
    values: dict[str, Any] = {
        "pools": (pool("home", "10.9.0.0/16"),),
        "services": services,
        "endpoints": {item.key: endpoints for item in services},
        "nodes": {name: node(name) for name in names},
        "advertisements": (advertisement(),),
    }
    return Snapshot(**{**values, **changes})


@dataclass
class Box:
    """One machine with its speaker."""

    name: str
    number: int
    failover: Failover
    clock_offset: float
    powered: bool = True
    plugged: bool = True
    frozen: bool = False
    firewalled: bool = False
    left: bool = False
    announced: set[Address] = field(default_factory=set)
    log: list[tuple[float, object]] = field(default_factory=list)
    waiting: list[Callable[[], None]] = field(default_factory=list)
    alarm: float | None = None
    sent: int = 0
    last_arrival: float = 0.0
    """Of what it has sent so far."""

    @property
    def mac(self) -> bytes:
        return bytes((2, 0, 0, 0, self.number >> 8, self.number & 255))

    def seen(self, kind: type[Any]) -> list[Any]:
        return [event for _, event in self.log if isinstance(event, kind)]


class LanWorld:
    """All boxes, what is under way between them, and a record of how many answered for each address."""

    def __init__(self, seed: int, link: Link | None = None, options: Options | None = None) -> None:
        self.rng = Random(seed)
        self.link = link or Link()
        self.options = options or Options()
        self.now = 0.0
        self.boxes: dict[str, Box] = {}
        self.state: Snapshot = Snapshot(pools=())
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._sides: dict[str, int] = {}
        self._known_dead: set[str] = set()
        self._split_since: dict[tuple[str, str], float] = {}
        self._foreign: set[str] = set()
        self.alone: dict[Address, float] = defaultdict(float)
        """Seconds in which nobody answered."""
        self.doubled: dict[Address, float] = defaultdict(float)
        """Seconds in which more than one on the same side answered."""
        self._accounted = 0.0
        self._answering: Counter[tuple[int, Address]] = Counter()

    # What a test does to the world.

    def boot(self, names: Iterable[str]) -> list[Box]:
        """Power machines on, all at the same moment."""
        return [self.add(name) for name in names]

    def add(self, name: str) -> Box:
        """Power one on, or on again after it was off."""
        number = self.boxes[name].number if name in self.boxes else len(self.boxes) + 1
        clock = Clock(0.03)
        failover = Failover(name, VipIndex(), self.options, Random(self.rng.getrandbits(64)), clock)
        box = Box(name, number, failover, clock_offset=self.rng.uniform(0, 1e5))
        self.boxes[name] = box
        failover.start(now=self._clock(box))
        failover.set_interfaces({"eth0": box.mac}, now=self._clock(box))
        failover.set_snapshot(self.state, now=self._clock(box))
        self._settle(box)
        self._at(self.now + self.rng.uniform(0.1, 0.4), self._gossip)
        return box

    def give(self, state: Snapshot, only: Iterable[str] | None = None) -> None:
        """Let the API server tell all of this, each within a few milliseconds."""
        self.state = state
        for box in self.boxes.values():
            if only is None or box.name in only:
                self._at(self.now + self.rng.uniform(0, 0.02), lambda box=box: self._snapshot(box, state))

    def power_off(self, box: Box) -> None:
        self._account()
        box.powered = False
        self._at(self.now + GOSSIP_DEATH_SECONDS, self._gossip)

    def pull_cable(self, box: Box, *, carrier_is_seen: bool = True) -> None:
        """`carrier_is_seen` False: the cable behind the next switch."""
        self._account()
        box.plugged = False
        self._at(self.now + GOSSIP_DEATH_SECONDS, self._gossip)
        if carrier_is_seen:
            self._input(box, lambda: box.failover.set_interfaces({}, present=("eth0",), now=self._clock(box)))

    def plug_cable(self, box: Box) -> None:
        self._account()
        box.plugged = True
        self._input(box, lambda: box.failover.set_interfaces({"eth0": box.mac}, now=self._clock(box)))
        self._at(self.now + self.rng.uniform(1, 10), self._gossip)

    def firewall(self, box: Box) -> None:
        """Nothing of gossip's ports comes or goes; ARP, which no firewall looks at, does."""
        box.firewalled = True
        self._at(self.now + GOSSIP_DEATH_SECONDS, self._gossip)

    def freeze(self, box: Box, seconds: float) -> None:
        """Stop the process for a while; what arrives meanwhile waits."""
        self._account()
        box.frozen = True
        self._at(self.now + seconds, lambda: self._thaw(box))
        self._at(self.now + GOSSIP_DEATH_SECONDS, self._gossip)

    def jump_clock(self, box: Box, seconds: float) -> None:
        box.clock_offset += seconds
        self._ring(box)

    def partition(self, *groups: Iterable[Box]) -> None:
        self._account()
        self._sides = {box.name: number for number, group in enumerate(groups, 1) for box in group}
        self._at(self.now + GOSSIP_DEATH_SECONDS, self._gossip)

    def heal(self) -> None:
        self._account()
        self._sides = {}
        self._at(self.now + self.rng.uniform(1, 10), self._gossip)

    def leave(self, box: Box) -> None:
        self._input(box, lambda: box.failover.leave(now=self._clock(box)))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            self.now, _, action = heapq.heappop(self._queue)
            action()
        self.now = end
        self._account()

    def run_until(self, check: Callable[[], bool], limit_seconds: float, step_seconds: float = 0.01) -> float:
        """Virtual seconds until the check holds; fails after the limit."""
        begin = self.now
        while not check():
            assert self.now - begin < limit_seconds, f"not within {limit_seconds} virtual seconds"
            self.run(step_seconds)
        return self.now - begin

    # What a test looks at.

    def owners(self, address: Address) -> list[str]:
        """Who answers for an address now."""
        return [box.name for box in self.boxes.values() if self._answers(box) and address in box.announced]

    def settled(self) -> bool:
        """Whether each address has exactly one that answers."""
        found = Counter(address for box in self.boxes.values() if self._answers(box) for address in box.announced)
        wanted = [address for item in self.state.services for address in item.addresses]
        return all(found[address] == 1 for address in wanted) and len(found) == len(set(wanted))

    def counts(self) -> dict[str, int]:
        return {box.name: len(box.announced) for box in self.boxes.values() if self._answers(box)}

    def forget_gaps(self) -> None:
        self._account()
        self.alone.clear()
        self.doubled.clear()

    @property
    def longest_gap(self) -> float:
        self._account()
        return max(self.alone.values(), default=0.0)

    @property
    def longest_doubled(self) -> float:
        self._account()
        return max(self.doubled.values(), default=0.0)

    # How the world works.

    def _clock(self, box: Box) -> float:
        return self.now + box.clock_offset

    def _at(self, when: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (when, next(self._order), action))

    def _runs(self, box: Box) -> bool:
        return box.powered and not box.left and not box.frozen

    def _answers(self, box: Box) -> bool:
        return self._runs(box) and box.plugged

    def _reach(self, one: Box, other: Box) -> bool:
        if one is other:
            return True
        side = self._sides.get(one.name, 0) == self._sides.get(other.name, 0)
        return side and one.powered and other.powered and one.plugged and other.plugged

    def _talk(self, one: Box, other: Box) -> bool:
        return self._reach(one, other) and not one.firewalled and not other.firewalled

    def _account(self) -> None:
        """Book the time since the last change of anything that matters."""
        passed, self._accounted = self.now - self._accounted, self.now
        if passed <= 0:
            return
        sides: dict[int, Counter[Address]] = defaultdict(Counter)
        for box in self.boxes.values():
            if self._answers(box):
                sides[self._sides.get(box.name, 0)].update(box.announced)
        for item in self.state.services:
            for address in item.addresses:
                most = max((found[address] for found in sides.values()), default=0)
                if most == 0:
                    self.alone[address] += passed
                elif most > 1:
                    self.doubled[address] += passed

    def _snapshot(self, box: Box, state: Snapshot) -> None:
        self._input(box, lambda: box.failover.set_snapshot(state, now=self._clock(box)))

    def _gossip(self) -> None:
        """Memberlist's slow truth."""
        for box in self.boxes.values():
            members = {}
            for other in self.boxes.values():
                if other is box or other.left:
                    continue
                answers = self._talk(box, other) and not other.frozen
                members[other.name] = Presence.SPEAKER if answers else Presence.FAILED
            members |= dict.fromkeys(self._foreign, Presence.FOREIGN)
            self._input(box, lambda box=box, members=members: box.failover.set_members(members, now=self._clock(box)))

    def foreigners(self, *names: str) -> None:
        """Nodes that run MetalLB's speaker."""
        self._foreign = set(names)
        self._gossip()

    def _input(self, box: Box, action: Callable[[], None]) -> None:
        if not box.powered or box.left:
            return
        if box.frozen:
            box.waiting.append(action)
            return
        action()
        self._settle(box)

    def _thaw(self, box: Box) -> None:
        self._account()
        box.frozen = False
        waiting, box.waiting = box.waiting, []
        self._ring(box)
        for action in waiting:
            self._input(box, action)
        self._at(self.now + self.rng.uniform(1, 10), self._gossip)

    def _ring(self, box: Box) -> None:
        box.alarm = None
        if self._runs(box):
            box.failover.handle_timer(now=self._clock(box))
            self._settle(box)

    def _settle(self, box: Box) -> None:
        for effect in box.failover.drain():
            match effect:
                case watched.Send(peer, data):
                    self._send(box, peer, data)
                case effects.Apply(decision):
                    self._account()
                    box.announced = {claim.address for claim in decision.claims}
                    box.log.append((self.now, effect))
                case effects.AskLan():
                    self._ask(box, effect)
                case effects.Left():
                    box.log.append((self.now, effect))
                    self._account()
                    box.left = True
                    self._at(self.now + 0.05, self._gossip)
                case _:
                    box.log.append((self.now, effect))
        due = box.failover.next_timer()
        if due is not None:
            alarm = max(due - box.clock_offset, self.now)
            if box.alarm is None or alarm < box.alarm:
                box.alarm = alarm
                self._at(alarm, lambda: self._ring(box) if box.alarm == alarm else None)

    def _send(self, sender: Box, peer: str, data: bytes) -> None:
        sender.sent += 1
        receiver = self.boxes.get(peer)
        if receiver is None or self.rng.random() < self.link.loss:
            return
        arrival = self.now + self.rng.uniform(*self.link.delay_seconds)
        if self.link.in_order:
            arrival = sender.last_arrival = max(arrival, sender.last_arrival)
        self._at(arrival, lambda: self._arrive(sender, receiver, data))

    def _arrive(self, sender: Box, receiver: Box, data: bytes) -> None:
        if self._talk(sender, receiver):
            name = sender.name
            self._input(receiver, lambda: receiver.failover.receive(name, data, now=self._clock(receiver)))

    def _ask(self, box: Box, asked: effects.AskLan) -> None:
        """Three probes for each address within the time; an answer may be lost or late."""
        macs: set[bytes] = set()
        for other in self.boxes.values():
            serves = other is not box and self._answers(other) and self._reach(box, other)
            for _ in other.announced.intersection(asked.addresses) if serves else ():
                if any(self._answer_in_time(probe * LAN_ANSWER_SECONDS / 3) for probe in range(3)):
                    macs.add(other.mac)
        linked = True if macs else None
        self._at(
            self.now + LAN_ANSWER_SECONDS,
            lambda: self._input(
                box, lambda: box.failover.lan_answered(asked.peer, macs, linked=linked, now=self._clock(box))
            ),
        )

    def _answer_in_time(self, asked_at: float) -> bool:
        there_and_back = self.rng.uniform(*self.link.delay_seconds) + self.rng.uniform(*self.link.delay_seconds)
        kept = self.rng.random() < (1 - self.link.loss) ** 2
        return kept and asked_at + there_and_back <= LAN_ANSWER_SECONDS
