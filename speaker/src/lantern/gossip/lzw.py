# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""LZW as memberlist uses it: Go's compress/lzw with least significant bit first and literals of 8 bits.

Codes are 9 to 12 bits wide; 256 clears the table, 257 ends the data. When the table is full nothing is added to it
until it is cleared. The writer clears it at once then, as Go's does.
"""

from __future__ import annotations

from lantern.gossip.faults import DropReason, PeerError

_CLEAR = 256
_END = 257
_FIRST = 258
_MAX_WIDTH = 12
_LITERALS = [bytes((value,)) for value in range(256)]


def decompress(data: bytes, limit: int) -> bytes:
    """Raises PeerError: data that is no LZW or is cut short (COMPRESSION), or that expands beyond `limit` bytes."""
    table: list[bytes] = [*_LITERALS, b"", b""]
    pieces: list[bytes] = []
    width, size = 9, 0
    last: bytes | None = None
    bits = available = 0
    for byte in data:
        bits |= byte << available
        available += 8
        if available < width:
            continue
        code = bits & ((1 << width) - 1)
        bits >>= width
        available -= width
        if code == _CLEAR:
            del table[_FIRST:]
            width, last = 9, None
            continue
        if code == _END:
            return b"".join(pieces)
        if code < len(table):
            piece = table[code]
        elif code == len(table) and last is not None:
            # The writer used the entry it was just making: the last piece and that piece's first byte.
            piece = last + last[:1]
        else:
            raise PeerError(DropReason.COMPRESSION, f"code {code} is not in the table yet")
        size += len(piece)
        if size > limit:
            raise PeerError(DropReason.TOO_LARGE, f"more than {limit} bytes decompressed")
        pieces.append(piece)
        if last is not None and len(table) < 1 << _MAX_WIDTH:
            table.append(last + piece[:1])
        if len(table) >= 1 << width and width < _MAX_WIDTH:
            width += 1
        last = piece
    raise PeerError(DropReason.COMPRESSION, "the end is missing")


def compress(data: bytes) -> bytes:
    """Data that `decompress` and Go's reader take."""
    output = bytearray()
    bits, available = _CLEAR, 9
    table: dict[int, int] = {}
    width, top = 9, _END
    prefix = -1

    for byte in data:
        if prefix < 0:
            prefix = byte
            continue
        key = prefix << 8 | byte
        known = table.get(key)
        if known is not None:
            prefix = known
            continue
        bits |= prefix << available
        available += width
        prefix = byte
        top += 1
        if top == 1 << width:
            width += 1
        if top == (1 << _MAX_WIDTH) - 1:
            bits |= _CLEAR << available
            available += _MAX_WIDTH
            width, top = 9, _END
            table.clear()
        else:
            table[key] = top
        while available >= 8:
            output.append(bits & 0xFF)
            bits >>= 8
            available -= 8
    if prefix >= 0:
        bits |= prefix << available
        available += width
        top += 1
        if top == 1 << width and width < _MAX_WIDTH:
            width += 1
    bits |= _END << available
    available += width
    while available > 0:
        output.append(bits & 0xFF)
        bits >>= 8
        available -= 8
    return bytes(output)
