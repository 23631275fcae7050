# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which network interfaces can announce: a scan of the kernel's list, repeated by the caller.

Names, flags and MAC addresses are asked from the kernel by ioctl, which always answers for the network namespace of
this process; only whether an interface belongs to a bridge or bond is read from /sys/class/net.
"""

from __future__ import annotations

import fcntl
import re
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Interfaces of container networks and tunnels: nothing on the LAN is behind them. MetalLB's default list.
EXCLUDED_INTERFACES = (
    "^docker.*",
    "^cbr.*",
    "^dummy.*",
    "^virbr.*",
    "^lxcbr.*",
    "^veth.*",
    "^lo$",
    "^cali.*",
    "^tunl.*",
    "^flannel.*",
    "^kube-ipvs.*",
    "^cni.*",
    "^nodelocaldns.*",
    "^lxc.*",
)

# <linux/sockios.h>, <linux/if.h>, <linux/if_arp.h>
_SIOCGIFFLAGS = 0x8913
_SIOCGIFHWADDR = 0x8927
_IFF_UP = 0x1
_IFF_BROADCAST = 0x2
_IFF_RUNNING = 0x40
_IFF_NOARP = 0x80
_ARPHRD_ETHER = 1
_SYS_CLASS_NET = Path("/sys/class/net")


@dataclass(frozen=True, slots=True)
class Link:
    """One interface that is not excluded by name."""

    name: str
    index: int
    mac: bytes
    """6 bytes; empty when it is not Ethernet."""
    flags: int
    enslaved: bool
    """It is a port of a bridge, bond or VRF, whose own interface is the one to announce on."""

    @property
    def speaks_arp(self) -> bool:
        """Whether ARP can be answered on it."""
        usable = self.flags & (_IFF_UP | _IFF_BROADCAST | _IFF_NOARP) == _IFF_UP | _IFF_BROADCAST
        return usable and bool(self.mac) and not self.enslaved

    @property
    def has_carrier(self) -> bool:
        """Whether the cable (or its like) is plugged."""
        return bool(self.flags & _IFF_RUNNING)


def exclusion(patterns: Sequence[str] = EXCLUDED_INTERFACES) -> re.Pattern[str]:
    """One expression for a list of them; each is searched for anywhere in the name unless it anchors itself."""
    return re.compile("|".join(f"({pattern})" for pattern in patterns) or r"(?!)")


def scan(excluded: re.Pattern[str], sys_class_net: Path = _SYS_CLASS_NET) -> dict[str, Link]:
    """All interfaces of this network namespace that are not excluded, by name; also those that are down.

    An interface that vanishes while it is looked at is left out.
    """
    found: dict[str, Link] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for index, name in socket.if_nameindex():
            if excluded.search(name):
                continue
            try:
                flags = _flags(control, name)
                mac = _mac(control, name)
            except OSError:
                continue
            enslaved = (sys_class_net / name / "master").exists()
            found[name] = Link(name, index, mac, flags, enslaved)
    return found


def _request(control: socket.socket, code: int, name: str) -> bytes:
    return fcntl.ioctl(control.fileno(), code, struct.pack("16s24x", name.encode()))


def _flags(control: socket.socket, name: str) -> int:
    value: int = struct.unpack_from("H", _request(control, _SIOCGIFFLAGS, name), 16)[0]
    return value


def _mac(control: socket.socket, name: str) -> bytes:
    answer = _request(control, _SIOCGIFHWADDR, name)
    (kind,) = struct.unpack_from("H", answer, 16)
    return answer[18:24] if kind == _ARPHRD_ETHER else b""
