# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network in memory with a clock of numbers: the same seed gives the same run.

Datagrams may be lost, delayed and doubled. Streams are as TCP makes them: nothing is lost, but what was lost on the
way comes later, and a peer that cannot be reached is tried again after 1, 2 and 4 seconds.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from lantern.gossip import effects
from lantern.gossip.config import GossipConfig
from lantern.gossip.endpoint import Endpoint
from lantern.gossip.members import MemberState
from lantern.gossip.node import Node


@dataclass
class Link:
    """How the network treats what is sent; `delay_seconds` one way, from and to."""

    loss: float = 0.0
    duplicates: float = 0.0
    delay_seconds: tuple[float, float] = (0.0002, 0.002)


@dataclass
class Host:
    """One node and what happened to it. `clock_offset`: its own clock minus the network's."""

    node: Node
    where: Endpoint
    label: str
    name: str
    clock_offset: float
    running: bool = True
    powered: bool = True
    paused_until: float = 0.0
    events: list[tuple[float, effects.Event]] = field(default_factory=list)
    waiting: list[Callable[[], None]] = field(default_factory=list)
    alarm: float | None = None

    def seen(self, kind: type[effects.Event], name: str | None = None) -> list[float]:
        """When events of a kind happened, about one member if named."""
        return [
            when
            for when, event in self.events
            if isinstance(event, kind) and (name is None or getattr(event, "member").name == name)  # noqa: B009
        ]

    def states(self) -> dict[str, MemberState]:
        return {member.name: member.state for member in self.node.members}

    def present(self) -> set[str]:
        return {member.name for member in self.node.members if member.present}


@dataclass
class _Stream:
    ends: dict[int, tuple[Host, int]]
    """Side 0 dialled, side 1 was dialled: the host and its number for the stream."""
    last: list[float]
    """When the latest bytes arrive at each side: a stream keeps its order."""


