# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program for a LAN host: fetches pages at a steady pace over a new connection each, and prints how each went.

Takes one JSON object: "interval" and "timeout" in seconds, and "clients", each with "name", "address", "fresh" (whether
it forgets its neighbours before it asks), and "port" if it is not 80. Prints a line for each request, [name, started,
ended, served, cut], in monotonic seconds; "cut" is one whose connection had come about and was reset. Ends with its
standard input, when the last request has its answer or its time is up.

One thread and no library: a hundred requests a second must not take the processor from what is measured.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gc
import itertools
import json
import os
import select
import socket
import struct
import sys
import time
from dataclasses import dataclass
from typing import Any, TextIO

INTERFACE = b"eth0"
REQUEST = b"GET / HTTP/1.0\r\n\r\n"
# linux/sockios.h: remove an entry of the neighbour table.
_SIOCDARP = 0x8953
# Ends a connection at once instead of keeping its port for a minute.
_RESET = struct.pack("ii", 1, 0)
# While nobody answers, the neighbour is asked for no more often than this: an answer needs time to arrive.
_FORGET_SECONDS = 0.1
_FLUSH_SECONDS = 0.05
# As nice(2) has it: this program's own waiting for a processor must not be taken for the load balancer's.
_PRIORITY = -15
# Who could not run for so long does not make up for it.
_LATE_SECONDS = 0.1


@dataclass(slots=True, kw_only=True)
class Client:
    """One who asks for one address, and when it does next."""

    name: str
    address: str
    fresh: bool
    port: int = 80
    due: float = 0.0
    under_way: int = 0
    forgot: float = 0.0


@dataclass(slots=True)
class Request:
    client: Client
    connection: socket.socket
    started: float
    connected: bool = False


class Visitor:
    """All requests under way; goes on until there is something to read on the descriptor `stop`."""

    def __init__(self, clients: list[Client], interval: float, timeout: float, stop: int, out: TextIO) -> None:
        self._clients = clients
        self._interval = interval
        self._timeout = timeout
        self._stop = stop
        self._out = out
        self._flushed = 0.0
        # In the order they were started, so the first one's time is up first.
        self._requests: dict[int, Request] = {}
        self._control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._epoll = select.epoll()
        self._epoll.register(stop, select.EPOLLIN)

    def run(self) -> None:
        """Visit until told to stop, then wait for what is under way."""
        now = time.monotonic()
        for position, client in enumerate(self._clients):
            client.due = now + self._interval * position / len(self._clients)
        stopped = False
        while not stopped:
            self._start_due()
            stopped = self._wait(min(client.due for client in self._clients))
        self._epoll.unregister(self._stop)
        while self._requests:
            self._wait(time.monotonic() + self._timeout)
        self._out.flush()

    def _start_due(self) -> None:
        now = time.monotonic()
        for client in self._clients:
            if client.due <= now:
                client.due = (client.due if now - client.due < _LATE_SECONDS else now) + self._interval
                self._start(client)

    def _start(self, client: Client) -> None:
        now = time.monotonic()
        if client.fresh and (not client.under_way or now - client.forgot > _FORGET_SECONDS):
            self._forget(client.address)
            client.forgot = now
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        error = connection.connect_ex((client.address, client.port))
        number = connection.fileno()
        self._requests[number] = Request(client, connection, now)
        client.under_way += 1
        if error not in (0, errno.EINPROGRESS):
            self._end(number, served=False)
            return
        self._epoll.register(number, select.EPOLLOUT)

    def _forget(self, address: str) -> None:
        """Remove an address from the neighbour table; that it is not there is no failure."""
        named = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._control, _SIOCDARP, named + struct.pack("=16xi16x16s", 0, INTERFACE))

    def _wait(self, due: float) -> bool:
        """Deal with what comes until `due`, and with those whose time is up; True when told to stop."""
        now = time.monotonic()
        if now - self._flushed > _FLUSH_SECONDS:
            self._out.flush()
            self._flushed = now
        first = next(iter(self._requests.values()), None)
        if first is not None:
            due = min(due, first.started + self._timeout)
        numbers = [number for number, _ in self._epoll.poll(max(0.0, due - now))]
        for number in numbers:
            if number in self._requests:
                self._go_on(number)
        limit = time.monotonic() - self._timeout
        old = itertools.takewhile(lambda item: item[1].started <= limit, self._requests.items())
        for number, _ in list(old):
            self._end(number, served=False)
        return self._stop in numbers

    def _go_on(self, number: int) -> None:
        """A connection is made, or its answer is there, or neither will ever be."""
        request = self._requests[number]
        try:
            if request.connected:
                # The status line comes in one piece.
                self._end(number, served=request.connection.recv(4096)[9:12] == b"200")
                return
            if error := request.connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(error, "no connection")
            request.connection.send(REQUEST)
            request.connected = True
            self._epoll.modify(number, select.EPOLLIN)
        except OSError as error:
            # Nobody resets what has not come about: that would be a refusal.
            self._end(number, served=False, cut=error.errno == errno.ECONNRESET)

    def _end(self, number: int, *, served: bool, cut: bool = False) -> None:
        request = self._requests.pop(number)
        request.client.under_way -= 1
        request.connection.close()
        self._out.write(json.dumps([request.client.name, request.started, time.monotonic(), served, cut]) + "\n")


def main(options: dict[str, Any]) -> None:
    clients = [Client(**client) for client in options["clients"]]
    Visitor(clients, options["interval"], options["timeout"], sys.stdin.fileno(), sys.stdout).run()


if __name__ == "__main__":
    # A collection would be a pause that the load balancer is blamed for.
    gc.disable()
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)
    main(json.loads(sys.argv[1]))
