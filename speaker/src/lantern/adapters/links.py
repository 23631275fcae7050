# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which network interfaces can announce: a scan of the kernel's list, repeated by the caller when it has changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from lantern.adapters import rtnetlink
from lantern.adapters.rtnetlink import AddressRecord, LinkRecord
from lantern.pools import Address

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

# <linux/if.h>, <linux/if_arp.h>
_IFF_UP = 0x1
_IFF_BROADCAST = 0x2
_IFF_RUNNING = 0x40
_IFF_NOARP = 0x80
_IFF_MULTICAST = 0x1000
_ARPHRD_ETHER = 1


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
    addresses: frozenset[Address] = frozenset()

    @property
    def speaks_arp(self) -> bool:
        """Whether ARP can be answered on it."""
        usable = self.flags & (_IFF_UP | _IFF_BROADCAST | _IFF_NOARP) == _IFF_UP | _IFF_BROADCAST
        return usable and bool(self.mac) and not self.enslaved

    @property
    def speaks_ndp(self) -> bool:
        """Whether neighbours can be discovered on it: by multicast, from an address that every IPv6 interface has."""
        link_local = any(address.version == 6 and address.is_link_local for address in self.addresses)
        return self.speaks_arp and bool(self.flags & _IFF_MULTICAST) and link_local

    @property
    def has_carrier(self) -> bool:
        """Whether the cable (or its like) is plugged."""
        return bool(self.flags & _IFF_RUNNING)


def exclusion(patterns: Sequence[str] = EXCLUDED_INTERFACES) -> re.Pattern[str]:
    """One expression for a list of them; each is searched for anywhere in the name unless it anchors itself."""
    return re.compile("|".join(f"({pattern})" for pattern in patterns) or r"(?!)")


def scan(
    excluded: re.Pattern[str],
    list_links: Callable[[], Iterable[LinkRecord]] = rtnetlink.links,
    list_addresses: Callable[[Collection[int]], Iterable[AddressRecord]] = rtnetlink.addresses,
) -> dict[str, Link]:
    """All interfaces of this network namespace that are not excluded, by name; also those that are down.

    Raises OSError when the kernel does not answer.
    """
    found = [link for link in list_links() if not excluded.search(link.name)]
    by_index: dict[int, set[Address]] = {}
    for record in list_addresses({link.index for link in found}):
        by_index.setdefault(record.index, set()).add(record.address)
    return {
        link.name: Link(
            link.name,
            link.index,
            link.mac if link.kind == _ARPHRD_ETHER and len(link.mac) == 6 else b"",
            link.flags,
            link.master != 0,
            frozenset(by_index.get(link.index, ())),
        )
        for link in found
    }
