# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""memberlist's messages: records to bytes and back.

A message is one type byte and a MessagePack map in MessagePack's old form (text and bytes are both `raw`), with the
names of Go's fields as keys (memberlist net.go:52-206). A missing key is zero or empty, an unknown one is skipped;
Go's nil stands for empty. Bytes after the map are ignored, as in Go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeVar

import msgpack

from lantern.gossip.config import MAX_META_BYTES, MAX_NAME_BYTES
from lantern.gossip.faults import DropReason, PeerError


class MessageType(IntEnum):
    """The first byte of a message."""

    PING = 0
    INDIRECT_PING = 1
    ACK = 2
    SUSPECT = 3
    ALIVE = 4
    DEAD = 5
    PUSH_PULL = 6
    COMPOUND = 7
    USER = 8
    COMPRESSED = 9
    ENCRYPTED = 10
    NACK = 11
    CHECKSUM = 12
    ERROR = 13
    LABEL = 244


@dataclass(frozen=True, slots=True)
class Ping:
    seq_no: int
    node: str = ""
    source_address: bytes = b""
    source_port: int = 0
    source_node: str = ""


@dataclass(frozen=True, slots=True)
class IndirectPing:
    """Ask the receiver to ping `node` at `target`:`port`; `nack` when it shall say that it got no answer."""

    seq_no: int
    target: bytes
    port: int
    node: str
    nack: bool = False
    source_address: bytes = b""
    source_port: int = 0
    source_node: str = ""


@dataclass(frozen=True, slots=True)
class Ack:
    seq_no: int
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class Nack:
    seq_no: int


@dataclass(frozen=True, slots=True)
class Suspect:
    incarnation: int
    node: str
    accuser: str


@dataclass(frozen=True, slots=True)
class Alive:
    """`versions`: protocol least, greatest, current; delegate least, greatest, current."""

    incarnation: int
    node: str
    address: bytes
    port: int
    meta: bytes
    versions: bytes


@dataclass(frozen=True, slots=True)
class Dead:
    """When `accuser` is the node itself, it has left."""

    incarnation: int
    node: str
    accuser: str


@dataclass(frozen=True, slots=True)
class PushPullHeader:
    members: int
    user_state_bytes: int
    join: bool


@dataclass(frozen=True, slots=True)
class RemoteMember:
    """One member in a push/pull. `state`: 0 alive, 1 suspect, 2 dead, 3 left."""

    name: str
    address: bytes
    port: int
    meta: bytes
    incarnation: int
    state: int
    versions: bytes


@dataclass(frozen=True, slots=True)
class UserHeader:
    """On streams a user message begins with its length; in datagrams it is raw."""

    length: int


@dataclass(frozen=True, slots=True)
class Compressed:
    algorithm: int
    data: bytes


@dataclass(frozen=True, slots=True)
class ErrorReport:
    error: str


Message = Ping | IndirectPing | Ack | Nack | Suspect | Alive | Dead
Record = Message | PushPullHeader | RemoteMember | UserHeader | Compressed | ErrorReport
R = TypeVar("R", bound=Record)


def _malformed(detail: str) -> PeerError:
    return PeerError(DropReason.MALFORMED, detail)


def _integer(bits: int) -> Callable[[object], int]:
    limit = 1 << bits

    def check(value: object) -> int:
        if type(value) is not int or not 0 <= value < limit:
            raise _malformed(f"not an unsigned number of {bits} bits")
        return value

    return check


def _raw(limit: int) -> Callable[[object], bytes]:
    def check(value: object) -> bytes:
        if value is None:
            return b""
        if type(value) is not bytes or len(value) > limit:
            raise _malformed(f"not bytes, or more than {limit} of them")
        return value

    return check


def _text(limit: int, least: int = 0) -> Callable[[object], str]:
    def check(value: object) -> str:
        if type(value) is not bytes or not least <= len(value) <= limit:
            raise _malformed(f"not text of {least} to {limit} bytes")
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise _malformed("not UTF-8") from None

    return check


def _boolean(value: object) -> bool:
    if type(value) is not bool:
        raise _malformed("not a boolean")
    return value


@dataclass(frozen=True, slots=True)
class _Field:
    key: bytes
    attribute: str
    check: Callable[[object], Any]
    default: object
    omit_empty: bool = False


_U8, _U16, _U32, _INT = _integer(8), _integer(16), _integer(32), _integer(63)
_NAME = _text(MAX_NAME_BYTES, least=1)
_ADDRESS = _raw(16)
_ANY = 1 << 32

