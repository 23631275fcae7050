# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The burst as a picture: Services created and Services with an address over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

Curve = Sequence[tuple[float, float | None]]
"""For each Service: when it was created and when it had its address, in seconds from the start; None: never."""

_WIDTH, _HEIGHT = 760, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 34, 44
# Colours that hold on light and dark pages alike.
_LINES, _GRID, _TEXT = ("#d97706", "#2563eb"), "#8a8f9855", "#6b7280"


def burst(curves: Mapping[str, Curve]) -> str:
    """An SVG document; `curves` maps a contender's title to what was seen of it.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not curves or not any(curves.values()):
        raise ValueError("no burst was measured: nothing to draw")
    seconds = max(end for curve in curves.values() for start, got in curve for end in (start, got or start))
    count = max(len(curve) for curve in curves.values())
    parts = [_axes(seconds, count)]
    rows = []
    for (title, curve), colour in zip(curves.items(), _LINES, strict=False):
        created = [start for start, _ in curve]
        addressed = [got for _, got in curve if got is not None]
        parts.append(_line(created, seconds, count, colour, dashed=True))
        parts.append(_line(addressed, seconds, count, colour, dashed=False))
        rows += [(colour, True, f"{title}: created"), (colour, False, f"{title}: has its IP")]
    parts.append(_legend(rows))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{_TEXT}">\n'
        f"<title>{count:,} Services created at once: how many exist and how many have an address over time</title>\n"
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _x(second: float, seconds: float) -> float:
    return _LEFT + second / seconds * (_WIDTH - _LEFT - _RIGHT)


def _y(number: float, count: int) -> float:
    return _HEIGHT - _BOTTOM - number / count * (_HEIGHT - _TOP - _BOTTOM)


def _line(moments: list[float], seconds: float, count: int, colour: str, *, dashed: bool) -> str:
    """Steps: at each moment one more. Thinned out to what a screen can show."""
    moments = sorted(moments)
    stride = max(1, len(moments) // 250)
    kept = [(moment, index + 1) for index, moment in enumerate(moments)]
    kept = kept[::stride] + kept[-1:]
    points = " ".join(f"{_x(moment, seconds):.1f},{_y(index, count):.1f}" for moment, index in kept)
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<polyline fill="none" stroke="{colour}" stroke-width="2"{dash} points="{points}"/>'


def _axes(seconds: float, count: int) -> str:
    parts = []
    for tick in _ticks(seconds):
        x = _x(tick, seconds)
        parts.append(f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{_HEIGHT - _BOTTOM}" stroke="{_GRID}"/>')
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{tick:g}</text>')
    for tick in _ticks(count):
        y = _y(tick, count)
        parts.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" stroke="{_GRID}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:,.0f}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">seconds from the first creation</text>')
    parts.append(f'<text x="4" y="{_TOP - 16}">Services</text>')
    return "\n".join(parts)


def _ticks(end: float) -> list[float]:
    """About six round numbers from 0 to `end`."""
    step = 1.0
    while True:
        for factor in (1, 2, 5):
            if end / (step * factor) <= 6:
                return [step * factor * index for index in range(int(end / (step * factor)) + 1)]
        step *= 10


def _legend(rows: list[tuple[str, bool, str]]) -> str:
    parts = []
    for index, (colour, dashed, text) in enumerate(rows):
        x = _LEFT + 30 + index * 168
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        parts.append(f'<line x1="{x}" y1="14" x2="{x + 26}" y2="14" stroke="{colour}" stroke-width="2"{dash}/>')
        parts.append(f'<text x="{x + 32}" y="18">{escape(text)}</text>')
    return "\n".join(parts)
