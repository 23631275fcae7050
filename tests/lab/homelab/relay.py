# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process in the middle of a bad cable: `python -m homelab.relay HOST FILE` passes frames between two TAPs.

It works in user space because the usual kernel part (netem) is missing in many kernels. The TAPs exist as long as it
does. FILE holds both directions' impairments and is read again on SIGHUP. TAPs have no offloads, so the kernel hands
over frames as they would be on a wire: cut to the link's size, with checksums.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import struct
import sys
import time
from pathlib import Path

from .impairment import BadCable, Line

# linux/if_tun.h
TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
LONGEST_FRAME = 65_600
# Frames taken from one side before the other side and the clock are looked at again.
BATCH = 64


def tap_names(host: str) -> tuple[str, str]:
    """The TAP towards the host and the one towards the switch."""
    return f"{host}-near", f"{host}-far"


def _open_tap(name: str) -> int:
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return descriptor


def _receive(descriptor: int, line: Line, now: float) -> None:
    with contextlib.suppress(BlockingIOError):
        for _ in range(BATCH):
            line.put(os.read(descriptor, LONGEST_FRAME), now)


def _send(descriptor: int, frames: list[bytes]) -> None:
    for frame in frames:
        # A side that is down (cable cut, power off) takes nothing: such frames are lost, as on a real cable.
        with contextlib.suppress(OSError):
            os.write(descriptor, frame)


def relay(host: str, file: Path) -> None:
    """Pass frames for ever."""
    cable = BadCable.from_json(file.read_text())
    inbound, outbound = Line(cable.inbound, "in"), Line(cable.outbound, "out")

    def reread(*_: object) -> None:
        changed = BadCable.from_json(file.read_text())
        inbound.change(changed.inbound)
        outbound.change(changed.outbound)

    signal.signal(signal.SIGHUP, reread)
    near, far = (_open_tap(name) for name in tap_names(host))
    while True:
        waiting = [line.next for line in (inbound, outbound) if line.next is not None]
        pause = max(0.0, min(waiting) - time.monotonic()) if waiting else None
        # select(2), because poll(2) and epoll round waiting times up to milliseconds.
        readable, _, _ = select.select([near, far], [], [], pause)
        now = time.monotonic()
        if near in readable:
            _receive(near, outbound, now)
        if far in readable:
            _receive(far, inbound, now)
        _send(far, outbound.due(now))
        _send(near, inbound.due(now))


if __name__ == "__main__":
    relay(sys.argv[1], Path(sys.argv[2]))
