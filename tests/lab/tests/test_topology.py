# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as data."""

from __future__ import annotations

import ipaddress

import pytest
from homelab.topology import Topology, TopologyError, plan


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
    topology = plan(nodes=2, lan="10.10.1.0/24", first_node="10.10.1.20", kubernetes=False, proxy_mode="nftables")
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
    ],
)
def test_a_home_that_cannot_be_is_refused_by_name(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(TopologyError, match=message):
        plan(**arguments)  # type: ignore[arg-type]
