# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layer-2 machine on damaged frames, as often as asked for.

LANTERN_FUZZ_INPUTS says how many inputs each decoder gets; the default only shows that this works.
"""

from __future__ import annotations

import os
from collections import Counter
from ipaddress import IPv4Address, IPv6Address
from random import Random

import pytest
from lantern.l2 import arp, echo, ndp
from lantern.l2.announcing import Announcing, Options
from lantern.l2.claims import Interface
from lantern.l2.responder import Dropped, DropReason

INPUTS = int(os.environ.get("LANTERN_FUZZ_INPUTS", "3000"))
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


FRAMES = {
    "arp": [arp.probe(VIP.packed, CLIENT), *arp.gratuitous(VIP.packed, CLIENT)],
    "ndp": [ndp.probe(VIP_V6.packed, CLIENT), ndp.unsolicited(VIP_V6.packed, CLIENT)],
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


@pytest.mark.parametrize("kind", list(FRAMES))
def test_nothing_raises_and_undamaged_frames_get_through(kind: str) -> None:
    rng = Random(kind)
    machine = Announcing(Options(pings_per_second=10**9))
    machine.set_interfaces([ETH0], own_macs=[MAC], news=True, now=0.0)
    machine.apply({VIP: None, VIP_V6: None}, now=0.0)
    handle = {"arp": machine.receive_arp, "ndp": machine.receive_ndp, "echo": machine.receive_echo}[kind]
    outcomes: Counter[DropReason | None] = Counter()
    for number in range(INPUTS):
        answer = handle(damaged(rng, rng.choice(FRAMES[kind])), ETH0, now=number / 1000)
        outcomes[answer.reason if isinstance(answer, Dropped) else None] += 1
        if machine.has_news:
            machine.drain()
    assert outcomes[None] > INPUTS / 20 and outcomes[DropReason.MALFORMED] > INPUTS / 20
