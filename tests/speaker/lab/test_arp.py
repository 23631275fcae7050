# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ARP on a real cable: the Linux kernel of a LAN host asks, Lantern answers."""

from __future__ import annotations

import subprocess
import time

import pytest
from lablib.announcer import Announcer, announcing
from lablib.netns import CLIENT_ADDRESS, NODE_MAC, Lan, ip
from lablib.process import eventually
from lablib.wire import ARP as ARP_ONLY
from lablib.wire import Wire
from scapy.layers.l2 import ARP, Ether

VIP = "192.168.2.128"


def test_kernel_of_a_lan_host_gets_the_node_s_mac(lan: Lan) -> None:
    with announcing(lan.node, VIP):
        lan.forget(VIP)
        lan.ask(VIP)
        assert eventually(lambda: lan.neighbour(VIP), 2, "an ARP entry") == NODE_MAC


def test_arping_gets_one_answer_to_each_question(lan: Lan) -> None:
    with announcing(lan.node, VIP):
        command = ["ip", "netns", "exec", lan.client, "arping", "-I", "eth0", "-c", "3", "-w", "5", VIP]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Received 3 response(s)" in said
    assert said.upper().count(NODE_MAC.upper()) == 3


def test_duplicate_address_detection_by_arping_finds_the_address_taken(lan: Lan) -> None:
    with announcing(lan.node, VIP):
        command = ["ip", "netns", "exec", lan.client, "arping", "-D", "-I", "eth0", "-c", "1", "-w", "2", VIP]
        assert subprocess.run(command, capture_output=True).returncode == 1


def test_nobody_answers_for_other_addresses_or_after_withdrawal(lan: Lan) -> None:
    with announcing(lan.node, VIP) as node, Wire(lan.client, ARP_ONLY) as ears:
        lan.ask("192.168.2.129")
        node.apply()
        ears.frames(0.2)
        lan.forget(VIP)
        lan.ask(VIP)
        assert [frame for _, frame in ears.frames(1.0) if frame[ARP].op == 2] == []
        assert lan.neighbour("192.168.2.129") is None and lan.neighbour(VIP) is None


def test_claim_of_another_interface_is_not_answered_here(lan: Lan) -> None:
    with announcing(lan.node) as node, Wire(lan.client, ARP_ONLY) as ears:
        node.claim({VIP: ["eth9"]})
        lan.ask(VIP)
        assert ears.frames(0.7) == []


def test_gratuitous_burst_is_five_pairs_1_1_seconds_apart(lan: Lan) -> None:
    with Wire(lan.client, ARP_ONLY) as ears, announcing(lan.node, VIP) as node:
        node.apply(VIP)
        heard = [(at, frame) for at, frame in ears.frames(6.5) if frame[ARP].psrc == VIP]
    assert [frame[ARP].op for _, frame in heard] == [1, 2] * 5
    for _, frame in heard:
        assert (frame.dst, frame.src) == ("ff:ff:ff:ff:ff:ff", NODE_MAC)
        assert frame[ARP].pdst == VIP and frame[ARP].hwsrc == NODE_MAC
    first = heard[0][0]
    offsets = [at - first for at, _ in heard[::2]]
    assert offsets == pytest.approx([0, 1.1, 2.2, 3.3, 4.4], abs=0.15)


def test_after_the_burst_it_is_announced_now_and_again(lan: Lan) -> None:
    with announcing(lan.node, VIP, options={"refresh_seconds": 1.0}), Wire(lan.client, ARP_ONLY) as ears:
        ears.frames(5.2)
        heard = [frame[ARP].op for _, frame in ears.frames(4.2) if frame[ARP].psrc == VIP]
    assert 3 <= len(heard) <= 5 and set(heard) == {1}


def test_gratuitous_frames_move_a_stale_entry(lan: Lan) -> None:
    ip("-n", lan.client, "neighbour", "replace", VIP, "lladdr", "02:00:00:00:00:99", "dev", "eth0", "nud", "stale")
    with announcing(lan.node, VIP):
        eventually(lambda: lan.neighbour(VIP) == NODE_MAC, 3, "the entry moves")


