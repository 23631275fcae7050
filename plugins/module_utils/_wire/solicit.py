# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""DHCPv6 Solicit and Advertise (RFC 8415), and router advertisements (RFC 4861), as frames. PRIVATE, pure.

The clients are invented: each has a DUID of its own. They all ask from the link-local address of the interface, to
which servers answer.
"""

from __future__ import annotations

import random
import typing as t

try:
    from scapy.layers.dhcp6 import (
        DUID_LL,
        DHCP6_Advertise,
        DHCP6_Solicit,
        DHCP6OptClientId,
        DHCP6OptElapsedTime,
        DHCP6OptIA_NA,
        DHCP6OptIAAddress,
        DHCP6OptOptReq,
        DHCP6OptServerId,
    )
    from scapy.layers.inet import UDP
    from scapy.layers.inet6 import ICMPv6ND_RA, ICMPv6ND_RS, ICMPv6NDOptPrefixInfo, ICMPv6NDOptSrcLLAddr, IPv6
    from scapy.layers.l2 import Ether
except ImportError:
    DUID_LL = DHCP6_Advertise = DHCP6_Solicit = DHCP6OptClientId = DHCP6OptElapsedTime = DHCP6OptIA_NA = None
    DHCP6OptIAAddress = DHCP6OptOptReq = DHCP6OptServerId = None
    UDP = ICMPv6ND_RA = ICMPv6ND_RS = ICMPv6NDOptPrefixInfo = ICMPv6NDOptSrcLLAddr = IPv6 = Ether = None

from .reservation import Purpose, Question

SERVERS, SERVERS_MAC = "ff02::1:2", "33:33:00:01:00:02"
"""All_DHCP_Relay_Agents_and_Servers (RFC 8415 section 7.1)."""

ROUTERS, ROUTERS_MAC = "ff02::2", "33:33:00:00:00:02"
CLIENT_PORT, SERVER_PORT = 546, 547

_DNS_SERVERS = 23
_ADVERTISE = 2
_ROUTER_ADVERTISEMENT = 134
_ND_HOP_LIMIT = 255
"""Nothing from beyond a router has it (RFC 4861 section 6.1.2)."""


class Advertisement(t.NamedTuple):
    """A server would give `addresses` to the client that asked by `xid`; () if none (status NoAddrsAvail).

    `server` is the link-local address that it came from, a relay's if there is one between; `duid` is the server's,
    as octets in hexadecimal.
    """

    xid: int
    addresses: tuple[str, ...]
    server: str
    server_mac: str
    duid: str
    relay: str = ""

    @property
    def identity(self) -> str:
        """What tells servers apart: relays send for several."""
        return self.duid


class Router(t.NamedTuple):
    """What a router tells hosts: `managed` and `other` are the flags M and O (RFC 4861 section 4.2).

    `prefixes`: those out of which hosts choose addresses themselves (SLAAC, RFC 4862).
    """

    address: str
    mac: str
    managed: bool
    other: bool
    prefixes: tuple[str, ...] = ()


class Clients:
    """The frames of invented clients, and what is answered. `mac` and `address` (link-local) are the interface's.

    `routers` are those that were overheard, by address; the question which servers there are asks for them, too.
    """

    def __init__(self, mac: str, address: str, rng: random.Random) -> None:
        self._mac = mac
        self._address = address
        self._rng = rng
        self.routers: dict[str, Router] = {}

    def frames(self, question: Question) -> list[bytes]:
        """What is to be sent for a question, always by a client that nobody has seen before."""
        client = bytes([2, *(self._rng.getrandbits(8) for _octet in range(5))]).hex(":")
        asked = solicit(question.xid, client, self._rng.getrandbits(32), self._mac, self._address, question.address)
        first = [router_solicitation(self._mac, self._address)] if question.purpose is Purpose.ANY else []
        return [*first, asked]

    def answer(self, frame: bytes) -> Advertisement | None:
        """The advertisement in a frame; one of a router is kept."""
        found = router(frame)
        if found is not None:
            self.routers[found.address] = found
            return None
        return advertisement(frame)


def solicit(xid: int, client: str, iaid: int, mac: str, address: str, requested: str = "") -> bytes:
    """The frame by which a client looks for a server (RFC 8415 section 18.2.1), hinting at an address if one is given.

    `client`: the MAC in its DUID. Rapid Commit is left out, so that the server only says what it would give.
    """
    hint = [DHCP6OptIAAddress(addr=requested, preflft=0, validlft=0)] if requested else []
    frame = Ether(src=mac, dst=SERVERS_MAC) / IPv6(src=address, dst=SERVERS, hlim=1)
    frame /= UDP(sport=CLIENT_PORT, dport=SERVER_PORT) / DHCP6_Solicit(trid=xid)
    frame /= DHCP6OptClientId(duid=DUID_LL(hwtype=1, lladdr=client)) / DHCP6OptElapsedTime(elapsedtime=0)
    frame /= DHCP6OptOptReq(reqopts=[_DNS_SERVERS]) / DHCP6OptIA_NA(iaid=iaid, T1=0, T2=0, ianaopts=hint)
    message: bytes = bytes(frame)
    return message


def router_solicitation(mac: str, address: str) -> bytes:
    """The frame that makes routers advertise themselves at once (RFC 4861 section 4.1)."""
    frame = Ether(src=mac, dst=ROUTERS_MAC) / IPv6(src=address, dst=ROUTERS, hlim=_ND_HOP_LIMIT)
    message: bytes = bytes(frame / ICMPv6ND_RS() / ICMPv6NDOptSrcLLAddr(lladdr=mac))
    return message


def advertisement(frame: bytes) -> Advertisement | None:
    """The Advertise message in a frame; None for all else, however it is damaged."""
    # Cheap tests first: the frame may be any traffic of a busy host.
    if len(frame) < 66 or frame[12:14] != b"\x86\xdd" or frame[20] != 17:
        return None
    if int.from_bytes(frame[56:58], "big") != CLIENT_PORT or frame[62] != _ADVERTISE:
        return None
    try:
        packet = Ether(frame)
        message = packet[DHCP6_Advertise]
        duid = bytes(message[DHCP6OptServerId].duid).hex(":")
        addresses = tuple(
            str(inner.addr)
            for option in _layers(message, DHCP6OptIA_NA)
            for inner in option.ianaopts
            # A lifetime of zero says "not this one" (RFC 8415 section 21.6).
            if isinstance(inner, DHCP6OptIAAddress) and inner.validlft
        )
        return Advertisement(int(message.trid), addresses, str(packet[IPv6].src), str(packet[Ether].src), duid)
    except Exception:  # scapy lets out whatever a malformed packet makes its dissectors do
        return None


def router(frame: bytes) -> Router | None:
    """The router that advertises itself by a frame; None for all else, however it is damaged."""
    if len(frame) < 70 or frame[12:14] != b"\x86\xdd" or frame[20] != 58 or frame[21] != _ND_HOP_LIMIT:
        return None
    if frame[54] != _ROUTER_ADVERTISEMENT:
        return None
    try:
        packet = Ether(frame)
        told = packet[ICMPv6ND_RA]
        prefixes = tuple(
            f"{option.prefix}/{option.prefixlen}" for option in _layers(told, ICMPv6NDOptPrefixInfo) if option.A
        )
        return Router(str(packet[IPv6].src), str(packet[Ether].src), bool(told.M), bool(told.O), prefixes)
    except Exception:  # see above
        return None


def _layers(packet: t.Any, kind: t.Any) -> t.Iterator[t.Any]:
    """Every layer of a kind."""
    number = 1
    while (found := packet.getlayer(kind, number)) is not None:
        yield found
        number += 1
