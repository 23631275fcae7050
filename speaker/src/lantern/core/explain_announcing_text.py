# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who announces a Service and why, as text for a terminal: plain and aligned."""

from __future__ import annotations

from lantern.core.explain_announcing import Announcing, Row
from lantern.reasons import Reason


def render_announcing(announcing: Announcing) -> str:
    """The lines to follow those of `core.explain.render`."""
    reason = f"{announcing.reason.value}: {announcing.reason.meaning}" if announcing.reason else ""
    rows = [
        ("state", announcing.state),
        ("reason", reason),
        ("to change", announcing.remedy),
        ("why", announcing.why),
        ("next", announcing.next),
        ("says", announcing.source),
        *(("conflict", f"{item.at} on {item.node}: {item.message}") for item in announcing.conflicts),
        *(("note", note) for note in announcing.notes),
    ]
    lines = ["", "Announcement", *(f"  {name:<9} {text}" for name, text in rows if text)]
    if announcing.nodes:
        lines += ["", "Nodes"]
        width = max(len(row.node) for row in announcing.nodes)
        for row in announcing.nodes:
            lines += _rendered(row, width)
    return "\n".join(lines) + "\n"


def _rendered(row: Row, width: int) -> list[str]:
    if row.denied is None:
        return [f"  {row.node:<{width}}  {row.state}"]
    if row.denied.reason is Reason.NOT_OWNER:
        return [f"  {row.node:<{width}}  {row.state} ({row.denied.reason.value})"]
    lines = [f"  {row.node:<{width}}  {row.state} ({row.denied.reason.value}): {row.denied.sentence}"]
    if row.remedy:
        lines.append(f"  {'':<{width}}  to change it: {row.remedy}")
    return lines
