# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two network namespaces joined by a cable: `node`, where Lantern runs, and `client`, a host of the LAN.

Nothing of it touches the machine's own network.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

NODE_ADDRESS = "192.168.2.11"
CLIENT_ADDRESS = "192.168.2.20"
NODE_ADDRESS_V6 = "fd00:2::11"
CLIENT_ADDRESS_V6 = "fd00:2::20"
NODE_MAC = "02:00:00:00:00:11"
_CLONE_NEWNET = 0x40000000


def ip(*arguments: str) -> str:
    """Run the command `ip`; its output."""
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=30).stdout


def sysctl(namespace: str, name: str, value: int) -> None:
    """Set a kernel parameter of a namespace."""
    command = ["ip", "netns", "exec", namespace, "sysctl", "-qw", f"{name}={value}"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)


class Lan:
    """Both namespaces with interface eth0 each; the client has 192.168.2.20/24 and fd00:2::20/64, the node ….11."""

    def __init__(self) -> None:
        tag = f"lantern{os.getpid()}"
        self.node, self.client = f"{tag}n", f"{tag}c"
        self.node_prefix = ("ip", "netns", "exec", self.node)

    def up(self) -> None:
        for name in (self.node, self.client):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
            # Their own IPv6 addresses are usable at once, not only after a second of detecting duplicates.
            sysctl(name, "net.ipv6.conf.default.accept_dad", 0)
        ip("link", "add", "eth0", "netns", self.node, "type", "veth", "peer", "name", "eth0", "netns", self.client)
        ip("-n", self.node, "link", "set", "eth0", "address", NODE_MAC)
        for name, address, address_v6 in (
            (self.node, NODE_ADDRESS, NODE_ADDRESS_V6),
            (self.client, CLIENT_ADDRESS, CLIENT_ADDRESS_V6),
        ):
            ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            ip("-n", name, "address", "add", f"{address_v6}/64", "dev", "eth0", "nodad")
            ip("-n", name, "link", "set", "eth0", "up")
        # The kernel gives an interface its link-local address only some time after it saw the carrier, and without
        # that one nobody speaks NDP.
        deadline = time.monotonic() + 10
        for name in (self.node, self.client):
            while not ip("-n", name, "-6", "address", "show", "dev", "eth0", "scope", "link", "-tentative"):
                assert time.monotonic() < deadline, f"{name} has no link-local address"
                time.sleep(0.01)

    def down(self) -> None:
        for name in (self.node, self.client):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, timeout=30)

    def neighbour(self, address: str) -> str | None:
        """The MAC address that the client's kernel has for an address, None while it has none."""
        for line in ip("-n", self.client, "neighbour", "show", address).splitlines():
            words = line.split()
            if "lladdr" in words:
                return words[words.index("lladdr") + 1]
        return None

    def forget(self, address: str) -> None:
        subprocess.run(["ip", "-n", self.client, "neighbour", "flush", address], check=True, capture_output=True)

    def ask(self, address: str) -> None:
        """Let the client's kernel ask for an address by ARP or NDP: send it a datagram."""

        def send() -> None:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(b"x", (address, 9))

        inside(self.client, send)


def inside(namespace: str, work: Callable[[], T]) -> T:
    """Run `work` in a namespace, in a thread of its own; sockets it makes stay there wherever they are used."""
    results: list[T] = []
    errors: list[BaseException] = []

    def enter() -> None:
        try:
            handle = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(handle, _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
            finally:
                os.close(handle)
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


class Bridge:
    """Makes a TCP port of this machine's loopback reachable on the loopback of a namespace."""

    def __init__(self, namespace: str, port: int) -> None:
        self._port = port
        self._listener = inside(namespace, self._listen)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        # Closing alone would leave the accepting thread asleep for ever.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._listener.close()

    @staticmethod
    def _listen() -> socket.socket:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        return listener

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        """Copy both ways until either end is done. A server that does not listen ends the connection, as it would."""
        with near:
            try:
                far = socket.create_connection(("127.0.0.1", self._port), timeout=5)
            except OSError:
                return
            with far:
                far.settimeout(None)
                back = threading.Thread(target=_copy, args=(far, near), daemon=True)
                back.start()
                _copy(near, far)
                back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
