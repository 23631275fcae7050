# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in a LAN: asks by ARP, neighbour discovery, DHCP and DHCPv6. PRIVATE to homelab.lantern.

One raw socket is used for all of them.
"""

from __future__ import annotations

import contextlib
import socket
import time
import traceback
import typing as t
from ipaddress import IPv4Address, IPv6Address

try:
    from scapy.arch import get_if_addr, get_if_hwaddr, in6_getifaddr
    from scapy.config import conf as settings
    from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
    from scapy.layers.l2 import ARP, Ether
    from scapy.utils6 import in6_getnsma, in6_getnsmac

    LIBRARY_PROBLEM = None
except ImportError:
    LIBRARY_PROBLEM = traceback.format_exc()

from . import solicit
from .probing import BROADCAST, ProbeError
from .reservation import Answer, Inquiry, Question

PACE_SECONDS = 0.002
"""Between two questions of a scan: 500 small frames a second are no burden even for an access point."""

QUIET_SECONDS = 0.7
"""How long answers are waited for after the last question of a scan."""

ALL_NODES = "ff02::1"
_LINK_SCOPE = 0x20


class Clients(t.Protocol):
    """Those who ask: discover.Clients by DHCP, solicit.Clients by DHCPv6."""

    def frames(self, question: Question) -> t.Sequence[bytes]:
        """What is to be sent for a question; nothing when nobody is left to ask it."""

    def answer(self, frame: bytes) -> Answer | None:
        """The answer in a frame that arrived, if it is one."""


class Segment:
    """The LAN at one interface. Use it as a context manager: nothing stays behind."""

    def __init__(self, interface: str) -> None:
        self.interface = interface
        try:
            self.mac = get_if_hwaddr(interface)
            self._socket = settings.L2socket(iface=interface)
        except PermissionError as exc:
            raise ProbeError(
                "Asking by DHCP and ARP needs a raw socket, and this user may not open one: set reserve_proof_become: "
                "true (and a become password if sudo asks for one), or run the play as root."
            ) from exc
        except (OSError, ValueError) as exc:
            raise ProbeError(f"The interface {interface} cannot be used: {exc}. Check that it is up.") from exc
        self.address = str(get_if_addr(interface))

    @property
    def link_local(self) -> str:
        """The interface's link-local address (RFC 4291 section 2.5.6), "" where IPv6 is off."""
        found = (item[0] for item in in6_getifaddr() if item[2] == self.interface and item[1] == _LINK_SCOPE)
        return str(next(found, ""))

    @property
    def addresses6(self) -> list[IPv6Address]:
        """The interface's own IPv6 addresses."""
        return [IPv6Address(item[0]) for item in in6_getifaddr() if item[2] == self.interface]

    def __enter__(self) -> Segment:
        return self

    def __exit__(self, *_problem: t.Any) -> None:
        self._socket.close()

    def _send(self, frame: bytes) -> None:
        try:
            self._socket.outs.send(frame)
        except OSError as exc:
            raise ProbeError(f"Nothing can be sent on {self.interface}: {exc.strerror}. Check that it is up.") from exc

    def _frames(self, until: float) -> t.Iterator[bytes]:
        """Every frame that arrives until this time."""
        raw: socket.socket = self._socket.ins
        while True:
            left = until - time.monotonic()
            if left <= 0:
                return
            raw.settimeout(left)
            try:
                yield raw.recv(65535)
            except (socket.timeout, BlockingIOError):
                return

    def _exchange(self, questions: t.Sequence[bytes], take: t.Callable[[bytes], None]) -> None:
        for question in questions:
            self._send(question)
            for frame in self._frames(time.monotonic() + PACE_SECONDS):
                take(frame)
        for frame in self._frames(time.monotonic() + QUIET_SECONDS):
            take(frame)

    def holders(self, addresses: t.Iterable[IPv4Address]) -> dict[IPv4Address, list[str]]:
        """The MACs that answer who-has, by address; those without answer are left out."""
        wanted = [address for address in addresses if str(address) != self.address]
        sender = self.address if self.address != "0.0.0.0" else "0.0.0.0"
        found: dict[IPv4Address, list[str]] = {}

        def take(frame: bytes) -> None:
            if frame[12:14] != b"\x08\x06" or len(frame) < 42 or frame[20:22] != b"\x00\x02":
                return
            address, mac = IPv4Address(frame[28:32]), frame[22:28].hex(":")
            if address in asked and mac not in found.setdefault(address, []):
                found[address].append(mac)

        asked = set(wanted)
        # A second time for those that are silent: access points lose broadcasts.
        for _attempt in range(2):
            missing = [address for address in wanted if address not in found]
            questions = [
                bytes(Ether(src=self.mac, dst=BROADCAST) / ARP(hwsrc=self.mac, psrc=sender, pdst=str(address)))
                for address in missing
            ]
            self._exchange(questions, take)
        return {address: macs for address, macs in found.items() if macs}

    def holders6(self, addresses: t.Sequence[IPv6Address]) -> dict[IPv6Address, list[str]]:
        """The MACs that answer a neighbour solicitation or a ping to all nodes, by address asked for or answering."""
        own = [entry[0] for entry in in6_getifaddr() if entry[2] == self.interface and entry[1] != 0x10]
        sender = next((item for item in own if not item.startswith("fe80")), next(iter(own), ""))
        if not sender:
            return {}
        found: dict[IPv6Address, list[str]] = {}

        def take(frame: bytes) -> None:
            if frame[12:14] != b"\x86\xdd" or len(frame) < 62 or frame[20] != 58:
                return
            if frame[54] == 136 and len(frame) >= 78:  # neighbour advertisement: the target
                address = IPv6Address(frame[62:78])
            elif frame[54] == 129:  # echo reply: the sender
                address = IPv6Address(frame[22:38])
            else:
                return
            mac = frame[6:12].hex(":")
            if mac != self.mac and mac not in found.setdefault(address, []):
                found[address].append(mac)

        everybody = Ether(src=self.mac, dst="33:33:00:00:00:01") / IPv6(src=sender, dst=ALL_NODES, hlim=1)
        questions = [bytes(everybody / ICMPv6EchoRequest(data=b"lantern"))]
        for address in addresses:
            group = in6_getnsma(address.packed)
            target = Ether(src=self.mac, dst=in6_getnsmac(group))
            target /= IPv6(src=sender, dst=socket.inet_ntop(socket.AF_INET6, group), hlim=255)
            questions.append(bytes(target / ICMPv6ND_NS(tgt=str(address)) / ICMPv6NDOptSrcLLAddr(lladdr=self.mac)))
        self._exchange(questions, take)
        return {address: macs for address, macs in found.items() if macs}

    def ask(self, inquiry: Inquiry, clients: Clients) -> bool:
        """Sends what is to be asked now, if anything; False when nobody is left to ask it."""
        question = inquiry.next_question(now=time.monotonic())
        frames = clients.frames(question) if question is not None else ()
        for frame in frames:
            self._send(frame)
        return question is None or bool(frames)

    def run(self, inquiry: Inquiry, clients: Clients, seconds: float) -> None:
        """Asks until the inquiry is over, at most this long. Answers to what was asked before may be there already."""
        deadline = time.monotonic() + seconds
        while True:
            for frame in self._frames(min(deadline, time.monotonic() + 0.1)):
                found = clients.answer(frame)
                if found is not None:
                    inquiry.heard(found, now=time.monotonic())
                    break
            now = time.monotonic()
            if now >= deadline or inquiry.is_over(now=now) or not self.ask(inquiry, clients):
                return

    @contextlib.contextmanager
    def client_port(self) -> t.Iterator[None]:
        """Meanwhile answers to the port of DHCPv6 clients are not refused by this host's kernel (RFC 4443 section 3.1).

        They are read from the wire all the same. Where a real client has the port, the kernel refuses none either.
        """
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as taken:
            with contextlib.suppress(OSError):
                taken.bind((self.link_local, solicit.CLIENT_PORT, 0, socket.if_nametoindex(self.interface)))
            yield
