# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the silent: one member is probed at a time (memberlist state.go:232-521, net.go:565-678).

A round: ping; without an answer in time ask a few others to ping it, and try TCP; without any answer at the end of
the round the member is suspected. Other members' requests to ping somebody are served here too.

Unlike memberlist's, a round is left out for a member whose application was heard meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from lantern.gossip import effects, round_trip
from lantern.gossip.cluster import Cluster
from lantern.gossip.config import GossipConfig
from lantern.gossip.endpoint import Endpoint, endpoint, reachable
from lantern.gossip.faults import DropReason, PeerError
from lantern.gossip.members import Member, MemberState, MemberTable
from lantern.gossip.outbox import Outbox
from lantern.gossip.round_trip import RoundTrip
from lantern.gossip.timers import PingDeadline, ProbeDeadline, ProbeTick, ProbeTimeout, Timers
from lantern.gossip.wire import Ack, IndirectPing, Message, Nack, Ping, Suspect

_STREAM_PING_PROTOCOL = 3
_NACK_PROTOCOL = 4
_SEQ_NO_MASK = 0xFFFFFFFF


class ProbeRing:
    """The order of probing: everybody once in each turn, shuffled anew for the next."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._names: list[str] = []
        self._known: set[str] = set()
        self._index = 0

    def next(self, table: MemberTable, me: str, on_turn: Callable[[], None]) -> Member | None:
        """The member to probe now, None when there is no other. `on_turn` is called between two turns."""
        self._adopt(table.names() - self._known)
        for _ in range(len(self._names) + 1):
            if self._index >= len(self._names):
                on_turn()
                self._names = [member.name for member in table]
                self._known = set(self._names)
                self._rng.shuffle(self._names)
                self._index = 0
            member = table.get(self._names[self._index])
            self._index += 1
            if member is not None and member.present and member.name != me:
                return member
        return None

    def _adopt(self, names: set[str]) -> None:
        """Newcomers get a random place, mostly still in this turn: else they would all wait for the next."""
        for name in sorted(names):
            self._names.insert(self._rng.randint(self._index, len(self._names)), name)
        self._known |= names


@dataclass(slots=True)
class _Round:
    """A probe under way."""

    member: Member
    sent: float
    deadline: float
    next_tick: float
    expected_nacks: int = 0
    nacks: int = 0
    stream_answered: bool = False


@dataclass(frozen=True, slots=True)
class _Relay:
    """A ping for another member, who is told the outcome under its own number."""

    seq_no: int
    asker: Endpoint
    nack: bool


@dataclass(frozen=True, slots=True)
class _Errand:
    """A ping for the application."""

    member: Member
    sent: float


StreamPing = Callable[[Member, Ping, float], None]
"""Ping a member over TCP until the given time; `Prober.stream_ack` is told of the answer."""


@dataclass(slots=True)
class Prober:
    """Everything that waits for an ack, by sequence number."""

    config: GossipConfig
    rng: Random
    timers: Timers
    outbox: Outbox
    cluster: Cluster
    stream_ping: StreamPing
    round_trips: dict[str, RoundTrip] = field(default_factory=dict)
    _ring: ProbeRing = field(init=False)
    _waiting: dict[int, _Round | _Relay | _Errand] = field(default_factory=dict)
    _heard: dict[str, float] = field(default_factory=dict)
    _seq_no: int = field(init=False)
    _relays: int = 0

    def __post_init__(self) -> None:
        self._ring = ProbeRing(self.rng)
        # Not from 0, so that nobody who cannot see the pings can forge the acks.
        self._seq_no = self.rng.getrandbits(32)

    def tick(self, *, now: float) -> None:
        """Begin a round. The next begins one interval later, or when this one ends if that takes longer."""
        timing = self.config.timing
        member = self._ring.next(self.cluster.table, self.config.name, lambda: self._turn(now))
        next_tick = now + timing.probe_interval_seconds
        if member is None or self._lives(member, now):
            self.timers.set(next_tick, ProbeTick())
            return
        deadline = now + self.cluster.awareness.scaled(timing.probe_interval_seconds)
        seq_no = self._wait(_Round(member, now, deadline, next_tick))
        messages: list[Message] = [self._ping(member.name, seq_no)]
        if member.state is MemberState.SUSPECT:
            # So that it learns of the suspicion and can object at once.
            messages.append(Suspect(member.incarnation, member.name, self.config.name))
        self.outbox.send(messages, member.endpoint, newest_protocol=member.newest_protocol)
        self.timers.set(now + timing.probe_timeout_seconds, ProbeTimeout(seq_no))
        self.timers.set(deadline, ProbeDeadline(seq_no))

    def timeout(self, seq_no: int, *, now: float) -> None:
        """The direct ping was not answered."""
        probe = self._waiting.get(seq_no)
        if not isinstance(probe, _Round):
            return
        target = probe.member
        helpers = self.cluster.table.sample(
            self.rng,
            self.config.timing.indirect_checks,
            lambda member: member.state is MemberState.ALIVE and member.name not in (self.config.name, target.name),
        )
        for helper in helpers:
            nack = helper.newest_protocol >= _NACK_PROTOCOL
            probe.expected_nacks += nack
            request = IndirectPing(seq_no, target.address, target.port, target.name, nack, *self._source())
            self.outbox.send([request], helper.endpoint, newest_protocol=helper.newest_protocol)
        if self.config.timing.stream_pings and target.newest_protocol >= _STREAM_PING_PROTOCOL:
            self.stream_ping(target, self._ping(target.name, seq_no), probe.deadline)

    def deadline(self, seq_no: int, *, now: float) -> None:
        """The round is over without an ack over UDP."""
        probe = self._waiting.get(seq_no)
        if not isinstance(probe, _Round):
            return
        self._finish(seq_no, probe, now=now)
        if probe.stream_answered:
            self.cluster.awareness.change(-1)
            self.outbox.emit(effects.OnlyStreamsAnswer(probe.member))
            return
        # Whoever got neither acks nor nacks is more likely cut off itself.
        missing = probe.expected_nacks - probe.nacks if probe.expected_nacks else 1
        self.cluster.awareness.change(max(missing, 0))
        self.cluster.suspect(Suspect(probe.member.incarnation, probe.member.name, self.config.name), now=now)

    def ack(self, message: Ack, source: Endpoint, *, now: float) -> None:
        waiting = self._waiting.get(message.seq_no)
        match waiting:
            case _Round():
                self._finish(message.seq_no, waiting, now=now)
                self.cluster.awareness.change(-1)
                self._measure(waiting.member, waiting.sent, source, now=now)
            case _Relay():
                del self._waiting[message.seq_no]
                self._relays -= 1
                self.outbox.send([Ack(waiting.seq_no)], waiting.asker)
            case _Errand():
                del self._waiting[message.seq_no]
                self._measure(waiting.member, waiting.sent, source, now=now)
                self.outbox.emit(effects.PingAnswered(message.seq_no, waiting.member.name, now - waiting.sent))

    def nack(self, message: Nack) -> None:
        probe = self._waiting.get(message.seq_no)
        if isinstance(probe, _Round):
            probe.nacks += 1

    def stream_ack(self, seq_no: int) -> None:
        probe = self._waiting.get(seq_no)
        if isinstance(probe, _Round):
            probe.stream_answered = True

    def answer(self, ping: Ping, source: Endpoint) -> None:
        """Answer a ping, if it is for this node. Raises PeerError."""
        if ping.node not in ("", self.config.name):
            raise PeerError(DropReason.NOT_FOR_US, ping.node)
        self.outbox.send([Ack(ping.seq_no)], _asker(ping, source))

    def relay(self, request: IndirectPing, source: Endpoint, *, now: float) -> None:
        """Ping somebody for another member. Raises PeerError."""
        if not reachable(request.target):
            raise PeerError(DropReason.BAD_ADDRESS, request.target.hex())
        if self._relays >= self.config.limits.relays:
            raise PeerError(DropReason.TOO_MANY_RELAYS)
        self._relays += 1
        seq_no = self._wait(_Relay(request.seq_no, _asker(request, source), request.nack))
        target = endpoint(request.target, request.port or self.config.port)
        self.outbox.send([self._ping(request.node, seq_no)], target)
        self.timers.set(now + self.config.timing.probe_timeout_seconds, PingDeadline(seq_no))

    def ping(self, member: Member, *, timeout_seconds: float, now: float) -> int:
        """Ping a member for the application; the sequence number that the outcome will carry."""
        seq_no = self._wait(_Errand(member, now))
        self.outbox.send([self._ping(member.name, seq_no)], member.endpoint, newest_protocol=member.newest_protocol)
        self.timers.set(now + timeout_seconds, PingDeadline(seq_no))
        return seq_no

    def ping_deadline(self, seq_no: int) -> None:
        """A ping for somebody else was not answered."""
        match self._waiting.get(seq_no):
            case _Relay() as relay:
                del self._waiting[seq_no]
                self._relays -= 1
                if relay.nack:
                    self.outbox.send([Nack(relay.seq_no)], relay.asker)
            case _Errand() as errand:
                del self._waiting[seq_no]
                self.outbox.emit(effects.PingUnanswered(seq_no, errand.member.name))

    def heard(self, name: str, *, now: float) -> None:
        """The application of a member has said something."""
        self._heard[name] = now

    def _lives(self, member: Member, now: float) -> bool:
        """Whether a ping would tell nothing that is not known already.

        Speakers that probe each other several times a second would be woken by pings beside that for nothing.
        """
        if member.state is not MemberState.ALIVE or self.cluster.awareness.score:
            return False
        heard = self._heard.get(member.name)
        return heard is not None and now - heard < self.config.timing.probe_interval_seconds

    def _turn(self, now: float) -> None:
        self.cluster.reap(now=now)
        for gone in (self.round_trips.keys() | self._heard.keys()) - self.cluster.table.names():
            self.round_trips.pop(gone, None)
            self._heard.pop(gone, None)

    def _wait(self, waiting: _Round | _Relay | _Errand) -> int:
        self._seq_no = (self._seq_no + 1) & _SEQ_NO_MASK
        self._waiting[self._seq_no] = waiting
        return self._seq_no

    def _finish(self, seq_no: int, probe: _Round, *, now: float) -> None:
        del self._waiting[seq_no]
        self.timers.set(max(now, probe.next_tick), ProbeTick())

    def _measure(self, member: Member, sent: float, source: Endpoint, *, now: float) -> None:
        """Count the time only if the member itself answered; a relayed ack comes from somebody else."""
        if source != member.endpoint:
            return
        known = self.round_trips.get(member.name)
        self.round_trips[member.name] = known.after(now - sent) if known else round_trip.first(now - sent)

    def _ping(self, name: str, seq_no: int) -> Ping:
        return Ping(seq_no, name, *self._source())

    def _source(self) -> tuple[bytes, int, str]:
        return self.config.address, self.config.port, self.config.name


def _asker(request: Ping | IndirectPing, source: Endpoint) -> Endpoint:
    """Where the answer goes: where the request says, else where it came from."""
    if not request.source_address or not request.source_port:
        return source
    if not reachable(request.source_address):
        raise PeerError(DropReason.BAD_ADDRESS, request.source_address.hex())
    return endpoint(request.source_address, request.source_port)
