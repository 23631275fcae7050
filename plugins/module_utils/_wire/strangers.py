# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a device that nobody knows may be: its maker by its MAC, its name by whatever it answers. PRIVATE.

Names come from the LAN's DNS, from multicast DNS (RFC 6762, a one-shot query) and from NetBIOS (RFC 1002, node status),
all asked at once and waited for together.
"""

from __future__ import annotations

import socket
import threading
import time
import typing as t
from ipaddress import ip_address

try:
    from scapy.config import conf as settings
    from scapy.layers.dns import DNS, DNSQR
except ImportError:
    settings = DNS = DNSQR = None

WAIT_SECONDS = 1.2
MDNS = ("224.0.0.251", 5353)
# A node status request for "*", the only question that every NetBIOS host answers.
_NODE_STATUS = b"\x4c\x4e\0\0\0\1\0\0\0\0\0\0\x20CK" + b"A" * 30 + b"\0\0\x21\0\1"


def vendor(mac: str) -> str:
    """Who made the network card, as far as the table in scapy knows."""
    if int(mac[:2], 16) & 2:
        return "random or virtual MAC"
    table = getattr(settings, "manufdb", None)
    if not table:
        return ""
    try:
        found = table.lookup(mac)
    except (AttributeError, KeyError, ValueError):
        return ""
    return "" if found[-1] == mac else str(found[-1])


def _from_dns(address: str) -> str:
    try:
        return socket.gethostbyaddr(address)[0]
    except OSError:
        return ""


def _from_mdns(address: str) -> str:
    # From another port than 5353, so that the answer comes back to it alone (RFC 6762, 6.7).
    question = DNSQR(qname=ip_address(address).reverse_pointer, qtype="PTR")
    data = _ask(MDNS, bytes(DNS(rd=0, qd=question)), address)
    try:
        answer = DNS(data).an if data else None
        record = answer[0] if isinstance(answer, list) and answer else answer
        return record.rdata.decode().rstrip(".") if record is not None else ""
    except Exception:  # scapy lets out whatever a malformed packet makes its dissectors do
        return ""


def _from_netbios(address: str) -> str:
    data = _ask((address, 137), _NODE_STATUS, address)
    # Header 12, name 34, type to length 10, count 1; then names of 15 characters with a type and flags.
    for at in range(57, min(len(data) - 17, 57 + 18 * data[56] - 17) if len(data) > 74 else 0, 18):
        if data[at + 15] == 0 and not data[at + 16] & 0x80:
            return data[at : at + 15].decode("ascii", "replace").strip()
    return ""


def _ask(to: tuple[str, int], message: bytes, address: str) -> bytes:
    """What the host answers, b"" for nothing in time."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.settimeout(WAIT_SECONDS)
        try:
            # A question to many goes where the host is, which may not be where the default route leads, such as a VPN.
            channel.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(_own_address(address)))
            channel.sendto(message, to)
            deadline = time.monotonic() + WAIT_SECONDS
            while time.monotonic() < deadline:
                data, sender = channel.recvfrom(4096)
                if sender[0] == address:
                    return data
        except OSError:
            pass
    return b""


def _own_address(neighbour: str) -> str:
    """The address of this host that it speaks to a neighbour with; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.connect((neighbour, MDNS[1]))
        return channel.getsockname()[0]


def names(addresses: t.Sequence[str]) -> dict[str, str]:
    """A name for each address that has one, from the first source of those above that knows it."""
    sources = (_from_dns, _from_mdns, _from_netbios)
    found: dict[tuple[str, int], str] = {}

    def ask(address: str, number: int) -> None:
        found[address, number] = sources[number](address)

    wanted = [address for address in addresses if ":" not in address]
    threads = [
        threading.Thread(target=ask, args=(address, number), daemon=True)
        for address in wanted
        for number in range(len(sources))
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + WAIT_SECONDS + 0.3
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))  # a resolver may take much longer than that
    told = {
        address: next(filter(None, (found.get((address, n), "") for n in range(len(sources)))), "")
        for address in wanted
    }
    return {address: name for address, name in told.items() if name}
