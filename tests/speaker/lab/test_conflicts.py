# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strangers that use an announced address, played by a real kernel that has it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest
from lablib.announcer import announcing
from lablib.netns import CLIENT_ADDRESS, NODE_MAC, Lan, ip, sysctl
from lablib.wire import ARP as ARP_ONLY
from lablib.wire import Wire
from scapy.layers.inet6 import ICMPv6ND_NA
from scapy.layers.l2 import ARP, Ether

VIP = "192.168.2.128"
VIP_V6 = "fd00:2::128"
STRANGER_MAC = "02:00:00:00:00:66"


@pytest.fixture
def stranger(lan: Lan) -> Iterator[str]:
    """A third host on the LAN: the client's end becomes a bridge with the stranger as another port."""
    name = f"{lan.client}s"
    ip("netns", "add", name)
    try:
        ip("-n", lan.client, "link", "set", "eth0", "name", "port1")
        ip("-n", lan.client, "address", "flush", "dev", "port1")
        ip("-n", lan.client, "link", "add", "eth0", "type", "bridge", "forward_delay", "0")
        ip("link", "add", "eth0", "netns", name, "type", "veth", "peer", "name", "port2", "netns", lan.client)
        for port in ("port1", "port2"):
            ip("-n", lan.client, "link", "set", port, "master", "eth0", "up")
        ip("-n", lan.client, "address", "add", f"{CLIENT_ADDRESS}/24", "dev", "eth0")
        ip("-n", lan.client, "address", "add", "fd00:2::20/64", "dev", "eth0", "nodad")
        ip("-n", lan.client, "link", "set", "eth0", "up")
        sysctl(name, "net.ipv6.conf.eth0.accept_dad", 0)
        ip("-n", name, "link", "set", "eth0", "address", STRANGER_MAC, "up")
        time.sleep(0.5)
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def take(stranger: str, address: str) -> None:
    """The stranger's kernel gets the address; nothing is sent for that."""
    length = "64" if ":" in address else "24"
    ip("-n", stranger, "address", "add", f"{address}/{length}", "dev", "eth0", *(["nodad"] if length == "64" else []))


@pytest.mark.parametrize("vip", [VIP, VIP_V6])
def test_silent_stranger_is_noticed_within_a_second_of_answering_somebody(lan: Lan, stranger: str, vip: str) -> None:
    with announcing(lan.node, vip) as node:
        take(stranger, vip)
        lan.forget(vip)
        asked = time.monotonic()
        lan.ask(vip)
        seen = node.hear("report", 5)
        assert time.monotonic() - asked < 1.0
        assert seen == {"report": "ConflictSeen", "ip": vip, "mac": STRANGER_MAC, "interface": "eth0"}
        assert f'lantern_l2_conflicts_total{{ip="{vip}"}} 1.0' in node.metrics()
        lan.forget(vip)
        lan.ask(vip)
        assert node.hears("report", 1.5) is None, "it is told of once"


def test_announcing_stranger_is_noticed_at_once_and_defended_against_once_in_ten_seconds(
    lan: Lan, stranger: str
) -> None:
    with announcing(lan.node, VIP) as node, Wire(stranger, ARP_ONLY) as ears:
        ears.frames(5.2)
        for _ in range(3):
            frame = Ether(dst="ff:ff:ff:ff:ff:ff", src=STRANGER_MAC)
            ears.send(frame / ARP(op=1, hwsrc=STRANGER_MAC, psrc=VIP, pdst=VIP))
            ears.frames(0.2)
        assert node.hear("report", 0.5)["mac"] == STRANGER_MAC
        assert f'gratuitous_sent{{ip="{VIP}"}} 12.0' in node.metrics(), "five pairs of the burst and one of defence"


def test_other_speakers_of_the_cluster_are_no_strangers(lan: Lan, stranger: str) -> None:
    with announcing(lan.node, VIP, cluster_macs=[STRANGER_MAC]) as node:
        take(stranger, VIP)
        lan.forget(VIP)
        lan.ask(VIP)
        assert node.hears("report", 1.5) is None


@pytest.mark.parametrize("vip", [VIP, VIP_V6])
def test_fresh_address_that_a_stranger_has_is_not_announced_until_it_is_free(lan: Lan, stranger: str, vip: str) -> None:
    take(stranger, vip)
    with announcing(lan.node) as node, Wire(lan.client) as wire:
        node.apply(vip, fresh=True)
        assert node.hear("report", 1)["report"] == "FoundInUse"
        claims = [f for _, f in wire.frames(1.5) if f.src == NODE_MAC and _says(f, vip)]
        assert claims == [], "only probes are sent"
        assert "lantern_l2_in_use_elsewhere 1.0" in node.metrics()
        ip("-n", stranger, "address", "flush", "dev", "eth0", "to", vip)
        assert node.hear("report", 15)["report"] == "FoundFree"
        assert any(_says(frame, vip) for _, frame in wire.frames(1.5))


def test_forced_address_is_announced_whoever_has_it(lan: Lan, stranger: str) -> None:
    take(stranger, VIP)
    with announcing(lan.node) as node, Wire(lan.client) as wire:
        node.apply(VIP, fresh=True)
        node.hear("report", 1)
        node.apply(VIP, fresh=True, forced=True)
        assert any(_says(frame, VIP) for _, frame in wire.frames(0.5))


@pytest.mark.parametrize("vip", [VIP, VIP_V6])
def test_free_fresh_address_is_announced_after_half_a_second(lan: Lan, vip: str) -> None:
    with announcing(lan.node) as node, Wire(lan.client) as wire:
        node.apply(vip, fresh=True)
        at = [at for at, frame in wire.frames(2) if _says(frame, vip)]
    assert 0.3 < at[0] < 0.9


def test_address_taken_over_is_announced_at_once(lan: Lan) -> None:
    with announcing(lan.node) as node, Wire(lan.client) as wire:
        node.apply(VIP)
        assert wire.frames(1, lambda frame: _says(frame, VIP))[-1][0] < 0.2


@pytest.mark.parametrize("vip", [VIP, VIP_V6])
def test_who_answers_for_an_address_can_be_asked(lan: Lan, stranger: str, vip: str) -> None:
    """Before an address is taken over on suspicion, its owner is asked whether it still answers."""
    with announcing(lan.node, cluster_macs=[STRANGER_MAC]) as node:
        assert node.ask(vip) == []
        take(stranger, vip)
        assert node.ask(vip) == [STRANGER_MAC]


def test_another_announcer_answers_too(lan: Lan) -> None:
    with announcing(lan.node, VIP, VIP_V6), announcing(lan.client) as other:
        assert other.ask(VIP) == [NODE_MAC]
        assert other.ask(VIP_V6) == [NODE_MAC]


def _says(frame: Ether, address: str) -> bool:
    """Whether the frame claims to have the address (a probe does not)."""
    if ARP in frame:
        return bool(frame[ARP].psrc == address)
    return ICMPv6ND_NA in frame and frame[ICMPv6ND_NA].tgt == address
