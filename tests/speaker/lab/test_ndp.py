# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Neighbour discovery on a real cable: the Linux kernel of a LAN host solicits, Lantern advertises."""

from __future__ import annotations

import subprocess
import time
from ipaddress import IPv6Address

import pytest
from lablib.announcer import announcing
from lablib.netns import NODE_MAC, Lan, ip, sysctl
from lablib.process import eventually
from lablib.wire import Wire
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import Ether

VIP = "fd00:2::128"
GROUP = "ff02::1:ff00:128"


def groups(namespace: str, interface: str = "eth0") -> list[str]:
    """The multicast groups of an interface."""
    return ip("-6", "-n", namespace, "maddress", "show", "dev", interface).split()


def test_kernel_of_a_lan_host_gets_the_node_s_mac(lan: Lan) -> None:
    with announcing(lan.node, VIP):
        lan.forget(VIP)
        lan.ask(VIP)
        assert eventually(lambda: lan.neighbour(VIP), 2, "a neighbour entry") == NODE_MAC


def test_ndisc6_gets_the_node_s_mac(lan: Lan) -> None:
    with announcing(lan.node, VIP):
        command = ["ip", "netns", "exec", lan.client, "ndisc6", "-1", VIP, "eth0"]
        # It fails at once as long as the client's own address is tentative.
        eventually(
            lambda: NODE_MAC in subprocess.run(command, capture_output=True, text=True).stdout.lower(), 8, "an answer"
        )


def test_a_host_that_takes_the_address_learns_that_it_is_taken(lan: Lan) -> None:
    """The solicitation of duplicate address detection comes from ::, without a link-layer address."""
    sysctl(lan.client, "net.ipv6.conf.eth0.accept_dad", 1)
    with announcing(lan.node, VIP):
        ip("-n", lan.client, "address", "add", f"{VIP}/64", "dev", "eth0")
        show = ("-n", lan.client, "address", "show", "dev", "eth0", "to", VIP)
        assert eventually(lambda: "dadfailed" in ip(*show), 5, "the kernel gives the address up")


def test_solicitation_without_link_layer_address_is_answered_where_it_came_from(lan: Lan) -> None:
    with announcing(lan.node, VIP), Wire(lan.client) as wire:
        question = IPv6(src="fd00:2::99", dst=VIP, hlim=255) / ICMPv6ND_NS(tgt=VIP)
        wire.send(Ether(src="02:00:00:00:00:99", dst=NODE_MAC) / question)
        seen = wire.frames(2, lambda frame: ICMPv6ND_NA in frame and frame[ICMPv6ND_NA].S == 1)[-1][1]
    assert (seen.dst, seen.src) == ("02:00:00:00:00:99", NODE_MAC)
    assert (seen[IPv6].src, seen[IPv6].dst, seen[IPv6].hlim) == (VIP, "fd00:2::99", 255)
    assert (seen[ICMPv6ND_NA].R, seen[ICMPv6ND_NA].O, seen[ICMPv6ND_NA].tgt) == (0, 1, VIP)
    assert seen[ICMPv6NDOptDstLLAddr].lladdr == NODE_MAC


def test_node_is_a_member_of_the_address_s_group_while_it_announces(lan: Lan) -> None:
    with announcing(lan.node, VIP, "fd00:3::128") as node:
        assert GROUP in groups(lan.node)
        node.apply(VIP)
        assert GROUP in groups(lan.node), "another address shares the group"
        node.apply()
        assert GROUP not in groups(lan.node)
        node.apply(VIP)
    eventually(lambda: GROUP not in groups(lan.node), 2, "a process that is gone has left")


def test_thousand_groups_take_more_than_one_socket(lan: Lan) -> None:
    vips = [f"fd00:2::{number:x}:{number:x}" for number in range(1, 1001)]
    with announcing(lan.node, *vips):
        assert sum(word.startswith("ff02::1:ff") for word in groups(lan.node)) >= 1000


def test_switches_are_told_of_the_group(lan: Lan) -> None:
    """A report of multicast listener discovery, version 2 (RFC 3810): type 143."""
    with Wire(lan.client) as wire, announcing(lan.node, VIP):
        heard = [bytes(frame) for _, frame in wire.frames(2)]
    assert any(IPv6Address(GROUP).packed in frame and frame[62:63] == b"\x8f" for frame in heard)


def test_unsolicited_advertisements_in_the_documented_schedule(lan: Lan) -> None:
    with Wire(lan.client) as wire, announcing(lan.node, VIP):
        found = [(at, f) for at, f in wire.frames(6.5) if ICMPv6ND_NA in f and f[ICMPv6ND_NA].tgt == VIP]
    for _, frame in found:
        assert (frame.dst, frame[IPv6].dst, frame[IPv6].src) == ("33:33:00:00:00:01", "ff02::1", VIP)
        assert (frame[ICMPv6ND_NA].S, frame[ICMPv6ND_NA].O) == (0, 1)
    assert [at - found[0][0] for at, _ in found] == pytest.approx([0, 1.1, 2.2, 3.3, 4.4], abs=0.15)


def test_unsolicited_advertisement_moves_a_stale_entry(lan: Lan) -> None:
    ip("-n", lan.client, "neighbour", "replace", VIP, "lladdr", "02:00:00:00:00:99", "dev", "eth0", "nud", "stale")
    with announcing(lan.node, VIP):
        eventually(lambda: lan.neighbour(VIP) == NODE_MAC, 3, "the entry moves")


def test_interface_that_gets_ipv6_later_joins_and_answers(lan: Lan) -> None:
    sysctl(lan.node, "net.ipv6.conf.eth0.disable_ipv6", 1)
    with announcing(lan.node, VIP):
        sysctl(lan.node, "net.ipv6.conf.eth0.disable_ipv6", 0)
        eventually(lambda: GROUP in groups(lan.node), 3, "the group is joined")
        lan.forget(VIP)
        lan.ask(VIP)
        assert eventually(lambda: lan.neighbour(VIP), 3, "a neighbour entry") == NODE_MAC


def test_foreign_solicitations_never_reach_the_process(lan: Lan) -> None:
    with announcing(lan.node, VIP) as node, Wire(lan.client) as wire:
        option = ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:00:99")
        for target in ("fd00:2::11", "fd00:2::77"):
            question = IPv6(src="fd00:2::99", dst=target, hlim=255) / ICMPv6ND_NS(tgt=target) / option
            wire.send(Ether(src="02:00:00:00:00:99", dst=NODE_MAC) / question)
        time.sleep(0.3)
        dropped = [line for line in node.metrics().splitlines() if 'dropped_total{protocol="ndp"' in line]
    assert dropped and all(line.endswith(" 0.0") for line in dropped)
