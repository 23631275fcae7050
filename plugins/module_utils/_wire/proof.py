# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict about pools from what was heard on the wire, for people and programs. PRIVATE to homelab.lantern, pure.

Failed: a server offers an address of the pools, or a device that is no node has one. Unknown: nothing was shown, as no
server answers, or one does not offer what it is asked for. Proven: each server offers what it is asked for, but no
address of the pools.
"""

from __future__ import annotations

import typing as t

from .reservation import FAILED, PROVEN, UNKNOWN, Judgement, worst

COLUMNS = ("what", "address", "result", "what was seen")

NO_SERVER = (
    "No DHCP server answered, so nothing is known about what it hands out. Is this host in the LAN of the pools, and "
    "is the DHCP server on? In a LAN without DHCP set reserve_proof: warn."
)


class Device(t.NamedTuple):
    """Somebody who has an address of the pools; `node`: the node it is, "" for a stranger."""

    address: str
    mac: str
    node: str = ""
    vendor: str = ""
    name: str = ""

    def told(self) -> str:
        return f"{self.mac} ({', '.join(filter(None, (self.name, self.vendor))) or 'maker not known'})"


def node_of(mac: str, macs: t.Mapping[str, t.Sequence[str]]) -> str:
    """The node with this MAC, "" for none; `macs` by node."""
    return next((node for node, owned in macs.items() if mac.lower() in (item.lower() for item in owned)), "")


def report(
    judgements: t.Sequence[Judgement],
    devices: t.Sequence[Device],
    expected: t.Sequence[str],
    vendors: t.Mapping[str, str],
) -> dict[str, t.Any]:
    """What the module returns.

    `expected`: addresses of the DHCP servers that belong here, [] when not known. `vendors`: the makers of the servers
    by MAC.
    """
    strangers = [item for item in devices if not item.node]
    verdict = worst([*(item.verdict for item in judgements), *(FAILED for _stranger in strangers)])
    if verdict == PROVEN and not judgements:
        verdict = UNKNOWN
    foreign = [item for item in judgements if expected and item.server not in expected]
    rows = [
        (
            "foreign DHCP server" if item in foreign else "DHCP server",
            item.server,
            item.verdict,
            f"{item.text} MAC {item.mac}{_in_brackets(vendors.get(item.mac, ''))}"
            + (f", by the relay {item.relay}" if item.relay not in ("", "0.0.0.0") else ""),
        )
        for item in judgements
    ]
    rows += [("device in the pools", item.address, FAILED, f"{item.told()} has this address.") for item in strangers]
    rows += [("Service", item.address, PROVEN, f"announced by {item.node}.") for item in devices if item.node]
    if not judgements:
        rows.append(("DHCP server", "", UNKNOWN, NO_SERVER))
    return {
        "verdict": verdict,
        "problems": _problems(judgements, strangers),
        "warnings": [
            f"The DHCP server {item.server} ({item.mac}{_in_brackets(vendors.get(item.mac, ''))}) also answers in this "
            "LAN, and is not the router. Switch it off if it is not meant to be there."
            for item in foreign
        ],
        "servers": [
            dict(item._asdict(), foreign=item in foreign, vendor=vendors.get(item.mac, "")) for item in judgements
        ],
        "strangers": [dict(item._asdict()) for item in strangers],
        "table": _table(rows),
    }


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""


def _problems(judgements: t.Sequence[Judgement], strangers: t.Sequence[Device]) -> list[str]:
    """Why it is not proven, one sentence or two each, with what to do."""
    found = []
    for item in sorted(judgements, key=lambda judgement: judgement.verdict != FAILED):
        if item.verdict == FAILED:
            found.append(
                f"The DHCP server {item.server} {item.text} Take the pools out of its range: stage reserve does so for "
                "the routers it knows (lantern_router.type); for others type manual shows the steps."
            )
        elif item.verdict == UNKNOWN:
            found.append(
                f"The DHCP server {item.server} {item.text} Check its range yourself, then set reserve_proof: warn."
            )
    found += [
        f"{item.address} lies in the pools, but {item.told()} has it. Give that device another address, or move the "
        "pool."
        for item in strangers
    ]
    return found if judgements else [NO_SERVER, *found]


def _table(rows: t.Sequence[tuple[str, str, str, str]]) -> list[str]:
    lines = [COLUMNS, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS) - 1)]
    return ["  ".join([*(cell.ljust(width) for cell, width in zip(line, widths)), line[-1]]).rstrip() for line in lines]
