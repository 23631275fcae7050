# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which interfaces may announce."""

from __future__ import annotations

import pytest
from lantern.adapters.links import Link, exclusion, scan

UP, BROADCAST, RUNNING, NOARP = 0x1, 0x2, 0x40, 0x80


def link(flags: int = UP | BROADCAST | RUNNING, mac: bytes = b"\x02\0\0\0\0\1", enslaved: bool = False) -> Link:
    return Link("eth0", 2, mac, flags, enslaved)


@pytest.mark.parametrize("name", ["docker0", "veth1234", "lo", "cali9", "cni0", "flannel.1", "kube-ipvs0", "lxcbr0"])
def test_interfaces_of_containers_are_excluded(name: str) -> None:
    assert exclusion().search(name)


@pytest.mark.parametrize("name", ["eth0", "enp3s0", "bond0", "br0", "wlan0", "long0", "vmbr0"])
def test_interfaces_of_the_lan_are_not(name: str) -> None:
    assert not exclusion().search(name)


def test_patterns_are_not_anchored_by_themselves_and_none_exclude_nothing() -> None:
    assert exclusion(["br"]).search("vmbr0")
    assert not exclusion([]).search("eth0")


@pytest.mark.parametrize(
    ("found", "speaks"),
    [
        (link(), True),
        (link(flags=UP | BROADCAST), True),
        (link(flags=BROADCAST), False),
        (link(flags=UP), False),
        (link(flags=UP | BROADCAST | NOARP), False),
        (link(mac=b""), False),
        (link(enslaved=True), False),
    ],
)
def test_speaks_arp(found: Link, speaks: bool) -> None:
    assert found.speaks_arp is speaks


def test_carrier() -> None:
    assert link().has_carrier and not link(flags=UP | BROADCAST).has_carrier


def test_scan_sees_the_loopback_of_this_machine() -> None:
    found = scan(exclusion([]))["lo"]
    assert found.mac == b"" and not found.speaks_arp and found.index > 0
