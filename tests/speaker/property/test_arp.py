# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ARP decoder and responder on arbitrary bytes."""

from __future__ import annotations

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st
from lantern.l2 import arp
from lantern.l2.responder import Dropped, Interface, Reply, Responder

mac = st.binary(min_size=6, max_size=6)
ip = st.binary(min_size=4, max_size=4)
packets = st.builds(
    arp.ArpFrame,
    destination=mac,
    source=mac,
    operation=st.integers(0, 0xFFFF),
    sender_mac=mac,
    sender_ip=ip,
    target_mac=mac,
    target_ip=ip,
)


@given(packets)
def test_what_is_encoded_is_decoded(packet: arp.ArpFrame) -> None:
    assert arp.decode(arp.encode(packet)) == packet


@given(
    st.one_of(
        st.binary(max_size=100), st.tuples(packets, st.binary(max_size=30)).map(lambda p: arp.encode(p[0]) + p[1])
    )
)
def test_nothing_from_the_wire_raises(frame: bytes) -> None:
    arp.decode(frame)
    responder = Responder()
    responder.claim({IPv4Address("192.168.2.128"): None})
    assert isinstance(responder.handle(frame, Interface("eth0", bytes(6))), (Reply, Dropped))
