# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sockets of one interface: ARP, NDP with its multicast groups, and echo."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from lantern.adapters.address_cover import Range
from lantern.adapters.links import Link
from lantern.adapters.logs import fields
from lantern.adapters.multicast import Groups
from lantern.adapters.packet_filter import Kind
from lantern.adapters.packet_socket import PacketSocket
from lantern.l2.claims import Interface
from lantern.l2.ndp import solicited_node
from lantern.pools import Address

log = logging.getLogger("lantern.layer2")

IPV6_KINDS = frozenset({Kind.NDP, Kind.ECHO_V6})


class Port:
    """An interface that answers. What it receives it hands to `receive`, and after a batch it calls `after_batch`."""

    def __init__(
        self,
        link: Link,
        filters: Mapping[Kind, Sequence[Range]],
        receive: Callable[[Port, Kind, bytes], None],
        after_batch: Callable[[], None],
    ) -> None:
        """Open the sockets of all kinds in `filters` that the link can have. Raises OSError."""
        self._receive = receive
        self._after_batch = after_batch
        self._filters = dict(filters)
        self._sockets: dict[Kind, PacketSocket] = {}
        self._groups = Groups(link.index)
        self._members: set[Address] = set()
        self.link = link
        self.interface = Interface(link.name, link.mac, link.speaks_ndp)
        try:
            self._open_sockets()
        except OSError:
            self.close()
            raise

    def serves(self, link: Link | None) -> bool:
        """Whether the sockets still serve: the same interface with the same name and MAC address."""
        if link is None or not link.speaks_arp:
            return False
        return (link.name, link.index, link.mac) == (self.link.name, self.link.index, self.link.mac)

    def update(self, link: Link) -> None:
        """Follow the link's carrier and addresses; IPv6 may come and go. Raises OSError."""
        self.link = link
        if link.speaks_ndp != self.interface.ipv6:
            self.interface = Interface(link.name, link.mac, link.speaks_ndp)
            self._open_sockets()

    def filter(self, filters: Mapping[Kind, Sequence[Range]]) -> None:
        """Receive what is about these addresses from now on."""
        self._filters.update(filters)
        for kind, ranges in filters.items():
            if kind in self._sockets:
                self._sockets[kind].filter(ranges)

    def narrow(self, kind: Kind, words: Collection[int]) -> None:
        """Receive questions about exactly these addresses of the filter's ranges, until `filter` is called again."""
        if kind in self._sockets:
            self._sockets[kind].narrow(self._filters[kind], words)

    def listen(self, address: Address) -> None:
        """Be where an IPv6 address is asked for."""
        if address not in self._members:
            try:
                self._groups.join(solicited_node(address.packed))
            except OSError as error:
                # The interface is going away, or has lost IPv6; the next scan will tell.
                detail = fields(interface=self.link.name, ip=str(address), error=str(error))
                log.warning("multicast group cannot be joined", extra=detail)
                return
            self._members.add(address)

    def unlisten(self, address: Address) -> None:
        """Be there no more."""
        if address in self._members:
            self._members.remove(address)
            self._groups.leave(solicited_node(address.packed))

    def send(self, kind: Kind, frame: bytes) -> bool:
        """Whether the interface took the frame."""
        sock = self._sockets.get(kind)
        return sock is not None and sock.send(frame)

    def pause(self, kind: Kind, seconds: float) -> None:
        """Read nothing of this kind for so long."""
        if kind in self._sockets:
            self._sockets[kind].pause(seconds)

    def close(self) -> None:
        self._groups.close()
        self._members.clear()
        for sock in self._sockets.values():
            sock.close()
        self._sockets.clear()

    def _open_sockets(self) -> None:
        for kind, ranges in self._filters.items():
            wanted = self.interface.ipv6 or kind not in IPV6_KINDS
            if wanted and kind not in self._sockets:
                self._sockets[kind] = PacketSocket(
                    self.link.name, kind, ranges, partial(self._receive, self, kind), self._after_batch, self._failed
                )
            elif not wanted and kind in self._sockets:
                self._sockets.pop(kind).close()
        if not self.interface.ipv6:
            self._groups.close()
            self._members.clear()

    def _failed(self, error: OSError) -> None:
        log.warning("interface failed", extra=fields(interface=self.link.name, error=str(error)))
