# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of addresses."""

from __future__ import annotations

from ipaddress import ip_address

from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange, RangeSet, parse_range


def made(*texts: str) -> RangeSet:
    found = [parse_range(text) for text in texts]
    return RangeSet(item for item in found if isinstance(item, AddressRange))


def shown(found: RangeSet) -> list[str]:
    return [str(item) for item in found]


def test_neighbours_and_overlaps_melt_together() -> None:
    found = made("10.0.0.4/30", "10.0.0.0/30", "10.0.0.6-10.0.0.9", "fd00::/126")
    assert shown(found) == ["10.0.0.0-10.0.0.9", "fd00::-fd00::3"]
    assert found.size == 14 and bool(found) and not RangeSet()
    assert found == made("10.0.0.0-10.0.0.9", "fd00::/126") and hash(found) == hash(
        made("10.0.0.0-10.0.0.9", "fd00::/126")
    )
    assert repr(found) == "RangeSet(10.0.0.0-10.0.0.9, fd00::-fd00::3)"
    assert found != ["10.0.0.0-10.0.0.9"]


def test_families_never_melt_together() -> None:
    assert shown(made("255.255.255.255/32", "::/128")) == ["255.255.255.255-255.255.255.255", "::-::"]


def test_union_and_difference() -> None:
    lan = made("192.168.2.0/24")
    rest = lan.difference(made("192.168.2.0/32", "192.168.2.128/25", "fd00::/8"))
    assert shown(rest) == ["192.168.2.1-192.168.2.127"]
    assert rest.union(made("192.168.2.0/32", "192.168.2.128/25")) == lan
    assert shown(made("10.0.0.0/30", "10.0.0.8/30").difference(made("10.0.0.2-10.0.0.9"))) == [
        "10.0.0.0-10.0.0.1",
        "10.0.0.10-10.0.0.11",
    ]


def test_contains() -> None:
    found = made("10.0.0.0/30", "10.0.0.8/30")
    assert ip_address("10.0.0.3") in found and ip_address("10.0.0.8") in found
    assert ip_address("10.0.0.4") not in found and ip_address("9.255.255.255") not in found
    assert ip_address("::a00:1") not in found


def test_a_huge_set_has_its_size() -> None:
    assert made("10.0.0.0/31", "fd00::/64").size == 2 + 2**64
