# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers ARP requests for the addresses this node owns, and nothing else."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from lantern.l2 import arp


class DropReason(Enum):
    """Why a frame got no answer."""

    MALFORMED = "malformed"
    NOT_A_REQUEST = "notARequest"
    NOT_FOR_US = "notForUs"
    NOT_ANNOUNCED = "notAnnounced"
    OTHER_INTERFACE = "otherInterface"


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface that frames come from. `mac` is 6 bytes."""

    name: str
    mac: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """Send `frame` on the interface that the request came from; it answers for `address`."""

    frame: bytes
    address: ipaddress.IPv4Address


@dataclass(frozen=True, slots=True)
class Dropped:
    """No answer."""

    reason: DropReason


class Responder:
    """Who asks for which address is looked up in one dictionary, whatever the number of addresses."""

    def __init__(self) -> None:
        self._claims: dict[bytes, tuple[ipaddress.IPv4Address, frozenset[str] | None]] = {}

    def claim(self, addresses: Mapping[ipaddress.IPv4Address, frozenset[str] | None]) -> None:
        """Answer for exactly these addresses from now on, each on the interfaces named (None: on all)."""
        self._claims = {address.packed: (address, interfaces) for address, interfaces in addresses.items()}

    def handle(self, frame: bytes, interface: Interface) -> Reply | Dropped:
        """The answer to one received Ethernet frame.

        The sender's address is not judged: a host that probes before taking the address (sender 0.0.0.0, RFC 5227) is
        answered too, and so learns that it is taken.
        """
        packet = arp.decode(frame)
        if packet is None:
            return Dropped(DropReason.MALFORMED)
        if packet.operation != arp.REQUEST:
            return Dropped(DropReason.NOT_A_REQUEST)
        if packet.destination not in (arp.BROADCAST, interface.mac):
            return Dropped(DropReason.NOT_FOR_US)
        claim = self._claims.get(packet.target_ip)
        if claim is None:
            return Dropped(DropReason.NOT_ANNOUNCED)
        address, interfaces = claim
        if interfaces is not None and interface.name not in interfaces:
            return Dropped(DropReason.OTHER_INTERFACE)
        return Reply(arp.reply(packet, interface.mac), address)
