# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layer 2: answers ARP for the claimed addresses and tells the LAN when one is gained.

Glue between the machines in `l2` and the packet sockets, one for each interface that can speak ARP.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Mapping

from lantern.adapters.links import Link
from lantern.adapters.logs import fields
from lantern.adapters.machine_loop import MachineLoop
from lantern.adapters.packet_socket import PacketSocket
from lantern.l2 import arp
from lantern.l2.bursts import Bursts, SendGratuitous
from lantern.l2.responder import Dropped, Interface, Responder
from lantern.metrics import SpeakerMetrics
from lantern.pools import Address

log = logging.getLogger("lantern.layer2")


class _Port:
    """An interface that answers."""

    def __init__(self, link: Link, owner: Layer2Announcer) -> None:
        self.link = link
        self.interface = Interface(link.name, link.mac)
        self._owner = owner
        self.socket = PacketSocket(link.name, self._received, self._failed)

    def _received(self, frame: bytes) -> None:
        self._owner.answer(self, frame)

    def _failed(self, error: OSError) -> None:
        log.warning("interface failed", extra=fields(interface=self.link.name, error=str(error)))


class Layer2Announcer:
    """Announces IPv4 addresses by ARP. Make it inside a running event loop."""

    def __init__(self, metrics: SpeakerMetrics) -> None:
        self._metrics = metrics
        self._responder = Responder()
        self._bursts = Bursts()
        self._loop = MachineLoop(self._bursts, self._announce)
        self._claims: dict[ipaddress.IPv4Address, frozenset[str] | None] = {}
        self._ports: dict[str, _Port] = {}

    def apply(self, claims: Mapping[Address, frozenset[str] | None]) -> None:
        """Announce exactly these addresses; a gained one, or one with other interfaces, gets a burst."""
        before, self._claims = (
            self._claims,
            {
                address: interfaces
                for address, interfaces in claims.items()
                if isinstance(address, ipaddress.IPv4Address)
            },
        )
        self._responder.claim(self._claims)
        for address in before.keys() - self._claims.keys():
            self._bursts.stop(address)
            self._forget(address)
        for address, interfaces in self._claims.items():
            if address not in before or before[address] != interfaces:
                self._bursts.start(address, now=self._loop.now)
        self._loop.pump()

    def set_links(self, links: Mapping[str, Link]) -> None:
        """Use exactly these interfaces, as far as they speak ARP. One that appears, or is plugged, gets bursts."""
        for name in [name for name, port in self._ports.items() if not _same(port.link, links.get(name))]:
            self._ports.pop(name).socket.close()
            log.info("interface closed", extra=fields(interface=name))
        news = False
        for name, link in links.items():
            if not link.speaks_arp:
                continue
            port = self._ports.get(name)
            if port is None:
                news = self._open(link) or news
            else:
                # Whatever is behind a cable that was pulled may have been told of another owner meanwhile.
                news = news or (link.has_carrier and not port.link.has_carrier)
                port.link = link
        if news:
            for address in self._claims:
                self._bursts.start(address, now=self._loop.now)
            self._loop.pump()

    @property
    def interfaces(self) -> frozenset[str]:
        """Names of the interfaces that answer now."""
        return frozenset(self._ports)

    def close(self) -> None:
        """Fall silent. No frame withdraws an address in ARP; the next owner's burst does."""
        self._responder.claim({})
        self._loop.close()
        for port in self._ports.values():
            port.socket.close()
        self._ports.clear()

    def answer(self, port: _Port, frame: bytes) -> None:
        """Handle one frame received on `port`."""
        result = self._responder.handle(frame, port.interface)
        if isinstance(result, Dropped):
            self._metrics.dropped.labels(reason=result.reason.value).inc()
            return
        self._metrics.requests_received.labels(ip=str(result.address)).inc()
        if port.socket.send(result.frame):
            self._metrics.responses_sent.labels(ip=str(result.address)).inc()
            log.debug("ARP request answered", extra=fields(ip=str(result.address), interface=port.link.name))

    def _open(self, link: Link) -> bool:
        try:
            self._ports[link.name] = _Port(link, self)
        except OSError as error:
            log.error("interface cannot be used", extra=fields(interface=link.name, error=str(error)))
            return False
        log.info("interface answers ARP", extra=fields(interface=link.name, mac=link.mac.hex(":")))
        return True

    def _announce(self, effect: SendGratuitous) -> None:
        address = effect.address
        if not isinstance(address, ipaddress.IPv4Address) or address not in self._claims:
            return
        allowed = self._claims[address]
        for name, port in self._ports.items():
            if allowed is None or name in allowed:
                for frame in arp.gratuitous(address.packed, port.link.mac):
                    if port.socket.send(frame):
                        self._metrics.gratuitous_sent.labels(ip=str(address)).inc()

    def _forget(self, address: ipaddress.IPv4Address) -> None:
        """Drop the address's series, so that a cluster's whole past is not kept in memory."""
        for gauge in (self._metrics.requests_received, self._metrics.responses_sent, self._metrics.gratuitous_sent):
            gauge.remove(str(address))


def _same(old: Link, new: Link | None) -> bool:
    """Whether a socket opened for `old` still serves: the same interface with the same MAC address."""
    return new is not None and new.speaks_arp and (new.index, new.mac) == (old.index, old.mac)
