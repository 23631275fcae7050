# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges of addresses as two integers, and the two notations people write them in. PRIVATE to the collection.

A range is never enumerated: an IPv6 /64 has 2^64 addresses.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Iterable, Tuple, Union

from .problem import Problem

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Point = Tuple[int, int]
"""An address as (version, value): sorts over both families and compares fast."""

NOTATIONS = 'Write a CIDR such as "192.168.2.128/25" or a range such as "192.168.2.128-192.168.2.254".'


def point(address: Address) -> Point:
    """The address as a sortable (version, value) pair."""
    return (address.version, int(address))


def _address(version: int, value: int) -> Address:
    return ipaddress.IPv4Address(value) if version == 4 else ipaddress.IPv6Address(value)


@dataclass(frozen=True, order=True)
class AddressRange:
    """All addresses from `first` to `last`, both included. Invariant: first <= last, both of the family `version`."""

    __slots__ = ("version", "first", "last")

    version: int
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first_address}-{self.last_address}"

    def __contains__(self, address: object) -> bool:
        if not isinstance(address, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
            return False
        return self.version == address.version and self.first <= int(address) <= self.last

    @property
    def size(self) -> int:
        """How many addresses; unlike len() it has no upper bound."""
        return self.last - self.first + 1

    @property
    def first_address(self) -> Address:
        return _address(self.version, self.first)

    @property
    def last_address(self) -> Address:
        return _address(self.version, self.last)

    def overlaps(self, other: AddressRange) -> bool:
        return self.version == other.version and self.first <= other.last and other.first <= self.last

    def covers(self, other: AddressRange) -> bool:
        return self.version == other.version and self.first <= other.first and other.last <= self.last

    def networks(self) -> list[Network]:
        """The shortest list of CIDRs that is this range."""
        return list(ipaddress.summarize_address_range(self.first_address, self.last_address))


def parse_address(text: object, where: str = "") -> Address | Problem:
    """One IP address without prefix length or zone; else the Problem (code "malformed")."""
    name = where or "address"
    shown = str(text).strip()
    if "%" not in shown:
        try:
            return ipaddress.ip_address(shown)
        except ValueError:
            pass
    return Problem("malformed", where, f'{name}: "{shown}" is not an IP address. Write one such as 192.168.2.10.')


def parse_network(text: object, where: str = "") -> Network | Problem:
    """A network in CIDR notation, host bits masked off; else the Problem (code "malformed")."""
    name = where or "network"
    shown = str(text).strip()
    base, slash, prefix = shown.partition("/")
    # The standard library also takes netmasks, zones and a missing prefix: all mistakes where a CIDR is asked for.
    if slash and prefix.isdigit() and prefix.isascii() and "%" not in base:
        try:
            return ipaddress.ip_network(shown, strict=False)
        except ValueError:
            pass
    return Problem("malformed", where, f'{name}: "{shown}" is not a network. Write a CIDR such as 192.168.2.0/24.')


def parse_networks(given: object, where: str = "") -> tuple[list[Network], list[Problem]]:
    """One network or a list of them, each of them once, and what is wrong with the entries that are none."""
    listed = given if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    parsed = list(dict.fromkeys(parse_network(item, where) for item in listed))
    wrong = [item for item in parsed if isinstance(item, Problem)]
    return [item for item in parsed if not isinstance(item, Problem)], wrong


def network_range(network: Network) -> AddressRange:
    """All addresses of the network, as a range."""
    return AddressRange(network.version, int(network.network_address), int(network.broadcast_address))


def parse_range(text: object, where: str = "") -> AddressRange | Problem:
    """A range from "first-last" or CIDR notation (host bits masked off, spaces around "-" allowed).

    Returns a Problem with code "malformed", "reversed" or "family-mix"; a bare address is malformed, as in MetalLB.
    """
    prefix = f"{where}: " if where else ""
    shown = str(text).strip()
    if "/" in shown:
        network = parse_network(shown)
        if isinstance(network, Problem):
            return Problem("malformed", where, f'{prefix}"{shown}" is not a valid CIDR. {NOTATIONS}')
        return network_range(network)
    first_text, dash, last_text = shown.partition("-")
    first = parse_address(first_text)
    if not dash:
        return _not_a_range(prefix, where, shown, first)
    last = parse_address(last_text)
    if isinstance(first, Problem) or isinstance(last, Problem):
        wrong = first_text if isinstance(first, Problem) else last_text
        message = f'{prefix}"{wrong.strip()}" in "{shown}" is not an IP address. {NOTATIONS}'
        return Problem("malformed", where, message)
    if first.version != last.version:
        message = f'{prefix}"{shown}" mixes IPv4 and IPv6. Write one range for each.'
        return Problem("family-mix", where, message)
    if int(first) > int(last):
        message = f'{prefix}"{shown}" ends before it begins. Write it as "{last}-{first}".'
        return Problem("reversed", where, message)
    return AddressRange(first.version, int(first), int(last))


def _not_a_range(prefix: str, where: str, shown: str, address: Address | Problem) -> Problem:
    if isinstance(address, Problem):
        return Problem("malformed", where, f'{prefix}"{shown}" is not a range of addresses. {NOTATIONS}')
    message = '{0}"{1}" is a single address, a range is needed. For this one address alone write "{1}/{2}".'
    return Problem("malformed", where, message.format(prefix, shown, address.max_prefixlen))
