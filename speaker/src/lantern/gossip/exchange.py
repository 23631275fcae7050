# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""TCP streams: push/pull with members and seeds, TCP pings, user messages (memberlist net.go:240-361, 934-1415).

Each stream has a number. Those this node opens get one message and wait for one; those of peers are read until their
one message is complete and are answered. Every stream has a deadline.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from lantern.gossip import effects, stream, versions, wire
from lantern.gossip.cluster import Cluster
from lantern.gossip.config import GossipConfig
from lantern.gossip.endpoint import Endpoint
from lantern.gossip.faults import DropReason, PeerError
from lantern.gossip.members import Member
from lantern.gossip.outbox import Outbox
from lantern.gossip.stream import PushPull, StreamReader, UserPayload
from lantern.gossip.timers import StreamDeadline, Timers


@dataclass(frozen=True, slots=True)
class _Pull:
    """Opened to exchange states."""

    join: bool


@dataclass(frozen=True, slots=True)
class _StreamPing:
    """Opened to ping."""

    seq_no: int


@dataclass(frozen=True, slots=True)
class _Incoming:
    """Opened by a peer, with what is not known yet."""


@dataclass(slots=True)
class _Session:
    peer: Endpoint
    purpose: _Pull | _StreamPing | _Incoming
    reader: StreamReader


