# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses that this node is to announce, looked up by their bytes as they are in packets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from lantern.pools import Address


class Stage(Enum):
    """How far announcing an address has come."""

    PROBING = "probing"
    """Whether somebody else has it is being asked."""
    IN_USE = "inUse"
    """Somebody else has it; it is asked for again from time to time."""
    ANNOUNCED = "announced"


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface that frames come from. `mac` is 6 bytes."""

    name: str
    mac: bytes
    ipv6: bool = True
    """Whether neighbours can be discovered on it."""


@dataclass(slots=True)
class Claim:
    """One address."""

    address: Address
    interfaces: frozenset[str] | None
    """Names of the interfaces to announce on; None: all."""
    stage: Stage

    def allows(self, interface: Interface) -> bool:
        """Whether the address is for this interface."""
        if self.address.version == 6 and not interface.ipv6:
            return False
        return self.interfaces is None or interface.name in self.interfaces


class Claims:
    """All of them. One dictionary, whatever the number of addresses; IPv4's 4 bytes never equal IPv6's 16."""

    def __init__(self) -> None:
        self._by_bytes: dict[bytes, Claim] = {}

    def __iter__(self) -> Iterator[Claim]:
        return iter(self._by_bytes.values())

    def get(self, address: bytes) -> Claim | None:
        """By the bytes of a packet."""
        return self._by_bytes.get(address)

    def of(self, address: Address) -> Claim | None:
        """By the address."""
        return self._by_bytes.get(address.packed)

    def add(self, claim: Claim) -> None:
        self._by_bytes[claim.address.packed] = claim

    def remove(self, address: Address) -> None:
        self._by_bytes.pop(address.packed, None)
