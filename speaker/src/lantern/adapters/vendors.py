# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who made a network interface, by its MAC address, as far as this machine has a table of the IEEE's assignments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

TABLES = (
    Path("/usr/share/ieee-data/oui.txt"),  # Debian: ieee-data
    Path("/usr/share/hwdata/oui.txt"),  # Red Hat: hwdata
    Path("/usr/share/nmap/nmap-mac-prefixes"),
)
_LOCALLY_ADMINISTERED = 0x02


def describe(mac: bytes, tables: Sequence[Path] = TABLES) -> str:
    """A few words about who is behind a MAC address of 6 bytes, empty when nothing is known.

    Reads files, of some megabytes; for rare events.
    """
    if mac[0] & _LOCALLY_ADMINISTERED:
        return "locally administered: a virtual machine, a container, or a phone's private address"
    for table in tables:
        try:
            content = table.read_bytes()
        except OSError:
            continue
        vendor = _vendor(content, mac[:3])
        if vendor:
            return vendor
    return ""


def _vendor(table: bytes, prefix: bytes) -> str:
    """From lines such as "B827EB     (base 16)\\t\\tRaspberry Pi Foundation" or "B827EB Raspberry Pi Foundation"."""
    line = re.search(
        rb"^%s[ \t]+(?:\(base 16\)[ \t]*)?(\S[^\r\n]*)" % prefix.hex().upper().encode(), table, re.MULTILINE
    )
    return line[1].decode(errors="replace").strip() if line else ""
