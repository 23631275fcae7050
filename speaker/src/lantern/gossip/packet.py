# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is around messages in a datagram (memberlist net.go:377-491, 802-892).

From the outside in: label, encryption, checksum, compression, compound. Each is optional, and what is compressed or
compound may hold either again.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from lantern.gossip import lzw, wire
from lantern.gossip.config import Limits, Security
from lantern.gossip.faults import DropReason, PeerError
from lantern.gossip.keyring import NONCE_BYTES, OVERHEAD_BYTES, Keyring
from lantern.gossip.wire import MessageType

COMPOUND_OVERHEAD_BYTES = 2
PART_OVERHEAD_BYTES = 2
_CHECKSUM_BYTES = 5
_MAX_PARTS = 255
_LZW = 0
# More messages than any datagram of 64 KiB has use for.
_MAX_MESSAGES = 8192


@dataclass(slots=True)
class Sealing:
    """How this node's messages are protected, in datagrams and streams; the keys may be exchanged at any time."""

    security: Security
    keyring: Keyring
    compress: bool
    rng: Random

    @property
    def label_header(self) -> bytes:
        label = self.security.label
        return bytes((MessageType.LABEL, len(label))) + label if label else b""

    @property
    def encrypts(self) -> bool:
        return bool(self.keyring) and self.security.encrypt

    @property
    def demands_encryption(self) -> bool:
        return bool(self.keyring) and self.security.require_encryption

    def encrypt(self, plain: bytes, associated: bytes) -> bytes:
        return self.keyring.encrypt(plain, associated, self.rng.randbytes(NONCE_BYTES))


@dataclass(frozen=True, slots=True)
class Opened:
    """The messages of a datagram, each with its type byte, and why other parts of it were not taken."""

    messages: list[bytes]
    dropped: list[DropReason]


def room(sealing: Sealing, limits: Limits) -> int:
    """Bytes left in a datagram for the parts of a compound message, with `PART_OVERHEAD_BYTES` for each."""
    outside = len(sealing.label_header) + COMPOUND_OVERHEAD_BYTES + _CHECKSUM_BYTES
    return limits.datagram_bytes - outside - (OVERHEAD_BYTES if sealing.encrypts else 0)


def seal(messages: Sequence[bytes], sealing: Sealing, *, checksum: bool) -> bytes:
    """One datagram with 1 to 255 messages. `checksum` only for peers of protocol 5 or later."""
    body = messages[0] if len(messages) == 1 else _compound(messages)
    if sealing.compress:
        smaller = compressed(body)
        body = smaller if len(smaller) < len(body) else body
    if checksum:
        body = struct.pack("!BI", MessageType.CHECKSUM, zlib.crc32(body)) + body
    if sealing.encrypts:
        body = sealing.encrypt(body, sealing.security.label)
    return sealing.label_header + body


def open_datagram(datagram: bytes, sealing: Sealing, limits: Limits) -> Opened:
    """Take all layers off. Raises PeerError when nothing of the datagram can be taken."""
    body = _verified(_decrypted(_unlabelled(datagram, sealing), sealing))
    opened = Opened([], [])
    pending = [body]
    allowance = limits.datagram_plain_bytes
    while pending:
        part = pending.pop()
        try:
            match part[0] if part else None:
                case None:
                    raise PeerError(DropReason.EMPTY)
                case MessageType.COMPOUND:
                    parts, complete = _split(part[1:])
                    pending.extend(reversed(parts))
                    if not complete:
                        opened.dropped.append(DropReason.TRUNCATED)
                case MessageType.COMPRESSED:
                    plain = decompressed(part[1:], allowance)
                    allowance -= len(plain)
                    pending.append(plain)
                case _:
                    opened.messages.append(part)
        except PeerError as error:
            opened.dropped.append(error.reason)
        if len(opened.messages) + len(opened.dropped) > _MAX_MESSAGES:
            opened.dropped.append(DropReason.TOO_LARGE)
            break
    return opened


def compressed(body: bytes) -> bytes:
    """A message of type COMPRESSED around one or more messages."""
    return bytes((MessageType.COMPRESSED,)) + wire.pack(wire.Compressed(_LZW, lzw.compress(body)))


def decompressed(body: bytes, limit: int) -> bytes:
    """What is in a message of type COMPRESSED, given without its type byte. Raises PeerError."""
    return expanded(wire.unpack(wire.Compressed, body), limit)


def expanded(record: wire.Compressed, limit: int) -> bytes:
    """The content of a compressed record. Raises PeerError."""
    if record.algorithm != _LZW:
        raise PeerError(DropReason.COMPRESSION, f"unknown algorithm {record.algorithm}")
    return lzw.decompress(record.data, limit)


def _unlabelled(datagram: bytes, sealing: Sealing) -> bytes:
    label, body = b"", datagram
    if datagram[:1] == b"\xf4":
        end = 2 + (datagram[1] if len(datagram) > 1 else 0)
        if end < 3 or len(datagram) < end:
            raise PeerError(DropReason.LABEL, "cut short or empty")
        label, body = datagram[2:end], datagram[end:]
    if label != sealing.security.label:
        raise PeerError(DropReason.LABEL, "of another cluster")
    return body


def _decrypted(body: bytes, sealing: Sealing) -> bytes:
    if not sealing.keyring:
        return body
    try:
        return sealing.keyring.decrypt(body, sealing.security.label)
    except PeerError:
        if sealing.demands_encryption:
            raise
        return body


def _verified(body: bytes) -> bytes:
    if len(body) < _CHECKSUM_BYTES or body[0] != MessageType.CHECKSUM:
        return body
    (expected,) = struct.unpack_from("!I", body, 1)
    body = body[_CHECKSUM_BYTES:]
    if zlib.crc32(body) != expected:
        raise PeerError(DropReason.CHECKSUM)
    return body


def _compound(messages: Sequence[bytes]) -> bytes:
    assert len(messages) <= _MAX_PARTS
    lengths = struct.pack(f"!{len(messages)}H", *map(len, messages))
    return bytes((MessageType.COMPOUND, len(messages))) + lengths + b"".join(messages)


def _split(body: bytes) -> tuple[list[bytes], bool]:
    """The parts of a compound message, and whether all of them are there whole."""
    count = body[0] if body else 0
    start = 1 + 2 * count
    if not body or len(body) < start:
        raise PeerError(DropReason.TRUNCATED, "compound message without its lengths")
    parts: list[bytes] = []
    for length in struct.unpack_from(f"!{count}H", body, 1):
        if len(body) < start + length:
            return parts, False
        parts.append(body[start : start + length])
        start += length
    return parts, True
