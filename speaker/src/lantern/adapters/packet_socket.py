# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Raw ARP frames on one interface: AF_PACKET with a filter in the kernel, so that nothing else wakes this process.

Needs the capability NET_RAW. The interface is not put into promiscuous mode: ARP requests are broadcasts.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import socket
import struct
from collections.abc import Callable

from lantern.l2.arp import ETHERTYPE

_SO_ATTACH_FILTER = 26
_MAX_FRAME_BYTES = 256

# Classic BPF, as `tcpdump -dd` writes it: (opcode, jump if true, jump if false, operand).
_ARP_REQUESTS_AND_REPLIES = (
    (0x28, 0, 0, 12),  # load the EtherType
    (0x15, 0, 4, ETHERTYPE),  # not ARP: drop
    (0x28, 0, 0, 20),  # load the operation
    (0x15, 1, 0, 1),  # request: accept
    (0x15, 0, 1, 2),  # neither request nor reply: drop
    (0x06, 0, 0, _MAX_FRAME_BYTES),
    (0x06, 0, 0, 0),
)


class PacketSocket:
    """Receives ARP frames of an interface into a callback of the running event loop, and sends frames."""

    def __init__(self, interface: str, on_frame: Callable[[bytes], None], on_error: Callable[[OSError], None]) -> None:
        """Raises OSError: no capability, or no such interface."""
        self._loop = asyncio.get_running_loop()
        self._on_frame = on_frame
        self._on_error = on_error
        # Protocol 0 receives nothing until bound, so no frame can slip in before the filter is attached.
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
        try:
            _attach_filter(self._socket)
            self._socket.bind((interface, ETHERTYPE))
        except OSError:
            self._socket.close()
            raise
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def send(self, frame: bytes) -> bool:
        """Send one Ethernet frame; False when the interface does not take it (down, gone, or its queue is full)."""
        try:
            self._socket.send(frame)
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                self._on_error(error)
            return False
        return True

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _readable(self) -> None:
        # A bounded number, so that a flood on one interface cannot starve the rest of the process.
        with contextlib.suppress(BlockingIOError):
            for _ in range(64):
                try:
                    frame = self._socket.recv(_MAX_FRAME_BYTES)
                except BlockingIOError:
                    raise
                except OSError as error:
                    # The interface went down: the kernel reports it once, and again receives when it is up.
                    self._on_error(error)
                    return
                self._on_frame(frame)


def _attach_filter(sock: socket.socket) -> None:
    program = b"".join(struct.pack("HBBI", *step) for step in _ARP_REQUESTS_AND_REPLIES)
    steps = ctypes.create_string_buffer(program)
    # struct sock_fprog: the number of steps, and a pointer to them; the kernel copies them during the call.
    descriptor = struct.pack("HL", len(_ARP_REQUESTS_AND_REPLIES), ctypes.addressof(steps))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, descriptor)