class Exchange:
    """All streams by number. `stream_acks` collects the sequence numbers of answered TCP pings."""

    def __init__(self, config: GossipConfig, timers: Timers, outbox: Outbox, cluster: Cluster) -> None:
        self.user_state = b""
        self.stream_acks: list[int] = []
        self._config = config
        self._timers = timers
        self._outbox = outbox
        self._cluster = cluster
        self._numbers = count(1)
        self._sessions: dict[int, _Session] = {}

    def pulling_from(self) -> set[Endpoint]:
        """Peers that a push/pull is under way with."""
        return {session.peer for session in self._sessions.values() if isinstance(session.purpose, _Pull)}

    def push_pull(self, peer: Endpoint, *, member: Member | None, now: float) -> None:
        """Exchange states with a member, or with a seed of whom nothing is known yet (then it is a join)."""
        join = member is None
        timing = self._config.timing
        seconds = timing.join_timeout_seconds if join else timing.stream_timeout_seconds
        # A seed may be another program, which would take our user state for its own kind.
        trusted = member is not None or self._config.capability is None
        state = self._state(join=join, user_state=trusted)
        self._open(peer, _Pull(join), state, deadline=now + seconds)

    def ping(self, member: Member, ping: wire.Ping, deadline: float) -> None:
        """Ping over TCP."""
        self._open(member.endpoint, _StreamPing(ping.seq_no), ping, deadline=deadline)

    def accept(self, peer: Endpoint, *, now: float) -> int | None:
        """The number of a stream that a peer has opened; None when it must be closed, as there are too many."""
        incoming = sum(isinstance(session.purpose, _Incoming) for session in self._sessions.values())
        if incoming >= self._config.limits.streams:
            self._outbox.drop(DropReason.TOO_MANY_STREAMS, peer)
            return None
        return self._new(peer, _Incoming(), deadline=now + self._config.timing.stream_timeout_seconds)

    def receive(self, number: int, data: bytes, *, now: float) -> None:
        """Bytes of a stream, in any split."""
        session = self._sessions.get(number)
        if session is None:
            return
        try:
            message = session.reader.feed(data)
            if message is None:
                self._bound(session)
                return
            self._handle(number, session, message, now=now)
        except PeerError as error:
            self._fail(number, session, error)
        else:
            self._close(number)

    def closed(self, number: int) -> None:
        """The stream ended, failed, or could not be opened."""
        session = self._sessions.pop(number, None)
        if session is None:
            return
        if isinstance(session.purpose, _Pull):
            self._outbox.emit(effects.ExchangeFailed(session.peer, DropReason.STREAM_CLOSED, ""))
        elif isinstance(session.purpose, _Incoming) and session.reader.received_bytes:
            self._outbox.drop(DropReason.STREAM_CLOSED, session.peer)

    def deadline(self, number: int) -> None:
        session = self._sessions.get(number)
        if session is not None:
            self._fail(number, session, PeerError(DropReason.STREAM_TIMEOUT))

    def _handle(self, number: int, session: _Session, message: stream.StreamMessage, *, now: float) -> None:
        match session.purpose, message:
            case _Pull(join), PushPull():
                self._merge(session.peer, message, join=join, now=now)
                self._outbox.emit(effects.StateExchanged(session.peer, join))
            case _StreamPing(seq_no), wire.Ack():
                if message.seq_no != seq_no:
                    raise PeerError(DropReason.UNEXPECTED_MESSAGE, "ack of another ping")
                self.stream_acks.append(seq_no)
            case _Incoming(), PushPull():
                # The answer first: it tells what was known before, and goes out even if the peer's list is refused.
                capable = all(self._cluster.capable(entry.meta) for entry in message.members if entry.state <= 1)
                self._answer(number, self._state(join=message.join, user_state=capable))
                self._merge(session.peer, message, join=message.join, now=now)
                self._outbox.emit(effects.StateExchanged(session.peer, message.join))
            case _Incoming(), wire.Ping():
                if message.node not in ("", self._config.name):
                    raise PeerError(DropReason.NOT_FOR_US, message.node)
                self._answer(number, wire.Ack(message.seq_no))
            case _Incoming(), UserPayload():
                self._outbox.emit(effects.UserMessage(message.data, session.peer))
            case _, wire.ErrorReport():
                raise PeerError(DropReason.REMOTE_ERROR, message.error)
            case _:
                raise PeerError(DropReason.UNEXPECTED_MESSAGE, type(message).__name__)

    def _merge(self, peer: Endpoint, message: PushPull, *, join: bool, now: float) -> None:
        unfit = versions.incompatibility(message.members, self._cluster.table)
        if unfit:
            raise PeerError(DropReason.VERSION, unfit)
        for reason in self._cluster.merge(message.members, now=now):
            self._outbox.drop(reason, peer)
        if message.user_state:
            self._outbox.emit(effects.RemoteUserState(message.user_state, peer, join))

    def _state(self, *, join: bool, user_state: bool) -> PushPull:
        members = tuple(member.as_remote() for member in self._cluster.table)
        return PushPull(members, self.user_state if user_state and self._outbox.payloads_allowed else b"", join)

    def _open(
        self, peer: Endpoint, purpose: _Pull | _StreamPing, message: stream.StreamMessage, *, deadline: float
    ) -> None:
        number = self._new(peer, purpose, deadline=deadline)
        data = stream.frame(stream.encode(message), self._outbox.sealing, dialler=True)
        self._outbox.emit(effects.OpenStream(number, peer, data))

    def _new(self, peer: Endpoint, purpose: _Pull | _StreamPing | _Incoming, *, deadline: float) -> int:
        number = next(self._numbers)
        reader = StreamReader(self._outbox.sealing, self._config.limits, dialled_by_peer=isinstance(purpose, _Incoming))
        self._sessions[number] = _Session(peer, purpose, reader)
        self._timers.set(deadline, StreamDeadline(number))
        return number

    def _answer(self, number: int, message: stream.StreamMessage) -> None:
        data = stream.frame(stream.encode(message), self._outbox.sealing, dialler=False)
        self._outbox.emit(effects.StreamSend(number, data))

    def _bound(self, session: _Session) -> None:
        """Refuse the stream with which the buffers of all peers' streams become too large. Raises PeerError."""
        buffered = sum(
            other.reader.received_bytes for other in self._sessions.values() if isinstance(other.purpose, _Incoming)
        )
        if isinstance(session.purpose, _Incoming) and buffered > self._config.limits.streams_total_bytes:
            raise PeerError(DropReason.TOO_LARGE, "all streams together")

    def _fail(self, number: int, session: _Session, error: PeerError) -> None:
        if isinstance(session.purpose, _Pull):
            self._outbox.emit(effects.ExchangeFailed(session.peer, error.reason, error.detail))
        elif isinstance(session.purpose, _Incoming):
            self._outbox.drop(error.reason, session.peer)
            if error.reason in _TOLD:
                self._answer(number, wire.ErrorReport(error.detail))
        self._close(number)

    def _close(self, number: int) -> None:
        self._sessions.pop(number, None)
        self._outbox.emit(effects.StreamClose(number))


# Faults of the framing, which memberlist tells the peer too: whoever sets up a cluster reads them in the peer's log.
_TOLD = frozenset((DropReason.NO_KEY, DropReason.NOT_ENCRYPTED, DropReason.UNDECIPHERABLE, DropReason.COMPRESSION))
