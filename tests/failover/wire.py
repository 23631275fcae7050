# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The LAN as its client sees it: what is captured there, and who answers for an address."""

from __future__ import annotations

import contextlib
import ipaddress
import random
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from homelab import world
from homelab.topology import Topology, address6
from pyroute2 import netns
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw
from scapy.utils6 import in6_getnsma, in6_getnsmac

T = TypeVar("T")

ARP_TYPE, IPV4_TYPE, IPV6_TYPE = 0x0806, 0x0800, 0x86DD
# The header after IPv6's (RFC 4443), and with what this one begins (RFC 4861 sections 4.4 and 4.5).
_ICMPV6, _ADVERTISEMENT, _REDIRECT = b"\x3a", b"\x88", b"\x89"
# A question that is repeated so often is not lost among other frames.
_ASK_SECONDS = 0.1


def at_client(work: Callable[[], T]) -> T:
    """Run `work` in a thread in the client's network; sockets that it makes stay there wherever they are used."""
    network = f"/proc/{world.require()}/root/run/netns/client"
    with ThreadPoolExecutor(1, initializer=netns.setns, initargs=(network, 0)) as thread:
        return thread.submit(work).result()


def open_wire(ethertype: int) -> socket.socket:
    """What reaches the client in frames of one EtherType, and a way to send frames."""

    def make() -> socket.socket:
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ethertype))
        # A processor that is busy elsewhere must not cost frames.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        made.bind(("eth0", ethertype))
        return made

    return at_client(make)


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame and when it came, in monotonic seconds."""

    at: float
    frame: Ether


class Capture:
    """Frames of one EtherType that reach the client while the body of a `with` runs; of these those that are wanted."""

    def __init__(self, ethertype: int, wanted: Callable[[bytes], bool] = bool) -> None:
        self._socket = open_wire(ethertype)
        self._wanted = wanted
        self._raw: list[tuple[float, bytes]] = []
        self._seen: list[Seen] = []
        self._reading = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="capture", daemon=True)

    def __enter__(self) -> Capture:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def send(self, frame: Ether) -> None:
        self._socket.send(bytes(frame))

    @property
    def frames(self) -> list[Seen]:
        """Everything so far."""
        with self._reading:
            self._seen += [Seen(at, Ether(raw)) for at, raw in self._raw[len(self._seen) :]]
            return list(self._seen)

    def _listen(self) -> None:
        while not self._ended.is_set():
            if select.select([self._socket], [], [], 0.1)[0]:
                raw = self._socket.recv(65535)
                if self._wanted(raw):
                    self._raw.append((time.monotonic(), raw))


@dataclass(frozen=True, slots=True)
class Claim:
    """A node said that it has an address, asked or not."""

    at: float
    address: str
    node: str


class Lan:
    """Questions from the client of a lab."""

    def __init__(self, topology: Topology, prefix: str) -> None:
        """`prefix` is the LAN's IPv6 network."""
        self._client = topology.client
        self._client6 = address6(topology.client, prefix)
        self._macs = {host.name: host.mac for host in topology.hosts}
        self._names = {mac: name for name, mac in self._macs.items()}

    def name(self, mac: str) -> str:
        """The host with this MAC address; the MAC address itself when it is nobody's."""
        return self._names.get(mac.lower(), mac)

    def question(self, address: str) -> Ether:
        """Who has the address? By ARP (RFC 826) or a neighbour solicitation (RFC 4861 section 4.3)."""
        mac = self._client.mac
        if _version(address) == 4:
            who = ARP(op="who-has", hwsrc=mac, psrc=self._client.address, pdst=address)
            return Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / who
        packed = socket.inet_pton(socket.AF_INET6, address)
        group = in6_getnsma(packed)
        asking = ICMPv6ND_NS(tgt=address) / ICMPv6NDOptSrcLLAddr(lladdr=mac)
        to = socket.inet_ntop(socket.AF_INET6, group)
        return Ether(src=mac, dst=in6_getnsmac(group)) / IPv6(src=self._client6, dst=to, hlim=255) / asking

    def claims(self, seen: list[Seen]) -> list[Claim]:
        """What nodes say of addresses in captured frames: ARP's sender fields, neighbour advertisements."""
        found = []
        for one in seen:
            if ARP in one.frame and one.frame[ARP].psrc != "0.0.0.0":
                said = one.frame[ARP]
                found.append(Claim(one.at, said.psrc, self.name(said.hwsrc)))
            elif ICMPv6ND_NA in one.frame:
                said = one.frame[ICMPv6ND_NA]
                found.append(Claim(one.at, str(ipaddress.ip_address(said.tgt)), self.name(one.frame.src)))
        return found

    def answering(self, address: str, seconds: float = 0.5) -> list[str]:
        """The nodes that answer for an address when it is asked for again and again, in the order of their names."""
        with _claims_capture(_version(address)) as capture:
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                capture.send(self.question(address))
                time.sleep(_ASK_SECONDS)
            return sorted({claim.node for claim in self.claims(capture.frames) if claim.address == address})

    def owner(self, address: str, seconds: float) -> str:
        """The one node that answers for an address; waits until there is one, and one alone.

        Raises:
            AssertionError: none, or more than one, at the end of `seconds`.
        """
        deadline = time.monotonic() + seconds
        while len(nodes := self.answering(address)) != 1:
            assert time.monotonic() < deadline, f"{address} is answered for by {nodes or 'nobody'} after {seconds:g} s"
        return nodes[0]

    def silent(self, address: str, seconds: float) -> None:
        """Wait until nobody answers for an address.

        Raises:
            AssertionError: somebody still does at the end of `seconds`.
        """
        deadline = time.monotonic() + seconds
        while nodes := self.answering(address, 1.0):
            assert time.monotonic() < deadline, f"{address} is still answered for by {nodes} after {seconds:g} s"

    def forwards(self, node: str, address: str, protocol: str, port: int, seconds: float = 1.0) -> bool:
        """Whether a node passes packets for an address on to a pod, be it the owner or not."""
        with Capture(IPV4_TYPE if _version(address) == 4 else IPV6_TYPE) as capture:
            source = random.randrange(32768, 60000)
            packet = TCP(sport=source, dport=port, flags="S") if protocol == "TCP" else UDP(sport=source, dport=port)
            network = (
                IPv6(src=self._client6, dst=address) if ":" in address else IP(src=self._client.address, dst=address)
            )
            capture.send(Ether(src=self._client.mac, dst=self._macs[node]) / network / packet / Raw(b"who"))
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                layer = TCP if protocol == "TCP" else UDP
                answers = [one.frame[layer] for one in capture.frames if layer in one.frame]
                if any((one.sport, one.dport) == (port, source) and not _is_reset(one) for one in answers):
                    return True
                time.sleep(0.02)
            return False

    @contextlib.contextmanager
    def watching(self, *addresses: str, every: float = 0.1) -> Iterator[Watch]:
        """Ask for these addresses all the time, and remember who claims them, asked or not."""
        with contextlib.ExitStack() as stack:
            versions = {_version(address) for address in addresses}
            captures = {version: stack.enter_context(_claims_capture(version)) for version in versions}
            watch = Watch(self, {address: captures[_version(address)] for address in addresses})
            ended = threading.Event()
            asking = threading.Thread(target=watch.ask, args=(ended, every), name="watch", daemon=True)
            asking.start()
            try:
                yield watch
            finally:
                ended.set()
                asking.join()