class SimNet:
    """All hosts, and everything that is under way."""

    def __init__(self, seed: int, link: Link | None = None) -> None:
        self.rng = Random(seed)
        self.link = link or Link()
        self.now = 0.0
        self.hosts: dict[str, Host] = {}
        self._places: dict[Endpoint, Host] = {}
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._sides: dict[str, int] = {}
        self._streams: dict[tuple[str, int], tuple[_Stream, int]] = {}

    # What a test does to the world.

    def add(self, label: str, *, name: str | None = None, **settings: Any) -> Host:
        """Start a node, or start one anew that has ended; its address stays the same. Its name is its label."""
        number = list(self.hosts).index(label) + 1 if label in self.hosts else len(self.hosts) + 1
        address = bytes((10, 0, number >> 8, number & 0xFF))
        config = GossipConfig(name=name or label, address=address, **settings)
        node = Node(config, Random(self.rng.getrandbits(64)))
        host = Host(node, config.endpoint, label, config.name, clock_offset=self.rng.uniform(0, 1e6))
        self.hosts[label] = host
        self._places[host.where] = host
        node.start(now=self._clock(host))
        self._settle(host)
        return host

    def cluster(self, size: int, **settings: Any) -> list[Host]:
        """So many nodes that all know the first one."""
        hosts = [self.add(f"n{number}", **settings) for number in range(1, size + 1)]
        for host in hosts[1:]:
            self.seed(host, hosts[0])
        return hosts

    def seed(self, host: Host, *seeds: Host) -> None:
        """Give a node its seeds."""
        host.node.set_seeds([seed.where for seed in seeds], now=self._clock(host))
        self._settle(host)

    def broadcast(self, host: Host, key: str, data: bytes) -> None:
        host.node.broadcast(key, data, now=self._clock(host))
        self._settle(host)

    def leave(self, host: Host) -> None:
        host.node.leave(now=self._clock(host))
        self._settle(host)

    def kill(self, host: Host) -> None:
        """The process ends; its host refuses connections."""
        host.running = False

    def power_off(self, host: Host) -> None:
        """The host answers nothing any more."""
        host.running = host.powered = False

    def pause(self, host: Host, seconds: float) -> None:
        """Stop the process for a while; what arrives meanwhile waits."""
        host.paused_until = self.now + seconds
        self._at(host.paused_until, lambda: self._resume(host))

    def jump_clock(self, host: Host, seconds: float) -> None:
        host.clock_offset += seconds
        self._settle(host)

    def partition(self, *groups: Iterable[Host]) -> None:
        """Only hosts of the same group reach each other; who is in none is in a group of its own with the others."""
        self._sides = {host.label: number for number, group in enumerate(groups, 1) for host in group}

    def heal(self) -> None:
        self._sides = {}

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        end = self.now + seconds
        while self._queue and self._queue[0][0] <= end:
            self.now, _, action = heapq.heappop(self._queue)
            action()
        self.now = end

    def run_until(self, check: Callable[[], bool], limit_seconds: float, step_seconds: float = 0.05) -> float:
        """Virtual seconds until the check holds; fails after the limit."""
        begin = self.now
        while not check():
            assert self.now - begin < limit_seconds, f"not within {limit_seconds} virtual seconds"
            self.run(step_seconds)
        return self.now - begin

    # How the network works.

    def _clock(self, host: Host) -> float:
        return self.now + host.clock_offset

    def _at(self, when: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (when, next(self._order), action))

    def _delay(self) -> float:
        return self.rng.uniform(*self.link.delay_seconds)

    def _reach(self, one: Host, other: Host) -> bool:
        return other.powered and self._sides.get(one.label, 0) == self._sides.get(other.label, 0)

    def _input(self, host: Host, action: Callable[[], None]) -> None:
        """Give a node something; a paused one gets it later."""
        if not host.running:
            return
        if self.now < host.paused_until:
            host.waiting.append(action)
            return
        action()
        self._settle(host)

    def _resume(self, host: Host) -> None:
        waiting, host.waiting = host.waiting, []
        for action in waiting:
            self._input(host, action)
        self._ring(host)

    def _settle(self, host: Host) -> None:
        """Carry out a node's effects and set its alarm."""
        for effect in host.node.drain():
            match effect:
                case effects.SendDatagram(data, to):
                    self._send(host, data, to)
                case effects.OpenStream(number, to, data):
                    self._dial(host, number, to, data, attempt=0)
                case effects.StreamSend(number, data):
                    self._write(host, number, data)
                case effects.StreamClose(number):
                    self._close(host, number)
                case _:
                    host.events.append((self.now, effect))
        due = host.node.next_timer()
        if due is not None:
            alarm = max(due - host.clock_offset, self.now)
            if host.alarm is None or alarm < host.alarm:
                host.alarm = alarm
                self._at(alarm, lambda: self._ring_at(host, alarm))

    def _ring_at(self, host: Host, alarm: float) -> None:
        if host.alarm == alarm:
            self._ring(host)

    def _ring(self, host: Host) -> None:
        host.alarm = None
        if host.running and self.now >= host.paused_until:
            host.node.handle_timer(now=self._clock(host))
            self._settle(host)

    def _send(self, sender: Host, data: bytes, to: Endpoint) -> None:
        receiver = self._places.get(to)
        if receiver is None:
            return
        copies = 2 if self.link.duplicates and self.rng.random() < self.link.duplicates else 1
        for _ in range(copies):
            if self.link.loss and self.rng.random() < self.link.loss:
                continue
            self._at(self.now + self._delay(), lambda: self._arrive(sender, receiver, data))

    def _arrive(self, sender: Host, receiver: Host, data: bytes) -> None:
        if self._reach(sender, receiver):
            self._input(
                receiver,
                lambda: receiver.node.receive_datagram(data, sender.where, now=self._clock(receiver)),
            )

    def _dial(self, host: Host, number: int, to: Endpoint, data: bytes, attempt: int) -> None:
        self._at(self.now + 2 * self._delay(), lambda: self._connect(host, number, to, data, attempt))

    def _connect(self, host: Host, number: int, to: Endpoint, data: bytes, attempt: int) -> None:
        peer = self._places.get(to)
        lost = peer is None or not self._reach(host, peer) or self.rng.random() < 2 * self.link.loss
        if lost:
            if attempt < 3:
                self._at(self.now + 2.0**attempt, lambda: self._connect(host, number, to, data, attempt + 1))
            return
        assert peer is not None
        accepted = peer.node.accept_stream(host.where, now=self._clock(peer)) if peer.running else None
        self._settle(peer)
        if accepted is None:
            self._input(host, lambda: host.node.stream_closed(number, now=self._clock(host)))
            return
        stream = _Stream({0: (host, number), 1: (peer, accepted)}, [self.now, self.now])
        self._streams[host.label, number] = (stream, 0)
        self._streams[peer.label, accepted] = (stream, 1)
        self._write(host, number, data)

    def _write(self, host: Host, number: int, data: bytes) -> None:
        """Deliver in pieces of random size, in order, some of them late."""
        if (host.label, number) not in self._streams:
            return
        stream, side = self._streams[host.label, number]
        peer, peer_number = stream.ends[1 - side]
        while data:
            size = self.rng.randint(1, 4000)
            piece, data = data[:size], data[size:]
            late = 0.2 if self.rng.random() < self.link.loss else 0.0
            arrival = max(stream.last[1 - side], self.now + self._delay() + late)
            stream.last[1 - side] = arrival
            self._at(arrival, lambda piece=piece: self._read(host, peer, peer_number, piece))

    def _read(self, sender: Host, receiver: Host, number: int, piece: bytes) -> None:
        if self._reach(sender, receiver):
            self._input(receiver, lambda: receiver.node.receive_stream(number, piece, now=self._clock(receiver)))

    def _close(self, host: Host, number: int) -> None:
        found = self._streams.pop((host.label, number), None)
        if found is None:
            return
        stream, side = found
        peer, peer_number = stream.ends[1 - side]
        when = max(stream.last[1 - side], self.now + self._delay())
        self._at(when, lambda: self._closed(host, peer, peer_number))

    def _closed(self, sender: Host, receiver: Host, number: int) -> None:
        if self._streams.pop((receiver.label, number), None) is not None and self._reach(sender, receiver):
            self._input(receiver, lambda: receiver.node.stream_closed(number, now=self._clock(receiver)))
