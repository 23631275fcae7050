# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who made a network interface, by its MAC address and the table of the IEEE's assignments that netaddr brings."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

_LOCALLY_ADMINISTERED = 0x02


def describe(mac: bytes) -> str:
    """A few words about who is behind a MAC address of 6 bytes, empty when nothing is known.

    Reads a file of some megabytes; for rare events.
    """
    if mac[0] & _LOCALLY_ADMINISTERED:
        return "locally administered: a virtual machine, a container, or a phone's private address"
    # From lines such as "B827EB     (base 16)\t\tRaspberry Pi Foundation".
    prefix = mac[:3].hex().upper().encode()
    line = re.search(rb"^%s[ \t]+\(base 16\)[ \t]*(\S[^\r\n]*)" % prefix, _table(), re.MULTILINE)
    return line[1].decode(errors="replace").strip() if line else ""


def _table() -> bytes:
    """The package is not imported, as it would keep an index of the table in memory from then on."""
    package = find_spec("netaddr")
    if package is None or package.origin is None:
        return b""
    try:
        return (Path(package.origin).parent / "eui" / "oui.txt").read_bytes()
    except OSError:
        return b""  # a distribution may package netaddr without its tables
