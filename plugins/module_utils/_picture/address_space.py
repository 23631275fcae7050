# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has which addresses of each LAN, as a ruler from its first to its last one. PRIVATE to homelab.lantern, pure.

Reads what the planner gives (filter homelab.lantern.address_plan), also a plan that has problems.
"""

from __future__ import annotations

import bisect
import ipaddress
import textwrap
import typing as t

from .._pools import (
    AddressRange,
    Network,
    Problem,
    RangeSet,
    network_range,
    parse_address,
    parse_networks,
    parse_range,
)
from .drawing import (
    AMBER,
    AMBER_INK,
    AMBER_PAPER,
    BLUE,
    GREEN,
    GREY,
    INK,
    LINE,
    PURPLE,
    RED,
    RED_PAPER,
    WHITE,
    Drawing,
    fitted,
    text_width,
)

LEFT, BAR, RIGHT = 150, 800, 40
HEADING, LANE = 62, 46
LEVELS = 3
LEVEL_HEIGHT = 18
NARROWEST = 3
"""Pixels: a single address in a large LAN has to be seen."""

CLOSE, TAG = 30, 260
"""Pixels: neighbours share a name tag, which is at most so long."""

ROUTER, NODE, HOST, PIN = "router", "node", "host", "pin"
COLOURS = {ROUTER: BLUE, NODE: PURPLE, HOST: GREY, PIN: AMBER}


class Spot(t.NamedTuple):
    """One address of somebody; `kind` is ROUTER, NODE, HOST or PIN."""

    kind: str
    name: str
    address: int


class Space(t.NamedTuple):
    """What is where in one LAN. All ranges and addresses are of its family; others are left out."""

    network: Network
    hosts: tuple[Spot, ...]
    pins: tuple[Spot, ...]
    pools: tuple[tuple[str, AddressRange], ...]
    dhcp_before: tuple[AddressRange, ...]
    dhcp_after: tuple[AddressRange, ...]
    conflicts: tuple[AddressRange, ...]


def spaces(plan: t.Mapping[str, t.Any]) -> list[Space]:
    """The address space of each LAN."""
    return [_space(plan, network) for network in parse_networks(plan["lans"])[0]]


def _space(plan: t.Mapping[str, t.Any], network: Network) -> Space:
    hosts = _spots(network, ROUTER, {"router": plan["router_addresses"]})
    hosts += _spots(network, NODE, plan["node_addresses"])
    hosts += _spots(network, HOST, {name: [address] for name, address in plan["reservations"].items()})
    pools = [(pool["name"], item) for pool in plan["pools"] for item in _ranges(network, pool["addresses"])]
    pins = [
        spot
        for pool in plan["pools"]
        for name, _equals, address in (pin.partition("=") for pin in pool["pinned"].split(","))
        for spot in _spots(network, PIN, {name: [address]})
    ]
    return Space(
        network,
        tuple(hosts),
        tuple(pins),
        tuple(pools),
        _ranges(network, plan["dhcp"]["before"]),
        _ranges(network, plan["dhcp"]["after"]),
        tuple(_conflicts(network.version, hosts, pools)),
    )


def _spots(network: Network, kind: str, named: t.Mapping[str, t.Sequence[str]]) -> list[Spot]:
    found = []
    for name, address in ((name, parse_address(text)) for name, texts in named.items() for text in texts):
        if not isinstance(address, Problem) and address.version == network.version and address in network:
            found.append(Spot(kind, name, int(address)))
    return found


def _ranges(network: Network, texts: t.Sequence[str]) -> tuple[AddressRange, ...]:
    parsed = [parse_range(text) for text in texts]
    known = [item for item in parsed if isinstance(item, AddressRange) and item.version == network.version]
    return tuple(item for item in known if item.overlaps(network_range(network)))


def _conflicts(
    version: int, hosts: t.Sequence[Spot], pools: t.Sequence[tuple[str, AddressRange]]
) -> t.Iterator[AddressRange]:
    """Addresses of hosts that lie in pools, and what two pools share."""
    single = [AddressRange(version, spot.address, spot.address) for spot in hosts]
    yield from (item for item in single if any(item.overlaps(pool) for _name, pool in pools))
    for number, (_name, one) in enumerate(pools):
        for _other, two in pools[number + 1 :]:
            if one.overlaps(two):
                yield AddressRange(version, max(one.first, two.first), min(one.last, two.last))


def free(found: Space) -> RangeSet:
    """What nobody has: no host, pool or DHCP server."""
    taken = [item for _name, item in found.pools] + list(found.dhcp_after)
    taken += [AddressRange(found.network.version, spot.address, spot.address) for spot in found.hosts]
    return RangeSet([network_range(found.network)]).difference(RangeSet(taken))


class _Ruler:
    """From addresses to pixels.

    An IPv6 LAN is so large that all would be at one point of it. There everybody is as long as what is between them.
    """

    def __init__(self, found: Space) -> None:
        whole = network_range(found.network)
        self.to_scale = found.network.version == 4
        spans = [(whole.first, whole.last)]
        if not self.to_scale:
            ranges = [item for _name, item in found.pools] + [*found.dhcp_before, *found.dhcp_after, *found.conflicts]
            spans += [(max(item.first, whole.first), min(item.last, whole.last)) for item in ranges]
            spans += [(spot.address, spot.address) for spot in (*found.hosts, *found.pins)]
        self.marks = sorted({first for first, _last in spans})
        if self.to_scale:
            self.marks = [whole.first + whole.size * part // 4 for part in range(4)]
        self.edges = sorted({edge for first, last in spans for edge in (first, last + 1)})

    def x(self, address: int) -> float:
        after = min(max(bisect.bisect_right(self.edges, address), 1), len(self.edges) - 1)
        first, last = self.edges[after - 1 : after + 1]
        part = min(1.0, max(0.0, (address - first) / (last - first)))
        return LEFT + BAR * (after - 1 + part) / (len(self.edges) - 1)

    def span(self, item: AddressRange) -> tuple[float, float]:
        """Left edge and width."""
        left = self.x(item.first)
        return left, max(self.x(item.last + 1) - left, NARROWEST)


def picture(plan: t.Mapping[str, t.Any]) -> str:
    """The SVG, a ruler for each LAN; of a plan without LAN only its problems."""
    found = spaces(plan)
    notes = [(RED, text) for text in plan["problems"]] + [(AMBER_INK, text) for text in plan["warnings"]]
    lines = [(colour, line) for colour, text in notes for line in textwrap.wrap(text, 118)]
    height = sum(HEADING + _height(one) for one in found) or HEADING
    drawing = Drawing(LEFT + BAR + RIGHT, height + 20 * len(lines) + 40, "Who has which addresses of the LAN")
    good = not plan["problems"]
    told = "can be used" if good else f"{len(plan['problems'])} to be solved: nothing is changed"
    drawing.text(LEFT + BAR, 36, told, colour=GREEN if good else RED, bold=True, anchor="end")
    top = 0.0
    for one in found:
        drawing.text(24, top + 36, f"LAN {one.network}", bold=True, size=18)
        _ruler(drawing, one, top + HEADING)
        top += HEADING + _height(one)
    if not found:
        drawing.text(24, 36, "LAN not known", bold=True, size=18)
    for number, (colour, line) in enumerate(lines):
        drawing.text(24, height + 26 + 20 * number, line, colour=colour, size=13)
    return drawing.svg()


def _height(found: Space) -> float:
    """The height that a LAN takes below its heading."""
    ruler = _Ruler(found)
    named = _space_for(_tags(ruler, found.hosts)) + _space_for(_tags(ruler, found.pins))
    return named + 56 + LANE * len(_lanes(found))


_Lane = t.Tuple[str, t.List[t.Tuple[AddressRange, str, str, str, str]]]


def _lanes(found: Space) -> list[_Lane]:
    """(title, [(range, words, fill, stroke, ink)]) from top to bottom."""
    lanes: list[_Lane] = []
    if found.dhcp_before:
        lanes.append(("DHCP today", [(item, _short(found, item), WHITE, BLUE, BLUE) for item in found.dhcp_before]))
        lanes.append(("DHCP then", [(item, _short(found, item), "#dcebf2", BLUE, BLUE) for item in found.dhcp_after]))
    lanes.append(("pools", [(item, name, AMBER_PAPER, AMBER, AMBER_INK) for name, item in found.pools]))
    if found.conflicts:
        lanes.append(("conflicts", [(item, _short(found, item), RED_PAPER, RED, RED) for item in found.conflicts]))
    return lanes


def _short(found: Space, item: AddressRange) -> str:
    """first-last, by their last parts where that is enough."""
    if found.network.version == 4 and found.network.prefixlen >= 24:
        first, last = (f".{address & 0xFF}" for address in (item.first, item.last))
    else:
        first, last = str(item.first_address), str(item.last_address)
    return first if item.first == item.last else f"{first} to {last}"


def _ruler(drawing: Drawing, found: Space, top: float) -> None:
    """Draws hosts, lanes, pins and the scale."""
    ruler = _Ruler(found)
    y = top + _space_for(_tags(ruler, found.hosts))
    drawing.text(24, y + 16, "hosts", colour=GREY)
    drawing.box(LEFT, y, BAR, 22, fill=WHITE, stroke=LINE, radius=4, thickness=1)
    _marks(drawing, ruler, found.hosts, y, 22, upward=True)
    y += 32
    for title, items in _lanes(found):
        _lane(drawing, ruler, title, items, y)
        if title == "pools" and found.pins:
            _marks(drawing, ruler, found.pins, y, 28, upward=False)
            drawing.text(24, y + 42, "pinned", colour=AMBER)
            y += _space_for(_tags(ruler, found.pins))
        y += LANE
    _scale(drawing, ruler, found, y + 14)


def _lane(
    drawing: Drawing, ruler: _Ruler, title: str, items: t.Sequence[tuple[AddressRange, str, str, str, str]], y: float
) -> None:
    """Boxes with their names inside, else beside them where there is room."""
    drawing.text(24, y + 19, title, colour=GREY)
    drawing.box(LEFT, y, BAR, 28, fill="none", stroke="#e3dfd4", radius=4, thickness=1)
    before = float(LEFT)
    for item, words, fill, stroke, ink in sorted(items):
        left, width = ruler.span(item)
        hint = f"{words}: {item}, {item.size} addresses"
        drawing.box(left, y, width, 28, fill=fill, stroke=stroke, radius=4, thickness=1.5, hint=hint)
        room = text_width(words, 13) + 12
        if room <= width:
            drawing.text(left + width / 2, y + 19, words, colour=ink, size=13, anchor="middle")
        elif room <= left - before:
            drawing.text(left - 6, y + 19, words, colour=ink, size=13, anchor="end")
        before = left + width


class _Tag(t.NamedTuple):
    """A name beside a mark at `x`; it begins at `left`, on a level counted from the mark."""

    x: float
    left: float
    level: int
    words: str
    colour: str


def _tags(ruler: _Ruler, spots: t.Sequence[Spot]) -> list[_Tag]:
    """Names that keep out of each other's way; neighbours of a kind share one, and where there is no room is none."""
    tags = []
    ends = [-1.0] * LEVELS
    for group in _neighbours(ruler, spots):
        words = fitted(", ".join(spot.name.rpartition("/")[2] for spot in group), TAG, 12)
        x = ruler.x(group[0].address) + 1
        left = min(x, LEFT + BAR - text_width(words, 12))
        level = next((number for number, end in enumerate(ends) if end < left), None)
        if level is not None:
            ends[level] = left + text_width(words, 12) + 8
            tags.append(_Tag(x, left, level, words, COLOURS[group[0].kind]))
    return tags


