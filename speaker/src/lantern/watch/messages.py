# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What speakers send each other, as bytes. One message is one datagram; numbers are in network order.

    every message   "LW", version 2, kind
    Probe, Answer   number u32, stamp
    Page            boot u32, version u32, page u16 of u16, word, entries
    Delta           boot u32, from version u32, to version u32, word, entries, count u16 of keys, keys
    Suspicion       milliseconds of silence u32, name
    Report          heard u8, name
    Offer           entries

A stamp is (boot, version) of the sender's bulletin and (boot, version) of the receiver's as the sender has it;
version 0 is none. A word is flags u8, count u8, and so many interfaces: a name and 6 bytes of MAC address; then count
u8, and so many addresses that are in use elsewhere. An entry is a key, a term u32 and an age in milliseconds u32;
entries fill the rest of the message. Keys, addresses and names have their length in front as u8. Messages of another
version are dropped.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from lantern.tenure import Bulletin, Tenure

MAGIC = b"LW\x02"
MAX_BYTES = 1200
"""Of one message: with gossip's seal around it still within what every link carries."""

_HEAD = len(MAGIC) + 1
_PROBE = struct.Struct("!IIIII")
_PAGE = struct.Struct("!IIHH")
_DELTA = struct.Struct("!III")
_ENTRY = struct.Struct("!II")
_COUNT = struct.Struct("!H")
_MILLISECONDS = struct.Struct("!I")
_GREATEST = 0xFFFFFFFF
_READY, _SETTLED, _LEAVING = 1, 2, 4
_MAC_BYTES = 6
_KEY_BYTES = (4, 16)


_MAX_PAGES = 512
"""Of one bulletin: far more VIPs than a home has, and little enough to be kept for a peer that never sends them all."""
MAX_INTERFACES = 32
"""Told to the others at most; their names have up to 15 bytes each (Linux, IFNAMSIZ)."""
_MAX_IN_USE = 16
"""Told to the others at most: more strangers in its pools no home should have, and they are in every message."""


class Kind(IntEnum):
    """The byte after the magic."""

    PROBE = 1
    ANSWER = 2
    PAGE = 3
    DELTA = 4
    SUSPICION = 5
    REPORT = 6
    OFFER = 7


class Edition(NamedTuple):
    """Which bulletin: `boot` is a speaker process's random number, `version` counts its bulletins; 0 is none."""

    boot: int
    version: int


NONE = Edition(0, 0)


class Stamp(NamedTuple):
    own: Edition
    seen: Edition


class Probe(NamedTuple):
    number: int
    stamp: Stamp


