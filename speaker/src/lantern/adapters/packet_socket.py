# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Raw Ethernet frames of one kind on one interface: AF_PACKET with a filter in the kernel.

Needs the capability NET_RAW. The interface is not put into promiscuous mode: ARP requests are broadcasts, neighbour
solicitations go to multicast groups that are joined for them, and the rest is for this node's MAC address.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Collection, Sequence

from lantern.adapters.address_cover import BLOCKS, Range, bitmap
from lantern.adapters.packet_filter import Kind, attach, program

_MAX_FRAME_BYTES = 16384
"""More than any Ethernet carries in one frame."""
_BATCH = 64


class PacketSocket:
    """Receives frames of an interface into a callback of the running event loop, and sends frames."""

    def __init__(
        self,
        interface: str,
        kind: Kind,
        ranges: Sequence[Range],
        on_frame: Callable[[bytes], None],
        on_batch: Callable[[], None],
        on_error: Callable[[OSError], None],
    ) -> None:
        """Frames about addresses in `ranges` (see packet_filter) go to `on_frame`; after some, `on_batch` is called.

        Raises OSError: no capability, or no such interface.
        """
        self._loop = asyncio.get_running_loop()
        self._kind = kind
        self._on_frame = on_frame
        self._on_batch = on_batch
        self._on_error = on_error
        self._resume: asyncio.TimerHandle | None = None
        # Protocol 0 receives nothing until bound, so no frame can slip in before the filter is attached.
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
        try:
            self.filter(ranges)
            self._socket.bind((interface, kind.ethertype))
        except OSError:
            self._socket.close()
            raise
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def filter(self, ranges: Sequence[Range]) -> None:
        """Receive what is about addresses in these ranges from now on."""
        attach(self._socket, program(self._kind, ranges))

    def narrow(self, ranges: Sequence[Range], words: Collection[int]) -> None:
        """Receive questions about exactly these addresses of the ranges from now on.

        As exactly as the kernel has room for (sysctl net.core.optmem_max). Raises OSError.
        """
        limit = BLOCKS
        while limit > 1:
            try:
                attach(self._socket, program(self._kind, ranges, bitmap(words, limit)))
                return
            except OSError as error:
                if error.errno != errno.ENOMEM:
                    raise
            limit //= 2

    def send(self, frame: bytes) -> bool:
        """Send one Ethernet frame; False when the interface does not take it (down, gone, or its queue is full)."""
        try:
            self._socket.send(frame)
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                self._on_error(error)
            return False
        return True

    def pause(self, seconds: float) -> None:
        """Read nothing for so long. Meanwhile the kernel keeps what fits into the socket's buffer, no more."""
        if self._resume is None and self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._resume = self._loop.call_later(seconds, self._go_on)

    def close(self) -> None:
        if self._resume is not None:
            self._resume.cancel()
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _go_on(self) -> None:
        self._resume = None
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def _readable(self) -> None:
        # A bounded number, so that a flood on one interface cannot starve the rest of the process.
        for _ in range(_BATCH):
            try:
                frame = self._socket.recv(_MAX_FRAME_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                # The interface went down: the kernel reports it once, and again receives when it is up.
                self._on_error(error)
                break
            self._on_frame(frame)
            if self._socket.fileno() < 0 or self._resume is not None:
                break
        self._on_batch()
