# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The LANs: a bridge for each switch, one veth pair as each host's cable. Runs inside the world, through pyroute2.

A host's end is `eth0` in its own network namespace, the switch's end is called as the host. In a bad cable a relay
sits between that end and the switch:

    eth0 ~ HOST - HOST-box - HOST-near ~ relay ~ HOST-far - lan        (~ cable or process, - port of a bridge)
"""

from __future__ import annotations

from typing import Any, Literal

from pyroute2 import IPRoute, NetNS, netns

from .relay import tap_names
from .topology import Host, Topology

Cable = Literal["joined", "cut", "dead port"]
# Longer than the kernel's default: the relay is one of many processes and may be late for a moment.
TAP_QUEUE = 10_000
# linux/if_addr.h: duplicate address detection has not ended.
IFA_F_TENTATIVE = 0x40


def make_switches(topology: Topology) -> None:
    """The bridges the cables end in."""
    with IPRoute() as ip:
        _bridge(ip, "lan")
        if topology.second:
            _bridge(ip, "lan2")


def _bridge(ip: IPRoute, name: str) -> None:
    """A bridge that forwards at once: a home's switch does not run the spanning tree protocol."""
    ip.link("add", ifname=name, kind="bridge", br_stp_state=0, br_forward_delay=0, br_mcast_snooping=0)
    ip.link("set", index=_index(ip, name), state="up")


def connect(host: Host, cable: Cable, *, bad: bool) -> None:
    """A new network namespace for a host, wired to its switch in the given state; a `bad` cable has its relay."""
    netns.create(host.name)
    with IPRoute() as ip, NetNS(host.name) as inside:
        inside.link("set", index=_index(inside, "lo"), state="up")
        _plug(ip, inside, host, host.name, "eth0", host.mac)
        if host.second_mac:
            _plug(ip, inside, host, _second_port(host.name), "eth1", host.second_mac)
            _attach(ip, _second_port(host.name), "lan2")
    set_cable(host, cable, bad=bad)


def _plug(ip: IPRoute, inside: NetNS, host: Host, port: str, interface: str, mac: str) -> None:
    ip.link("add", ifname=port, kind="veth", peer={"ifname": interface, "net_ns_fd": host.name})
    # Left down until the host boots and takes it up, or the kernel would take addresses before the host's settings say
    # how.
    inside.link("set", index=_index(inside, interface), address=mac)


def _attach(ip: IPRoute, port: str, bridge: str) -> None:
    ip.link("set", index=_index(ip, port), master=_index(ip, bridge), state="up")


def _second_port(name: str) -> str:
    return f"{name}-2"


def disconnect(name: str) -> None:
    """Take a host off the network at once: its cables first, then all it had in its namespace."""
    with IPRoute() as ip:
        for port in (name, _second_port(name)):
            for index in ip.link_lookup(ifname=port):
                ip.link("del", index=index)
    if name in netns.listnetns():
        netns.remove(name)


def set_cable(host: Host, cable: Cable, *, bad: bool) -> None:
    """Plug or pull a host's cable.

    Pulling takes the switch's end down, and with it the carrier of both. A dead port keeps the carrier and forwards
    nothing. The switch's end of a `bad` cable is the relay's far side.
    """
    with IPRoute() as ip:
        ends = [host.name]
        if bad:
            _attach(ip, host.name, _box(host.name))
            ends.append(tap_names(host.name)[1])
        port = _index(ip, ends[-1])
        ip.link("set", index=port, master=0 if cable == "dead port" else _index(ip, host.switch))
        for end in ends:
            ip.link("set", index=_index(ip, end), state="down" if cable == "cut" else "up")


def relay_taps(name: str) -> int:
    """How many of its two TAPs a host's relay has open."""
    with IPRoute() as ip:
        return sum(bool(ip.link_lookup(ifname=tap)) for tap in tap_names(name))


def insert_box(name: str) -> None:
    """Make the bridge between a host's cable and its relay; the TAPs are there already."""
    near, far = tap_names(name)
    with IPRoute() as ip:
        _bridge(ip, _box(name))
        for tap in (near, far):
            ip.link("set", index=_index(ip, tap), txqlen=TAP_QUEUE, state="up")
        _attach(ip, near, _box(name))


def remove_box(name: str) -> None:
    """Remove what `insert_box` made; the TAPs go with their process."""
    with IPRoute() as ip:
        for index in ip.link_lookup(ifname=_box(name)):
            ip.link("del", index=index)


def _box(name: str) -> str:
    return f"{name}-box"


def addresses(name: str) -> list[str]:
    """The global IPv4 and IPv6 addresses on a host's `eth0` that may be used, with prefix lengths.

    Empty for a host that is just losing its power.
    """
    try:
        # No flags: pyroute2 would make a namespace that is not there.
        with NetNS(name, flags=0) as inside:
            rows = inside.get_addr(index=_index(inside, "eth0"))
    except (LookupError, OSError):
        return []
    usable = [row for row in rows if row["scope"] == 0 and not row.get_attr("IFA_FLAGS", 0) & IFA_F_TENTATIVE]
    return [f"{row.get_attr('IFA_ADDRESS')}/{row['prefixlen']}" for row in usable]


def _index(ip: Any, name: str) -> int:
    found = ip.link_lookup(ifname=name)
    if not found:
        raise LookupError(f"no interface {name}")
    return int(found[0])
