# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One member of the cluster: the verbs of the machine, and who handles what."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from random import Random

from lantern.gossip import effects, packet, timers, wire
from lantern.gossip.cluster import Cluster
from lantern.gossip.config import MAX_META_BYTES, GossipConfig
from lantern.gossip.effects import Effect
from lantern.gossip.endpoint import Endpoint
from lantern.gossip.exchange import Exchange
from lantern.gossip.faults import PeerError
from lantern.gossip.keyring import Keyring
from lantern.gossip.members import Member, MemberState
from lantern.gossip.outbox import Outbox
from lantern.gossip.packet import PART_OVERHEAD_BYTES
from lantern.gossip.probe import Prober
from lantern.gossip.round_trip import RoundTrip
from lantern.gossip.timers import Clock, Timers
from lantern.gossip.wire import MessageType

# From this number of members on push/pulls become rarer (memberlist util.go:95).
_PUSH_PULL_SCALE = 32
# A goodbye goes to so many members at once, without waiting for gossip.
_GOODBYES = 64


class Node:
    """A gossip node. Call `start` first; see the package for the contract of the verbs."""

    def __init__(self, config: GossipConfig, rng: Random) -> None:
        """Raises ValueError for keys of a wrong size."""
        self._config = config
        self._rng = rng
        self._clock = Clock(config.timing.stall_seconds)
        self._timers = Timers()
        self._outbox = Outbox(config, rng)
        self._cluster = Cluster(config, self._timers, self._outbox)
        self._exchange = Exchange(config, self._timers, self._outbox, self._cluster)
        self._prober = Prober(config, rng, self._timers, self._outbox, self._cluster, self._exchange.ping)
        self._gossip_armed = False
        self._rejoin_serial = 0
        self._leave_told = False

    # What the application asks for.

    def start(self, *, now: float) -> None:
        """Become a cluster of one, and begin to look for the others as soon as there are seeds."""
        now = self._clock.lived(now, None)
        timing = self._config.timing
        self._cluster.start(now=now)
        self._timers.set(now + self._rng.random() * timing.probe_interval_seconds, timers.ProbeTick())
        self._timers.set(now + self._rng.random() * timing.push_pull_interval_seconds, timers.PushPullTick())
        self._look_for_members(now)
        self._arm(now)

    def set_seeds(self, seeds: Iterable[Endpoint], *, now: float) -> None:
        """Look for members there as long as none is known there. Replaces seeds given before."""
        now = self._lived(now)
        self._cluster.seeds.give(seeds)
        self._look_for_members(now)

    def set_keys(self, keys: Sequence[bytes]) -> None:
        """Use these keys from now on, the first to encrypt. Raises ValueError for one of a wrong size."""
        self._outbox.sealing.keyring = Keyring(keys)

    def set_meta(self, meta: bytes, *, now: float) -> None:
        """Let the members know another meta. Raises ValueError when it is too long."""
        if len(meta) > MAX_META_BYTES:
            raise ValueError(f"gossip meta has {len(meta)} bytes: give at most {MAX_META_BYTES}")
        now = self._lived(now)
        if meta != self._cluster.me.meta:
            self._cluster.set_meta(meta)
            self._arm(now)

    def set_user_state(self, data: bytes) -> None:
        """The application's state for the next push/pulls."""
        self._exchange.user_state = data

    def broadcast(self, key: str, data: bytes, *, now: float) -> None:
        """Spread an application message to all members. It replaces one with the same key that is still queued.

        Waits in the queue while not all members present have the capability. Raises ValueError when it does not fit
        into a datagram.
        """
        now = self._lived(now)
        if len(data) > self.longest_payload:
            raise ValueError(f"broadcast {key!r} has {len(data)} bytes: give at most {self.longest_payload}")
        self._outbox.payloads.put(key, bytes((MessageType.USER,)) + data)
        self._arm(now)

    def send(self, name: str, data: bytes) -> bool:
        """Send an application message to one member directly, in a datagram of its own that may be lost.

        Also to one that is dead or forgotten, where it was last; False when it was never known. Raises ValueError when
        the message does not fit into a datagram.
        """
        if len(data) > self.longest_payload:
            raise ValueError(f"message for {name!r} has {len(data)} bytes: give at most {self.longest_payload}")
        entry = self._cluster.directory.find(name)
        if entry is None or name == self._config.name:
            return False
        self._outbox.send_payload(data, entry.endpoint, newest_protocol=entry.newest_protocol)
        return True

    def ping(self, name: str, *, timeout_seconds: float, now: float) -> int | None:
        """Ping a member once, apart from the probe rounds. The outcome is PingAnswered or PingUnanswered with the
        number returned; None when no such member is present.
        """
        now = self._lived(now)
        member = self._cluster.table.get(name)
        if member is None or not member.present or name == self._config.name:
            return None
        return self._prober.ping(member, timeout_seconds=timeout_seconds, now=now)

    def accuse(self, name: str, *, now: float) -> None:
        """Suspect a member now, as if a probe of it had failed."""
        now = self._lived(now)
        if name != self._config.name:
            self._cluster.accuse(name, now=now)
            self._arm(now)

    def leave(self, *, now: float) -> None:
        """Say goodbye. LeaveFinished tells when it is said; the node answers until it is stopped."""
        now = self._lived(now)
        if self._cluster.leaving:
            return
        self._cluster.leaving = True
        me = self._cluster.me
        goodbye = wire.Dead(me.incarnation, me.name, me.name)
        for member in self._cluster.table.sample(self._rng, _GOODBYES, self._is_other_present):
            self._outbox.send([goodbye], member.endpoint, newest_protocol=member.newest_protocol)
        # And by gossip too, as a datagram may be lost.
        self._cluster.dead(goodbye, now=now)
        self._arm(now)
        self._watch_goodbye()

    # What the application may look at.

    @property
    def members(self) -> list[Member]:
        """All members known, this node and the dead not yet forgotten included."""
        return list(self._cluster.table)

    @property
    def round_trips(self) -> dict[str, RoundTrip]:
        """Round-trip times of members that have answered pings, by name."""
        return dict(self._prober.round_trips)

    @property
    def health(self) -> int:
        """How much this node doubts itself; 0 is healthy."""
        return self._cluster.awareness.score

    @property
    def longest_payload(self) -> int:
        """Bytes of the longest application message that fits into a datagram."""
        return self._outbox.room - PART_OVERHEAD_BYTES - 1

    @property
    def broadcasts_allowed(self) -> bool:
        """Whether all members present have the capability."""
        return self._outbox.payloads_allowed

    # The verbs of the machine.

    def receive_datagram(self, data: bytes, source: Endpoint, *, now: float) -> None:
        now = self._lived(now)
        try:
            opened = packet.open_datagram(data, self._outbox.sealing, self._config.limits)
        except PeerError as error:
            self._outbox.drop(error.reason, source)
            return
        for reason in opened.dropped:
            self._outbox.drop(reason, source)
        for message in opened.messages:
            try:
                self._handle(message, source, now)
            except PeerError as error:
                self._outbox.drop(error.reason, source)
        self._arm(now)

    def accept_stream(self, source: Endpoint, *, now: float) -> int | None:
        """A peer has connected: the stream's number, or None when the stream is to be closed at once."""
        return self._exchange.accept(source, now=self._lived(now))

    def receive_stream(self, stream: int, data: bytes, *, now: float) -> None:
        now = self._lived(now)
        self._exchange.receive(stream, data, now=now)
        for seq_no in self._exchange.stream_acks:
            self._prober.stream_ack(seq_no)
        self._exchange.stream_acks.clear()
        self._arm(now)

    def stream_closed(self, stream: int, *, now: float) -> None:
        """The peer closed the stream, it broke, or it could not be opened."""
        self._lived(now)
        self._exchange.closed(stream)

    def handle_timer(self, *, now: float) -> None:
        now = self._lived(now)
        while (timer := self._timers.pop_due(now)) is not None:
            self._fire(timer, now)
        self._arm(now)

    def next_timer(self) -> float | None:
        due = self._timers.next_due()
        return None if due is None else self._clock.outside(due)

    def drain(self) -> list[Effect]:
        return self._outbox.drain()

    # Inside: `now` is time lived from here on.

    def _lived(self, now: float) -> float:
        return self._clock.lived(now, self._timers.next_due())

    def _handle(self, message: bytes, source: Endpoint, now: float) -> None:
        if message[0] == MessageType.USER:
            name = self._cluster.directory.name_at(source)
            if name is not None:
                self._prober.heard(name, now=now)
            self._outbox.emit(effects.UserMessage(message[1:], source, name))
            return
        match wire.decode(message):
            case wire.Ping() as ping:
                self._prober.answer(ping, source)
            case wire.Ack() as ack:
                self._prober.ack(ack, source, now=now)
            case wire.Alive() as fact:
                self._cluster.alive(fact, now=now)
            case wire.Suspect() as fact:
                self._correct(fact, source)
                self._cluster.suspect(fact, now=now)
            case wire.Dead() as fact:
                self._correct(fact, source)
                self._cluster.dead(fact, now=now)
            case wire.IndirectPing() as request:
                self._prober.relay(request, source, now=now)
            case wire.Nack() as nack:
                self._prober.nack(nack)

    def _correct(self, fact: wire.Suspect | wire.Dead, source: Endpoint) -> None:
        """Tell whoever accuses this node of an earlier incarnation that it has objected since.

        Its objection was lost on the way there. memberlist ignores such an accusation, so that the accuser, though it
        gets answers to its pings, declares the node dead when its suspicion runs out.
        """
        me = self._cluster.me
        if fact.node == me.name and fact.incarnation < me.incarnation and me.present:
            self._outbox.send([me.as_alive()], source)

    def _fire(self, timer: timers.Timer, now: float) -> None:
        match timer:
            case timers.GossipTick():
                self._gossip(now)
            case timers.ProbeTick():
                self._prober.tick(now=now)
            case timers.ProbeTimeout(seq_no):
                self._prober.timeout(seq_no, now=now)
            case timers.ProbeDeadline(seq_no):
                self._prober.deadline(seq_no, now=now)
            case timers.PingDeadline(seq_no):
                self._prober.ping_deadline(seq_no)
            case timers.SuspicionTimeout():
                self._cluster.suspicion_timeout(timer, now=now)
            case timers.PushPullTick():
                self._push_pull(now)
            case timers.RejoinTick(serial):
                if serial == self._rejoin_serial:
                    self._look_for_members(now)
            case timers.StreamDeadline(stream):
                self._exchange.deadline(stream)

    def _arm(self, now: float) -> None:
        """After every input: gossip soon if there is something to say, look soon for a member that was lost.

        A quiet cluster wakes nobody.
        """
        if not self._gossip_armed and self._outbox.has_broadcasts:
            self._gossip_armed = True
            self._timers.set(now + self._config.timing.gossip_interval_seconds, timers.GossipTick())
        if self._cluster.lost:
            self._cluster.lost = False
            self._look_again(now, self._config.timing.join_interval_seconds)

    def _gossip(self, now: float) -> None:
        self._gossip_armed = False
        patience = self._config.timing.gossip_to_dead_seconds

        def hears(member: Member) -> bool:
            recently_dead = member.state is MemberState.DEAD and now - member.since <= patience
            return member.name != self._config.name and (member.present or recently_dead)

        for member in self._cluster.table.sample(self._rng, self._config.timing.gossip_nodes, hears):
            self._outbox.gossip(member.endpoint, newest_protocol=member.newest_protocol)
        self._watch_goodbye()

    def _push_pull(self, now: float) -> None:
        for member in self._cluster.table.sample(
            self._rng, 1, lambda member: member.state is MemberState.ALIVE and member.name != self._config.name
        ):
            self._exchange.push_pull(member.endpoint, member=member, now=now)
        size = len(self._cluster.table)
        scale = math.ceil(math.log2(size / _PUSH_PULL_SCALE)) + 1 if size > _PUSH_PULL_SCALE else 1
        self._timers.set(now + scale * self._config.timing.push_pull_interval_seconds, timers.PushPullTick())

    def _look_for_members(self, now: float) -> None:
        """Try to join some of those that are missing, and set the time of the next attempt."""
        timing = self._config.timing
        present = self._cluster.table.present()
        found = {member.endpoint for member in present} | {self._config.endpoint} | self._exchange.pulling_from()
        missing = self._cluster.seeds.missing(found, now=now)
        if not self._cluster.leaving:
            for peer in self._rng.sample(missing, min(timing.rejoin_nodes, len(missing))):
                self._exchange.push_pull(peer, member=None, now=now)
        alone = len(present) < 2
        self._look_again(now, timing.join_interval_seconds if alone else timing.rejoin_interval_seconds)

    def _look_again(self, now: float, interval: float) -> None:
        """Set the time of the next attempt, instead of the one set before."""
        self._rejoin_serial += 1
        # Not all nodes of a cluster at the same moment.
        self._timers.set(now + interval * (0.75 + self._rng.random() / 2), timers.RejoinTick(self._rejoin_serial))

    def _is_other_present(self, member: Member) -> bool:
        return member.present and member.name != self._config.name

    def _watch_goodbye(self) -> None:
        if not self._cluster.leaving or self._leave_told:
            return
        heard = any(self._is_other_present(member) for member in self._cluster.table)
        if not heard or self._config.name not in self._outbox.facts:
            self._leave_told = True
            self._outbox.emit(effects.LeaveFinished())
