# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that the kernel applies before a packet socket's process wakes up: classic BPF (socket(7), SO_ATTACH_FILTER).

One program for each kind of socket. Each first checks what kind of packet it is, then compares the addresses in it with
the ranges of what this node announces, so that the rest of the LAN's traffic costs a few instructions in the kernel and
nothing here. Addresses of a pool are neighbours, so a few ranges do: up to RANGES of them, whose gaps let some foreign
packets through, which the responder then drops. IPv6 addresses are compared by their last 32 bits only.

Frames that are not for this node's MAC address are dropped: promiscuous interfaces hear them, and so do interfaces on
which frames of unknown VLANs arrive (the kernel takes the tag off and marks them so).
"""

from __future__ import annotations

import ctypes
import socket
import struct
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from lantern.l2 import arp, echo, ndp

RANGES = 24
_SO_ATTACH_FILTER = 26
_WORD = 1 << 32

# <linux/bpf_common.h>; offsets from SKF_AD_OFF (<linux/filter.h>) name what is known about a packet.
_LOAD_WORD = 0x20
_LOAD_HALF = 0x28
_LOAD_BYTE = 0x30
_IF_EQUAL = 0x15
_IF_GREATER = 0x25
_IF_AT_LEAST = 0x35
_IF_ANY_BIT = 0x45
_RETURN = 0x06
_PACKET_TYPE = 0xFFFFF004
_OTHER_HOST = 3
_WHOLE_FRAME = 0xFFFF

Range = tuple[int, int]
"""First and last, both included, as 32-bit numbers."""
Step = tuple[int, int, int, int]
"""Opcode, jump if true, jump if false, operand: as `tcpdump -dd` writes them."""


class Kind(Enum):
    """What a packet socket is for."""

    ARP = "arp"
    NDP = "ndp"
    ECHO = "echo"
    ECHO_V6 = "echo6"

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


def program(kind: Kind, ranges: Sequence[Range]) -> tuple[Step, ...]:
    """The filter for addresses whose last 32 bits are in one of the ranges (sorted, disjoint, at most RANGES)."""
    checks, words = _CHECKS[kind]
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
    for offset in words:
        written.load(_LOAD_WORD, offset)
        missed = "drop" if offset == words[-1] else f"not at {offset}"
        for first, last in ranges:
            # They are sorted: above this range, try the next one; below it, there is no other.
            written.jump(_IF_GREATER, last, f"above {offset} {last}", None)
            written.jump(_IF_AT_LEAST, first, "accept", missed)
            written.label(f"above {offset} {last}")
        written.label(f"not at {offset}")
    return written.finish()


class _Program:
    """Collects steps whose jumps go to labels further down. A jump to None goes on with the next step."""

    def __init__(self) -> None:
        self._steps: list[tuple[int, int, str | None, str | None]] = []
        self._labels: dict[str, int] = {}

    def load(self, opcode: int, offset: int) -> None:
        self._steps.append((opcode, offset, None, None))

    def jump(self, opcode: int, operand: int, if_true: str | None, if_false: str | None) -> None:
        self._steps.append((opcode, operand, if_true, if_false))

    def label(self, name: str) -> None:
        """The next step is where jumps to `name` arrive."""
        self._labels[name] = len(self._steps)

    def finish(self) -> tuple[Step, ...]:
        """All steps; who comes to their end is dropped."""
        end = len(self._steps)
        self._labels |= {"drop": end, "accept": end + 1}
        steps = [
            (opcode, self._distance(at, if_true), self._distance(at, if_false), operand)
            for at, (opcode, operand, if_true, if_false) in enumerate(self._steps)
        ]
        return (*steps, (_RETURN, 0, 0, 0), (_RETURN, 0, 0, _WHOLE_FRAME))

    def _distance(self, at: int, label: str | None) -> int:
        return 0 if label is None else self._labels[label] - at - 1


def attach(sock: socket.socket, steps: Sequence[Step]) -> None:
    """Let the socket receive only what the program accepts; it replaces an earlier one. Raises OSError."""
    image = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    # struct sock_fprog: the number of steps, and a pointer to them; the kernel copies them during the call.
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(steps), ctypes.addressof(image)))


class Cover:
    """Few ranges that hold all of many addresses, by their last 32 bits.

    An address that is added either is in a range already, or becomes one; then, if there are too many, the two with the
    smallest gap become one. Addresses that are removed stay in until they are half of all: a foreign packet more costs
    less than counting anew.
    """

    def __init__(self) -> None:
        self._words: dict[bytes, int] = {}
        self._ranges: list[Range] = []
        self._removed = 0

    @property
    def ranges(self) -> tuple[Range, ...]:
        """Sorted and disjoint, at most RANGES."""
        return tuple(self._ranges)

    def add(self, address: bytes) -> bool:
        """Cover an address, 4 or 16 bytes; whether the ranges have changed."""
        word = int.from_bytes(address[-4:], "big")
        self._words[address] = word
        return self._cover(word)

    def remove(self, address: bytes) -> bool:
        """Cover an address no more; whether the ranges have changed."""
        if self._words.pop(address, None) is None:
            return False
        self._removed += 1
        if self._removed <= len(self._words):
            return False
        before, self._ranges, self._removed = self._ranges, [], 0
        for word in sorted(self._words.values()):
            self._cover(word)
        return self._ranges != before

    def _cover(self, word: int) -> bool:
        at = bisect_right(self._ranges, (word, _WORD)) - 1
        if at >= 0 and word <= self._ranges[at][1]:
            return False
        if at >= 0 and word == self._ranges[at][1] + 1:
            self._ranges[at] = (self._ranges[at][0], word)
        else:
            at += 1
            self._ranges.insert(at, (word, word))
        if at + 1 < len(self._ranges) and self._ranges[at + 1][0] == word + 1:
            self._join(at)
        if len(self._ranges) > RANGES:
            gaps = [after[0] - before[1] for before, after in pairwise(self._ranges)]
            self._join(gaps.index(min(gaps)))
        return True

    def _join(self, at: int) -> None:
        """Make one range of this and the next, and of the gap between."""
        self._ranges[at : at + 2] = [(self._ranges[at][0], self._ranges[at + 1][1])]
