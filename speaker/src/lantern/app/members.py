# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`lantern members`: which speakers this node's speaker knows, as a table."""

from __future__ import annotations

import sys
from typing import Any, TextIO

import httpx2

from lantern.settings import MembersSettings

_COLUMNS = ("name", "address", "state", "implementation", "round trip")


def run(settings: MembersSettings, out: TextIO | None = None, err: TextIO | None = None) -> int:
    """Print the table; returns the exit status: 1 when no speaker answers on this host."""
    out, err = out or sys.stdout, err or sys.stderr
    url = f"http://127.0.0.1:{settings.port}/members"
    try:
        answer = httpx2.get(url, timeout=5, trust_env=False)
        answer.raise_for_status()
    except httpx2.HTTPError as error:
        print(f"lantern: no speaker tells its members at {url}: {error}. Run this in the speaker's pod.", file=err)
        return 1
    out.write(table(answer.json()))
    return 0


def table(members: list[dict[str, Any]]) -> str:
    """The members as aligned text."""
    if not members:
        return "This speaker does not look for others: it has no bind address.\n"
    rows = [_COLUMNS, *(_row(member) for member in members)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _row(member: dict[str, Any]) -> tuple[str, ...]:
    trip = member["round_trip_ms"]
    shown = "-" if trip is None else f"{trip:.2f} ms"
    return member["name"], member["address"], member["state"], member["implementation"], shown
