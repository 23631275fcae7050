# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pools are warned of."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from fakes.records import node
from lantern.core.surroundings import Surroundings, pool_warnings
from lantern.pools import Pool

LAN = "192.168.2.0/24"
OTHER = "10.7.0.0/16"


@pytest.mark.parametrize(
    ("addresses", "around", "expected"),
    [
        (["192.168.2.10-192.168.2.20"], Surroundings(), []),
        (["192.168.2.10-192.168.2.20"], Surroundings((LAN,)), []),
        (["192.168.2.0/24"], Surroundings((LAN,)), ["holds-network-address", "holds-broadcast-address"]),
        (["192.168.2.1-192.168.2.9"], Surroundings((LAN,), "192.168.2.1"), ["holds-router"]),
        (["192.168.3.0-192.168.3.9"], Surroundings((LAN,)), ["outside-lan"]),
        (["192.168.2.250-192.168.3.9"], Surroundings((LAN,)), ["outside-lan", "holds-broadcast-address"]),
        (["192.168.3.0-192.168.3.9"], Surroundings((LAN, OTHER)), ["outside-lan"]),
        (["10.7.3.1-10.7.3.9"], Surroundings((LAN, OTHER)), []),
        (["10.7.0.0-10.7.0.9", "192.168.2.9/32"], Surroundings((LAN, OTHER)), ["holds-network-address"]),
        (["fd00::1-fd00::9"], Surroundings((LAN,)), []),
        (["fd00::1-fd00::9"], Surroundings((LAN, "fd01::/64")), ["outside-lan"]),
    ],
)
def test_judged_from_the_lans(addresses: list[str], around: Surroundings, expected: list[str]) -> None:
    found = pool_warnings([Pool("home", tuple(addresses))], [], around)
    assert [item.code for item in found] == expected
    assert {item.where for item in found} <= {'pool "home"'}


def test_outside_of_several_lans_is_told_once_and_names_them() -> None:
    (warning,) = pool_warnings([Pool("home", ("172.16.0.0/24",))], [], Surroundings((LAN, OTHER)))
    assert "172.16.0.0/24" in warning.message and LAN in warning.message and OTHER in warning.message


def test_edge_that_the_pool_avoids_anyway_is_no_matter() -> None:
    pool = Pool("home", (LAN,), avoid_buggy_ips=True)
    assert pool_warnings([pool], [], Surroundings((LAN,))) == []


def test_every_address_of_a_node_is_looked_for() -> None:
    nodes = [
        node("n1", addresses=(ip_address("192.168.2.10"), ip_address("fd00::10"))),
        node("n2", addresses=(ip_address("192.168.2.11"),)),
        node("n3"),
    ]
    pools = [Pool("four", ("192.168.2.10-192.168.2.11",)), Pool("six", ("fd00::/64",)), Pool("far", ("10.0.0.0/24",))]
    found = pool_warnings(pools, nodes, Surroundings())
    assert [(item.code, item.where) for item in found] == [
        ("holds-node", 'pool "four"'),
        ("holds-node", 'pool "four"'),
        ("holds-node", 'pool "six"'),
    ]
    assert 'node "n1"' in found[0].message and "fd00::10" in found[2].message
