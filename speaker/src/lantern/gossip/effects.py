# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gossip node wants done (orders to the adapter) and what it has learned (facts for the application)."""

from __future__ import annotations

from dataclasses import dataclass

from lantern.gossip.endpoint import Endpoint
from lantern.gossip.faults import DropReason
from lantern.gossip.members import Member


@dataclass(frozen=True, slots=True)
class SendDatagram:
    data: bytes
    to: Endpoint


@dataclass(frozen=True, slots=True)
class OpenStream:
    """Connect and send `data`; report what comes back by `receive_stream`, an end or a failure by `stream_closed`.

    The node itself closes the stream when it takes too long.
    """

    stream: int
    to: Endpoint
    data: bytes


@dataclass(frozen=True, slots=True)
class StreamSend:
    stream: int
    data: bytes


@dataclass(frozen=True, slots=True)
class StreamClose:
    """Close after what was given to send is sent; report nothing more of this stream."""

    stream: int


@dataclass(frozen=True, slots=True)
class MemberJoined:
    """A member is present that was unknown, dead or gone."""

    member: Member


@dataclass(frozen=True, slots=True)
class MemberUpdated:
    """A present member has another meta."""

    member: Member


@dataclass(frozen=True, slots=True)
class MemberSuspected:
    """Somebody got no answer from the member; unless it objects it will be declared dead."""

    member: Member


@dataclass(frozen=True, slots=True)
class MemberRestored:
    """A suspected member has objected."""

    member: Member


@dataclass(frozen=True, slots=True)
class MemberFailed:
    """The member is declared dead."""

    member: Member


@dataclass(frozen=True, slots=True)
class MemberLeft:
    """The member said goodbye."""

    member: Member


@dataclass(frozen=True, slots=True)
class MemberForgotten:
    """A member that failed or left is no longer in the list."""

    member: Member


@dataclass(frozen=True, slots=True)
class NameConflict:
    """Two nodes use one name. The known one stays; `theirs` is refused."""

    name: str
    ours: Endpoint
    theirs: Endpoint


@dataclass(frozen=True, slots=True)
class OnlyStreamsAnswer:
    """The member answers over TCP but not over UDP: something on the way filters UDP."""

    member: Member


@dataclass(frozen=True, slots=True)
class PingAnswered:
    """A ping ordered by `Node.ping` was answered by the member itself."""

    seq_no: int
    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class PingUnanswered:
    """A ping ordered by `Node.ping` got no answer in the time given."""

    seq_no: int
    name: str


@dataclass(frozen=True, slots=True)
class UserMessage:
    """An application message, ours or another program's: opaque bytes. `source` sent or relayed it."""

    data: bytes
    source: Endpoint
    name: str | None = None
    """The member that is, or was, at `source`."""


@dataclass(frozen=True, slots=True)
class RemoteUserState:
    """The application state of the peer of a push/pull: opaque bytes."""

    data: bytes
    source: Endpoint
    join: bool


@dataclass(frozen=True, slots=True)
class StateExchanged:
    """A push/pull with this peer is complete and merged."""

    peer: Endpoint
    join: bool


@dataclass(frozen=True, slots=True)
class ExchangeFailed:
    """A push/pull that this node began has failed; `detail` is the peer's own words, if any."""

    peer: Endpoint
    reason: DropReason
    detail: str


@dataclass(frozen=True, slots=True)
class LeaveFinished:
    """The goodbye has been told often enough, or there is nobody to tell; the process may end."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Something a peer sent was not taken."""

    reason: DropReason
    source: Endpoint


Order = SendDatagram | OpenStream | StreamSend | StreamClose
MemberEvent = (
    MemberJoined | MemberUpdated | MemberSuspected | MemberRestored | MemberFailed | MemberLeft | MemberForgotten
)
Event = (
    MemberEvent
    | NameConflict
    | OnlyStreamsAnswer
    | PingAnswered
    | PingUnanswered
    | UserMessage
    | RemoteUserState
    | StateExchanged
    | ExchangeFailed
    | LeaveFinished
    | Dropped
)
Effect = Order | Event
