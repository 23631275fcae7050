# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""DHCPDISCOVER and DHCPOFFER as frames (RFC 2131, options RFC 2132). PRIVATE to homelab.lantern, pure.

The clients are invented: each has a MAC of its own, locally administered. As the sender of the frame stands the real
MAC of the interface, which an access point or a switch with port security insists on; servers go by the field chaddr.
"""

from __future__ import annotations

import random
import typing as t

try:
    from scapy.layers.dhcp import BOOTP, DHCP
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether
except ImportError:
    BOOTP = DHCP = IP = UDP = Ether = None

from .reservation import Question

BROADCAST_FLAG = 0x8000
"""Asks for the answer by broadcast (RFC 2131 section 4.1): nobody has the client's MAC."""

# dnsmasq pings an address for three seconds before it offers it, and hashes the client's MAC to find one (hwaddr in
# address_allocate, dhcp.c: h = h * 65599 + octet, 32 bits). These differences of the last five octets leave the hash
# as it is, so that all invented clients are led to the same address and only the first one waits.
_SAME_HASH = ((17, 3, -29, 1, 16), (-25, -2, -2, 31, -8))
_STEPS = (0, 1, -1, 2, -2)
_MARGIN = 84
CLIENTS = len(_STEPS) ** 2
"""How many clients there are at most."""


class Offer(t.NamedTuple):
    """A server offers `address` to the client `mac`, in answer to the message `xid`."""

    xid: int
    mac: str
    address: str
    server: str
    server_mac: str
    relay: str
    duid: str = ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """All that is offered."""
        return (self.address,)

    @property
    def identity(self) -> str:
        """What tells servers apart."""
        return self.server


class Clients:
    """The frames of invented clients, and what is answered. `sender`: the MAC of the interface."""

    def __init__(self, sender: str, rng: random.Random) -> None:
        self._sender = sender
        self._macs = clients(rng)

    def frames(self, question: Question) -> list[bytes]:
        """What is to be sent for a question, by a client that nobody has seen before; [] when there are no more."""
        mac = next(self._macs, None)
        return [] if mac is None else [discover(question.xid, mac, self._sender, question.address)]

    def answer(self, frame: bytes) -> Offer | None:
        """The offer in a frame."""
        return offer(frame)


def clients(rng: random.Random) -> t.Iterator[str]:
    """The MACs of invented clients."""
    base = [rng.randint(_MARGIN, 255 - _MARGIN) for _octet in range(5)]
    for first in _STEPS:
        for second in _STEPS:
            steps = zip(base, *_SAME_HASH)
            octets = [2, *(octet + first * one + second * other for octet, one, other in steps)]
            yield ":".join(f"{octet:02x}" for octet in octets)


def discover(xid: int, mac: str, sender: str, requested: str = "") -> bytes:
    """The frame by which a client looks for a server, asking for an address (option 50) if one is given."""
    options: list[t.Any] = [("message-type", "discover"), ("vendor_class_id", b"lantern")]
    if requested:
        options.append(("requested_addr", requested))
    options += [("param_req_list", [1, 3, 6, 51, 54]), "end"]
    frame = Ether(src=sender, dst="ff:ff:ff:ff:ff:ff")
    frame /= IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67)
    frame /= BOOTP(op=1, xid=xid, chaddr=bytes.fromhex(mac.replace(":", "")) + b"\0" * 10, flags=BROADCAST_FLAG)
    frame /= DHCP(options=options)
    message: bytes = bytes(frame)
    return message


def offer(frame: bytes) -> Offer | None:
    """The offer in a frame; None for all else, however it is damaged."""
    # Cheap tests first: the frame may be any traffic of a busy host.
    if len(frame) < 282 or frame[12:14] != b"\x08\x00" or frame[23] != 17:
        return None
    try:
        packet = Ether(frame)
        if DHCP not in packet or packet[BOOTP].op != 2:
            return None
        options = {item[0]: item[1] for item in packet[DHCP].options if isinstance(item, tuple) and len(item) > 1}
        if options.get("message-type") != 2:
            return None
        reply = packet[BOOTP]
        mac = ":".join(f"{octet:02x}" for octet in bytes(reply.chaddr)[:6])
        server = str(options.get("server_id") or packet[IP].src)
        return Offer(int(reply.xid), mac, str(reply.yiaddr), server, str(packet[Ether].src), str(reply.giaddr))
    except Exception:  # scapy lets out whatever a malformed packet makes its dissectors do
        return None
