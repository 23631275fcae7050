# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The LANs' address space for a terminal: a letter for each address, or for a few; IPv6 as a list. PRIVATE, pure."""

from __future__ import annotations

import ipaddress
import typing as t

from .._pools import AddressRange, network_range
from .address_space import HOST, NODE, ROUTER, Space, Spot, spaces

COLUMNS = 64
MOST_CELLS = 512

# What is more important hides what is less, where several share a letter.
LETTERS = {
    "!": "in conflict",
    "R": "router",
    "N": "node",
    "o": "other host",
    "*": "pinned",
    "P": "pool",
    "d": "DHCP",
    "_": "of no use to hosts",
    ".": "free",
}
_OF_HOSTS = {ROUTER: "R", NODE: "N", HOST: "o"}


def lines(plan: t.Mapping[str, t.Any]) -> list[str]:
    """The map of each LAN and its legend; [] if the plan has no LAN."""
    maps = [_map(found) if found.network.version == 4 else _listed(found) for found in spaces(plan)]
    return [line for number, one in enumerate(maps) for line in ([""] if number else []) + one]


def _map(found: Space) -> list[str]:
    count = found.network.num_addresses
    grain = 1
    while count // grain > MOST_CELLS:
        grain *= 2
    first = int(found.network.network_address)
    cells = _cells(found, first, grain, max(1, count // grain))
    rows = ["".join(cells[start : start + COLUMNS]) for start in range(0, len(cells), COLUMNS)]
    titles = [str(ipaddress.IPv4Address(first + number * COLUMNS * grain)) for number in range(len(rows))]
    width = max(map(len, titles))
    each = "" if grain == 1 else f"; {grain} addresses a letter"
    return [*(f"{title.ljust(width)}  {row}" for title, row in zip(titles, rows)), _legend(cells) + each]


def _legend(letters: t.Collection[str]) -> str:
    return ", ".join(f"{letter} {meaning}" for letter, meaning in LETTERS.items() if letter in letters)


def _listed(found: Space) -> list[str]:
    """A line for each of them: an IPv6 LAN is too large for a map, all would be at one letter."""
    rows = [(item, "P", name) for name, item in found.pools]
    rows += [(item, "d", "") for item in found.dhcp_after or found.dhcp_before]
    rows += [(_point(found, spot), _OF_HOSTS.get(spot.kind, "*"), spot.name) for spot in (*found.hosts, *found.pins)]
    rows = [(item, "!" if item in found.conflicts else letter, name) for item, letter, name in rows]
    known = {item for item, _letter, _name in rows}
    rows += [(item, "!", "") for item in found.conflicts if item not in known]
    texts = [(str(item.first_address if item.size == 1 else item), letter, name) for item, letter, name in sorted(rows)]
    width = max((len(text) for text, _letter, _name in texts), default=0)
    listed = [f"{text.ljust(width)}  {letter} {name}".rstrip() for text, letter, name in texts]
    return [f"{found.network}:", *listed, _legend([letter for _text, letter, _name in texts]) or "nobody known"]


def _point(found: Space, spot: Spot) -> AddressRange:
    return AddressRange(found.network.version, spot.address, spot.address)


def _cells(found: Space, first: int, grain: int, count: int) -> list[str]:
    """Letters painted from the least to the most important."""
    cells = ["."] * count
    whole_lan = network_range(found.network)

    def paint(letter: str, item: AddressRange) -> None:
        start = (max(item.first, whole_lan.first) - first) // grain
        end = (min(item.last, whole_lan.last) - first) // grain
        for number in range(start, min(end, count - 1) + 1):
            cells[number] = letter

    if found.network.prefixlen < 31:
        paint("_", AddressRange(4, whole_lan.first, whole_lan.first))
        paint("_", AddressRange(4, whole_lan.last, whole_lan.last))
    for item in found.dhcp_after or found.dhcp_before:
        paint("d", item)
    for _name, item in found.pools:
        paint("P", item)
    for spot in found.pins:
        paint("*", _point(found, spot))
    for spot in found.hosts:
        paint(_OF_HOSTS[spot.kind], _point(found, spot))
    for item in found.conflicts:
        paint("!", item)
    return cells
