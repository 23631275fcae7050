# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages to be spread by gossip: each is sent a limited number of times, fresh ones first (memberlist queue.go)."""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass


def transmit_limit(multiplier: int, members: int) -> int:
    """How often a message is sent so that it reaches a cluster of so many with high probability."""
    return multiplier * math.ceil(math.log10(members + 1))


@dataclass(frozen=True, slots=True, order=True)
class _Entry:
    # The order of sending: least often sent, then longest, then newest.
    transmits: int
    negative_length: int
    negative_serial: int
    key: str
    message: bytes


class BroadcastQueue:
    """At most one message for each key: what is newer about a member replaces what is older."""

    def __init__(self, capacity: int | None = None) -> None:
        self._capacity = capacity
        self._entries: list[_Entry] = []
        self._keys: dict[str, _Entry] = {}
        self._serial = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def put(self, key: str, message: bytes) -> None:
        """Queue a message. With a full queue the one sent most often is given up."""
        self._remove(key)
        if self._capacity is not None and len(self._entries) >= self._capacity:
            self._remove(self._entries[-1].key)
        self._serial += 1
        self._insert(_Entry(0, -len(message), -self._serial, key, message))

    def pick(self, room: int, overhead: int, limit: int) -> list[bytes]:
        """Messages for one datagram: together with `overhead` bytes each they fit into `room`.

        A message that was picked `limit` times is no longer queued.
        """
        picked: list[_Entry] = []
        for entry in self._entries:
            needed = overhead - entry.negative_length
            if needed <= room:
                room -= needed
                picked.append(entry)
            if room <= overhead:
                break
        for entry in picked:
            self._remove(entry.key)
            if entry.transmits + 1 < limit:
                sent = entry.transmits + 1
                self._insert(_Entry(sent, entry.negative_length, entry.negative_serial, entry.key, entry.message))
        return [entry.message for entry in picked]

    def _insert(self, entry: _Entry) -> None:
        bisect.insort(self._entries, entry)
        self._keys[entry.key] = entry

    def _remove(self, key: str) -> None:
        entry = self._keys.pop(key, None)
        if entry is not None:
            del self._entries[bisect.bisect_left(self._entries, entry)]
