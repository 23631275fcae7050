# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be reserved, from the options that the modules for routers have in common. PRIVATE, pure."""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange, Problem, parse_range
from ansible_collections.homelab.lantern.plugins.module_utils._routers.contract import HostName

# Documented by the fragments homelab.lantern.reservation and homelab.lantern.reservation.names.
OPTIONS: dict[str, Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "ranges": {"type": "list", "elements": "str", "default": []},
    "network": {"type": "str"},
    "active_leases": {"type": "str", "choices": ["refuse", "ignore"], "default": "refuse"},
}
NAMES: dict[str, Any] = {
    "names": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "addresses": {"type": "list", "elements": "str", "required": True},
        },
    }
}


class RequestError(ValueError):
    """Options that cannot be followed; the text names each with the remedy, one on a line."""


class Reserved(NamedTuple):
    """The IPv4 ranges to keep free, and the network that must keep an address to hand out."""

    ranges: list[AddressRange]
    lan: AddressRange | None


def host_names(names: Sequence[dict[str, Any]]) -> list[HostName]:
    """The option `names`, read."""
    return [HostName(item["name"], tuple(item["addresses"])) for item in names]


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
