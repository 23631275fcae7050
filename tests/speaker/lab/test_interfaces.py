# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces that come, go, change their names, and are made of others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from ipaddress import ip_address

import pytest
from lablib.announcer import Announcer, announcing
from lablib.netns import NODE_ADDRESS, NODE_ADDRESS_V6, NODE_MAC, Lan, inside, ip
from lablib.process import eventually
from lantern.adapters.rtnetlink import LinkEvents, is_local

VIP = "192.168.2.128"
VIP_V6 = "fd00:2::128"


def answered(lan: Lan, mac: str = NODE_MAC, *vips: str) -> None:
    """Fails unless the client's kernel finds the VIPs at a MAC address within some seconds."""
    for vip in vips or (VIP, VIP_V6):

        def found(vip: str = vip) -> bool:
            if lan.neighbour(vip) is None:
                lan.ask(vip)
            return lan.neighbour(vip) == mac

        lan.forget(vip)
        eventually(found, 6, f"{vip} at {mac}")


def uses(node: Announcer, *names: str) -> None:
    """Waits until the announcer uses exactly these interfaces."""
    eventually(lambda: node.hear("interfaces")["interfaces"] == list(names), 8, f"interfaces {names}")


def test_interface_that_is_renamed_goes_on(lan: Lan) -> None:
    with announcing(lan.node, VIP, VIP_V6) as node:
        ip("-n", lan.node, "link", "set", "eth0", "down")
        ip("-n", lan.node, "link", "set", "eth0", "name", "enp3s0")
        ip("-n", lan.node, "link", "set", "enp3s0", "up")
        uses(node, "enp3s0")
        answered(lan)


def test_interface_that_is_made_again_under_the_same_name_goes_on(lan: Lan) -> None:
    with announcing(lan.node, VIP, VIP_V6) as node:
        ip("-n", lan.node, "link", "delete", "eth0")
        uses(node)
        ip("link", "add", "eth0", "netns", lan.node, "type", "veth", "peer", "name", "eth0", "netns", lan.client)
        ip("-n", lan.node, "link", "set", "eth0", "address", NODE_MAC, "up")
        ip("-n", lan.client, "address", "add", "192.168.2.20/24", "dev", "eth0")
        ip("-n", lan.client, "address", "add", "fd00:2::20/64", "dev", "eth0", "nodad")
        ip("-n", lan.client, "link", "set", "eth0", "up")
        uses(node, "eth0")
        answered(lan)


def test_new_mac_address_is_announced_and_answered_with(lan: Lan) -> None:
    mac = "02:00:00:00:00:12"
    with announcing(lan.node, VIP, VIP_V6):
        answered(lan)
        ip("-n", lan.node, "link", "set", "eth0", "address", mac)
        # Nothing is asked: the burst tells.
        eventually(lambda: lan.neighbour(VIP) == mac and lan.neighbour(VIP_V6) == mac, 6, "the entries move")


def _bridge(lan: Lan) -> None:
    ip("-n", lan.node, "link", "add", "br0", "type", "bridge", "forward_delay", "0")
    ip("-n", lan.node, "link", "set", "eth0", "master", "br0")
    ip("-n", lan.node, "address", "flush", "dev", "eth0")
    ip("-n", lan.node, "link", "set", "br0", "address", NODE_MAC, "up")
    ip("-n", lan.node, "address", "add", f"{NODE_ADDRESS}/24", "dev", "br0")


def _macvlan(lan: Lan) -> None:
    ip("-n", lan.node, "link", "add", "lan0", "link", "eth0", "address", "02:00:00:00:00:13", "type", "macvlan")
    ip("-n", lan.node, "link", "set", "lan0", "up")


@pytest.mark.parametrize(("make", "name", "mac"), [(_bridge, "br0", NODE_MAC), (_macvlan, "lan0", "02:00:00:00:00:13")])
def test_interface_made_of_another(lan: Lan, make: Callable[[Lan], None], name: str, mac: str) -> None:
    make(lan)
    with announcing(lan.node) as node:
        node.claim({VIP: [name], VIP_V6: [name]})
        answered(lan, mac)


def test_port_of_a_bridge_is_not_announced_on(lan: Lan) -> None:
    with announcing(lan.node, VIP) as node:
        _bridge(lan)
        uses(node, "br0")
        answered(lan, NODE_MAC, VIP)


@pytest.mark.parametrize(("address", "bits"), [(NODE_ADDRESS, 24), (NODE_ADDRESS_V6, 64)])
def test_kernel_tells_at_once_that_the_node_has_lost_its_address(lan: Lan, address: str, bits: int) -> None:
    async def lose() -> tuple[bool, bool, float]:
        clock = asyncio.get_running_loop().time
        with closing(LinkEvents()) as events:
            before = is_local(ip_address(address))
            ip("-n", lan.node, "address", "delete", f"{address}/{bits}", "dev", "eth0")
            began = clock()
            await events.wait(5)
            return before, is_local(ip_address(address)), clock() - began

    before, after, seconds = inside(lan.node, lambda: asyncio.run(lose()))
    assert before and not after
    assert seconds < 1


def test_other_address_on_the_interface_changes_nothing(lan: Lan) -> None:
    with announcing(lan.node, VIP) as node:
        ip("-n", lan.node, "address", "flush", "dev", "eth0")
        uses(node, "eth0")
        answered(lan, NODE_MAC, VIP)
