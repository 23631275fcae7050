# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as data."""

from __future__ import annotations

import dataclasses
import ipaddress

import pytest
from homelab.topology import Topology, TopologyError, address6, plan


def test_the_default_home() -> None:
    topology = plan()
    assert topology.router.address == "192.168.2.1"
    assert [node.address for node in topology.nodes] == ["192.168.2.11", "192.168.2.12", "192.168.2.13"]
    assert topology.dynamic_range == ("192.168.2.2", "192.168.2.254")
    assert [host.name for host in topology.hosts] == ["router", "client", "node1", "node2", "node3"]
    assert len({host.mac for host in topology.hosts}) == 5


@pytest.mark.parametrize("lan", ["192.168.2.0/24", "10.10.0.0/16", "192.168.7.0/27"])
def test_the_clients_lease_lies_in_the_lower_half_and_is_no_nodes(lan: str) -> None:
    topology = plan(lan=lan, nodes=3)
    lower, _ = ipaddress.ip_network(lan).subnets(prefixlen_diff=1)
    assert ipaddress.ip_address(topology.client.address) in lower
    assert topology.client.address not in {host.address for host in (*topology.nodes, topology.router)}


def test_the_file_form_keeps_everything() -> None:
    topology = plan(
        nodes=2, lan="10.10.1.0/24", first_node="10.10.1.20", kubernetes=False, proxy_mode="nftables",
        ipv6="", second_lan="10.10.2.0/24", second_gateway="10.10.2.9", systems=("el", "raspbian"),
    )  # fmt: skip
    assert Topology.from_json(topology.to_json()) == topology


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"nodes": 0}, "--nodes 0"),
        ({"lan": "192.168.2.1/24"}, "--lan 192.168.2.1/24"),
        ({"lan": "192.168.2.0/30"}, "too small"),
        ({"lan": "10.96.0.0/16"}, "overlaps"),
        ({"first_node": "192.168.3.4"}, "do not fit"),
        ({"first_node": "192.168.2.254", "nodes": 2}, "do not fit"),
        ({"first_node": "192.168.2.1"}, "is the router"),
        ({"first_node": "somewhere"}, "--first-node somewhere"),
        ({"ipv6": "fd00::/48"}, "fd00::/48"),
        ({"ipv6": "fe80::/64"}, "fe80::/64"),
        ({"ipv6": "fd00:10:244:5::/64"}, "pods or services"),
        ({"ipv6": "here"}, "IPv6 prefix here"),
        ({"second_lan": "192.168.2.128/25"}, "overlaps the first LAN"),
        ({"second_lan": "192.168.3.0/24", "second_gateway": "192.168.2.1"}, "inside its LAN"),
        ({"second_gateway": "192.168.3.9"}, "goes with --second-lan"),
        ({"systems": ("beos",)}, "--os beos"),
        ({"systems": ("el", "debian")}, "one for each of the 3"),
    ],
)
def test_a_home_that_cannot_be_is_refused_by_name(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(TopologyError, match=message):
        plan(**arguments)  # type: ignore[arg-type]


def test_the_prefix_of_a_lan_is_local_its_own_and_always_the_same() -> None:
    first, other = plan(ipv6=""), plan(ipv6="", lan="192.168.3.0/24")
    assert ipaddress.IPv6Network(first.ipv6).subnet_of(ipaddress.IPv6Network("fd00::/8"))
    assert first.ipv6 == plan(ipv6="").ipv6 != other.ipv6
    assert plan(ipv6="2001:db8:7:1::/64").ipv6 == "2001:db8:7:1::/64"
    assert plan().ipv6 is None


def test_servers_have_chosen_host_parts_and_clients_make_theirs_from_their_mac() -> None:
    topology = plan()
    assert address6(topology.nodes[0], "fd12:3456:789a:1::/64") == "fd12:3456:789a:1::11"
    assert address6(topology.router, "fd12:3456:789a:1::/64") == "fd12:3456:789a:1::1"
    client = dataclasses.replace(topology.client, mac="00:25:96:12:34:56")
    assert address6(client, "2001:db8:0:1::/64") == "2001:db8:0:1:225:96ff:fe12:3456", "RFC 4291, appendix A"


def test_a_second_lan_has_one_guest_and_its_gateway_is_the_router_unless_told_otherwise() -> None:
    second = plan(second_lan="192.168.3.0/24").second
    assert second and (second.gateway, second.guest.switch) == ("192.168.3.1", "lan2")
    assert ipaddress.ip_address(second.guest.address) in ipaddress.ip_network("192.168.3.0/25")
    wrong = plan(second_lan="192.168.3.0/24", second_gateway="192.168.3.200").second
    assert wrong and wrong.gateway == "192.168.3.200"


def test_operating_systems_are_one_for_all_or_one_by_node() -> None:
    assert [node.system for node in plan(systems=("el",)).nodes] == ["el"] * 3
    assert [node.system for node in plan(systems=("el", "debian", "raspbian")).nodes] == ["el", "debian", "raspbian"]
