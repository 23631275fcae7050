# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel says about interfaces: its own words, and messages as other kernels send them."""

from __future__ import annotations

import asyncio
import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lantern.adapters import rtnetlink
from lantern.adapters.links import Link, exclusion, scan
from lantern.adapters.rtnetlink import (
    AddressRecord,
    LinkEvents,
    LinkRecord,
    is_local,
    messages,
    read_address,
    read_gateway,
    read_link,
    read_neighbour,
)

UP, BROADCAST, RUNNING, MULTICAST = 0x1, 0x2, 0x40, 0x1000
LAN = UP | BROADCAST | RUNNING | MULTICAST
MAC = bytes.fromhex("020000000001")


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def link(index: int, name: str, *more: bytes, kind: int = 1, flags: int = LAN, mac: bytes = MAC) -> bytes:
    """The body of RTM_NEWLINK."""
    head = struct.pack("=BxHiII", 0, kind, index, flags, 0)
    return head + attribute(3, name.encode() + b"\0") + attribute(1, mac) + b"".join(more)


def address(index: int, text: str, prefix: int = 24) -> bytes:
    """The body of RTM_NEWADDR."""
    packed = ipaddress.ip_address(text).packed
    family = 2 if len(packed) == 4 else 10
    body = struct.pack("=BBBBi", family, prefix, 0, 0, index) + attribute(1, packed)
    return body + (attribute(2, packed) if family == 2 else b"")


def master(index: int) -> bytes:
    """IFLA_MASTER: the bridge, bond or VRF."""
    return attribute(10, struct.pack("=I", index))


def below(index: int) -> bytes:
    """IFLA_LINK: the interface that a VLAN is on."""
    return attribute(5, struct.pack("=I", index))


def scanned(links: list[bytes], addresses: list[bytes]) -> dict[str, Link]:
    read = [record for body in links if (record := read_link(body))]
    found = [record for body in addresses if (record := read_address(body))]
    return scan(exclusion(), lambda: read, lambda of: [record for record in found if record.index in of])


def test_bond_announces_for_its_ports() -> None:
    found = scanned(
        [link(2, "eth0", master(4)), link(3, "eth1", master(4)), link(4, "bond0")],
        [address(4, "192.168.2.11"), address(4, "fe80::1", 64)],
    )
    assert [(name, item.speaks_arp, item.speaks_ndp) for name, item in found.items()] == [
        ("eth0", False, False),
        ("eth1", False, False),
        ("bond0", True, True),
    ]
    assert found["bond0"].addresses == {ipaddress.ip_address("192.168.2.11"), ipaddress.ip_address("fe80::1")}


def test_bridge_announces_for_its_ports_and_pods_interfaces_are_excluded() -> None:
    found = scanned([link(2, "eth0", master(3)), link(3, "br0"), link(9, "veth1234", master(3))], [])
    assert {name: item.speaks_arp for name, item in found.items()} == {"eth0": False, "br0": True}


def test_vlan_is_an_interface_of_its_own() -> None:
    """IFLA_LINK names the interface below, in whose place it is not."""
    found = scanned([link(2, "eth0"), link(5, "eth0.20", below(2))], [address(5, "fe80::20", 64)])
    assert [(name, item.speaks_arp, item.speaks_ndp) for name, item in found.items()] == [
        ("eth0", True, False),
        ("eth0.20", True, True),
    ]


def test_vlan_on_a_bond_in_a_bridge_is_a_port() -> None:
    found = scanned([link(4, "bond0"), link(6, "bond0.20", below(4), master(7)), link(7, "vmbr20")], [])
    assert {name: item.speaks_arp for name, item in found.items()} == {
        "bond0": True,
        "bond0.20": False,
        "vmbr20": True,
    }


def test_tunnels_and_infiniband_have_no_mac_address_to_answer_with() -> None:
    found = scanned([link(2, "wg0", kind=65534, mac=b""), link(3, "ib0", kind=32, mac=bytes(20))], [])
    assert all(item.mac == b"" and not item.speaks_arp for item in found.values())


