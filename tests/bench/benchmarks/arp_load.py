# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program for a LAN host: how quickly, and how many, questions for addresses are answered.

Takes one JSON object: "interface", "mac" and "address" of the asker, and either

- "count", "pause" (seconds) and "groups", names with addresses: asks for one at a time, of each group in turn, and
  prints {group: {"seconds": [...], "lost": N}};
- "seconds" and "addresses": asks for as many as are answered with WINDOW of them under way, and prints
  {"answers": per second, "lost": N}.

Frames go out and come in many at a time (sendmmsg(2), recvmmsg(2)): one system call for each would be what is measured.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import json
import os
import random
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import arp

WINDOW = 64
# At most so long is waited for an answer.
LATENCY_SECONDS, FLOOD_SECONDS = 1.0, 0.2
_RECEIVED_BYTES = 64
_RECEIVE_BUFFER = 1 << 24
# bits/socket.h: return as soon as one has come, with all that are there.
_MSG_WAITFORONE = 0x10000


class _Vector(ctypes.Structure):
    """struct iovec"""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """struct msghdr"""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.POINTER(_Vector)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """struct mmsghdr"""

    _fields_ = (("header", _Header), ("length", ctypes.c_uint))


_libc = ctypes.CDLL(None, use_errno=True)


class Frames:
    """Room for `count` frames of `size` bytes in `data`, one after the other, for one system call."""

    def __init__(self, count: int, size: int) -> None:
        self.size = size
        self.data = bytearray(count * size)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self.data))
        self._vectors = (_Vector * count)(*(_Vector(start + position * size, size) for position in range(count)))
        self._messages = (_Message * count)()
        for message, vector in zip(self._messages, self._vectors, strict=True):
            message.header.vectors = ctypes.pointer(vector)
            message.header.vector_count = 1

    def send(self, number: int, count: int) -> int:
        """Send the first `count` on socket `number`; returns how many went."""
        return self._checked(_libc.sendmmsg(number, self._messages, count, 0))

    def receive(self, number: int) -> int:
        """Wait for frames, as long as the socket's time-out; returns how many came."""
        return self._checked(_libc.recvmmsg(number, self._messages, len(self._messages), _MSG_WAITFORONE, None))

    def lengths(self, count: int) -> list[int]:
        """Of the frames received last."""
        return [message.length for message in self._messages[:count]]

    @staticmethod
    def _checked(count: int) -> int:
        if count >= 0:
            return count
        if (number := ctypes.get_errno()) == errno.EAGAIN:
            return 0
        raise OSError(number, os.strerror(number))


def open_socket(interface: str, seconds: float) -> socket.socket:
    """All ARP frames of an interface; a read that gets nothing ends after `seconds`."""
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(arp.ETHERTYPE))
    packets.bind((interface, arp.ETHERTYPE))
    packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
    # The kernel's time-out, because Python's own costs a system call more for each frame.
    whole = int(seconds)
    packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", whole, int((seconds - whole) * 1e6)))
    return packets


def latency(
    packets: socket.socket, mac: bytes, address: bytes, groups: Mapping[str, Sequence[bytes]], count: int, pause: float
) -> dict[str, dict[str, Any]]:
    """Ask `count` times for a random address of each group in turn, `pause` seconds after each answer."""
    found: dict[str, dict[str, Any]] = {name: {"seconds": [], "lost": 0} for name in groups}
    choose = random.Random(1).choice
    for _ in range(count):
        for name, addresses in groups.items():
            target = choose(addresses)
            seconds = _ask(packets, mac, arp.question(mac, address, target), target)
            if seconds is None:
                found[name]["lost"] += 1
            else:
                found[name]["seconds"].append(seconds)
            time.sleep(pause)
    return found


def _ask(packets: socket.socket, mac: bytes, frame: bytes, target: bytes) -> float | None:
    started = time.perf_counter()
    packets.send(frame)
    while True:
        try:
            told = arp.answer(packets.recv(_RECEIVED_BYTES), mac)
        except BlockingIOError:
            return None
        now = time.perf_counter()
        if told is not None and told[0] == target:
            return now - started
        if now - started > LATENCY_SECONDS:
            return None


class Flood:
    """As many questions as are answered, WINDOW of them under way."""

    def __init__(self, packets: socket.socket, mac: bytes, address: bytes, targets: Iterable[bytes]) -> None:
        self._number = packets.fileno()
        self._mac = mac
        self._questions = Frames(WINDOW, arp.FRAME_BYTES)
        frame = arp.question(mac, address, bytes(4))
        self._questions.data[:] = frame * WINDOW
        self._received = Frames(WINDOW, _RECEIVED_BYTES)
        self._targets = list(targets)
        random.Random(1).shuffle(self._targets)
        self._position = 0
        self._waiting: Counter[bytes] = Counter()
        self._under_way = 0
        self.answered = 0
        self.lost = 0

    def run(self, seconds: float) -> float:
        """Ask for `seconds`; returns how long it took in fact."""
        started = time.perf_counter()
        while (elapsed := time.perf_counter() - started) < seconds:
            # Not one by one: a system call for each frame is what is to be avoided.
            if WINDOW - self._under_way >= WINDOW // 4:
                self._ask(WINDOW - self._under_way)
            self._hear()
        return elapsed

    def _ask(self, count: int) -> None:
        data, size = self._questions.data, self._questions.size
        chosen = []
        for offset in range(0, count * size, size):
            target = self._targets[self._position % len(self._targets)]
            self._position += 1
            data[offset + arp.TARGET.start : offset + arp.TARGET.stop] = target
            chosen.append(target)
        sent = self._questions.send(self._number, count)
        self._waiting.update(chosen[:sent])
        self._under_way += sent

    def _hear(self) -> None:
        count = self._received.receive(self._number)
        if not count:
            self.lost += self._under_way
            self._waiting.clear()
            self._under_way = 0
        size, data = self._received.size, self._received.data
        for position, length in enumerate(self._received.lengths(count)):
            offset = position * size
            told = arp.answer(bytes(data[offset : offset + min(length, size)]), self._mac)
            # A second answer to one question does not count.
            if told is not None and self._waiting[told[0]] > 0:
                self._waiting[told[0]] -= 1
                self._under_way -= 1
                self.answered += 1


def main(options: dict[str, Any]) -> dict[str, Any]:
    mac, address = bytes.fromhex(options["mac"].replace(":", "")), socket.inet_aton(options["address"])
    if "groups" in options:
        groups = {name: [socket.inet_aton(text) for text in texts] for name, texts in options["groups"].items()}
        with open_socket(options["interface"], LATENCY_SECONDS) as packets:
            return latency(packets, mac, address, groups, options["count"], options["pause"])
    with open_socket(options["interface"], FLOOD_SECONDS) as packets:
        flood = Flood(packets, mac, address, map(socket.inet_aton, options["addresses"]))
        elapsed = flood.run(options["seconds"])
    return {"answers": flood.answered / elapsed, "lost": flood.lost}


if __name__ == "__main__":
    gc.disable()
    print(json.dumps(main(json.loads(sys.argv[1]))))
