# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on a TCP stream (memberlist net.go:240-361, 896-1234): one message each way, then the end.

The dialler begins with the label header, once; the answer carries none. Then either `[10][length u32][sealed bytes]`,
or a plain message; what is inside may be wrapped in a compressed message.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import msgpack

from lantern.gossip import packet, wire
from lantern.gossip.config import Limits
from lantern.gossip.faults import DropReason, PeerError
from lantern.gossip.keyring import OVERHEAD_BYTES
from lantern.gossip.packet import Sealing
from lantern.gossip.wire import MessageType

_FRAME_BYTES = 5


@dataclass(frozen=True, slots=True)
class PushPull:
    """Everything one side knows: its members and its application's state."""

    members: tuple[wire.RemoteMember, ...]
    user_state: bytes
    join: bool


@dataclass(frozen=True, slots=True)
class UserPayload:
    """An application message sent over a stream."""

    data: bytes


StreamMessage = PushPull | UserPayload | wire.Ping | wire.Ack | wire.ErrorReport


def encode(message: StreamMessage) -> bytes:
    """The plain form, with its type byte."""
    match message:
        case PushPull():
            header = wire.PushPullHeader(len(message.members), len(message.user_state), message.join)
            maps = b"".join(wire.pack(member) for member in message.members)
            return bytes((MessageType.PUSH_PULL,)) + wire.pack(header) + maps + message.user_state
        case UserPayload():
            return bytes((MessageType.USER,)) + wire.pack(wire.UserHeader(len(message.data))) + message.data
        case wire.ErrorReport():
            return bytes((MessageType.ERROR,)) + wire.pack(message)
        case wire.Ping() | wire.Ack():
            return wire.encode(message)


def frame(plain: bytes, sealing: Sealing, *, dialler: bool) -> bytes:
    """All bytes to send for one message."""
    if sealing.compress:
        plain = packet.compressed(plain)
    if sealing.encrypts:
        head = struct.pack("!BI", MessageType.ENCRYPTED, len(plain) + OVERHEAD_BYTES)
        plain = head + sealing.encrypt(plain, head + sealing.security.label)
    return (sealing.label_header if dialler else b"") + plain


class StreamReader:
    """Reads the one message of a stream from bytes in any split."""

    def __init__(self, sealing: Sealing, limits: Limits, *, dialled_by_peer: bool) -> None:
        self._sealing = sealing
        self._limits = limits
        self._label_pending = dialled_by_peer
        self._head = bytearray()
        self._plain: _PlainReader | None = None
        self.received_bytes = 0

    def feed(self, data: bytes) -> StreamMessage | None:
        """The message once it is complete; None before. Raises PeerError, after which the reader is of no use."""
        self.received_bytes += len(data)
        if self.received_bytes > self._limits.stream_bytes + _FRAME_BYTES + 2 + 255:
            raise PeerError(DropReason.TOO_LARGE, f"stream of more than {self._limits.stream_bytes} bytes")
        if self._plain is not None:
            return self._plain.feed(data)
        self._head += data
        if not self._unlabel() or not self._head:
            return None
        if self._head[0] == MessageType.ENCRYPTED:
            return self._decrypt()
        if self._sealing.demands_encryption:
            raise PeerError(DropReason.NOT_ENCRYPTED, "encryption is configured but remote state is not encrypted")
        self._plain = _PlainReader(self._limits)
        head, self._head = bytes(self._head), bytearray()
        return self._plain.feed(head)

    def _unlabel(self) -> bool:
        """Take the label header off; False while it is not complete."""
        if not self._label_pending:
            return True
        label, head = b"", self._head
        if head and head[0] == MessageType.LABEL:
            if len(head) < 2 or len(head) < 2 + head[1]:
                return False
            label = bytes(head[2 : 2 + head[1]])
            if not label:
                raise PeerError(DropReason.LABEL, "empty label")
            del head[: 2 + len(label)]
        elif not head:
            return False
        if label != self._sealing.security.label:
            raise PeerError(DropReason.LABEL, "label of another cluster")
        self._label_pending = False
        return True

    def _decrypt(self) -> StreamMessage | None:
        if not self._sealing.keyring:
            raise PeerError(DropReason.NO_KEY, "remote state is encrypted and encryption is not configured")
        if len(self._head) < _FRAME_BYTES:
            return None
        (length,) = struct.unpack_from("!I", self._head, 1)
        if length > self._limits.stream_bytes:
            raise PeerError(DropReason.TOO_LARGE, f"encrypted frame of {length} bytes")
        if len(self._head) < _FRAME_BYTES + length:
            return None
        head = bytes(self._head[:_FRAME_BYTES])
        body = bytes(self._head[_FRAME_BYTES : _FRAME_BYTES + length])
        return _whole(self._sealing.keyring.decrypt(body, head + self._sealing.security.label), self._limits)


