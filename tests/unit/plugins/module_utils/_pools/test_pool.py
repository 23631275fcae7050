# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether pools can be used, and on the LAN they are meant for."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._pools import (
    Pool,
    Problem,
    capacity,
    pool_ranges,
    problems,
    trimmed,
    warnings,
)

HOME = Pool("home", ("192.168.2.128/25",))
LAN = "192.168.2.0/24"


def codes(found: list[Problem]) -> list[str]:
    return [problem.code for problem in found]


def test_good_pools_have_no_problems() -> None:
    found = problems(
        [HOME, Pool("lab", ["192.168.2.100-192.168.2.110", "fd00::/64"])],
        nodes={"node1": "192.168.2.11", "node2": "fd01::1"},
        router="192.168.2.1",
        reservations={"nas": "192.168.2.20"},
    )
    assert found == []


@pytest.mark.parametrize(
    ("pools", "code", "words"),
    [
        ([Pool("home", ())], "empty", 'pool "home" has no addresses'),
        ([Pool("home", ["nonsense"])], "malformed", '"nonsense"'),
        ([Pool("home", ["192.168.2.9-192.168.2.1"])], "reversed", '"192.168.2.1-192.168.2.9"'),
        ([HOME, Pool("home", ["192.168.3.0/24"])], "duplicate-name", 'pool "home" is defined more than once'),
        ([Pool("My Pool", ["192.168.3.0/24"])], "bad-name", "lower-case letters"),
        ([Pool("", ["192.168.3.0/24"])], "bad-name", 'pool ""'),
        (
            [Pool("home", ["10.0.0.0/24", "10.0.0.128/25"])],
            "overlap",
            "10.0.0.128-10.0.0.255 overlaps 10.0.0.0-10.0.0.255",
        ),
    ],
)
def test_one_problem_is_told_once_with_its_values(pools: list[Pool], code: str, words: str) -> None:
    (problem,) = problems(pools)
    assert problem.code == code and words in problem.message


def test_overlap_between_pools_names_both_and_both_ranges() -> None:
    (problem,) = problems([HOME, Pool("lab", ["192.168.2.100-192.168.2.130"])])
    assert problem.code == "overlap"
    for words in ('pool "home"', "192.168.2.128-192.168.2.255", 'pool "lab"', "192.168.2.100-192.168.2.130"):
        assert words in problem.message


def test_every_range_inside_a_big_one_is_named() -> None:
    found = problems([Pool("big", ["10.0.0.0/8"]), Pool("a", ["10.1.0.0/24"]), Pool("b", ["10.2.0.0/24"])])
    assert codes(found) == ["overlap", "overlap"]
    assert [problem.where for problem in found] == ['pool "a"', 'pool "b"']


@pytest.mark.parametrize(
    ("hosts", "code", "words"),
    [
        ({"nodes": {"node1": "192.168.2.130"}}, "holds-node", 'holds 192.168.2.130, the address of node "node1"'),
        ({"router": "192.168.2.254"}, "holds-router", "holds 192.168.2.254, the address of the router"),
        ({"reservations": {"nas": "192.168.2.200"}}, "holds-reservation", 'the address of reservation "nas"'),
        ({"nodes": {"node1": "somewhere"}}, "malformed", 'node "node1": "somewhere" is not an IP address'),
    ],
)
def test_addresses_of_others(hosts: dict[str, object], code: str, words: str) -> None:
    (problem,) = problems([HOME], **hosts)  # type: ignore[arg-type]
    assert problem.code == code and words in problem.message


def test_all_problems_are_told_at_once() -> None:
    found = problems([Pool("a", ["x", "10.0.0.0/24"]), Pool("a", [])], nodes={"n": "10.0.0.1"})
    assert codes(found) == ["duplicate-name", "malformed", "empty", "holds-node"]


def test_every_address_of_a_host_is_looked_for() -> None:
    pools = [Pool("four", ["192.168.2.8/29"]), Pool("six", ["fd00:2::/112"])]
    found = problems(pools, {"n1": ["192.168.2.11", "fd00:2::11"]}, ["192.168.2.1", "fd00:2::1"])
    assert [(item.code, item.where) for item in found] == [
        ("holds-node", 'pool "four"'),
        ("holds-node", 'pool "six"'),
        ("holds-router", 'pool "six"'),
    ]
    assert "fd00:2::11" in found[1].message and "fd00:2::1," in found[2].message


def test_warnings() -> None:
    found = warnings([Pool("wide", ["192.168.2.0/23"])], LAN)
    assert codes(found) == ["outside-lan", "holds-network-address", "holds-broadcast-address"]
    assert "192.168.2.1-192.168.2.254" in found[1].message
    assert codes(warnings([HOME], LAN)) == ["holds-broadcast-address"]
    assert warnings([Pool("home", ["192.168.2.128-192.168.2.254", "fd00::/64"])], LAN) == []
    assert codes(warnings([HOME], "192.168.2.0")) == ["malformed"]
    assert codes(warnings([HOME], "10.0.0.0/8")) == ["outside-lan"]


