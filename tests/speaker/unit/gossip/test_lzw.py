# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""LZW against bytes that Go's compress/lzw has written."""

from __future__ import annotations

import hashlib

import pytest
from lantern.gossip import lzw
from lantern.gossip.faults import DropReason, PeerError

LIMIT = 1 << 20

# Written by Go's lzw.NewWriter(…, lzw.LSB, 8).
GO = {
    b"": "000302",
    b"a": "00c30404",
    b"TOBEORNOTTOBEORTOBEORNOT": "00a93c1152e48914274fa80824687061c183090302",
}
GO_LONG_SHA256 = "ba88c4f64635cae979b9fdb4d1126f9e9d2f33e2c0fecb1445834df9cbb9ca40"


def long_input() -> bytes:
    """30,000 bytes that look random; long enough for the table to fill and be cleared."""
    state, made = 1, bytearray()
    for _ in range(30000):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        made.append((state >> 24) & 15)
    return bytes(made)


def from_codes(*codes: tuple[int, int]) -> bytes:
    """Bytes out of (code, width)."""
    bits = length = 0
    for code, width in codes:
        bits |= code << length
        length += width
    return bits.to_bytes((length + 7) // 8, "little")


@pytest.mark.parametrize(("plain", "written"), GO.items())
def test_same_bytes_as_go(plain: bytes, written: str) -> None:
    assert lzw.compress(plain).hex() == written
    assert lzw.decompress(bytes.fromhex(written), LIMIT) == plain


def test_same_bytes_as_go_when_the_table_fills() -> None:
    plain = long_input()
    written = lzw.compress(plain)
    assert (len(written), hashlib.sha256(written).hexdigest()) == (18910, GO_LONG_SHA256)
    assert lzw.decompress(written, LIMIT) == plain


@pytest.mark.parametrize("length", [*range(250, 262), *range(3830, 3850), 8000])
def test_round_trip_around_the_widths(length: int) -> None:
    plain = hashlib.shake_256(b"x").digest(length)
    assert lzw.decompress(lzw.compress(plain), LIMIT) == plain


def test_code_that_is_only_being_made() -> None:
    """a, aa, aaa: each code is the one that the reader makes from it."""
    assert lzw.decompress(from_codes((97, 9), (258, 9), (259, 9), (257, 9)), LIMIT) == b"aaaaaa"


def test_full_table_stays_until_it_is_cleared() -> None:
    """A writer may go on without clearing; then nothing is added any more."""
    codes = []
    for made in range(258, 258 + 5000):
        size = min(max(made - 1, 257), 4095)
        codes.append((made % 200, max(9, size.bit_length())))
    codes += [(4000, 12), (256, 12), (98, 9), (257, 9)]
    expected = bytes(code for code, _ in codes[:-4])
    plain = lzw.decompress(from_codes(*codes), LIMIT)
    assert plain[:5000] == expected
    # Entry 4000 was made from the codes of that place and the next.
    assert plain[5000:] == bytes((4000 % 200, 4001 % 200)) + b"b"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        bytes.fromhex("00c304"),
        from_codes((97, 9)),
        from_codes((300, 9), (257, 9)),
        from_codes((258, 9), (257, 9)),
        from_codes((256, 9), (258, 9), (257, 9)),
        from_codes((97, 9), (259, 9), (257, 9)),
    ],
)
def test_broken_data_is_refused(data: bytes) -> None:
    with pytest.raises(PeerError) as caught:
        lzw.decompress(data, LIMIT)
    assert caught.value.reason is DropReason.COMPRESSION


def test_bomb_is_stopped_at_the_limit() -> None:
    bomb = lzw.compress(bytes(1 << 20))
    assert len(bomb) < 4000
    assert len(lzw.decompress(bomb, 1 << 20)) == 1 << 20
    with pytest.raises(PeerError) as caught:
        lzw.decompress(bomb, (1 << 20) - 1)
    assert caught.value.reason is DropReason.TOO_LARGE
