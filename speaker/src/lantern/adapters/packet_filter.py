# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that the kernel applies before a packet socket's process wakes up: classic BPF (socket(7), SO_ATTACH_FILTER).

One program for each kind of socket. Each first checks what kind of packet it is, then compares the addresses in it with
what this node announces (`address_cover`), so that the rest of the LAN's traffic costs a few instructions in the kernel
and nothing here. Strangers that pass are dropped by the responder. IPv6 addresses are compared by their last 32 bits
only.

Frames that are not for this node's MAC address are dropped: promiscuous interfaces hear them, and so do interfaces on
which frames of unknown VLANs arrive (the kernel takes the tag off and marks them so).
"""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from lantern.adapters.address_cover import BLOCK_BITS, Bitmap, Range
from lantern.l2 import arp, echo, ndp

_SO_ATTACH_FILTER = 26

# <linux/bpf_common.h>; offsets from SKF_AD_OFF (<linux/filter.h>) name what is known about a packet.
_LOAD_WORD = 0x20
_LOAD_HALF = 0x28
_LOAD_BYTE = 0x30
_LOAD_CONSTANT = 0x00
_AND = 0x54
_SHIFT_RIGHT = 0x74
_SHIFT_RIGHT_BY_INDEX = 0x7C
_TO_INDEX = 0x07
_JUMP = 0x05
_IF_EQUAL = 0x15
_IF_GREATER = 0x25
_IF_AT_LEAST = 0x35
_IF_ANY_BIT = 0x45
_IF_INDEX = 0x1D
_RETURN = 0x06
_PACKET_TYPE = 0xFFFFF004
_OTHER_HOST = 3
_WHOLE_FRAME = 0xFFFF

Step = tuple[int, int, int, int]
"""Opcode, jump if true, jump if false, operand: as `tcpdump -dd` writes them."""

_DROP: Step = (_RETURN, 0, 0, 0)
_ACCEPT: Step = (_RETURN, 0, 0, _WHOLE_FRAME)


class Kind(Enum):
    """What a packet socket is for."""

    ARP = "arp"
    NDP = "ndp"
    ECHO = "echo"
    ECHO_V6 = "echo6"

    # Looked up for each frame: Enum's own is a function in Python.
    __hash__ = object.__hash__

    @property
    def ethertype(self) -> int:
        """What the socket is bound to."""
        return _ETHERTYPES[self]


_ETHERTYPES = {
    Kind.ARP: arp.ETHERTYPE,
    Kind.NDP: ndp.ETHERTYPE,
    Kind.ECHO: echo.ETHERTYPE_IPV4,
    Kind.ECHO_V6: ndp.ETHERTYPE,
}


@dataclass(frozen=True, slots=True)
class _Is:
    """What is loaded from the offset is one of the values."""

    load: int
    offset: int
    values: tuple[int, ...]


_FRAGMENT_OFFSET = 0x1FFF

# By kind: what a packet has to be, and where in it an address may be ours.
_CHECKS: dict[Kind, tuple[tuple[_Is, ...], tuple[int, ...]]] = {
    # Requests and replies about our addresses (target), and from who claims to have one (sender).
    Kind.ARP: ((_Is(_LOAD_HALF, 20, (arp.REQUEST, arp.REPLY)),), (38, 28)),
    # Solicitations and advertisements by target; by source, when somebody asks for a neighbour in our address's name.
    Kind.NDP: (
        (
            _Is(_LOAD_BYTE, 20, (ndp.NEXT_HEADER_ICMPV6,)),
            _Is(_LOAD_BYTE, 54, (ndp.SOLICITATION, ndp.ADVERTISEMENT)),
        ),
        (74, 34),
    ),
    # 0x45: IPv4 without options, behind which the ICMP type would be elsewhere.
    Kind.ECHO: (
        (
            _Is(_LOAD_BYTE, 14, (0x45,)),
            _Is(_LOAD_BYTE, 23, (echo.PROTOCOL_ICMP,)),
            _Is(_LOAD_BYTE, 34, (echo.REQUEST,)),
        ),
        (30,),
    ),
    Kind.ECHO_V6: (
        (_Is(_LOAD_BYTE, 20, (ndp.NEXT_HEADER_ICMPV6,)), _Is(_LOAD_BYTE, 54, (echo.REQUEST_V6,))),
        (50,),
    ),
}


def program(kind: Kind, ranges: Sequence[Range], exact: Bitmap | None = None) -> tuple[Step, ...]:
    """The filter for addresses whose last 32 bits are in one of the ranges (sorted, disjoint, at most RANGES).

    With a bitmap, that says what is asked for. The ranges then still say in whose name, unless somebody announces what
    is his own.
    """
    checks, words = _CHECKS[kind]
    asked = words[0]
    if exact is not None:
        words = words[1:]
    written = _Program()
    written.load(_LOAD_BYTE, _PACKET_TYPE)
    written.jump(_IF_EQUAL, _OTHER_HOST, "drop", None)
    if kind is Kind.ECHO:
        # Later fragments have data where the first has its type. A first one passes, so that it can be counted.
        written.load(_LOAD_HALF, 20)
        written.jump(_IF_ANY_BIT, _FRAGMENT_OFFSET, "drop", None)
    for number, check in enumerate(checks):
        written.load(check.load, check.offset)
        *others, last = check.values
        for value in others:
            written.jump(_IF_EQUAL, value, f"passed {number}", None)
        written.jump(_IF_EQUAL, last, None, "drop")
        written.label(f"passed {number}")
    nowhere = "drop" if exact is None else "end"
    if exact is not None:
        written.load(_LOAD_WORD, asked)
        written.load(_TO_INDEX, 0)
    for offset in words:
        written.load(_LOAD_WORD, offset)
        if exact is not None:
            written.jump(_IF_INDEX, 0, "end", None)
        missed = nowhere if offset == words[-1] else f"not at {offset}"
        for first, last in ranges:
            # They are sorted: above this range, try the next one; below it, there is no other.
            written.jump(_IF_GREATER, last, f"above {offset} {last}", None)
            written.jump(_IF_AT_LEAST, first, "accept", missed)
            written.label(f"above {offset} {last}")
        written.label(f"not at {offset}")
    return written.finish(() if exact is None else _look_up(asked, exact))


def _look_up(offset: int, exact: Bitmap) -> tuple[Step, ...]:
    """Whether the address at the offset is in the bitmap: accepts or drops."""
    if not exact.blocks:
        return (_DROP,)
    return (
        (_LOAD_WORD, 0, 0, offset),
        (_SHIFT_RIGHT, 0, 0, exact.shift),
        (_AND, 0, 0, (1 << BLOCK_BITS) - 1),
        (_TO_INDEX, 0, 0, 0),
        (_LOAD_WORD, 0, 0, offset),
        (_SHIFT_RIGHT, 0, 0, exact.shift + BLOCK_BITS),
        *_search(exact.blocks),
    )


def _search(blocks: Sequence[tuple[int, int]]) -> tuple[Step, ...]:
    """Find the block whose number was loaded, by halves; its bit is at the index register."""
    if len(blocks) > 1:
        half = len(blocks) // 2
        lower, upper = _search(blocks[:half]), _search(blocks[half:])
        # Conditional jumps reach 255 steps, the unconditional one reaches all.
        return ((_IF_AT_LEAST, 0, 1, blocks[half][0]), (_JUMP, 0, 0, len(lower)), *lower, *upper)
    number, bits = blocks[0]
    return (
        (_IF_EQUAL, 0, 3, number),
        (_LOAD_CONSTANT, 0, 0, bits),
        (_SHIFT_RIGHT_BY_INDEX, 0, 0, 0),
        (_IF_ANY_BIT, 1, 0, 1),
        _DROP,
        _ACCEPT,
    )


class _Program:
    """Collects steps whose jumps go to labels further down. A jump to None goes on with the next step."""

    def __init__(self) -> None:
        self._steps: list[tuple[int, int, str | None, str | None]] = []
        self._labels: dict[str, int] = {}

    def load(self, opcode: int, offset: int) -> None:
        self._steps.append((opcode, offset, None, None))

    def jump(self, opcode: int, operand: int, if_true: str | None, if_false: str | None) -> None:
        self._steps.append((opcode, operand, if_true, if_false))

    def jump_to(self, label: str) -> None:
        self._steps.append((_JUMP, 0, label, None))

    def label(self, name: str) -> None:
        """The next step is where jumps to `name` arrive."""
        self._labels[name] = len(self._steps)

    def finish(self, rest: tuple[Step, ...]) -> tuple[Step, ...]:
        """All steps. Who comes to their end goes on with the rest; is dropped if there is none."""
        if rest:
            # Over the two returns, which stay within reach of the jumps.
            self.jump_to("end")
        end = len(self._steps)
        self._labels |= {"drop": end, "accept": end + 1, "end": end + 2}
        steps = [
            (opcode, 0, 0, self._distance(at, if_true))
            if opcode == _JUMP
            else (opcode, self._distance(at, if_true), self._distance(at, if_false), operand)
            for at, (opcode, operand, if_true, if_false) in enumerate(self._steps)
        ]
        return (*steps, _DROP, _ACCEPT, *rest)

    def _distance(self, at: int, label: str | None) -> int:
        return 0 if label is None else self._labels[label] - at - 1


def attach(sock: socket.socket, steps: Sequence[Step]) -> None:
    """Let the socket receive only what the program accepts; it replaces an earlier one. Raises OSError."""
    image = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    # struct sock_fprog: the number of steps, and a pointer to them; the kernel copies them during the call.
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(steps), ctypes.addressof(image)))
