# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The LAN's address space for a terminal: one letter for each address, or for a few. PRIVATE, pure."""

from __future__ import annotations

import ipaddress
import typing as t

from .._pools import AddressRange, network_range
from .address_space import HOST, NODE, ROUTER, Space, space

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
    """The map and its legend; [] if the plan has no LAN."""
    found = space(plan)
    if found is None:
        return []
    count = found.network.num_addresses
    grain = 1
    while count // grain > MOST_CELLS:
        grain *= 2
    first = int(found.network.network_address)
    cells = _cells(found, first, grain, max(1, count // grain))
    rows = ["".join(cells[start : start + COLUMNS]) for start in range(0, len(cells), COLUMNS)]
    titles = [_text(found, first + number * COLUMNS * grain) for number in range(len(rows))]
    width = max(map(len, titles))
    told = ", ".join(f"{letter} {meaning}" for letter, meaning in LETTERS.items() if letter in cells)
    each = "" if grain == 1 else f"; {grain} addresses a letter"
    return [*(f"{title.ljust(width)}  {row}" for title, row in zip(titles, rows)), f"{told}{each}"]


def _text(found: Space, address: int) -> str:
    return str(ipaddress.IPv4Address(address) if found.network.version == 4 else ipaddress.IPv6Address(address))


def _cells(found: Space, first: int, grain: int, count: int) -> list[str]:
    """Letters painted from the least to the most important."""
    cells = ["."] * count

    def paint(letter: str, item: AddressRange) -> None:
        whole_lan = network_range(found.network)
        start = (max(item.first, whole_lan.first) - first) // grain
        end = (min(item.last, whole_lan.last) - first) // grain
        for number in range(start, min(end, count - 1) + 1):
            cells[number] = letter

    def point(address: int) -> AddressRange:
        return AddressRange(found.network.version, address, address)

    if found.network.version == 4 and found.network.prefixlen < 31:
        paint("_", point(int(found.network.network_address)))
        paint("_", point(int(found.network.broadcast_address)))
    for item in found.dhcp_after or found.dhcp_before:
        paint("d", item)
    for _name, item in found.pools:
        paint("P", item)
    for spot in found.pins:
        paint("*", point(spot.address))
    for spot in found.hosts:
        paint(_OF_HOSTS[spot.kind], point(spot.address))
    for item in found.conflicts:
        paint("!", item)
    return cells
