# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a home with IPv4 and IPv6, or with several LANs."""

from __future__ import annotations

import pytest
from ansible_collections.homelab.lantern.plugins.filter.address_plan import address_plan

pytest.importorskip("netaddr", reason="needs the Python package netaddr, as the controller does")

FOUR, SIX = "192.168.2.0/24", "fd00:2::/64"
NODES = {"node1": ["192.168.2.11", "fd00:2::11"], "node2": ["192.168.2.12", "fd00:2::12"]}
ROUTER = {"type": "dnsmasq", "address": "192.168.2.1", "addresses": ["fd00:2::1"]}
BOTH = ["192.168.2.128/28", "fd00:2::1:0/112"]


def plan(pools, **changes):
    settings = {"lan": [FOUR, SIX], "nodes": NODES, "router": ROUTER, "router_hosts": {"gateway": "192.168.2.1"}}
    return address_plan(pools, **dict(settings, **changes))


def pool(name="default", **keys):
    return dict(keys, name=name)


def addresses(result):
    return {item["name"]: item["addresses"] for item in result["pools"]}


def test_a_pool_of_both_families():
    result = plan([pool(addresses=BOTH)])
    assert (result["problems"], result["warnings"], result["to_ask"]) == ([], [], [])
    assert (result["lan"], result["lans"]) == (FOUR, [FOUR, SIX])
    assert addresses(result) == {"default": BOTH}
    assert result["segments"] == [{"network": FOUR, "pools": BOTH}]
    assert result["router_addresses"] == ["192.168.2.1", "fd00:2::1"] and result["node_addresses"] == NODES
    assert result["nodes"] == {"node1": "192.168.2.11", "node2": "192.168.2.12"}
    assert result["summary"].split("\n")[:4] == [
        "LAN     192.168.2.0/24",
        "LAN     fd00:2::/64",
        "Router  192.168.2.1, fd00:2::1, dnsmasq",
        "Node    node1  192.168.2.11, fd00:2::11",
    ]


def test_one_network_in_a_list_is_the_same_as_without():
    pools = [pool(addresses=["192.168.2.100-192.168.3.20"]), pool("far", addresses=["10.9.9.0/28"])]
    assert plan(pools, lan=[FOUR]) == plan(pools, lan=FOUR)


def test_each_range_is_judged_by_the_lan_of_its_family():
    result = plan([pool(addresses=["192.168.2.5-192.168.2.20", "fd00:2::/120", "fd00:3::/120"])])
    told = "\n".join(result["problems"])
    for words in ("holds 192.168.2.11,", "holds fd00:2::11,", "holds fd00:2::1, the address of the router"):
        assert words in told
    assert 'pool "default" (fd00:3::-fd00:3::ff) reaches outside the LAN fd00:2::/64.' in result["warnings"][1]
    assert "fd00:2::, the network address of the LAN fd00:2::/64" in result["warnings"][0]


@pytest.mark.parametrize(
    ("keys", "taken"),
    [
        ({}, "192.168.2.251-192.168.2.254"),
        ({"family": "ipv4"}, "192.168.2.251-192.168.2.254"),
        ({"family": "IPv6"}, "fd00:2::ffff:ffff:ffff:fffb-fd00:2::ffff:ffff:ffff:fffe"),
    ],
)
def test_sizes_are_taken_from_the_first_lan_of_their_family(keys, taken):
    lans = [SIX, FOUR, "fd00:3::/64", "192.168.3.0/24"]
    assert addresses(plan([pool(size=4, **keys)], lan=lans)) == {"default": [taken]}


def test_several_sizes_keep_out_of_each_others_way():
    result = plan([pool(size=4, family="ipv6"), pool("more", size=2, family="ipv6"), pool("four", size=2)])
    assert addresses(result)["more"] == ["fd00:2::ffff:ffff:ffff:fff9-fd00:2::ffff:ffff:ffff:fffa"]
    assert addresses(result)["four"] == ["192.168.2.253-192.168.2.254"] and result["problems"] == []


@pytest.mark.parametrize(
    ("keys", "lan", "told"),
    [
        ({"size": 4, "family": "ipv5"}, [FOUR, SIX], 'family is "ipv5". Write ipv4 or ipv6.'),
        ({"size": 4, "family": "ipv6"}, FOUR, "family is ipv6, but lantern_lan (192.168.2.0/24) has no such network"),
        ({"addresses": BOTH, "family": "ipv6"}, [FOUR, SIX], "Leave it out beside addresses."),
    ],
)
def test_families_that_cannot_be_meant(keys, lan, told):
    (problem,) = plan([pool(**keys)], lan=lan)["problems"]
    assert problem.startswith('pool "default": ') and told in problem


