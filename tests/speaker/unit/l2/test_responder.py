# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packets get an answer."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest
from lantern.l2 import arp, ndp
from lantern.l2.claims import Claim, Claims, Interface, Stage
from lantern.l2.responder import Dropped, DropReason, EchoResponder, Reply, answer_arp, answer_ndp
from lantern.l2.token_bucket import TokenBucket
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Ether

ETH0 = Interface("eth0", bytes.fromhex("020000000001"))
ETH1 = Interface("eth1", bytes.fromhex("020000000002"))
ASKER = bytes.fromhex("020000000099")
VIP = IPv4Address("192.168.2.128")
VIP_V6 = IPv6Address("fd00:2::128")
QUESTION = arp.ArpFrame(
    destination=arp.BROADCAST,
    source=ASKER,
    operation=arp.REQUEST,
    sender_mac=ASKER,
    sender_ip=IPv4Address("192.168.2.20").packed,
    target_mac=bytes(6),
    target_ip=VIP.packed,
)
SOLICITATION = ndp.Solicitation(
    destination_mac=bytes.fromhex("3333ff000128"),
    source_mac=ASKER,
    source=IPv6Address("fd00:2::20").packed,
    destination=IPv6Address("ff02::1:ff00:128").packed,
    target=VIP_V6.packed,
    link_address=ASKER,
)


def claims(interfaces: frozenset[str] | None = None, stage: Stage = Stage.ANNOUNCED) -> Claims:
    made = Claims()
    for address in (VIP, VIP_V6):
        made.add(Claim(address, interfaces, stage))
    return made


def test_request_for_a_claimed_address_is_answered_with_the_interface_s_mac() -> None:
    assert answer_arp(claims(), QUESTION, ETH1) == Reply(arp.reply(QUESTION, ETH1.mac), VIP)
    assert answer_ndp(claims(), SOLICITATION, ETH1) == Reply(ndp.answer(SOLICITATION, ETH1.mac), VIP_V6)


@pytest.mark.parametrize(
    "question",
    [QUESTION._replace(destination=ETH0.mac), QUESTION._replace(sender_ip=bytes(4))],
    ids=["unicast", "probe"],
)
def test_unicast_requests_and_address_probes_are_answered(question: arp.ArpFrame) -> None:
    assert isinstance(answer_arp(claims(), question, ETH0), Reply)


@pytest.mark.parametrize(
    "question",
    [replace(SOLICITATION, destination_mac=ETH0.mac), replace(SOLICITATION, source=bytes(16), link_address=None)],
    ids=["unicast", "probe"],
)
def test_unicast_and_probing_solicitations_are_answered(question: ndp.Solicitation) -> None:
    assert isinstance(answer_ndp(claims(), question, ETH0), Reply)


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (QUESTION._replace(operation=arp.REPLY), DropReason.NOT_A_REQUEST),
        (QUESTION._replace(sender_ip=VIP.packed), DropReason.NOT_A_REQUEST),
        (QUESTION._replace(destination=ETH1.mac), DropReason.NOT_FOR_US),
        (QUESTION._replace(target_ip=bytes([192, 168, 2, 129])), DropReason.NOT_ANNOUNCED),
    ],
)
def test_other_arp_is_dropped_with_a_reason(packet: arp.ArpFrame, reason: DropReason) -> None:
    assert answer_arp(claims(), packet, ETH0) == Dropped(reason)


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (replace(SOLICITATION, destination_mac=ETH1.mac), DropReason.NOT_FOR_US),
        (replace(SOLICITATION, target=bytes(16)), DropReason.NOT_ANNOUNCED),
    ],
)
def test_other_solicitations_are_dropped_with_a_reason(packet: ndp.Solicitation, reason: DropReason) -> None:
    assert answer_ndp(claims(), packet, ETH0) == Dropped(reason)


def test_claim_is_limited_to_its_interfaces() -> None:
    limited = claims(frozenset({"eth1"}))
    assert answer_arp(limited, QUESTION, ETH0) == Dropped(DropReason.OTHER_INTERFACE)
    assert isinstance(answer_arp(limited, QUESTION, ETH1), Reply)
    assert answer_ndp(claims(), SOLICITATION, replace(ETH0, ipv6=False)) == Dropped(DropReason.OTHER_INTERFACE)


@pytest.mark.parametrize("stage", [Stage.PROBING, Stage.IN_USE])
def test_address_that_is_not_announced_yet_is_not_answered_for(stage: Stage) -> None:
    assert answer_arp(claims(stage=stage), QUESTION, ETH0) == Dropped(DropReason.NOT_ANNOUNCED)


def ping(destination: str = "02:00:00:00:00:01", **fields: object) -> bytes:
    packet = IP(**{"src": "192.168.2.20", "dst": str(VIP), **fields})
    return bytes(Ether(dst=destination, src="02:00:00:00:00:99") / packet / ICMP(id=1, seq=2))


def test_ping_is_answered_up_to_the_limit() -> None:
    responder = EchoResponder(claims(), TokenBucket(rate=10, burst=2))
    answers = [responder.answer(ping(), ETH0, now=0.0) for _ in range(3)]
    assert [isinstance(answer, Reply) for answer in answers] == [True, True, False]
    assert answers[2] == Dropped(DropReason.RATE_LIMITED)
    assert responder.wait(now=0.0) == pytest.approx(0.1)
    assert isinstance(responder.answer(ping(), ETH0, now=0.1), Reply)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", DropReason.MALFORMED),
        (ping(destination="02:00:00:00:00:02"), DropReason.NOT_FOR_US),
        (ping(destination="ff:ff:ff:ff:ff:ff"), DropReason.NOT_FOR_US),
        (ping(dst="192.168.2.129"), DropReason.NOT_ANNOUNCED),
        (ping(flags="MF"), DropReason.FRAGMENT),
    ],
)
def test_other_pings_are_dropped_with_a_reason_and_cost_nothing_of_the_limit(frame: bytes, reason: DropReason) -> None:
    responder = EchoResponder(claims(), TokenBucket(rate=1, burst=1))
    assert responder.answer(frame, ETH0, now=0.0) == Dropped(reason)
    assert isinstance(responder.answer(ping(), ETH0, now=0.0), Reply)