class Answer(NamedTuple):
    """To a probe by its number; number 0 acknowledges a bulletin."""

    number: int
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Page:
    """One of `pages` parts of a bulletin; its word is in each. Entries: age in seconds by key."""

    edition: Edition
    page: int
    pages: int
    word: Bulletin
    """Without tenures."""
    entries: Mapping[bytes, tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Delta:
    """What is different from an earlier bulletin."""

    edition: Edition
    since: int
    word: Bulletin
    entries: Mapping[bytes, tuple[int, float]]
    gone: tuple[bytes, ...]


class Suspicion(NamedTuple):
    """The sender has heard nothing of `name` for so long."""

    name: str
    silent_seconds: float


class Report(NamedTuple):
    """Whether the sender hears `name`."""

    name: str
    heard: bool


class Offer(NamedTuple):
    """The receiver is asked to own these from now on: keys and the sender's terms."""

    vips: tuple[tuple[bytes, int], ...]


Message = Probe | Answer | Page | Delta | Suspicion | Report | Offer


class BrokenMessageError(Exception):
    """Bytes that are no message; the text says why."""


def encode_probe(message: Probe | Answer) -> bytes:
    kind = Kind.PROBE if isinstance(message, Probe) else Kind.ANSWER
    own, seen = message.stamp
    return _head(kind) + _PROBE.pack(message.number, *own, *seen)


def encode_bulletin(edition: Edition, bulletin: Bulletin, *, now: float) -> list[bytes]:
    """A whole bulletin in as many pages as it takes."""
    word = _word(bulletin)
    room = MAX_BYTES - _HEAD - _PAGE.size - len(word)
    parts: list[bytearray] = [bytearray()]
    for key, tenure in bulletin.tenures.items():
        entry = _entry(key, tenure.term, now - tenure.since)
        if len(parts[-1]) + len(entry) > room:
            parts.append(bytearray())
        parts[-1] += entry
    head = _head(Kind.PAGE)
    return [head + _PAGE.pack(*edition, number, len(parts)) + word + bytes(part) for number, part in enumerate(parts)]


def encode_delta(
    edition: Edition, since: int, bulletin: Bulletin, changed: Iterable[bytes], gone: Iterable[bytes], *, now: float
) -> bytes | None:
    """A bulletin as its difference from version `since`; None when that does not fit into one message."""
    keys = list(gone)
    data = bytearray(_head(Kind.DELTA) + _DELTA.pack(edition.boot, since, edition.version) + _word(bulletin))
    data += _COUNT.pack(len(keys))
    for key in keys:
        data += _sized(key)
    for key in changed:
        tenure = bulletin.tenures[key]
        data += _entry(key, tenure.term, now - tenure.since)
        if len(data) > MAX_BYTES:
            return None
    return bytes(data) if len(data) <= MAX_BYTES else None


def encode_suspicion(name: str, silent_seconds: float) -> bytes:
    return _head(Kind.SUSPICION) + _MILLISECONDS.pack(_milliseconds(silent_seconds)) + _sized(name.encode())


def encode_report(name: str, heard: bool) -> bytes:
    return _head(Kind.REPORT) + bytes((heard,)) + _sized(name.encode())


def encode_offers(vips: Iterable[tuple[bytes, int]]) -> list[bytes]:
    """As many messages as it takes."""
    parts: list[bytearray] = []
    for key, term in vips:
        entry = _entry(key, term, 0.0)
        if not parts or len(parts[-1]) + len(entry) > MAX_BYTES - _HEAD:
            parts.append(bytearray())
        parts[-1] += entry
    return [_head(Kind.OFFER) + bytes(part) for part in parts]


def decode(data: bytes) -> Message:
    """Raises BrokenMessageError."""
    if len(data) < _HEAD or not data.startswith(MAGIC):
        raise BrokenMessageError("neither a message of ours nor of this version")
    reader = _Reader(data, _HEAD)
    try:
        match Kind(data[_HEAD - 1]):
            case Kind.PROBE:
                return Probe(*_stamped(reader))
            case Kind.ANSWER:
                return Answer(*_stamped(reader))
            case Kind.PAGE:
                boot, version, page, pages = reader.unpack(_PAGE)
                if page >= pages or pages > _MAX_PAGES:
                    raise BrokenMessageError(f"page {page} of {pages}")
                return Page(Edition(boot, version), page, pages, reader.word(), reader.entries())
            case Kind.DELTA:
                boot, since, version = reader.unpack(_DELTA)
                word = reader.word()
                (count,) = reader.unpack(_COUNT)
                gone = tuple(reader.key() for _ in range(count))
                return Delta(Edition(boot, version), since, word, reader.entries(), gone)
            case Kind.SUSPICION:
                (milliseconds,) = reader.unpack(_MILLISECONDS)
                return Suspicion(reader.name(), milliseconds / 1000)
            case Kind.REPORT:
                heard = reader.take(1) != b"\x00"
                return Report(reader.name(), heard)
            case Kind.OFFER:
                return Offer(tuple((key, term) for key, (term, _) in reader.entries().items()))
    except (struct.error, ValueError) as error:
        raise BrokenMessageError(str(error)) from None


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def take(self, size: int) -> bytes:
        found = self._data[self._at : self._at + size]
        if len(found) < size:
            raise BrokenMessageError("too short")
        self._at += size
        return found

    def unpack(self, layout: struct.Struct) -> tuple[int, ...]:
        found: tuple[int, ...] = layout.unpack_from(self._data, self._at)
        self._at += layout.size
        return found

    def sized(self) -> bytes:
        return self.take(self.take(1)[0])

    def name(self) -> str:
        return self.sized().decode()

    def key(self) -> bytes:
        key = self.sized()
        if len(key) not in _KEY_BYTES:
            raise BrokenMessageError(f"a key of {len(key)} bytes")
        return key

    def word(self) -> Bulletin:
        flags, count = self.take(2)
        interfaces = {self.name(): self.take(_MAC_BYTES) for _ in range(count)}
        (in_use,) = self.take(1)
        return Bulletin(
            ready=bool(flags & _READY),
            settled=bool(flags & _SETTLED),
            leaving=bool(flags & _LEAVING),
            interfaces=interfaces,
            in_use=frozenset(self.key() for _ in range(in_use)),
        )

    def entries(self) -> dict[bytes, tuple[int, float]]:
        """All that is left."""
        found: dict[bytes, tuple[int, float]] = {}
        while self._at < len(self._data):
            key = self.key()
            term, age = self.unpack(_ENTRY)
            found[key] = (term, age / 1000)
        return found


def _stamped(reader: _Reader) -> tuple[int, Stamp]:
    number, boot, version, seen_boot, seen_version = reader.unpack(_PROBE)
    return number, Stamp(Edition(boot, version), Edition(seen_boot, seen_version))


def _head(kind: Kind) -> bytes:
    return MAGIC + bytes((kind,))


def _word(bulletin: Bulletin) -> bytes:
    flags = _READY * bulletin.ready | _SETTLED * bulletin.settled | _LEAVING * bulletin.leaving
    interfaces = sorted(bulletin.interfaces.items())[:MAX_INTERFACES]
    in_use = sorted(bulletin.in_use)[:_MAX_IN_USE]
    listed = [_sized(name.encode()) + mac for name, mac in interfaces]
    return bytes((flags, len(interfaces))) + b"".join(listed) + bytes((len(in_use),)) + b"".join(map(_sized, in_use))


def _entry(key: bytes, term: int, age_seconds: float) -> bytes:
    return _sized(key) + _ENTRY.pack(term & _GREATEST, _milliseconds(age_seconds))


def _sized(data: bytes) -> bytes:
    return bytes((len(data),)) + data


def _milliseconds(seconds: float) -> int:
    return min(max(round(seconds * 1000), 0), _GREATEST)


def tenures(entries: Mapping[bytes, tuple[int, float]], *, now: float) -> dict[bytes, Tenure]:
    """Tenures on this process's clock."""
    return {key: Tenure(term, now - age) for key, (term, age) in entries.items()}
