# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages: bytes as memberlist writes them, and everything it might write that is still understood."""

from __future__ import annotations

import msgpack
import pytest
from lantern.gossip import wire
from lantern.gossip.faults import DropReason, PeerError

ADDRESS = bytes((127, 0, 0, 21))

# Worked out by hand from the format: type byte, map of n, keys and values in MessagePack's old form.
EXACT = [
    (wire.Ping(7), "0082 a44e6f6465 a0 a55365714e6f 07"),
    (
        wire.Ping(2, "l1", ADDRESS, 7946, "s1"),
        "0085 a44e6f6465 a26c31 a55365714e6f 02 aa536f7572636541646472 a47f000015"
        "aa536f757263654e6f6465 a27331 aa536f75726365506f7274 cd1f0a",
    ),
    (
        wire.IndirectPing(300, ADDRESS, 7946, "x", True),
        "0185 a44e61636b c3 a44e6f6465 a178 a4506f7274 cd1f0a a55365714e6f cd012c a6546172676574 a47f000015",
    ),
    (wire.Ack(70000, b"\x01"), "0282 a75061796c6f6164 a101 a55365714e6f ce00011170"),
    (wire.Nack(5), "0b81 a55365714e6f 05"),
    (wire.Suspect(1, "a", "b"), "0383 a446726f6d a162 ab496e6361726e6174696f6e 01 a44e6f6465 a161"),
    (wire.Dead(200, "a", "a"), "0583 a446726f6d a161 ab496e6361726e6174696f6e ccc8 a44e6f6465 a161"),
    (
        wire.Alive(1, "s1", ADDRESS, 7946, b"\xff\x80", bytes((1, 5, 2, 2, 5, 5))),
        "0486 a441646472 a47f000015 ab496e6361726e6174696f6e 01 a44d657461 a2ff80 a44e6f6465 a27331"
        "a4506f7274 cd1f0a a356736e a6010502020505",
    ),
]


@pytest.mark.parametrize(("message", "expected"), EXACT, ids=lambda value: type(value).__name__)
def test_bytes_are_those_of_memberlist(message: wire.Message, expected: str) -> None:
    assert wire.encode(message) == bytes.fromhex(expected)
    assert wire.decode(bytes.fromhex(expected)) == message


def test_long_text_and_bytes_are_written_in_the_old_form() -> None:
    """Never str8 (d9) and never bin (c4): old readers know raw 16 (da) only."""
    encoded = wire.encode(wire.Alive(1, "n" * 40, ADDRESS, 1, b"m" * 300, bytes(6)))
    assert b"\xda\x00\x28nnn" in encoded
    assert b"\xda\x01\x2cmmm" in encoded


def body(**fields: object) -> bytes:
    """A map as any writer of MessagePack may write it."""
    packed: bytes = msgpack.packb(fields)
    return packed


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        (b"\x02" + body(), wire.Ack(0)),
        (b"\x02" + body(SeqNo=1, Payload=None), wire.Ack(1)),
        (b"\x02" + body(SeqNo=1, Payload=b"x" * 300), wire.Ack(1, b"x" * 300)),
        (b"\x02" + body(SeqNo=1, Fresh={"unknown": [1, 2.5, None]}), wire.Ack(1)),
        (b"\x02" + body(SeqNo=1) + b"trailing", wire.Ack(1)),
        (b"\x02\x81\xa5SeqNo\xd1\x00\xc8", wire.Ack(200)),  # as a signed number, which Go's newer library writes
        (b"\x02\x81\xd9\x05SeqNo\x07", wire.Ack(7)),  # the key as str8
        (b"\x03" + body(Node="ä", Incarnation=2**32 - 1), wire.Suspect(2**32 - 1, "ä", "")),
    ],
)
def test_other_writers_are_understood(encoded: bytes, expected: wire.Message) -> None:
    assert wire.decode(encoded) == expected


@pytest.mark.parametrize(
    "encoded",
    [
        b"\x02",
        b"\x02\x93\x01\x02\x03",
        b"\x02\x81\xa5SeqNo",
        b"\x02" + body(SeqNo=-1),
        b"\x02" + body(SeqNo=2**32),
        b"\x02" + body(SeqNo=True),
        b"\x02" + body(SeqNo=1.0),
        b"\x02" + body(SeqNo="1"),
        b"\x02" + body(Payload=[1, 2]),
        b"\x02" + body(Payload=7),
        b"\x01" + body(Nack=1),
        b"\x01" + body(Port=65536),
        b"\x01" + body(Target=b"x" * 17),
        b"\x03" + body(Node=""),
        b"\x03" + body(Incarnation=1),
        b"\x03" + body(Node=b"\xff\xfe"),
        b"\x03" + body(Node=7),
        b"\x04" + body(Node="n" * 256),
        b"\x04" + body(Node="n", Meta=b"m" * 513),
        b"\x02\x81\x90\x01",  # a list as key
        b"\x02\x81\x01\x01",  # a number as key
        b"\x02\xdd\xff\xff\xff\xff",  # a list of 2^32 entries, announced only
        b"\x02" + b"\x91" * 5000,  # lists in lists
        b"\x02\x81\xa5SeqNo\xc7\x0c\xff" + b"\xff" * 12,  # a timestamp that cannot be
        b"\x02\xc1",
    ],
)
def test_malformed_messages_are_refused(encoded: bytes) -> None:
    with pytest.raises(PeerError) as caught:
        wire.decode(encoded)
    assert caught.value.reason is DropReason.MALFORMED


@pytest.mark.parametrize("kind", [6, 7, 8, 9, 10, 12, 13, 14, 200, 244, 255])
def test_other_types_are_no_messages(kind: int) -> None:
    with pytest.raises(PeerError) as caught:
        wire.decode(bytes((kind,)) + body(SeqNo=1))
    assert caught.value.reason is DropReason.UNKNOWN_TYPE


def test_no_message_at_all() -> None:
    with pytest.raises(PeerError) as caught:
        wire.decode(b"")
    assert caught.value.reason is DropReason.EMPTY
