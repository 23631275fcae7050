# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says about interfaces, addresses and routes: rtnetlink(7), read only.

It answers for the network namespace of this process and needs no capability. The readers of its messages are functions
from bytes to records.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from lantern.pools import Address

# <linux/netlink.h>, <linux/rtnetlink.h>, <linux/if_link.h>, <linux/if_addr.h>
_NETLINK_ROUTE = 0
_ERROR, _DONE = 2, 3
_NEWLINK, _GETLINK = 16, 18
_NEWADDR, _GETADDR = 20, 22
_NEWROUTE, _GETROUTE = 24, 26
_NEWNEIGH, _GETNEIGH = 28, 30
_REQUEST, _DUMP = 0x001, 0x300
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MASTER, _IFLA_EXT_MASK = 1, 3, 10, 29
_SKIP_STATISTICS = 1 << 3
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5
_NDA_DST, _NDA_LLADDR = 1, 2
_MAIN_TABLE = 254
_UNICAST_ROUTE, _LOCAL_ROUTE = 1, 2
_GROUPS = 0x1 | 0x10 | 0x100
"""Changes of links, IPv4 addresses, IPv6 addresses."""
_TYPE_MASK = 0x3FFF
_SETTLE_SECONDS = 0.02

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBi")
_ROUTE = struct.Struct("=BBBBBBBBI")
_NEIGHBOUR = struct.Struct("=BxxxiHBB")


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """An interface as the kernel lists it."""

    index: int
    name: str
    kind: int
    """ARPHRD_…; 1 is Ethernet."""
    flags: int
    """IFF_…"""
    mac: bytes
    master: int
    """Index of the bridge, bond or VRF that it is a port of, 0 when it is none."""


@dataclass(frozen=True, slots=True)
class AddressRecord:
    """An address of an interface."""

    index: int
    address: Address


def links() -> list[LinkRecord]:
    """All interfaces. Raises OSError."""
    mask = _ATTRIBUTE.pack(8, _IFLA_EXT_MASK) + struct.pack("=I", _SKIP_STATISTICS)
    dumped = _ask(_GETLINK, _DUMP, _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + mask)
    return [record for kind, body in dumped if kind == _NEWLINK and (record := read_link(body)) is not None]


def addresses(of: Collection[int] | None = None) -> list[AddressRecord]:
    """All addresses of the interfaces with these indexes, of all without any. Raises OSError."""
    dumped = _ask(_GETADDR, _DUMP, _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0))
    # With IPVS kube-proxy has an interface that holds an address of every Service: thousands that nobody asks for.
    bodies = (body for kind, body in dumped if kind == _NEWADDR and (of is None or _index(body) in of))
    return [record for body in bodies if (record := read_address(body)) is not None]


def neighbours() -> dict[Address, bytes]:
    """MAC addresses (6 bytes) that the kernel has learned of the hosts it talks to. Raises OSError."""
    dumped = _ask(_GETNEIGH, _DUMP, _NEIGHBOUR.pack(socket.AF_UNSPEC, 0, 0, 0, 0))
    return dict(record for kind, body in dumped if kind == _NEWNEIGH and (record := read_neighbour(body)) is not None)


