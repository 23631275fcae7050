# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Membership of IPv6 multicast groups on one interface, so that the LAN's switches and the NIC let their packets in.

Joining programs the NIC's filter and reports the group by MLD (RFC 3810), which snooping switches listen to. It needs
no capability. Nothing is received here: packet sockets do that.
"""

from __future__ import annotations

import errno
import socket
import struct

_FULL = (errno.ENOBUFS, errno.ENOMEM)


class Groups:
    """Groups joined on one interface, each as often as it was asked for: addresses may share a group."""

    def __init__(self, interface_index: int) -> None:
        self._index = interface_index
        self._sockets: list[socket.socket] = []
        self._joined: dict[bytes, socket.socket] = {}
        self._users: dict[bytes, int] = {}

    def join(self, group: bytes) -> None:
        """Join a group of 16 bytes. Raises OSError: the interface is gone or has no IPv6."""
        if group not in self._joined:
            self._joined[group] = self._join(group)
        self._users[group] = self._users.get(group, 0) + 1

    def leave(self, group: bytes) -> None:
        """Leave it, when nobody else asked for it. An interface that is gone has left already."""
        if group not in self._joined:
            return
        self._users[group] -= 1
        if self._users[group]:
            return
        del self._users[group]
        sock = self._joined.pop(group)
        try:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP, self._request(group))
        except OSError as error:
            if error.errno not in (errno.ENODEV, errno.EADDRNOTAVAIL):
                raise

    def close(self) -> None:
        """Leave all."""
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()
        self._joined.clear()
        self._users.clear()

    def _request(self, group: bytes) -> bytes:
        return group + struct.pack("@I", self._index)

    def _join(self, group: bytes) -> socket.socket:
        # The kernel limits a socket's groups by memory (sysctl net.core.optmem_max), to some hundreds.
        for sock in self._sockets[-1:]:
            try:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, self._request(group))
                return sock
            except OSError as error:
                if error.errno not in _FULL:
                    raise
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, self._request(group))
        except OSError:
            sock.close()
            raise
        self._sockets.append(sock)
        return sock
