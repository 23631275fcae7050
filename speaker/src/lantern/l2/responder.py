# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers ARP requests, neighbour solicitations and pings for the addresses this node announces, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from lantern.l2 import arp, echo, ndp
from lantern.l2.claims import Claims, Interface, Stage
from lantern.l2.token_bucket import TokenBucket
from lantern.pools import Address


class DropReason(Enum):
    """Why a frame got no answer."""

    MALFORMED = "malformed"
    NOT_A_REQUEST = "notARequest"
    NOT_FOR_US = "notForUs"
    NOT_ANNOUNCED = "notAnnounced"
    OTHER_INTERFACE = "otherInterface"
    OWN_FRAME = "ownFrame"
    """Sent by this node itself, through another interface on the same LAN."""
    FRAGMENT = "fragment"
    """An echo request in pieces."""
    RATE_LIMITED = "rateLimited"
    KERNEL_ANSWERS = "kernelAnswers"
    """The address is also on an interface of this node, as kube-proxy's IPVS mode puts it: the kernel answers echo."""


class Reply(NamedTuple):
    """Send `frame` on the interface that the request came from; it answers for `address`."""

    frame: bytes
    address: Address


@dataclass(frozen=True, slots=True)
class Dropped:
    """No answer."""

    reason: DropReason


def answer_arp(claims: Claims, packet: arp.ArpFrame, interface: Interface) -> Reply | Dropped:
    """The answer to one ARP packet.

    The sender's address is not judged: a host that probes before taking the address (sender 0.0.0.0, RFC 5227) is
    answered too, and so learns that it is taken.
    """
    # A request by the address itself asks nothing: it announces.
    if packet.operation != arp.REQUEST or packet.sender_ip == packet.target_ip:
        return Dropped(DropReason.NOT_A_REQUEST)
    if packet.destination != arp.BROADCAST and packet.destination != interface.mac:
        return Dropped(DropReason.NOT_FOR_US)
    found = _announced(claims, packet.target_ip, interface)
    return Reply(arp.reply(packet, interface.mac), found) if not isinstance(found, Dropped) else found


def answer_ndp(claims: Claims, packet: ndp.Solicitation, interface: Interface) -> Reply | Dropped:
    """The answer to one neighbour solicitation, also when it probes for duplicates or has no link-layer address."""
    found = _announced(claims, packet.target, interface)
    if isinstance(found, Dropped):
        return found
    group = ndp.multicast_mac(ndp.solicited_node(packet.target))
    if packet.destination_mac not in (interface.mac, group):
        return Dropped(DropReason.NOT_FOR_US)
    return Reply(ndp.answer(packet, interface.mac), found)


class EchoResponder:
    """Answers echo requests, so many a second; for hosts that test, not for floods."""

    def __init__(self, claims: Claims, limit: TokenBucket) -> None:
        self._claims = claims
        self._limit = limit

    def answer(self, frame: bytes, interface: Interface, *, now: float) -> Reply | Dropped:
        """The answer to one frame."""
        request = echo.decode(frame)
        if request is None:
            return Dropped(DropReason.FRAGMENT if echo.is_fragment(frame) else DropReason.MALFORMED)
        if request.destination_mac != interface.mac:
            return Dropped(DropReason.NOT_FOR_US)
        found = _announced(self._claims, request.destination, interface)
        if isinstance(found, Dropped):
            return found
        if not self._limit.take(now=now):
            return Dropped(DropReason.RATE_LIMITED)
        return Reply(echo.reply(request), found)

    def wait(self, *, now: float) -> float:
        """Seconds until a request would be answered again, 0 when it would be now."""
        return self._limit.wait(now=now)


def _announced(claims: Claims, address: bytes, interface: Interface) -> Address | Dropped:
    claim = claims.get(address)
    if claim is None or claim.stage is not Stage.ANNOUNCED:
        return Dropped(DropReason.NOT_ANNOUNCED)
    if not claim.allows(interface):
        return Dropped(DropReason.OTHER_INTERFACE)
    return claim.address