@pytest.mark.parametrize(
    ("lan", "problems"),
    [([], ["lantern_lan is missing"]), ([FOUR, "home"], ['"home" is not a network']), (["a", "b"], ['"a"', '"b"'])],
)
def test_what_is_wrong_with_a_list(lan, problems):
    found = [text for text in plan([pool(addresses=BOTH)], lan=lan)["problems"] if "lantern_lan" in text]
    assert len(found) == len(problems) and all(words in text for words, text in zip(problems, found))


def test_ipv6_is_told_and_not_changed():
    router = dict(ROUTER, dhcp_ranges=["192.168.2.100-192.168.2.139", "fd00:2::1:0-fd00:2::2:ffff"])
    result = plan([pool(addresses=BOTH)], router=router)
    assert result["dhcp"]["after"] == ["192.168.2.100-192.168.2.127", "fd00:2::1:0-fd00:2::2:ffff"]
    (warning,) = result["warnings"]
    assert "DHCPv6 server" in warning and "Let it hand out fd00:2::2:0-fd00:2::2:ffff only." in warning
    (notice,) = result["notices"]
    assert "IPv6 addresses of pools (fd00:2::1:0/112) need no DHCP reservation" in notice and "SLAAC" in notice
    assert len(plan([pool(addresses=BOTH)], router=dict(router, type="none"))["warnings"]) == 2


def test_hosts_whose_ipv6_address_is_not_known():
    nodes = {"node1": ["192.168.2.11"], "node2": ["192.168.2.12", "2001:db8::2"], "node3": ""}
    router = {"type": "manual", "address": "192.168.2.1"}
    result = plan([pool(addresses=BOTH)], nodes=nodes, router=router)
    assert result["to_ask"] == ["node1", "node3"]
    assert result["warnings"] == [
        'node "node1": its IPv6 address is not known, so it was not compared with the pools. '
        "Set lantern_addresses to it.",
        'node "node2": its IPv6 address is not known, so it was not compared with the pools. '
        "Set lantern_addresses to it.",
        'node "node3": its address is not known, so it was not compared with the pools. Set ansible_host to it.',
        "The router's IPv6 address is not known, so it was not compared with the pools. Set lantern_router.addresses.",
    ]
    only_four = plan([pool(addresses=BOTH[:1])], nodes=nodes, router=router)
    assert only_four["to_ask"] == ["node3"] and len(only_four["warnings"]) == 1


def test_addresses_of_hosts_in_other_networks_are_not_shown():
    nodes = {"node1": ["192.168.2.11", "10.42.0.1", "2001:db8::1"], "node2": ["10.0.0.2"]}
    result = plan([pool(addresses=BOTH[:1])], nodes=nodes)
    assert result["node_addresses"] == {"node1": ["192.168.2.11"], "node2": ["10.0.0.2"]}
    (warning,) = result["warnings"]
    assert 'node "node2" has the address 10.0.0.2, which is outside the LANs 192.168.2.0/24, fd00:2::/64.' in warning


@pytest.mark.parametrize(
    ("addresses", "told"),
    [("here", '"here" is not an IP address'), (["fd00:2::1", "x"], '"x" is not an IP address')],
)
def test_bad_addresses_of_the_router_are_named(addresses, told):
    (problem,) = plan([pool(addresses=BOTH)], router=dict(ROUTER, addresses=addresses))["problems"]
    assert "lantern_router.addresses" in problem and told in problem


def test_several_ipv4_lans():
    lans = [FOUR, SIX, "192.168.3.0/24", "fd00:3::/64"]
    given = ["192.168.2.200-192.168.3.20", "fd00:3::1:0/112", "10.9.9.0/28"]
    result = plan([pool(addresses=given)], lan=lans)
    assert addresses(result) == {
        "default": ["192.168.2.200-192.168.2.254", "192.168.3.1-192.168.3.20", "fd00:3::1:0/112", "10.9.9.0/28"]
    }
    assert result["segments"] == [
        {"network": FOUR, "pools": ["192.168.2.200-192.168.2.254", "10.9.9.0/28"]},
        {"network": "192.168.3.0/24", "pools": ["192.168.3.1-192.168.3.20", "fd00:3::1:0/112"]},
    ]
    assert any("outside each of the LANs 192.168.2.0/24, 192.168.3.0/24." in text for text in result["warnings"])


def test_what_reaches_out_of_all_lans_is_cut():
    result = plan([pool(addresses=["192.168.3.200-192.168.4.20"])], lan=[FOUR, SIX, "192.168.3.0/24"])
    assert addresses(result) == {"default": ["192.168.3.200-192.168.3.254"]}
    cut = next(text for text in result["warnings"] if "only" in text)
    assert "is not in the LANs 192.168.2.0/24, 192.168.3.0/24." in cut and SIX not in cut


def test_a_pool_in_no_lan_at_all_is_asked_for_in_the_first():
    assert plan([pool(addresses=["10.9.9.0/28"])])["segments"] == [{"network": FOUR, "pools": ["10.9.9.0/28"]}]
    assert plan([])["segments"] == [{"network": FOUR, "pools": []}]
    assert plan([], lan=[])["segments"] == []
