# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where members are reached, and who it is that sends from there: the dead and the forgotten included.

Who was declared dead may have lost its cable only. It is to be reached at once when it is back, without waiting until
gossip finds it again.
"""

from __future__ import annotations

from dataclasses import dataclass

from lantern.gossip.endpoint import Endpoint
from lantern.gossip.members import Member


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a member was last."""

    endpoint: Endpoint
    newest_protocol: int


class Directory:
    """The last known endpoint of at most `size` members; those that were entered longest ago are forgotten first."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: dict[str, Entry] = {}
        self._names: dict[Endpoint, str] = {}

    def enter(self, member: Member) -> None:
        """The member is at its endpoint from now on, and nobody else is."""
        entry = Entry(member.endpoint, member.newest_protocol)
        if self._entries.get(member.name) == entry and self._names.get(entry.endpoint) == member.name:
            return
        self._remove(member.name)
        self._entries[member.name] = entry
        self._names[entry.endpoint] = member.name
        if len(self._entries) > self._size:
            self._remove(next(iter(self._entries)))

    def find(self, name: str) -> Entry | None:
        """Where to reach a member; None when it was never known."""
        return self._entries.get(name)

    def name_at(self, endpoint: Endpoint) -> str | None:
        """Which member sends from there."""
        return self._names.get(endpoint)

    def _remove(self, name: str) -> None:
        entry = self._entries.pop(name, None)
        if entry is not None and self._names.get(entry.endpoint) == name:
            del self._names[entry.endpoint]
