# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shapes of the project's pictures, as SVG 1.1 without scripts, fonts or links. PRIVATE to homelab.lantern."""

from __future__ import annotations

import typing as t
from xml.etree import ElementTree

FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
PAPER, WHITE, INK, GREY, LINE = "#fbfaf7", "#ffffff", "#333333", "#5d5a50", "#8a8678"
BLUE, PURPLE, AMBER, AMBER_INK, AMBER_PAPER = "#2f6f8f", "#5b4b8a", "#d79b1e", "#8a5f00", "#fff0cc"
GREEN, GREEN_PAPER, RED, RED_PAPER = "#2e7d4f", "#e4f3ea", "#b3261e", "#fbe3e1"

LETTER_WIDTH = 0.56
"""Width of a letter by its height, on average, in the fonts above."""


class Drawing:
    """A sheet of paper that grows no more: its size is known when it is made, in pixels."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self._root = ElementTree.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "viewBox": f"0 0 {_number(width)} {_number(height)}",
                "font-family": FONT,
                "font-size": "14",
                "role": "img",
            },
        )
        ElementTree.SubElement(self._root, "title").text = title
        self.box(0, 0, width, height, fill=PAPER, stroke="none", radius=12)

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: str = WHITE,
        stroke: str = LINE,
        radius: float = 10,
        thickness: float = 2,
        hint: str = "",
    ) -> None:
        """A rectangle; `hint` appears where the pointer rests on it."""
        shape = self._add(
            "rect",
            x=x,
            y=y,
            width=width,
            height=height,
            rx=radius,
            fill=fill,
            stroke=stroke,
            stroke_width=thickness,
        )
        if hint:
            ElementTree.SubElement(shape, "title").text = hint

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        colour: str = INK,
        size: float = 14,
        bold: bool = False,
        anchor: str = "",
        halo: bool = False,
    ) -> None:
        """One line; `anchor` is middle or end, "" for start. `halo` keeps it readable where lines cross it."""
        options: dict[str, t.Any] = {"x": x, "y": y, "fill": colour, "font_size": size}
        if bold:
            options["font_weight"] = 700
        if anchor:
            options["text_anchor"] = anchor
        if halo:
            options.update(stroke=PAPER, stroke_width=4, stroke_linejoin="round", paint_order="stroke")
        self._add("text", **options).text = words

    def line(
        self,
        *points: tuple[float, float],
        colour: str = LINE,
        thickness: float = 3,
        dashes: str = "",
        arrow: bool = False,
    ) -> None:
        """Straight lines from point to point."""
        options: dict[str, t.Any] = {"fill": "none", "stroke": colour, "stroke_width": thickness}
        if dashes:
            options["stroke_dasharray"] = dashes
        path = "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in points)
        self._add("path", d=path, stroke_linejoin="round", **options)
        if arrow:
            (x, y) = points[-1]
            up = points[-2][1] > y
            tip = [(x - 6, y + (10 if up else -10)), (x + 6, y + (10 if up else -10))]
            self._add("path", d=f"M{_number(x)} {_number(y)}L{_corner(tip[0])}L{_corner(tip[1])}z", fill=colour)

    def dot(self, x: float, y: float, colour: str, radius: float = 5) -> None:
        self._add("circle", cx=x, cy=y, r=radius, fill=colour)

    def svg(self) -> str:
        """The picture as the text of an SVG file."""
        return ElementTree.tostring(self._root, encoding="unicode")

    def _add(self, tag: str, **options: t.Any) -> ElementTree.Element:
        attributes = {
            name.replace("_", "-"): _number(value) if isinstance(value, float) else str(value)
            for name, value in options.items()
        }
        return ElementTree.SubElement(self._root, tag, attributes)


def fitted(words: str, width: float, size: float = 14) -> str:
    """The words, cut with an ellipsis if they are wider than so many pixels."""
    letters = int(width / (size * LETTER_WIDTH))
    return words if len(words) <= letters else words[: max(0, letters - 1)].rstrip() + "…"


def text_width(words: str, size: float = 14) -> float:
    return len(words) * size * LETTER_WIDTH


def _number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _corner(point: tuple[float, float]) -> str:
    return f"{_number(point[0])} {_number(point[1])}"