_SEQ_NO = _Field(b"SeqNo", "seq_no", _U32, 0)
_INCARNATION = _Field(b"Incarnation", "incarnation", _U32, 0)
_NODE = _Field(b"Node", "node", _NAME, b"")
_FROM = _Field(b"From", "accuser", _text(MAX_NAME_BYTES), b"")
_ADDR = _Field(b"Addr", "address", _ADDRESS, b"")
_PORT = _Field(b"Port", "port", _U16, 0)
_META = _Field(b"Meta", "meta", _raw(MAX_META_BYTES), b"")
_VSN = _Field(b"Vsn", "versions", _raw(16), b"")
_SOURCE = (
    _Field(b"SourceAddr", "source_address", _ADDRESS, b"", omit_empty=True),
    _Field(b"SourceNode", "source_node", _text(MAX_NAME_BYTES), b"", omit_empty=True),
    _Field(b"SourcePort", "source_port", _U16, 0, omit_empty=True),
)

# Keys in alphabetical order, as memberlist of today writes them.
_FIELDS: dict[type[Any], tuple[_Field, ...]] = {
    Ping: (_Field(b"Node", "node", _text(MAX_NAME_BYTES), b""), _SEQ_NO, *_SOURCE),
    IndirectPing: (
        _Field(b"Nack", "nack", _boolean, False),
        _Field(b"Node", "node", _text(MAX_NAME_BYTES), b""),
        _PORT,
        _SEQ_NO,
        *_SOURCE,
        _Field(b"Target", "target", _ADDRESS, b""),
    ),
    Ack: (_Field(b"Payload", "payload", _raw(_ANY), b""), _SEQ_NO),
    Nack: (_SEQ_NO,),
    Suspect: (_FROM, _INCARNATION, _NODE),
    Alive: (_ADDR, _INCARNATION, _META, _NODE, _PORT, _VSN),
    Dead: (_FROM, _INCARNATION, _NODE),
    PushPullHeader: (
        _Field(b"Join", "join", _boolean, False),
        _Field(b"Nodes", "members", _INT, 0),
        _Field(b"UserStateLen", "user_state_bytes", _INT, 0),
    ),
    RemoteMember: (
        _ADDR,
        _INCARNATION,
        _META,
        _Field(b"Name", "name", _NAME, b""),
        _PORT,
        _Field(b"State", "state", _U8, 0),
        _VSN,
    ),
    UserHeader: (_Field(b"UserMsgLen", "length", _INT, 0),),
    Compressed: (_Field(b"Algo", "algorithm", _U8, 0), _Field(b"Buf", "data", _raw(_ANY), b"")),
    ErrorReport: (_Field(b"Error", "error", _text(_ANY), b""),),
}

_RECORDS: dict[int, type[Message]] = {
    MessageType.PING: Ping,
    MessageType.INDIRECT_PING: IndirectPing,
    MessageType.ACK: Ack,
    MessageType.SUSPECT: Suspect,
    MessageType.ALIVE: Alive,
    MessageType.DEAD: Dead,
    MessageType.NACK: Nack,
}
_TYPES: dict[type[Record], MessageType] = {record: MessageType(number) for number, record in _RECORDS.items()}


def pack(record: Record) -> bytes:
    """The MessagePack map of a record."""
    values: dict[bytes, object] = {}
    for field in _FIELDS[type(record)]:
        value = getattr(record, field.attribute)
        if value or not field.omit_empty:
            values[field.key] = value
    packed: bytes = msgpack.packb(values, use_bin_type=False)
    return packed


def encode(message: Message) -> bytes:
    """A whole message: its type byte and its map."""
    return bytes((_TYPES[type(message)],)) + pack(message)


def decode(message: bytes) -> Message:
    """A message other than a user message out of a datagram. Raises PeerError."""
    record = _RECORDS.get(message[0]) if message else None
    if record is None:
        raise PeerError(DropReason.UNKNOWN_TYPE if message else DropReason.EMPTY)
    return unpack(record, message[1:])


def unpack(record: type[R], data: bytes) -> R:
    """A record out of its MessagePack map. Raises PeerError."""
    try:
        value = msgpack.unpackb(data, raw=True)
    except msgpack.ExtraData as extra:
        value = extra.unpacked
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        # What msgpack raises is a ValueError of some kind, but for data cut short and for depth.
        raise _malformed(type(error).__name__) from None
    return from_map(record, value)


def from_map(record: type[R], value: object) -> R:
    """A record out of a decoded map. Raises PeerError."""
    if type(value) is not dict:
        raise _malformed("not a map")
    get = value.get
    return record(**{field.attribute: field.check(get(field.key, field.default)) for field in _FIELDS[record]})
