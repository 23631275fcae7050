# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets overheard while a connection is tried, built by scapy."""

from __future__ import annotations

import pytest

pytest.importorskip("scapy")

from ansible_collections.homelab.lantern.plugins.module_utils._wire import listening
from ansible_collections.homelab.lantern.plugins.module_utils._wire.facts import Refusal, Reply
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6

VIP, HOST = "192.168.2.130", "192.168.2.50"


def test_the_reply_is_a_segment_from_address_and_port():
    packet = bytes(IP(src=VIP, dst=HOST, ttl=63) / TCP(sport=80, dport=40000, flags="SA"))
    assert listening.reply(packet, "mac:2", VIP, 80) == Reply("mac:2", 63)
    assert listening.reply(packet, "mac:2", VIP, 443) is None
    assert listening.reply(packet, "mac:2", "192.168.2.131", 80) is None
    six = bytes(IPv6(src="fd00::130", dst="fd00::50", hlim=62) / TCP(sport=80, dport=40000))
    assert listening.reply(six, "mac:2", "fd00::130", 80) == Reply("mac:2", 62)


@pytest.mark.parametrize(
    ("kind", "code", "told"),
    [(3, 0, "net"), (3, 1, "host"), (3, 3, "port"), (3, 10, "prohibited"), (3, 13, "prohibited"), (11, 0, "expired")],
)
def test_icmp_errors(kind, code, told):
    inner = IP(src=HOST, dst=VIP) / TCP(sport=40000, dport=80)
    packet = bytes(IP(src="192.168.2.12", dst=HOST) / ICMP(type=kind, code=code) / inner)
    assert listening.refusal(packet, VIP) == Refusal("192.168.2.12", told)
    assert listening.refusal(packet, "192.168.2.131") is None


def test_icmp6_errors():
    inner = IPv6(src="fd00::50", dst="fd00::130") / TCP(sport=40000, dport=80)
    packet = bytes(IPv6(src="fd00::12", dst="fd00::50") / ICMPv6DestUnreach(code=1) / inner)
    assert listening.refusal(packet, "fd00::130") == Refusal("fd00::12", "prohibited")


def test_other_packets_and_fragments_of_packets_are_passed_over():
    ping = bytes(IP(src=VIP, dst=HOST) / ICMP(type=0) / (b"x" * 40))
    assert listening.refusal(ping, VIP) is None
    inner = IP(src=HOST, dst=VIP) / TCP(sport=40000, dport=80)
    whole = bytes(IP(src="192.168.2.12", dst=HOST) / ICMP(type=3, code=1) / inner)
    for length in range(len(whole)):
        listening.refusal(whole[:length], VIP)
        listening.reply(whole[:length], "mac", VIP, 80)
    assert listening.reply(b"", "mac", VIP, 80) is None


def test_without_the_right_to_listen_nothing_is_heard(monkeypatch):
    def refuse(*_arguments):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(listening.socket, "socket", refuse)
    with listening.Listener("eth0") as listener:
        assert listener.heard(VIP, 80) == (None, None)