def _space_for(tags: t.Sequence[_Tag]) -> float:
    """The height that tags take."""
    return max((tag.level + 1 for tag in tags), default=0) * LEVEL_HEIGHT


def _marks(drawing: Drawing, ruler: _Ruler, spots: t.Sequence[Spot], y: float, height: float, *, upward: bool) -> None:
    """A mark for each spot, with the name tags above or below; lines first, so that they cross no name."""
    for spot in spots:
        hint = f"{spot.name}: {ipaddress.ip_address(spot.address)}"
        x = ruler.x(spot.address)
        drawing.box(x, y, NARROWEST, height, fill=COLOURS[spot.kind], stroke="none", radius=0, hint=hint)
    placed = []
    for tag in _tags(ruler, spots):
        line = y - 6 - tag.level * LEVEL_HEIGHT if upward else y + height + 14 + tag.level * LEVEL_HEIGHT
        start, end = (y, line) if upward else (y + height, line - 6)
        drawing.line((tag.x, start), (tag.x, end), colour=tag.colour, thickness=1)
        placed.append((tag, line))
    for tag, line in placed:
        drawing.text(tag.left, line, tag.words, colour=tag.colour, size=12, halo=True)


def _neighbours(ruler: _Ruler, spots: t.Sequence[Spot]) -> list[list[Spot]]:
    """Spots of one kind that are too close to each other for name tags of their own."""
    groups: list[list[Spot]] = []
    for spot in sorted(spots, key=lambda one: one.address):
        last = groups[-1][-1] if groups else None
        if last is not None and last.kind == spot.kind and ruler.x(spot.address) - ruler.x(last.address) < CLOSE:
            groups[-1].append(spot)
        else:
            groups.append([spot])
    return groups


def _scale(drawing: Drawing, ruler: _Ruler, found: Space, y: float) -> None:
    first, end = found.network.network_address, found.network.broadcast_address
    if not ruler.to_scale:
        drawing.text(24, y, "not to scale", colour=GREY, size=12)
    x = ruler.x(int(end))
    drawing.line((x, y - 22), (x, y - 14), colour=LINE, thickness=1)
    drawing.text(x, y, str(end), colour=INK, size=12, anchor="end")
    before, room = float(LEFT), x - text_width(str(end), 12) - 8
    for address in (first + (mark - int(first)) for mark in ruler.marks):
        x = ruler.x(int(address))
        if before <= x < room - text_width(str(address), 12):
            drawing.line((x, y - 22), (x, y - 14), colour=LINE, thickness=1)
            drawing.text(x, y, str(address), colour=GREY, size=12)
            before = x + text_width(str(address), 12) + 8
