# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The LAN: one bridge as the switch, one veth pair as each host's cable. Runs inside the world, through pyroute2.

A host's end is `eth0` in its own network namespace, the switch's end is called as the host.
"""

from __future__ import annotations

from typing import Any, Literal

from pyroute2 import IPRoute, NetNS, netns

from .topology import Host

SWITCH = "lan"
Cable = Literal["joined", "cut", "dead port"]


def make_switch() -> None:
    """The bridge every cable ends in. It forwards at once: a home's switch does not run the spanning tree protocol."""
    with IPRoute() as ip:
        ip.link("add", ifname=SWITCH, kind="bridge", br_stp_state=0, br_forward_delay=0, br_mcast_snooping=0)
        ip.link("set", index=_index(ip, SWITCH), state="up")


def connect(host: Host, cable: Cable) -> None:
    """A new network namespace for a host, with `eth0` wired to the switch in the given state."""
    netns.create(host.name)
    with IPRoute() as ip, NetNS(host.name) as inside:
        ip.link("add", ifname=host.name, kind="veth", peer={"ifname": "eth0", "net_ns_fd": host.name})
        inside.link("set", index=_index(inside, "lo"), state="up")
        inside.link("set", index=_index(inside, "eth0"), address=host.mac, state="up")
    set_cable(host.name, cable)


def disconnect(name: str) -> None:
    """Take a host off the network at once: its cable first, then all it had in its namespace."""
    with IPRoute() as ip:
        for index in ip.link_lookup(ifname=name):
            ip.link("del", index=index)
    if name in netns.listnetns():
        netns.remove(name)


def set_cable(name: str, cable: Cable) -> None:
    """Plug or pull a host's cable.

    Pulling takes the switch's end down, and with it the carrier of both. A dead port keeps the carrier and forwards
    nothing.
    """
    with IPRoute() as ip:
        index = _index(ip, name)
        ip.link("set", index=index, master=0 if cable == "dead port" else _index(ip, SWITCH))
        ip.link("set", index=index, state="down" if cable == "cut" else "up")


def addresses(name: str) -> list[str]:
    """The global IPv4 and IPv6 addresses on a host's `eth0`, with prefix lengths."""
    with NetNS(name) as inside:
        rows = inside.get_addr(index=_index(inside, "eth0"))
        return [f"{row.get_attr('IFA_ADDRESS')}/{row['prefixlen']}" for row in rows if row["scope"] == 0]


def _index(ip: Any, name: str) -> int:
    found = ip.link_lookup(ifname=name)
    if not found:
        raise LookupError(f"no interface {name}")
    return int(found[0])
