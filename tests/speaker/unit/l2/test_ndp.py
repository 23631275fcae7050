# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The NDP codec against scapy, which is written by others."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address

import pytest
from lantern.l2 import ndp
from scapy.layers.inet6 import (
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptMTU,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import Ether
from scapy.packet import Packet

MAC = bytes.fromhex("020000000001")
ASKER = bytes.fromhex("020000000099")
VIP = IPv6Address("fd00:2::128").packed
CLIENT = IPv6Address("fd00:2::20").packed
GROUP = IPv6Address("ff02::1:ff00:128")
ETHER = Ether(dst="33:33:ff:00:01:28", src="02:00:00:00:00:99")
IP = IPv6(src="fd00:2::20", dst=str(GROUP), hlim=255)
NS = ICMPv6ND_NS(tgt="fd00:2::128")
OPTION = ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:00:99")
PROBE = IPv6(src="::", dst=str(GROUP), hlim=255)
NA = ICMPv6ND_NA(tgt="fd00:2::128", R=0, S=0, O=1)


def test_decode_reads_a_solicitation_that_scapy_wrote() -> None:
    assert ndp.decode(bytes(ETHER / IP / NS / OPTION)) == ndp.Solicitation(
        destination_mac=bytes.fromhex("3333ff000128"),
        source_mac=ASKER,
        source=CLIENT,
        destination=GROUP.packed,
        target=VIP,
        link_address=ASKER,
    )


def test_decode_reads_an_advertisement_that_scapy_wrote() -> None:
    frame = (
        ETHER / IPv6(src="fd00:2::128", dst="ff02::1", hlim=255) / NA / ICMPv6NDOptDstLLAddr(lladdr="02:00:00:00:00:99")
    )
    packet = ndp.decode(bytes(frame))
    assert isinstance(packet, ndp.Advertisement)
    assert (packet.target, packet.link_address, packet.override) == (VIP, ASKER, True)
    assert not packet.solicited and not packet.router


@pytest.mark.parametrize("tail", [NS, NS / ICMPv6NDOptMTU(), NS / ICMPv6NDOptMTU() / OPTION])
def test_options_are_optional_and_others_are_passed_over(tail: Packet) -> None:
    packet = ndp.decode(bytes(ETHER / IP / tail))
    assert packet is not None and packet.link_address == (ASKER if OPTION.__class__ in tail else None)


@pytest.mark.parametrize(
    "frame",
    [
        ETHER / IPv6(src="fd00:2::20", dst=str(GROUP), hlim=254) / NS,
        ETHER / IP / ICMPv6ND_NS(tgt="fd00:2::128", code=1),
        ETHER / IP / ICMPv6ND_NS(tgt="ff02::1"),
        ETHER / IP / ICMPv6ND_NS(tgt="fd00:2::128", cksum=1),
        ETHER / IP / NS / (b"\x01\x00" + bytes(6)),
        ETHER / IP / NS / b"\x01\x02",
        ETHER / PROBE / NS / OPTION,
        ETHER / IPv6(src="::", dst="ff02::1", hlim=255) / NS,
        ETHER / IPv6(src="fd00:2::128", dst="ff02::1", hlim=255) / ICMPv6ND_NA(tgt="fd00:2::128", S=1),
        ETHER / IPv6(src="fd00:2::20", dst=str(GROUP), hlim=255, plen=23) / NS,
        ETHER / IPv6(src="fd00:2::20", dst=str(GROUP), hlim=255, plen=32) / NS,
        ETHER / IPv6(src="fd00:2::20", dst=str(GROUP), hlim=255, nh=0) / bytes(40),
    ],
    ids=(
        "forwarded code multicast-target checksum empty-option short-option probe-with-option probe-elsewhere "
        "solicited-multicast too-short too-long extension-header"
    ).split(),
)
def test_what_a_node_has_to_discard_is_none(frame: Packet) -> None:
    """RFC 4861 sections 7.1.1 and 7.1.2."""
    assert ndp.decode(bytes(frame)) is None


def test_answer_is_for_the_asker_and_overrides() -> None:
    question = ndp.decode(bytes(ETHER / IP / NS / OPTION))
    assert isinstance(question, ndp.Solicitation)
    seen = Ether(ndp.answer(question, MAC))
    assert (seen.dst, seen.src) == ("02:00:00:00:00:99", "02:00:00:00:00:01")
    assert (seen[IPv6].src, seen[IPv6].dst, seen[IPv6].hlim) == ("fd00:2::128", "fd00:2::20", 255)
    assert (seen[ICMPv6ND_NA].R, seen[ICMPv6ND_NA].S, seen[ICMPv6ND_NA].O) == (0, 1, 1)
    assert (seen[ICMPv6ND_NA].tgt, seen[ICMPv6NDOptDstLLAddr].lladdr) == ("fd00:2::128", "02:00:00:00:00:01")
    assert ndp.decode(bytes(seen)) is not None, "its checksum is right"


def test_answer_without_an_option_goes_where_the_frame_came_from() -> None:
    question = ndp.decode(bytes(ETHER / IP / NS))
    assert isinstance(question, ndp.Solicitation)
    assert ndp.answer(question, MAC)[:6] == ASKER
    assert ndp.answer(replace(question, link_address=MAC), MAC)[:6] == MAC


def test_who_has_no_address_yet_is_answered_with_everybody() -> None:
    question = ndp.decode(bytes(ETHER / PROBE / NS))
    assert isinstance(question, ndp.Solicitation)
    seen = Ether(ndp.answer(question, MAC))
    assert (seen.dst, seen[IPv6].dst) == ("33:33:00:00:00:01", "ff02::1")
    assert (seen[ICMPv6ND_NA].S, seen[ICMPv6ND_NA].O) == (0, 1)


def test_unsolicited_tells_everybody() -> None:
    seen = Ether(ndp.unsolicited(VIP, MAC))
    assert (seen.dst, seen[IPv6].dst, seen[IPv6].src) == ("33:33:00:00:00:01", "ff02::1", "fd00:2::128")
    assert (seen[ICMPv6ND_NA].S, seen[ICMPv6ND_NA].O, seen[ICMPv6NDOptDstLLAddr].lladdr) == (0, 1, "02:00:00:00:00:01")


def test_probe_is_duplicate_address_detection() -> None:
    seen = Ether(ndp.probe(VIP, MAC))
    assert (seen.dst, seen[IPv6].src, seen[IPv6].dst) == ("33:33:ff:00:01:28", "::", str(GROUP))
    assert seen[ICMPv6ND_NS].tgt == "fd00:2::128" and ICMPv6NDOptSrcLLAddr not in seen
    assert isinstance(ndp.decode(bytes(seen)), ndp.Solicitation)
