# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the wire: ARP by scapy, TCP and HTTP by sockets. PRIVATE to the homelab.lantern collection."""

from __future__ import annotations

import http.client
import socket
import traceback
import typing as t

try:
    import scapy.layers.l2 as layer2
    from scapy.config import conf as settings
    from scapy.sendrecv import srp

    LIBRARY_PROBLEM = None
except ImportError:
    LIBRARY_PROBLEM = traceback.format_exc()

BROADCAST = "ff:ff:ff:ff:ff:ff"


class ProbeError(Exception):
    """The text is for the person at the terminal."""


class Route(t.NamedTuple):
    """How this host reaches an address: interface, own address on it, gateway ("" if the address is in the LAN)."""

    interface: str
    source: str
    gateway: str


class Wire:
    """The network as one host sees it; tests put a fake with the same methods in its place."""

    def route(self, address: str) -> Route:
        """ProbeError if there is no route."""
        interface, source, gateway = settings.route.route(address)
        if source in ("0.0.0.0", ""):
            raise ProbeError(
                f"This host has no route to {address}: run the verify stage on a host in the LAN (inventory group "
                "probe)."
            )
        return Route(str(interface), source, "" if gateway == "0.0.0.0" else gateway)

    def who_has(self, address: str, interface: str, seconds: float, first_only: bool = False) -> list[str]:
        """The distinct MACs that answer who-has `address` within `seconds`, in the order of their answers.

        `first_only` returns with the first answer; else the whole time is used: a second answer is a fault.
        """
        question = layer2.Ether(dst=BROADCAST) / layer2.ARP(op="who-has", pdst=address)
        try:
            answered, _silent = srp(question, iface=interface, timeout=seconds, multi=not first_only, verbose=False)
        except PermissionError as exc:
            raise ProbeError(
                "Asking by ARP needs a raw socket, and this user may not open one: set verify_become: true (and "
                "a become "
                "password if sudo asks for one), or run the play as root."
            ) from exc
        except OSError as exc:
            raise ProbeError(
                f"ARP cannot be sent on {interface}: {exc.strerror}. Check that the interface is up."
            ) from exc
        macs = [answer[layer2.ARP].hwsrc.lower() for _asked, answer in answered if answer[layer2.ARP].psrc == address]
        return list(dict.fromkeys(macs))

    def connect(self, address: str, port: int, seconds: float) -> str:
        """ "" if a TCP connection could be made, else why not."""
        try:
            with socket.create_connection((address, port), timeout=seconds):
                return ""
        except socket.timeout:
            return f"no answer within {seconds:g} seconds"
        except OSError as exc:
            return str(exc.strerror or exc).lower()

    def get(self, address: str, port: int, seconds: float) -> tuple[int, str]:
        """(HTTP status of GET /, ""), or (0, what went wrong)."""
        connection = http.client.HTTPConnection(address, port, timeout=seconds)
        try:
            connection.request("GET", "/", headers={"User-Agent": "lantern-verify"})
            return connection.getresponse().status, ""
        except socket.timeout:
            return 0, f"no answer within {seconds:g} seconds"
        except (OSError, http.client.HTTPException) as exc:
            return 0, str(exc) or type(exc).__name__
        finally:
            connection.close()
