# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host of the LAN sees of the load balancer: who answers for an address, and whether pages come.

Who answers is asked by an asker with a MAC and an IPv4 address of its own behind the client's cable, so that no answer
changes what the client's kernel knows of its neighbours: a client learns of a new owner only by what the owner does.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import socket
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from homelab.shell import LabError

from . import arp, lab
from .timeline import Answer, Visit, longest_gap, of_client

CLIENT = "client"
INTERFACE = "eth0"
ASKER_MAC = "02:1a:7e:ff:00:01"
VISIT_INTERVAL = 0.01
VISIT_TIMEOUT = 1.0
_FIRST_SECONDS = 15.0


def asker_address() -> str:
    """An address of the LAN that is nobody's."""
    return str(ipaddress.IPv4Network(lab.LAN)[9])


def node_names() -> dict[str, str]:
    """The nodes by their MAC addresses."""
    return {node.mac: node.name for node in lab.topology().nodes}


class Asker:
    """Asks the LAN who has an address. Use as a context manager."""

    def __init__(self) -> None:
        self._mac = bytes.fromhex(ASKER_MAC.replace(":", ""))
        self._address = socket.inet_aton(asker_address())
        with lab.sockets_in(lab.network(CLIENT)):
            self._packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(arp.ETHERTYPE))
            self._packets.bind((INTERFACE, arp.ETHERTYPE))

    def __enter__(self) -> Asker:
        return self

    def __exit__(self, *_: object) -> None:
        self._packets.close()

    def ask(self, addresses: Iterable[str]) -> None:
        for address in addresses:
            self._packets.send(arp.question(self._mac, self._address, socket.inet_aton(address)))

    def answers(self, until: float) -> Iterator[tuple[str, Answer]]:
        """Addresses and the answers for them as they come, until that moment."""
        while (left := until - time.monotonic()) > 0:
            self._packets.settimeout(left)
            try:
                told = arp.answer(self._packets.recv(64), self._mac)
            except TimeoutError:
                return
            if told is not None:
                yield socket.inet_ntoa(told[0]), Answer(time.monotonic(), told[1].hex(":"))

    def who_has(self, addresses: Sequence[str], seconds: float = 0.5) -> dict[str, set[str]]:
        """The MAC addresses that answer for each address within `seconds`."""
        self.ask(addresses)
        found: dict[str, set[str]] = {address: set() for address in addresses}
        for address, answer in self.answers(time.monotonic() + seconds):
            if address in found:
                found[address].add(answer.mac)
        return found


@dataclass(slots=True)
class Watch:
    """All answers for some addresses, by address, while somebody asks for them again and again."""

    answers: dict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list))


@contextlib.contextmanager
def watching(addresses: Sequence[str], interval: float) -> Iterator[Watch]:
    """Ask for all of these addresses each `interval` seconds, in a thread, while the body runs."""
    watch, done = Watch(), threading.Event()

    def run(asker: Asker) -> None:
        due = time.monotonic()
        while not done.is_set():
            asker.ask(addresses)
            due = max(due + interval, time.monotonic())
            for address, answer in asker.answers(due):
                watch.answers[address].append(answer)

    with Asker() as asker:
        thread = threading.Thread(target=run, args=(asker,), daemon=True, name="arp-watch")
        thread.start()
        try:
            yield watch
        finally:
            done.set()
            thread.join()


class Visits:
    """What the program `visits` tells, as it tells it."""

    def __init__(self, process: subprocess.Popen[bytes], clients: Iterable[str]) -> None:
        self._process = process
        self._clients = tuple(clients)
        self._seen: list[Visit] = []
        self._reader = threading.Thread(target=self._read, daemon=True, name="visits")
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None, "its output is a pipe"
        for line in self._process.stdout:
            self._seen.append(Visit(*json.loads(line)))

    @property
    def seen(self) -> list[Visit]:
        """All that have ended so far."""
        return list(self._seen)

    def gaps(self, since: float, until: float) -> dict[str, float]:
        """The longest gap of each client."""
        seen = self.seen
        return {client: longest_gap(of_client(seen, client), since, until) for client in self._clients}

    def wait_first(self) -> None:
        """Wait until each client has had a page.

        Raises:
            LabError: one did not get any.
        """
        deadline = time.monotonic() + _FIRST_SECONDS
        while missing := set(self._clients) - {visit.client for visit in self.seen if visit.served}:
            if time.monotonic() > deadline or self._process.poll() is not None:
                self.finish()
                raise LabError(f"no page came before anything was done: {', '.join(sorted(missing))}")
            time.sleep(0.05)

    def finish(self) -> None:
        """Start no more, and wait for those under way.

        Raises:
            LabError: the program has failed.
        """
        assert self._process.stdin is not None and self._process.stderr is not None, "both are pipes"
        self._process.stdin.close()
        self._reader.join()
        said = self._process.stderr.read().decode(errors="replace").strip()
        self._process.stderr.close()
        if self._process.wait():
            raise LabError(f"the visiting client has ended: {said[-1500:]}")


@dataclass(frozen=True, slots=True)
class Client:
    """One who fetches the page of an address; `fresh`: it knows no neighbour when it asks."""

    address: str
    fresh: bool = False


@contextlib.contextmanager
def visiting(
    clients: Mapping[str, Client], *, interval: float = VISIT_INTERVAL, timeout: float = VISIT_TIMEOUT
) -> Iterator[Visits]:
    """Clients, by name, that each fetch a page every `interval` seconds while the body runs."""
    named = [{"name": name, "address": item.address, "fresh": item.fresh} for name, item in clients.items()]
    process = lab.start(CLIENT, "visits", {"interval": interval, "timeout": timeout, "clients": named})
    visits = Visits(process, clients)
    try:
        visits.wait_first()
        yield visits
    except BaseException:
        process.kill()
        raise
    visits.finish()


def serves(address: str) -> bool:
    """Whether a page comes from an address within a second."""
    connection = http.client.HTTPConnection(address, timeout=1.0)
    try:
        with lab.sockets_in(lab.network(CLIENT)):
            connection.connect()
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
