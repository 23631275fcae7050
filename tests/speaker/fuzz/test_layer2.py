# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layer-2 machine on damaged frames."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address, IPv6Address
from random import Random

import pytest
from fuzz.damage import INPUTS
from lantern.l2 import arp, echo, ndp
from lantern.l2.announcing import Announcing, Options
from lantern.l2.checksum import checksum, checksum_ipv6
from lantern.l2.claims import Interface
from lantern.l2.responder import Dropped, DropReason

VIP, VIP_V6 = IPv4Address("192.168.2.128"), IPv6Address("fd00::1")
MAC, CLIENT = bytes.fromhex("020000000001"), bytes.fromhex("020000000099")
ETH0 = Interface("eth0", MAC)


def ping(source: bytes, destination: bytes, size: int) -> bytes:
    """A request with the addresses of its answer turned round, so that the answer's encoder makes it."""
    request = echo.EchoRequest(
        destination_mac=CLIENT,
        source_mac=MAC,
        source=destination,
        destination=source,
        traffic_class=0,
        body=bytes(size),
    )
    frame = bytearray(echo.reply(request))
    at, kind, was = (34, 8, 0) if len(source) == 4 else (54, 128, 129)
    frame[at] = kind
    total = int.from_bytes(frame[at + 2 : at + 4], "big") - ((kind - was) << 8)
    frame[at + 2 : at + 4] = (total % 0xFFFF).to_bytes(2, "big")
    return bytes(frame)


QUESTION = ndp.Solicitation(
    destination_mac=MAC,
    source_mac=CLIENT,
    source=IPv6Address("fd00::2").packed,
    destination=VIP_V6.packed,
    target=VIP_V6.packed,
    link_address=CLIENT,
)
FRAMES = {
    "arp": [arp.probe(VIP.packed, CLIENT), *arp.gratuitous(VIP.packed, CLIENT)],
    "ndp": [ndp.probe(VIP_V6.packed, CLIENT), ndp.unsolicited(VIP_V6.packed, CLIENT), ndp.encode(QUESTION)],
    "echo": [
        ping(bytes([192, 168, 2, 20]), VIP.packed, 60),
        ping(IPv6Address("fd00::2").packed, VIP_V6.packed, 60),
    ],
}


def damaged(rng: Random, frame: bytes) -> bytes:
    changed = bytearray(frame)
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    if rng.random() < 0.2:
        del changed[rng.randrange(len(changed)) :]
    return bytes(changed) + (rng.randbytes(rng.randrange(20)) if rng.random() < 0.2 else b"")


def mended(frame: bytes) -> bytes:
    """With the checksums that suit the damage, so that it gets beyond them."""
    data = bytearray(frame)
    if len(data) >= 42 and data[12:14] == b"\x08\x00":
        end = 14 + int.from_bytes(data[16:18], "big")
        data[24:26] = data[36:38] = bytes(2)
        data[24:26] = checksum(data[14:34]).to_bytes(2, "big")
        data[36:38] = checksum(data[34:end]).to_bytes(2, "big")
    elif len(data) >= 62 and data[12:14] == b"\x86\xdd":
        end = 54 + int.from_bytes(data[18:20], "big")
        data[56:58] = bytes(2)
        whole = checksum_ipv6(data[22:38], data[38:54], ndp.NEXT_HEADER_ICMPV6, data[54:end])
        data[56:58] = whole.to_bytes(2, "big")
    return bytes(data)


@pytest.mark.parametrize("kind", list(FRAMES))
def test_nothing_raises_and_undamaged_frames_get_through(kind: str) -> None:
    rng = Random(kind)
    machine = Announcing(Options(pings_per_second=10**9))
    machine.set_interfaces([ETH0], own_macs=[MAC], news=True, now=0.0)
    machine.apply({VIP: None, VIP_V6: None}, now=0.0)
    handle = {"arp": machine.receive_arp, "ndp": machine.receive_ndp, "echo": machine.receive_echo}[kind]
    outcomes: Counter[DropReason | None] = Counter()
    for number in range(INPUTS):
        frame = damaged(rng, rng.choice(FRAMES[kind]))
        frame = mended(frame) if rng.random() < 0.5 else frame
        try:
            answer = handle(frame, ETH0, now=number / 1000)
        except Exception as error:
            raise AssertionError(frame.hex()) from error
        outcomes[answer.reason if isinstance(answer, Dropped) else None] += 1
        if machine.has_news:
            machine.drain()
    assert outcomes[None] > INPUTS / 20 and outcomes[DropReason.MALFORMED] > INPUTS / 20
