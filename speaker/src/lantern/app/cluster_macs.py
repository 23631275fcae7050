# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which MAC addresses are other nodes': one of them that answers for an address is a handover, not a conflict.

The node's kernel knows them, as nodes talk to each other all the time. So it works with speakers of any kind.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from lantern.adapters.logs import fields
from lantern.adapters.rtnetlink import neighbours
from lantern.core.model import Node
from lantern.pools import Address

log = logging.getLogger("lantern.layer2")

_FRESH_SECONDS = 0.5


class ClusterMacs:
    """Asks the kernel when an unknown MAC address shows up, and at most twice a second."""

    def __init__(
        self,
        nodes: Callable[[], Iterable[Node]],
        learned: Callable[[], dict[Address, bytes]] = neighbours,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._nodes = nodes
        self._learned = learned
        self._clock = clock
        self._known: frozenset[bytes] = frozenset()
        self._looked_at = float("-inf")

    def __contains__(self, mac: bytes) -> bool:
        if mac in self._known:
            return True
        if self._clock() < self._looked_at + _FRESH_SECONDS:
            return False
        self._looked_at = self._clock()
        try:
            learned = self._learned()
        except OSError as error:
            log.warning("the kernel does not tell its neighbours", extra=fields(error=str(error)))
            return False
        addresses = {address for node in self._nodes() for address in node.addresses}
        self._known = frozenset(found for address, found in learned.items() if address in addresses)
        return mac in self._known
