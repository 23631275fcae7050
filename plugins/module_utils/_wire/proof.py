# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict about pools from what was heard on the wire, for people and programs. PRIVATE to homelab.lantern, pure.

Failed: a server offers an address of the pools, or a device that is no node has one. Unknown: nothing was shown, as no
server answers, or one does not offer what it is asked for. Proven: each server offers what it is asked for, but no
address of the pools. Many homes have no DHCPv6 server: there silence is a proof unless a router sends hosts to one.
"""

from __future__ import annotations

import typing as t
from ipaddress import ip_network

from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange

from .reservation import FAILED, PROVEN, UNKNOWN, Judgement, worst
from .solicit import Router

COLUMNS = ("what", "address", "result", "what was seen")

NO_SERVER = (
    "No DHCP server answered, so nothing is known about what it hands out. Is this host in the LAN of the pools, and "
    "is the DHCP server on? In a LAN without DHCP set reserve_proof: warn."
)

SENTENCES = ("problems", "warnings_found")
LISTS = (*SENTENCES, "servers", "routers", "strangers", "asked", "table")
"""What there is of each LAN, in the result over all of them one behind the other."""

MANY_BITS = 48
"""With so many addresses of a /64 in a pool, one that a host chooses by chance (SLAAC) is no longer never among them:
for a hundred addresses once in 650."""


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


class Heard(t.NamedTuple):
    """What the servers of one protocol, DHCP or DHCPv6, showed.

    `foreign`: those that do not belong here. `silence`: verdict and whole sentences for the case that none answered.
    `remedy`: what to do about one that offers the pools.
    """

    protocol: str
    judgements: t.Sequence[Judgement]
    foreign: t.Sequence[Judgement]
    silence: tuple[str, str]
    remedy: str
    routers: t.Sequence[Router] = ()

    @property
    def verdict(self) -> str:
        return worst(item.verdict for item in self.judgements) if self.judgements else self.silence[0]


def by_dhcp(judgements: t.Sequence[Judgement], expected: t.Sequence[str]) -> Heard:
    """`expected`: addresses of the DHCP servers that belong here, [] when not known."""
    known = any(":" not in address for address in expected)
    return Heard(
        "DHCP",
        judgements,
        [item for item in judgements if known and item.server not in expected],
        (UNKNOWN, NO_SERVER),
        "Take the pools out of its range: stage reserve does so for the routers it knows (lantern_router.type); for "
        "others type manual shows the steps.",
    )


def by_dhcpv6(
    judgements: t.Sequence[Judgement],
    expected: t.Sequence[str],
    expected_macs: t.Collection[str],
    routers: t.Sequence[Router],
) -> Heard:
    """`expected_macs`: the MACs of the DHCP servers that belong here, as the same host also serves IPv6."""
    # Servers answer from link-local addresses, so a router's other ones do not tell which is the router.
    known = bool(expected_macs) or any(address.lower().startswith("fe80:") for address in expected)
    return Heard(
        "DHCPv6",
        judgements,
        [item for item in judgements if known and item.server not in expected and item.mac not in expected_macs],
        _silence6(routers),
        "Take the pools out of its range of IPv6 addresses by hand: stage reserve changes ranges of IPv4 only.",
        routers,
    )


def not_asked(interface: str) -> Heard:
    """For a host on which IPv6 is off."""
    why = (
        f"DHCPv6 servers cannot be asked: the interface {interface} has no link-local address, as IPv6 is off on this "
        "host. Switch it on, or put another host of the LAN before this one in inventory group probe."
    )
    return Heard("DHCPv6", (), (), (UNKNOWN, why), "")


def _silence6(routers: t.Sequence[Router]) -> tuple[str, str]:
    managed = [item for item in routers if item.managed]
    if managed:
        return UNKNOWN, (
            f"No DHCPv6 server answered, although {_named(managed)} tells hosts to get addresses from one (flag M of "
            "router advertisements), so nothing is known about what it hands out. Is it on? Without one, switch the "
            "flag off."
        )
    if routers:
        return PROVEN, (
            f"None answers, and {_named(routers)} sends nobody to one (flag M of router advertisements is off): hosts "
            "choose their addresses themselves."
        )
    return PROVEN, "None answers, and no router advertises itself by IPv6: nobody hands out addresses."


def _named(routers: t.Sequence[Router]) -> str:
    return "the router " + ", ".join(f"{item.address} ({item.mac})" for item in routers)


def crowded(pools: t.Sequence[AddressRange], routers: t.Sequence[Router]) -> list[str]:
    """Warnings about pools that hold so much of a prefix that addresses chosen by chance may lie in them."""
    found = []
    for prefix in dict.fromkeys(prefix for router in routers for prefix in router.prefixes):
        network = ip_network(prefix, strict=False)
        first, last = int(network.network_address), int(network.broadcast_address)
        for pool in pools:
            if min(pool.last, last) - max(pool.first, first) + 1 >= 1 << MANY_BITS:
                found.append(
                    f"The pool {pool} holds so much of {prefix}, out of which hosts choose addresses themselves "
                    "(SLAAC), that such an address may lie in it. Make the pool smaller, such as a /112."
                )
    return found


def report(
    heard: t.Sequence[Heard],
    devices: t.Sequence[Device],
    vendors: t.Mapping[str, str],
    warnings: t.Sequence[str] = (),
) -> dict[str, t.Any]:
    """What the module returns. `vendors`: the makers of the servers by MAC. `warnings`: further ones."""
    strangers = [item for item in devices if not item.node]
    rows = [row for item in heard for row in _rows(item, vendors)]
    rows += [("device in the pools", item.address, FAILED, f"{item.told()} has this address.") for item in strangers]
    rows += [("Service", item.address, PROVEN, f"announced by {item.node}.") for item in devices if item.node]
    return {
        "verdict": worst([*(item.verdict for item in heard), *(FAILED for _stranger in strangers)]),
        "problems": _problems(heard, strangers),
        "warnings": [
            f"The {side.protocol} server {item.server} ({item.mac}{_in_brackets(vendors.get(item.mac, ''))}) also "
            "answers in this LAN, and is not the router. Switch it off if it is not meant to be there."
            for side in heard
            for item in side.foreign
        ]
        + list(warnings),
        "servers": [
            dict(item._asdict(), foreign=item in side.foreign, vendor=vendors.get(item.mac, ""))
            for side in heard
            for item in side.judgements
        ],
        "routers": [dict(item._asdict(), prefixes=list(item.prefixes)) for side in heard for item in side.routers],
        "strangers": [dict(item._asdict()) for item in strangers],
        "table": _table(rows),
    }


def summary(tries: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """What the module returns, over all LANs; `tries`: its results, each with its `item`, the LAN and who asked there.

    One without verdict could not ask there; an `item` has the keys `network` and `host`.
    """
    by_lan: dict[str, list[t.Mapping[str, t.Any]]] = {}
    for one in tries:
        by_lan.setdefault(str(one["item"]["network"]), []).append(one)
    found: dict[str, t.Any] = {"lans": []}
    found.update({key: [] for key in LISTS}, scanned=0, seconds=0.0)
    for network, here in by_lan.items():
        lan = f"LAN {network}" if len(by_lan) > 1 else ""
        asked = next((one for one in here if "verdict" in one), None)
        if asked is None:
            found["lans"].append({"network": network, "host": "", "verdict": UNKNOWN})
            found["problems"] += _not_asked(here, lan)
            continue
        found["lans"].append({"network": network, "host": asked["item"]["host"], "verdict": asked["verdict"]})
        for key in LISTS:
            found[key] += [_said(lan, text) for text in asked[key]] if key in SENTENCES else asked[key]
        found["scanned"] += asked["scanned"]
        found["seconds"] += asked["seconds"]
    return {"verdict": worst(lan["verdict"] for lan in found["lans"]), **found}


def _not_asked(here: t.Sequence[t.Mapping[str, t.Any]], lan: str) -> list[str]:
    """Why nobody could ask in a LAN, in the words of each host that was to."""
    hosts = [f"from {one['item']['host']}" if len(here) > 1 else "" for one in here]
    return [_said(", ".join(filter(None, (lan, host))), str(one.get("msg", ""))) for host, one in zip(hosts, here)]


def _said(where: str, text: str) -> str:
    return f"{where}: {text}" if where else text


def _rows(heard: Heard, vendors: t.Mapping[str, str]) -> list[tuple[str, str, str, str]]:
    if not heard.judgements:
        return [(f"{heard.protocol} server", "", *heard.silence)]
    return [
        (
            f"{'foreign ' if item in heard.foreign else ''}{heard.protocol} server",
            item.server,
            item.verdict,
            f"{item.text} MAC {item.mac}{_in_brackets(vendors.get(item.mac, ''))}"
            + (f", DUID {item.duid}" if item.duid else "")
            + (f", by the relay {item.relay}" if item.relay not in ("", "0.0.0.0") else ""),
        )
        for item in heard.judgements
    ]


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""


def _problems(heard: t.Sequence[Heard], strangers: t.Sequence[Device]) -> list[str]:
    """Why it is not proven, one sentence or two each, with what to do."""
    silent = [side.silence[1] for side in heard if not side.judgements and side.verdict != PROVEN]
    failed, unknown = [], []
    for side in heard:
        for item in side.judgements:
            named = f"The {side.protocol} server {item.server}"
            if item.verdict == FAILED:
                whose = f" ({item.mac}, DUID {item.duid})" if item.duid else ""
                failed.append(f"{named}{whose} {item.text} {side.remedy}")
            elif item.verdict == UNKNOWN:
                unknown.append(f"{named} {item.text} Check its range yourself, then set reserve_proof: warn.")
    return [
        *silent,
        *failed,
        *unknown,
        *(
            f"{item.address} lies in the pools, but {item.told()} has it. Give that device another address, or move "
            "the pool."
            for item in strangers
        ),
    ]


def _table(rows: t.Sequence[tuple[str, str, str, str]]) -> list[str]:
    lines = [COLUMNS, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS) - 1)]
    return ["  ".join([*(cell.ljust(width) for cell, width in zip(line, widths)), line[-1]]).rstrip() for line in lines]