@pytest.mark.parametrize(
    ("addresses", "lan", "expected"),
    [
        (["192.168.2.128/25"], LAN, ("192.168.2.128-192.168.2.254",)),
        (["192.168.2.0/24"], LAN, ("192.168.2.1-192.168.2.254",)),
        (["192.168.2.100-192.168.2.110"], LAN, ("192.168.2.100-192.168.2.110",)),
        (["192.168.2.64/26", "192.168.2.192/26"], LAN, ("192.168.2.64/26", "192.168.2.192-192.168.2.254")),
        (["192.168.2.255/32"], LAN, ()),
        (["10.0.0.0/31"], "10.0.0.0/31", ("10.0.0.0/31",)),
        (["fd00::/120"], "fd00::/64", ("fd00::1-fd00::ff",)),
        (["192.168.2.128/25"], "nonsense", ("192.168.2.128/25",)),
        (["nonsense"], LAN, ("nonsense",)),
    ],
)
def test_trimmed(addresses: list[str], lan: str, expected: tuple[str, ...]) -> None:
    assert trimmed(Pool("p", addresses), lan) == expected


def test_several_lans() -> None:
    lans = [LAN, "192.168.3.0/24", "10.0.0.0/8", "fd00:2::/64"]
    both = Pool("both", ["192.168.2.200-192.168.3.50"])
    assert codes(warnings([both], lans)) == ["holds-broadcast-address", "holds-network-address"]
    assert trimmed(both, lans) == ("192.168.2.200-192.168.2.254", "192.168.3.1-192.168.3.50")
    far = Pool("far", ["192.168.4.0/24", "fd00:9::/64"])
    told = [item.message for item in warnings([far], lans)]
    assert "(192.168.4.0/24) reaches outside each of the LANs 192.168.2.0/24, 192.168.3.0/24, 10.0.0.0/8." in told[0]
    assert len(told) == 2 and "(fd00:9::-fd00:9::ffff:ffff:ffff:ffff) reaches outside the LAN fd00:2::/64." in told[1]
    assert codes(warnings([far], ["10.0.0.0/8", "home"])) == ["malformed", "outside-lan"]


def test_without() -> None:
    rest = HOME.without([ip_address("192.168.2.128"), ip_address("192.168.2.200"), ip_address("10.0.0.1")])
    assert rest.addresses == ("192.168.2.129-192.168.2.199", "192.168.2.201-192.168.2.255")
    assert rest.name == "home"


def test_ranges_stay_in_the_order_written() -> None:
    ranges, wrong = pool_ranges(Pool("p", ["10.0.0.9/32", "x", "10.0.0.1/32"]))
    assert [str(item.first_address) for item in ranges] == ["10.0.0.9", "10.0.0.1"]
    assert codes(wrong) == ["malformed"]


@pytest.mark.parametrize(
    ("address", "usable"), [("10.0.0.0", False), ("10.0.0.255", False), ("10.0.0.1", True), ("fd00::", True)]
)
def test_buggy_addresses(address: str, usable: bool) -> None:
    assert Pool("p", ["10.0.0.0/8"], avoid_buggy_ips=True).usable(ip_address(address)) is usable
    assert Pool("p", ["10.0.0.0/8"]).usable(ip_address(address))


def test_pools_made_of_lists_and_tuples_are_equal() -> None:
    assert Pool("p", ["10.0.0.0/8"]) == Pool("p", ("10.0.0.0/8",))


@pytest.mark.parametrize(
    ("addresses", "avoids", "ipv4", "ipv6"),
    [
        (["1.2.3.0/24"], False, 256, 0),
        (["1.2.3.0/24"], True, 254, 0),
        (["1.2.3.0/25"], True, 127, 0),
        (["1.2.3.128/25"], True, 127, 0),
        (["1.2.3.64/26"], True, 64, 0),
        (["1.2.3.4/32"], True, 1, 0),
        (["1.2.3.255/32", "1.2.4.0/32"], True, 0, 0),
        (["1.2.3.254-1.2.4.1"], True, 2, 0),
        (["1.2.0.0/16"], True, 65536 - 512, 0),
        (["0.0.0.0/0"], True, 2**32 - 2**25, 0),
        (["1.2.3.77/24"], False, 256, 0),
        (["fd00::/64", "1.2.3.0/30"], False, 4, 2**64),
        (["fd00::ff00/120"], True, 0, 256),
        (["::/0"], False, 0, 2**128),
        (["fd00::1/128"], False, 0, 1),
    ],
)
def test_capacity(addresses: list[str], avoids: bool, ipv4: int, ipv6: int) -> None:
    pool = Pool("p", addresses, avoid_buggy_ips=avoids)
    assert (capacity(pool, 4), capacity(pool, 6)) == (ipv4, ipv6)


def test_capacity_is_the_number_of_usable_addresses() -> None:
    for first in range(0, 600, 37):
        for size in (1, 2, 3, 255, 256, 257, 600):
            text = f"{ip_address(first)}-{ip_address(first + size - 1)}"
            pool = Pool("p", [text], avoid_buggy_ips=True)
            counted = sum(pool.usable(ip_address(value)) for value in range(first, first + size))
            assert capacity(pool, 4) == counted
