# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which frames get an answer."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from lantern.l2 import arp
from lantern.l2.responder import Dropped, DropReason, Interface, Reply, Responder

ETH0 = Interface("eth0", bytes.fromhex("020000000001"))
ETH1 = Interface("eth1", bytes.fromhex("020000000002"))
ASKER = bytes.fromhex("020000000099")
VIP = IPv4Address("192.168.2.128")
QUESTION = arp.ArpFrame(
    destination=arp.BROADCAST,
    source=ASKER,
    operation=arp.REQUEST,
    sender_mac=ASKER,
    sender_ip=IPv4Address("192.168.2.20").packed,
    target_mac=bytes(6),
    target_ip=VIP.packed,
)


def responder(interfaces: frozenset[str] | None = None) -> Responder:
    made = Responder()
    made.claim({VIP: interfaces})
    return made


def test_request_for_a_claimed_address_is_answered_with_the_interface_s_mac() -> None:
    answer = responder().handle(arp.encode(QUESTION), ETH1)
    assert answer == Reply(arp.reply(QUESTION, ETH1.mac), VIP)


@pytest.mark.parametrize(
    "question",
    [replace(QUESTION, destination=ETH0.mac), replace(QUESTION, sender_ip=bytes(4))],
    ids=["unicast", "probe"],
)
def test_unicast_requests_and_address_probes_are_answered(question: arp.ArpFrame) -> None:
    assert isinstance(responder().handle(arp.encode(question), ETH0), Reply)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", DropReason.MALFORMED),
        (arp.encode(replace(QUESTION, operation=arp.REPLY)), DropReason.NOT_A_REQUEST),
        (arp.encode(replace(QUESTION, destination=ETH1.mac)), DropReason.NOT_FOR_US),
        (arp.encode(replace(QUESTION, target_ip=bytes([192, 168, 2, 129]))), DropReason.NOT_ANNOUNCED),
    ],
)
def test_everything_else_is_dropped_with_a_reason(frame: bytes, reason: DropReason) -> None:
    assert responder().handle(frame, ETH0) == Dropped(reason)


def test_claim_is_limited_to_its_interfaces() -> None:
    limited = responder(frozenset({"eth1"}))
    assert limited.handle(arp.encode(QUESTION), ETH0) == Dropped(DropReason.OTHER_INTERFACE)
    assert isinstance(limited.handle(arp.encode(QUESTION), ETH1), Reply)


def test_claims_are_replaced_as_a_whole() -> None:
    made = responder()
    made.claim({})
    assert made.handle(arp.encode(QUESTION), ETH0) == Dropped(DropReason.NOT_ANNOUNCED)