def _whole(plain: bytes, limits: Limits, *, compressed: bool = False) -> StreamMessage:
    """The message in bytes of which there will be no more."""
    message = _PlainReader(limits, inside_compressed=compressed).feed(plain)
    if message is None:
        raise PeerError(DropReason.TRUNCATED)
    return message


class _PlainReader:
    """Reads an unencrypted message incrementally, so that what is already decoded is never decoded again."""

    def __init__(self, limits: Limits, *, inside_compressed: bool = False) -> None:
        self._limits = limits
        self._inside_compressed = inside_compressed
        limit = limits.stream_plain_bytes
        self._unpacker = msgpack.Unpacker(
            raw=True,
            max_buffer_size=limit,
            max_str_len=limit,
            max_bin_len=limit,
            max_array_len=64,
            max_map_len=64,
            max_ext_len=64,
        )
        self._kind: int | None = None
        self._header: wire.PushPullHeader | wire.UserHeader | None = None
        self._members: list[wire.RemoteMember] = []
        self._payload = bytearray()

    def feed(self, data: bytes) -> StreamMessage | None:
        if self._kind is None:
            if not data:
                return None
            self._kind, data = data[0], data[1:]
        try:
            self._unpacker.feed(data)
        except msgpack.BufferFull:
            raise PeerError(DropReason.TOO_LARGE) from None
        try:
            return self._advance(self._kind)
        except msgpack.OutOfData:
            return None

    def _advance(self, kind: int) -> StreamMessage | None:
        match kind:
            case MessageType.PUSH_PULL:
                return self._push_pull()
            case MessageType.USER:
                if self._header is None:
                    self._header = self._record(wire.UserHeader)
                assert isinstance(self._header, wire.UserHeader)
                return UserPayload(bytes(self._payload)) if self._read(self._header.length) else None
            case MessageType.PING:
                return self._record(wire.Ping)
            case MessageType.ACK:
                return self._record(wire.Ack)
            case MessageType.ERROR:
                return self._record(wire.ErrorReport)
            case MessageType.COMPRESSED if not self._inside_compressed:
                plain = packet.expanded(self._record(wire.Compressed), self._limits.stream_plain_bytes)
                return _whole(plain, self._limits, compressed=True)
            case _:
                raise PeerError(DropReason.UNKNOWN_TYPE, f"message of type {kind}")

    def _push_pull(self) -> PushPull | None:
        if self._header is None:
            header = self._record(wire.PushPullHeader)
            if header.members > self._limits.members:
                raise PeerError(DropReason.TOO_MANY_MEMBERS, f"{header.members} members")
            self._header = header
        assert isinstance(self._header, wire.PushPullHeader)
        while len(self._members) < self._header.members:
            self._members.append(self._record(wire.RemoteMember))
        if not self._read(self._header.user_state_bytes):
            return None
        return PushPull(tuple(self._members), bytes(self._payload), self._header.join)

    def _record(self, kind: type[wire.R]) -> wire.R:
        try:
            value = self._unpacker.unpack()
        except msgpack.OutOfData:
            raise
        except (ValueError, TypeError, RecursionError, OverflowError) as error:
            raise PeerError(DropReason.MALFORMED, type(error).__name__) from None
        return wire.from_map(kind, value)

    def _read(self, length: int) -> bool:
        """Collect raw bytes; whether all of them are there."""
        if length > self._limits.stream_bytes:
            raise PeerError(DropReason.TOO_LARGE, f"{length} bytes announced")
        missing = length - len(self._payload)
        if missing:
            self._payload += self._unpacker.read_bytes(missing)
        return len(self._payload) == length
