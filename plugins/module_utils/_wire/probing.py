# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the wire: ARP and neighbour discovery by scapy, TCP, HTTP and TLS by sockets. PRIVATE to homelab.lantern."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
import traceback
import typing as t

try:
    import scapy.layers.l2 as layer2
    from scapy.config import conf as settings
    from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
    from scapy.sendrecv import srp
    from scapy.utils6 import in6_getnsma, in6_getnsmac

    LIBRARY_PROBLEM = None
except ImportError:
    LIBRARY_PROBLEM = traceback.format_exc()

from .facts import Answer, Port, Route, Said, Try
from .listening import Listener

BROADCAST = "ff:ff:ff:ff:ff:ff"
QUESTIONS = 256
"""Addresses asked for at a time, so that neither a switch's nor this host's buffers overflow."""

BANNER_SECONDS = 0.5
BANNER_LENGTH = 80


class ProbeError(Exception):
    """The text is for the person at the terminal."""


class Wire:
    """The network as one host sees it; tests put a fake with the same methods in its place."""

    def route(self, address: str) -> Route | None:
        """How this host reaches an address, None if it does not."""
        if ":" in address:
            interface, source, gateway = settings.route6.route(address)
            nothing, on_link = "::1", "::"
        else:
            interface, source, gateway = settings.route.route(address)
            nothing, on_link = "0.0.0.0", "0.0.0.0"
        if source in (nothing, "") and address != source:
            return None
        return Route(str(interface), source, "" if gateway == on_link else gateway)

    def who_have(
        self, addresses: t.Sequence[str], interface: str, seconds: float, first_only: bool = False
    ) -> dict[str, list[Answer]]:
        """The distinct MACs that answer for each of `addresses` within `seconds`, in the order of their answers.

        By ARP (RFC 826), for IPv6 by neighbour solicitation (RFC 4861). `first_only` returns when each has an answer;
        else the whole time is used: a second answer is a fault. Addresses without answer are left out.
        """
        found: dict[str, list[Answer]] = {}
        for start in range(0, len(addresses), QUESTIONS):
            some = {str(ipaddress.ip_address(given)): given for given in addresses[start : start + QUESTIONS]}
            for asked, answer in self._exchange(list(some), interface, seconds, first_only):
                claimed, mac = self._answering(answer)
                address = some.get(claimed, "")
                if address and mac not in [known.mac for known in found.get(address, [])]:
                    took = max(0.0, float(answer.time) - float(asked.sent_time or answer.time))
                    found.setdefault(address, []).append(Answer(mac, took * 1000))
        return found

    def _exchange(self, addresses: t.Sequence[str], interface: str, seconds: float, first_only: bool) -> t.Any:
        """Pairs of question and answer."""
        questions = [
            self._solicitation(address, interface) if ":" in address else self._request(address)
            for address in addresses
        ]
        try:
            return srp(questions, iface=interface, timeout=seconds, multi=not first_only, verbose=False)[0]
        except PermissionError as exc:
            raise ProbeError(
                "Asking by ARP needs a raw socket, and this user may not open one: set verify_become: true (and a "
                "become password if sudo asks for one), or run the play as root."
            ) from exc
        except OSError as exc:
            raise ProbeError(
                f"ARP cannot be sent on {interface}: {exc.strerror}. Check that the interface is up."
            ) from exc

    @staticmethod
    def _request(address: str) -> t.Any:
        return layer2.Ether(dst=BROADCAST) / layer2.ARP(op="who-has", pdst=address)

    @staticmethod
    def _solicitation(address: str, interface: str) -> t.Any:
        group = in6_getnsma(socket.inet_pton(socket.AF_INET6, address))
        _interface, source, _gateway = settings.route6.route(address)
        question = layer2.Ether(dst=in6_getnsmac(group))
        question /= IPv6(src=source, dst=socket.inet_ntop(socket.AF_INET6, group), hlim=255)
        mac = layer2.get_if_hwaddr(interface)
        return question / ICMPv6ND_NS(tgt=address) / ICMPv6NDOptSrcLLAddr(lladdr=mac)

    @staticmethod
    def _answering(frame: t.Any) -> tuple[str, str]:
        """(address, MAC) of an answer, both empty for any other frame."""
        if layer2.ARP in frame:
            return frame[layer2.ARP].psrc, str(frame[layer2.ARP].hwsrc).lower()
        if ICMPv6ND_NA in frame:
            return frame[ICMPv6ND_NA].tgt, str(frame[layer2.Ether].src).lower()
        return "", ""

    def connect(self, address: str, port: int, seconds: float) -> str:
        """ "" if a TCP connection could be made, else why not."""
        try:
            with socket.create_connection((address, port), timeout=seconds):
                return ""
        except socket.timeout:
            return f"no answer within {seconds:g} seconds"
        except OSError as exc:
            return str(exc.strerror or exc).lower()

    def attempt(self, address: str, port: Port, interface: str, seconds: float) -> Try:
        """connect() with what was heard meanwhile."""
        with Listener(interface) as listener:
            started = time.monotonic()
            problem = self.connect(address, port.port, seconds)
            took = (time.monotonic() - started) * 1000
            reply, refusal = listener.heard(address, port.port)
        return Try(port, problem, took, refusal, reply)

    def get(self, address: str, port: int, seconds: float) -> Said:
        """What GET / answers."""
        connection = http.client.HTTPConnection(address, port, timeout=seconds)
        started = time.monotonic()
        try:
            connection.request("GET", "/", headers={"User-Agent": "lantern-verify"})
            status = connection.getresponse().status
            return Said("HTTP", f"GET / answers {status}", "", status, (time.monotonic() - started) * 1000)
        except socket.timeout:
            return Said("HTTP", "", f"no answer within {seconds:g} seconds")
        except (OSError, http.client.HTTPException) as exc:
            return Said("HTTP", "", str(exc) or type(exc).__name__)
        finally:
            connection.close()

    def shake_hands(self, address: str, port: int, seconds: float) -> Said:
        """Which TLS the port speaks; the certificate is not judged, as at home it is often one's own."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        started = time.monotonic()
        try:
            plain = socket.create_connection((address, port), timeout=seconds)
            with plain, context.wrap_socket(plain) as secured:
                text = f"{secured.version()} is spoken"
            return Said("TLS", text, milliseconds=(time.monotonic() - started) * 1000)
        except OSError as exc:
            return Said("TLS", "", str(exc.strerror or exc).lower())

    def listen(self, address: str, port: int, seconds: float) -> Said | None:
        """The first line that the program says unasked, as SSH and mail servers do; None if it waits to be asked."""
        started = time.monotonic()
        try:
            with socket.create_connection((address, port), timeout=seconds) as channel:
                channel.settimeout(min(seconds, BANNER_SECONDS))
                said = channel.recv(256)
        except OSError:
            return None
        line = said.decode("ascii", "replace").splitlines()[0].strip() if said.strip() else ""
        shown = "".join(letter if letter.isprintable() else "." for letter in line[:BANNER_LENGTH])
        return Said("banner", f"says: {shown}", milliseconds=(time.monotonic() - started) * 1000) if shown else None
