# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes over a namespace's interface, seen and sent with scapy's packets."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

from scapy.layers.l2 import Ether

from lablib.netns import inside

ALL = 0x0003
ARP = 0x0806


class Wire:
    """Every frame that leaves or reaches an interface (ALL), or reaches it (one EtherType)."""

    def __init__(self, namespace: str, ethertype: int = ALL, interface: str = "eth0") -> None:
        def make() -> socket.socket:
            made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ethertype))
            made.bind((interface, ethertype))
            return made

        self._socket = inside(namespace, make)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, frame: Ether) -> None:
        self._socket.send(bytes(frame))

    def frames(self, seconds: float, until: Callable[[Ether], bool] = lambda frame: False) -> list[tuple[float, Ether]]:
        """What is heard, with the time since the call; it ends after `seconds`, or with a frame that it is `until`."""
        heard: list[tuple[float, Ether]] = []
        started = time.monotonic()
        while (left := started + seconds - time.monotonic()) > 0:
            if select.select([self._socket], [], [], left)[0]:
                heard.append((time.monotonic() - started, Ether(self._socket.recv(65535))))
                if until(heard[-1][1]):
                    break
        return heard
