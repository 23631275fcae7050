# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ARP codec against scapy, which is written by others."""

from __future__ import annotations

from typing import Any

import pytest
from lantern.l2 import arp
from scapy.layers.l2 import ARP, Ether

MAC = bytes.fromhex("020000000001")
ASKER = bytes.fromhex("020000000099")
VIP = bytes([192, 168, 2, 128])


def request(**more: object) -> bytes:
    fields: dict[str, Any] = {
        "op": 1,
        "hwsrc": "02:00:00:00:00:99",
        "psrc": "192.168.2.20",
        "pdst": "192.168.2.128",
        **more,
    }
    return bytes(Ether(dst="ff:ff:ff:ff:ff:ff", src="02:00:00:00:00:99") / ARP(**fields))


def test_decode_reads_what_scapy_wrote() -> None:
    packet = arp.decode(request())
    assert packet is not None
    assert (packet.destination, packet.source, packet.operation) == (arp.BROADCAST, ASKER, arp.REQUEST)
    assert (packet.sender_ip, packet.target_ip) == (bytes([192, 168, 2, 20]), VIP)


def test_padding_behind_the_packet_is_ignored() -> None:
    assert arp.decode(request() + bytes(18)) == arp.decode(request())


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        request()[:41],
        request(hwtype=6),
        request(ptype=0x86DD),
        request(hwlen=8),
        request(plen=16),
        b"\xff" * 12 + b"\x08\x00" + bytes(40),
    ],
)
def test_what_is_not_arp_for_ipv4_over_ethernet_is_none(frame: bytes) -> None:
    assert arp.decode(frame) is None


def test_reply_is_unicast_to_the_asker() -> None:
    packet = arp.decode(request())
    assert packet is not None
    seen = Ether(arp.reply(packet, MAC))
    assert (seen.dst, seen.src) == ("02:00:00:00:00:99", "02:00:00:00:00:01")
    assert (seen[ARP].op, seen[ARP].hwsrc, seen[ARP].psrc) == (2, "02:00:00:00:00:01", "192.168.2.128")
    assert (seen[ARP].hwdst, seen[ARP].pdst) == ("02:00:00:00:00:99", "192.168.2.20")


def test_gratuitous_is_a_request_and_a_reply_to_everybody() -> None:
    frames = [Ether(frame) for frame in arp.gratuitous(VIP, MAC)]
    assert [frame[ARP].op for frame in frames] == [1, 2]
    for frame in frames:
        assert frame.dst == frame[ARP].hwdst == "ff:ff:ff:ff:ff:ff"
        assert frame[ARP].psrc == frame[ARP].pdst == "192.168.2.128"
        assert frame.src == frame[ARP].hwsrc == "02:00:00:00:00:01"


def test_probe_asks_without_claiming() -> None:
    seen = Ether(arp.probe(VIP, MAC))
    assert (seen.dst, seen.src, seen[ARP].op) == ("ff:ff:ff:ff:ff:ff", "02:00:00:00:00:01", 1)
    assert (seen[ARP].psrc, seen[ARP].pdst, seen[ARP].hwdst) == ("0.0.0.0", "192.168.2.128", "00:00:00:00:00:00")