def is_local(address: Address) -> bool:
    """Whether the kernel takes packets for `address` itself, because it is on an interface of this node."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    packed = address.packed
    route = _ROUTE.pack(family, 8 * len(packed), 0, 0, 0, 0, 0, 0, 0)
    try:
        answer = _ask(_GETROUTE, 0, route + _ATTRIBUTE.pack(4 + len(packed), _RTA_DST) + packed)
        return any(kind == _NEWROUTE and _ROUTE.unpack_from(body)[7] == _LOCAL_ROUTE for kind, body in answer)
    except OSError:
        # No route at all.
        return False


def default_gateways() -> list[tuple[Address, str]]:
    """The routers behind default routes, each with the name of the interface that it is reached by.

    Empty when the kernel does not answer.
    """
    try:
        dumped = _ask(_GETROUTE, _DUMP, _ROUTE.pack(socket.AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0, 0))
        names = {record.index: record.name for record in links()}
    except OSError:
        return []
    found = dict.fromkeys(read_gateway(body) for kind, body in dumped if kind == _NEWROUTE)
    return [(route[0], names[route[1]]) for route in found if route is not None and route[1] in names]


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The messages in what one read from a netlink socket returned: their kinds and bodies."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, _, _, _ = _HEADER.unpack_from(data, at)
        if not _HEADER.size <= length <= len(data) - at:
            return
        yield kind, data[at + _HEADER.size : at + length]
        at += (length + 3) & ~3


def read_link(body: bytes) -> LinkRecord | None:
    """The body of an RTM_NEWLINK message; None when it is cut short."""
    if len(body) < _LINK.size:
        return None
    _, kind, index, flags, _ = _LINK.unpack_from(body)
    attributes = _attributes(body[_LINK.size :])
    master = attributes.get(_IFLA_MASTER, b"")
    return LinkRecord(
        index=index,
        name=attributes.get(_IFLA_IFNAME, b"").rstrip(b"\0").decode(errors="replace"),
        kind=kind,
        flags=flags,
        mac=attributes.get(_IFLA_ADDRESS, b""),
        master=struct.unpack("=I", master)[0] if len(master) == 4 else 0,
    )


def read_address(body: bytes) -> AddressRecord | None:
    """The body of an RTM_NEWADDR message; None when it is cut short or of another family."""
    if len(body) < _ADDRESS.size:
        return None
    *_, index = _ADDRESS.unpack_from(body)
    attributes = _attributes(body[_ADDRESS.size :])
    # On a point-to-point interface the one is its own address and the other the peer's.
    packed = attributes.get(_IFA_LOCAL, attributes.get(_IFA_ADDRESS, b""))
    match len(packed):
        case 4:
            return AddressRecord(index, ipaddress.IPv4Address(packed))
        case 16:
            return AddressRecord(index, ipaddress.IPv6Address(packed))
        case _:
            return None


def _index(body: bytes) -> int | None:
    """Of which interface an RTM_NEWADDR message is."""
    return _ADDRESS.unpack_from(body)[4] if len(body) >= _ADDRESS.size else None


def read_neighbour(body: bytes) -> tuple[Address, bytes] | None:
    """The body of an RTM_NEWNEIGH message; None when it is cut short, or the host has no (known) MAC address."""
    if len(body) < _NEIGHBOUR.size:
        return None
    attributes = _attributes(body[_NEIGHBOUR.size :])
    packed, mac = attributes.get(_NDA_DST, b""), attributes.get(_NDA_LLADDR, b"")
    if len(packed) not in (4, 16) or len(mac) != 6:
        return None
    return ipaddress.ip_address(packed), mac


def read_gateway(body: bytes) -> tuple[Address, int] | None:
    """The router and the interface's index of an RTM_NEWROUTE message; None when it is no default route to one."""
    if len(body) < _ROUTE.size:
        return None
    _, destination_bits, _, _, table, _, _, kind, _ = _ROUTE.unpack_from(body)
    attributes = _attributes(body[_ROUTE.size :])
    packed, index = attributes.get(_RTA_GATEWAY, b""), attributes.get(_RTA_OIF, b"")
    if destination_bits or table != _MAIN_TABLE or kind != _UNICAST_ROUTE or len(index) != 4:
        return None
    return (ipaddress.ip_address(packed), struct.unpack("=I", index)[0]) if len(packed) in (4, 16) else None


class LinkEvents:
    """Wakes up when the kernel tells that an interface or address has changed. Make it inside a running event loop."""

    def __init__(self) -> None:
        """Raises OSError."""
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._socket = _open(_GROUPS)
        self._socket.setblocking(False)
        self._loop.add_reader(self._socket.fileno(), self._readable)

    async def wait(self, seconds: float) -> None:
        """Until something has changed since the last call, or for `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
        # Changes come in crowds, such as those of a starting pod's interface: one look for all of them.
        await asyncio.sleep(_SETTLE_SECONDS)
        self._changed.clear()

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _readable(self) -> None:
        # What has changed is read from the kernel's list, so it does not matter what they say, nor if some were lost.
        try:
            while self._socket.recv(65536):
                pass
        except OSError:
            self._changed.set()


def _open(groups: int = 0) -> socket.socket:
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_ROUTE)
    made.bind((0, groups))
    return made


def _ask(kind: int, flags: int, body: bytes) -> list[tuple[int, bytes]]:
    """One request and all messages of its answer. Raises OSError, the kernel's refusal included."""
    with _open() as sock:
        sock.settimeout(5)
        sock.send(_HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, 1, 0) + body)
        found: list[tuple[int, bytes]] = []
        while True:
            for number, part in messages(sock.recv(1 << 18)):
                if number == _DONE:
                    return found
                if number == _ERROR:
                    code = -struct.unpack_from("=i", part)[0]
                    raise OSError(code, os.strerror(code))
                found.append((number, part))
            if not flags & _DUMP:
                return found


def _attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if not _ATTRIBUTE.size <= length <= len(data) - at:
            break
        found[kind & _TYPE_MASK] = data[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    return found