def test_cable_pulled_and_joined_again_announces_again_at_once(lan: Lan) -> None:
    # The node's own end of the cable stays up and can be listened to all the time.
    with announcing(lan.node, VIP), Wire(lan.node) as ears:
        ears.frames(5.5)
        ip("-n", lan.client, "link", "set", "eth0", "down")
        time.sleep(0.3)
        ears.frames(0.1)
        ip("-n", lan.client, "link", "set", "eth0", "up")
        assert ears.frames(1.5, lambda frame: ARP in frame and frame[ARP].psrc == VIP)[-1][1][ARP].psrc == VIP


def test_what_happened_is_counted(lan: Lan) -> None:
    with announcing(lan.node, VIP, "192.168.2.131") as node:
        lan.forget(VIP)
        lan.ask(VIP)
        eventually(lambda: lan.neighbour(VIP), 2, "an ARP entry")
        node.apply(VIP)
        lan.ask("192.168.2.131")
        time.sleep(0.2)
        text = node.metrics()
    assert f'metallb_layer2_requests_received{{ip="{VIP}"}} 1.0' in text
    assert f'metallb_layer2_responses_sent{{ip="{VIP}"}} 1.0' in text
    assert f'metallb_layer2_gratuitous_sent{{ip="{VIP}"}} 2.0' in text
    assert 'lantern_l2_dropped_total{protocol="arp",reason="notAnnounced"} 1.0' in text


def test_frames_that_do_not_concern_the_addresses_never_reach_the_process(lan: Lan) -> None:
    """The kernel's filter: what is foreign is not even counted as dropped."""
    with announcing(lan.node, VIP) as node, Wire(lan.client) as mouth:
        broadcast = Ether(dst="ff:ff:ff:ff:ff:ff")
        for operation in (3, 8):
            mouth.send(broadcast / ARP(op=operation, pdst=VIP, psrc=CLIENT_ADDRESS))
        mouth.send(broadcast / ARP(op=1, pdst="192.168.2.129", psrc=CLIENT_ADDRESS))
        mouth.send(Ether(dst="ff:ff:ff:ff:ff:ff", type=0x0800) / (b"x" * 60))
        # For another host's MAC address, as a promiscuous interface hears it.
        mouth.send(Ether(dst="02:00:00:00:00:77") / ARP(op=1, pdst=VIP, psrc=CLIENT_ADDRESS))
        time.sleep(0.3)
        dropped = [line for line in node.metrics().splitlines() if line.startswith("lantern_l2_dropped_total{")]
    assert dropped and all(line.endswith(" 0.0") for line in dropped)


def test_soon_only_the_owner_of_an_address_wakes_up_for_a_question(lan: Lan) -> None:
    """A second after the last change the filter knows each single address; one that is gained is heard at once."""
    mine = [f"192.168.2.{number}" for number in range(100, 200, 2)]
    broadcast = "ff:ff:ff:ff:ff:ff"

    def ask(wire: Wire, address: str) -> bool:
        wire.send(Ether(dst=broadcast) / ARP(op=1, pdst=address, psrc=CLIENT_ADDRESS))
        heard = wire.frames(0.3, lambda frame: frame.src == NODE_MAC and frame.dst != broadcast)
        return any(frame.src == NODE_MAC and frame.dst != broadcast for _, frame in heard)

    def strangers(node: Announcer) -> float:
        name = 'lantern_l2_dropped_total{protocol="arp",reason="notAnnounced"} '
        return next(float(line[len(name) :]) for line in node.metrics().splitlines() if line.startswith(name))

    with announcing(lan.node, *mine) as node, Wire(lan.client, ARP_ONLY) as wire:
        assert not ask(wire, "192.168.2.151")
        assert strangers(node) == 1
        time.sleep(1.5)
        assert not ask(wire, "192.168.2.151")
        assert strangers(node) == 1
        assert all(ask(wire, address) for address in mine[::7])
        node.apply(*mine, "192.168.2.151")
        assert ask(wire, "192.168.2.151")
        time.sleep(1.5)
        assert ask(wire, "192.168.2.151") and not ask(wire, "192.168.2.153")
        assert strangers(node) == 1