def test_records_are_read_and_broken_ones_are_none() -> None:
    assert read_link(link(2, "eth0", master(3))) == LinkRecord(2, "eth0", 1, LAN, MAC, 3)
    assert read_link(b"short") is None
    assert read_address(address(2, "fd00::1")) == AddressRecord(2, ipaddress.ip_address("fd00::1"))
    assert read_address(b"short") is None
    assert read_address(struct.pack("=BBBBi", 28, 0, 0, 0, 1)) is None


def test_peer_of_a_point_to_point_interface_is_not_its_address() -> None:
    body = (
        struct.pack("=BBBBi", 2, 32, 0, 0, 3) + attribute(1, bytes([10, 0, 0, 2])) + attribute(2, bytes([10, 0, 0, 1]))
    )
    assert read_address(body) == AddressRecord(3, ipaddress.ip_address("10.0.0.1"))


@given(st.binary(max_size=200))
def test_nothing_that_is_read_raises(data: bytes) -> None:
    for _, body in messages(data):
        read_link(body)
        read_address(body)
    read_link(data)
    read_address(data)


def test_kernel_tells_of_the_loopback() -> None:
    lo = next(record for record in rtnetlink.links() if record.name == "lo")
    assert AddressRecord(lo.index, ipaddress.ip_address("127.0.0.1")) in rtnetlink.addresses()
    assert {record.index for record in rtnetlink.addresses({lo.index})} == {lo.index}
    assert rtnetlink.addresses(()) == []


@pytest.mark.parametrize(
    ("text", "local"), [("127.0.0.1", True), ("::1", True), ("192.0.2.77", False), ("0.0.0.0", True)]
)
def test_kernel_knows_what_is_local(text: str, local: bool) -> None:
    assert is_local(ipaddress.ip_address(text)) is local


def test_waiting_for_events_ends_in_time() -> None:
    async def main() -> float:
        events = LinkEvents()
        started = asyncio.get_running_loop().time()
        await events.wait(0.05)
        events.close()
        events.close()
        return asyncio.get_running_loop().time() - started

    assert asyncio.run(main()) < 5


def neighbour(*attributes: bytes) -> bytes:
    """The body of RTM_NEWNEIGH."""
    return struct.pack("=BxxxiHBB", 2, 3, 2, 0, 1) + b"".join(attributes)


def test_neighbour_is_an_address_and_its_mac() -> None:
    body = neighbour(attribute(1, bytes([192, 168, 2, 12])), attribute(2, MAC))
    assert read_neighbour(body) == (ipaddress.ip_address("192.168.2.12"), MAC)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        neighbour(),
        neighbour(attribute(1, bytes([192, 168, 2, 12]))),
        neighbour(attribute(1, b"abc"), attribute(2, MAC)),
        neighbour(attribute(1, bytes(4)), attribute(2, bytes(20))),
    ],
)
def test_neighbour_without_a_mac_is_none(body: bytes) -> None:
    assert read_neighbour(body) is None


def test_kernel_tells_its_neighbours() -> None:
    # There may be none; each that there is has a MAC address.
    assert all(len(mac) == 6 for mac in rtnetlink.neighbours().values())


def route(*attributes: bytes, bits: int = 0, table: int = 254, kind: int = 1) -> bytes:
    """The body of RTM_NEWROUTE."""
    return struct.pack("=BBBBBBBBI", 2, bits, 0, 0, table, 3, 0, kind, 0) + b"".join(attributes)


ROUTER, OUT = attribute(5, bytes([192, 168, 2, 1])), attribute(4, struct.pack("=I", 7))


def test_gateway_of_a_default_route() -> None:
    assert read_gateway(route(ROUTER, OUT)) == (ipaddress.ip_address("192.168.2.1"), 7)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        route(OUT),
        route(ROUTER),
        route(ROUTER, OUT, bits=8),
        route(ROUTER, OUT, table=255),
        route(ROUTER, OUT, kind=7),
    ],
)
def test_other_routes_have_none(body: bytes) -> None:
    assert read_gateway(body) is None
