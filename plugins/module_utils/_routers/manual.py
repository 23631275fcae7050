# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do on a router that only has a web page, with the user's own numbers. PRIVATE, pure."""

from __future__ import annotations

from typing import Sequence

from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange, Problem, parse_range
from ansible_collections.homelab.lantern.plugins.module_utils._routers.contract import ipv4, largest, remaining


def _range(text: str) -> AddressRange:
    found = parse_range(text)
    if isinstance(found, Problem):
        raise ValueError(found.message)
    return found


def steps(pools: Sequence[str], lan: str, router: str = "") -> list[str]:
    """The steps in order, one text each. `pools` and `lan` are ranges or CIDRs; `router`: its address, "" if not known.

    Raises ValueError for texts that are no ranges.
    """
    network, *parsed = [_range(text) for text in (lan, *pools)]
    reserved = [item for item in parsed if item.version == 4]
    usable = AddressRange(4, network.first + 1, network.last - 1)
    own = ipv4(router)
    taken = reserved + ([AddressRange(4, int(own), int(own))] if own is not None else [])
    parts = remaining(usable, taken)
    best = largest(parts)
    listed = ", ".join(map(str, reserved))
    where = f"http://{router}" if router else "the address that is your hosts' default gateway"
    told = [
        f"Open the page of your router ({where}) and log in.",
        "Find the range of its DHCP server. It is called address range, IP pool or DHCP scope, below LAN, home network "
        "or DHCP.",
    ]
    if best is None:
        return [*told, f"Switch its DHCP server off: the pools ({listed}) take the whole LAN."]
    told.append(
        f"It must hand out none of {listed}. If its range reaches in there, set start {best.first_address} and end "
        f"{best.last_address}, or any other range inside these."
    )
    others = [part for part in parts if part != best and part.size > 1]
    if others:
        told.append(f"If it can have several ranges, these are free as well: {', '.join(map(str, others))}.")
    return [
        *told,
        f"Look at its list of fixed addresses (static leases, address reservation): none may be in {listed}. Give such "
        "hosts another address.",
        "Save, and restart the router if it asks for that. Hosts that have such an address now keep it until their "
        "lease ends: switch them off and on.",
    ]