class Watch:
    """Who claims some addresses, from the beginning of the watch."""

    def __init__(self, lan: Lan, captures: dict[str, Capture]) -> None:
        """`captures`: by address."""
        self._lan = lan
        self._captures = captures

    def ask(self, ended: threading.Event, every: float) -> None:
        """Ask until the event; called by the watch's own thread."""
        questions = [(capture, self._lan.question(address)) for address, capture in self._captures.items()]
        while not ended.wait(every):
            for capture, question in questions:
                capture.send(question)

    def claims(self, address: str, since: float = 0.0) -> list[Claim]:
        """Claims of an address, none from before `since` (monotonic seconds)."""
        claims = self._lan.claims(self._captures[address].frames)
        return [claim for claim in claims if claim.address == address and claim.at >= since]

    def owners(self, address: str, since: float = 0.0) -> list[str]:
        """The nodes that claimed an address, each time that it was another one than before."""
        owners: list[str] = []
        for claim in self.claims(address, since):
            if not owners or owners[-1] != claim.node:
                owners.append(claim.node)
        return owners


def _version(address: str) -> int:
    return ipaddress.ip_address(address).version


def _claims_capture(version: int) -> Capture:
    """What nodes say of addresses of an IP version."""
    return Capture(ARP_TYPE) if version == 4 else Capture(IPV6_TYPE, _is_advertisement)


def _is_advertisement(raw: bytes) -> bool:
    """Whether a frame of IPv6 is a neighbour advertisement. To decode what clients get would take all the time."""
    return raw[20:21] == _ICMPV6 and raw[54:55] == _ADVERTISEMENT


def is_redirect(raw: bytes) -> bool:
    """Whether a frame of IPv6 tells of a nearer way."""
    return raw[20:21] == _ICMPV6 and raw[54:55] == _REDIRECT


def _is_reset(answer: TCP | UDP) -> bool:
    return isinstance(answer, TCP) and "R" in answer.flags
