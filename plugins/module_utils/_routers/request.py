# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be reserved, from the options that the modules for routers have in common. PRIVATE, pure."""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange, Problem, parse_range


class RequestError(ValueError):
    """Options that cannot be followed; the text names each with the remedy, one on a line."""


class Reserved(NamedTuple):
    """The IPv4 ranges to keep free, and the network that must keep an address to hand out."""

    ranges: list[AddressRange]
    lan: AddressRange | None


def reserved(ranges: Sequence[str], network: Any, present: bool) -> Reserved:
    """The options `ranges` and `network`, read. Raises RequestError with all that is wrong."""
    parsed = [parse_range(text, "ranges") for text in ranges]
    lan = parse_range(network, "network") if network else None
    wrong = [item.message for item in [*parsed, lan] if isinstance(item, Problem)]
    if present and not parsed:
        wrong.append("ranges is empty. Name the addresses to reserve, or use state: absent to give all back.")
    if wrong:
        raise RequestError("\n".join(wrong))
    kept = [item for item in parsed if isinstance(item, AddressRange) and item.version == 4]
    return Reserved(kept, lan if isinstance(lan, AddressRange) else None)
