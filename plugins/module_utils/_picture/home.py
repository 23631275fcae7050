# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The LAN as stage verify saw it: router, this host, the nodes, and which of them answers for which address. PRIVATE.

Reads the summary of a verify run (_wire/report.py).
"""

from __future__ import annotations

import typing as t

from .drawing import (
    AMBER,
    AMBER_INK,
    AMBER_PAPER,
    BLUE,
    GREEN,
    GREEN_PAPER,
    GREY,
    INK,
    LINE,
    PURPLE,
    RED,
    RED_PAPER,
    Drawing,
    fitted,
)

PER_ROW = 4
BOX, GAP, MARGIN = 220, 20, 50
TOP, TOP_HEIGHT = 24, 96
CHIP = 30
HEAD = 80
SHOWN_CHIPS = 12


class _Card(t.NamedTuple):
    """A box in the lower part: a node, or whoever else has an address. `chips`: (text, good, hint)."""

    title: str
    lines: tuple[str, ...]
    colour: str
    chips: tuple[tuple[str, bool, str], ...]

    @property
    def height(self) -> float:
        return HEAD + CHIP * max(1, min(len(self.chips), SHOWN_CHIPS)) + (18 if len(self.chips) > SHOWN_CHIPS else 0)


def picture(summary: t.Mapping[str, t.Any], lan: str = "", router: str = "") -> str:
    """The SVG."""
    cards = [*_nodes(summary), *_strangers(summary), *_nowhere(summary)]
    rows = [cards[start : start + PER_ROW] for start in range(0, len(cards), PER_ROW)]
    columns = max([len(row) for row in rows] + [3])
    width = MARGIN + columns * (BOX + GAP) + 30
    bus = TOP + TOP_HEIGHT + 46
    tops, below = [], bus
    for row in rows:
        tops.append(below)
        below += 30 + max(card.height for card in row) + 40
    drawing = Drawing(width, below - 10, "The home network as seen by the verify stage")
    _upper(drawing, summary, bus, width, lan, router)
    for row, top in zip(rows, tops):
        drawing.line((MARGIN - 20, top), (width - 30, top))
        for number, card in enumerate(row):
            _card(drawing, card, MARGIN + number * (BOX + GAP), top)
    if len(tops) > 1:
        drawing.line((MARGIN - 20, tops[0]), (MARGIN - 20, tops[-1]))
    return drawing.svg()


def _upper(drawing: Drawing, summary: t.Mapping[str, t.Any], bus: float, width: float, lan: str, router: str) -> None:
    """Router and probing host above the line, and what came of it all."""
    bad = len(summary["broken"])
    tried = len(summary["probes"])
    source = next((probe["source"] for probe in summary["probes"] if probe["source"]), "")
    behind = next((probe["gateway"] for probe in summary["probes"] if probe["gateway"]), "")
    second = MARGIN + BOX + GAP
    drawing.line((MARGIN + BOX / 2, TOP + TOP_HEIGHT), (MARGIN + BOX / 2, bus))
    if behind:
        drawing.line((second, TOP + 48), (MARGIN + BOX, TOP + 48))
    else:
        drawing.line((second + BOX / 2, TOP + TOP_HEIGHT), (second + BOX / 2, bus))
    drawing.box(MARGIN, TOP, BOX, TOP_HEIGHT, stroke=BLUE)
    drawing.text(MARGIN + 16, TOP + 30, "router", colour=BLUE, bold=True)
    drawing.text(MARGIN + 16, TOP + 54, router or behind or "address not known", colour=INK)
    drawing.box(second, TOP, BOX, TOP_HEIGHT, stroke=GREY)
    drawing.text(second + 16, TOP + 30, "this host", bold=True)
    drawing.text(second + 16, TOP + 54, source or "nothing was tried", colour=INK)
    drawing.text(second + 16, TOP + 76, "in another LAN" if behind else "", colour=GREY, size=13)
    third = second + BOX + GAP
    colour, paper = (RED, RED_PAPER) if bad else (GREEN, GREEN_PAPER)
    drawing.box(third, TOP, width - 30 - third, TOP_HEIGHT, stroke=colour, fill=paper)
    told = f"{bad} broken" if bad else "all good"
    drawing.text(third + 16, TOP + 38, told, colour=colour, bold=True, size=20)
    plural = "" if tried == 1 else "es"
    drawing.text(third + 16, TOP + 66, f"{tried} address{plural} tried", colour=GREY)
    drawing.text(width - 30, bus - 10, f"LAN {lan}" if lan else "LAN", colour=GREY, anchor="end")


def _card(drawing: Drawing, card: _Card, x: float, top: float) -> None:
    y = top + 30
    drawing.line((x + BOX / 2, top), (x + BOX / 2, y), colour=LINE)
    drawing.box(x, y, BOX, card.height, stroke=card.colour)
    drawing.text(x + 16, y + 26, fitted(card.title, BOX - 30), colour=card.colour, bold=True)
    for number, words in enumerate(card.lines):
        drawing.text(x + 16, y + 46 + 17 * number, fitted(words, BOX - 26, 13), colour=GREY, size=13)
    for number, (words, good, hint) in enumerate(card.chips[:SHOWN_CHIPS]):
        chip = y + HEAD - 8 + CHIP * number
        fill, ink = (AMBER_PAPER, AMBER_INK) if good else (RED_PAPER, RED)
        drawing.box(
            x + 12, chip, BOX - 24, CHIP - 6, fill=fill, stroke=AMBER if good else RED, radius=6, thickness=1, hint=hint
        )
        drawing.dot(x + 25, chip + 12, GREEN if good else RED)
        drawing.text(x + 37, chip + 17, fitted(words, BOX - 60, 13), colour=ink, size=13)
    if not card.chips:
        drawing.text(x + 16, y + HEAD + 8, "announces nothing", colour=GREY, size=13)
    if len(card.chips) > SHOWN_CHIPS:
        rest = len(card.chips) - SHOWN_CHIPS
        drawing.text(x + 16, y + HEAD + CHIP * SHOWN_CHIPS + 6, f"and {rest} more", colour=GREY, size=13)


def _chip(probe: t.Mapping[str, t.Any]) -> tuple[str, bool, str]:
    words = f"{probe['address']} {probe['service'].rpartition('/')[2]}"
    hint = f"{probe['service']} {probe['address']}: "
    return words, probe["good"], hint + (f"broken at {probe['broken']}" if probe["broken"] else "good")


def _holders(probe: t.Mapping[str, t.Any]) -> set[str]:
    """The nodes at which an address is shown: the one that answers, else those that announce it."""
    return {probe["node"]} if probe["node"] else set(probe["owners"])


def _nodes(summary: t.Mapping[str, t.Any]) -> list[_Card]:
    cards = []
    for node in summary["nodes"]:
        chips = tuple(_chip(probe) for probe in summary["probes"] if node["name"] in _holders(probe))
        state = "not Ready" if not node.get("ready", True) else "may not announce" if node.get("excluded") else ""
        addresses = ", ".join(address for address in node["addresses"] if ":" not in address) or ", ".join(
            node["addresses"]
        )
        lines = (addresses, state) if state else (addresses,)
        cards.append(_Card(node["name"], lines, RED if state == "not Ready" else PURPLE, chips))
    return cards


def _strangers(summary: t.Mapping[str, t.Any]) -> list[_Card]:
    """Whoever answers for a Service's address and is no node, one box for each MAC."""
    found: dict[str, list[tuple[str, bool, str]]] = {}
    for probe in summary["probes"]:
        for mac in probe["foreign"]:
            found.setdefault(mac, []).append(_chip(probe))
    return [_Card("another device", (mac,), RED, tuple(chips)) for mac, chips in sorted(found.items())]


def _nowhere(summary: t.Mapping[str, t.Any]) -> list[_Card]:
    """Addresses that nobody has, and Services without address."""
    known = {node["name"] for node in summary["nodes"]}
    chips = [
        _chip(probe)
        for probe in summary["probes"]
        if not _holders(probe) & known and not probe["foreign"] and not probe["gateway"]
    ]
    chips += [(f"pending {one['name']}", False, one["waiting"]) for one in summary["services"] if not one["addresses"]]
    cards = [_Card("at no node", ("nobody answers",), RED, tuple(chips))] if chips else []
    behind = [_chip(p) for p in summary["probes"] if p["gateway"] and not _holders(p) & known]
    return cards + ([_Card("beyond the router", ("owner not known",), GREY, tuple(behind))] if behind else [])
