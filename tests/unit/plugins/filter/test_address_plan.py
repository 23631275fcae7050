# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of the LAN: what is proposed, what is refused, what people are told."""

from __future__ import annotations

import pytest
from ansible_collections.homelab.lantern.plugins.filter.address_plan import address_plan

pytest.importorskip("netaddr", reason="needs the Python package netaddr, as the controller does")

NODES = {"node1": "192.168.2.11", "node2": "192.168.2.12"}
ROUTER = {"type": "dnsmasq", "address": "192.168.2.1"}


def plan(pools, **changes):
    settings = {
        "lan": "192.168.2.0/24",
        "nodes": NODES,
        "router": ROUTER,
        "router_hosts": {"gateway": "192.168.2.1"},
        "control_plane": ["node1"],
    }
    settings.update(changes)
    return address_plan(pools, **settings)


def pool(**keys):
    return dict({"name": "default"}, **keys)


def addresses(result):
    return {item["name"]: item["addresses"] for item in result["pools"]}


def test_a_good_plan():
    result = plan([pool(addresses=["192.168.2.128/25"])])
    assert result["problems"] == [] and result["notices"] == []
    assert result["pools"] == [
        {
            "name": "default",
            "addresses": ["192.168.2.128-192.168.2.254"],
            "auto_assign": True,
            "avoid_buggy_ips": False,
            "size": 127,
            "pinned": "",
            "ipv6_host_parts": [],
            "announce": "layer2",
            "nodes": [],
            "interfaces": [],
        }
    ]
    assert result["advertisements"] == [{"name": "lantern", "pools": ["default"], "nodes": [], "interfaces": []}]
    assert result["router"] == ROUTER and result["nodes"] == NODES and result["lan"] == "192.168.2.0/24"
    assert len(result["warnings"]) == 1 and "192.168.2.255" in result["warnings"][0]


def test_entries_without_edge_addresses_keep_their_text():
    result = plan([pool(addresses=["192.168.2.128/26", "192.168.2.200-192.168.2.210"])])
    assert addresses(result) == {"default": ["192.168.2.128/26", "192.168.2.200-192.168.2.210"]}
    assert result["warnings"] == []


def test_a_size_takes_the_highest_free_block():
    assert addresses(plan([pool(size=32)])) == {"default": ["192.168.2.223-192.168.2.254"]}


def test_proposals_leave_out_every_host_and_every_other_pool():
    result = plan(
        [pool(size=10), pool(name="fixed", addresses=["192.168.2.240/28"]), pool(name="third", size=5)],
        nodes={"node1": "192.168.2.11", "node2": "192.168.2.235"},
        reservations=[{"name": "printer", "address": "192.168.2.230"}],
    )
    assert result["problems"] == []
    assert addresses(result) == {
        "default": ["192.168.2.220-192.168.2.229"],
        "fixed": ["192.168.2.240-192.168.2.254"],
        "third": ["192.168.2.215-192.168.2.219"],
    }


def test_a_proposal_that_does_not_fit_says_what_does():
    (problem,) = plan([pool(size=300)])["problems"]
    assert '"default"' in problem and "300" in problem and "242 (192.168.2.13-192.168.2.254)" in problem


def test_a_full_lan():
    result = plan(
        [pool(addresses=["10.0.0.0/30"]), pool(name="more", size=1)], lan="192.168.2.0/30", nodes={"n": "192.168.2.2"}
    )
    assert any('"more"' in problem and "no address is free" in problem for problem in result["problems"])


def test_all_problems_come_at_once():
    result = plan(
        [
            pool(addresses=["192.168.2.0/25"]),
            pool(name="reversed", addresses=["192.168.2.200-192.168.2.190"]),
            pool(name="typo", adresses=["192.168.2.128/26"]),
        ],
        reservations=[{"name": "printer", "address": "192.168.2.9"}],
    )
    text = "\n".join(result["problems"])
    for words in (
        "node1",
        "node2",
        "the router",
        '"printer"',
        "192.168.2.200-192.168.2.190",
        'Did you mean "addresses"?',
    ):
        assert words in text
    assert all('pool "' in problem for problem in result["problems"])


@pytest.mark.parametrize(
    ("pools", "words"),
    [
        (None, "lantern_pools is missing"),
        ([], "lantern_pools is missing"),
        ("192.168.2.128/25", "is no list"),
        (["192.168.2.128/25"], "entry 1"),
        ([{"addresses": ["192.168.2.128/25"]}], "has no name"),
        ([pool()], "neither"),
        ([pool(size=3, addresses=["192.168.2.128/25"])], "both"),
        ([pool(addresses="192.168.2.128/25")], 'addresses: ["192.168.2.128/25"]'),
        ([pool(addresses=[])], "has no addresses"),
        ([pool(addresses=["192.168.2.200"])], "192.168.2.200/32"),
        ([pool(size=0)], 'size "0"'),
        ([pool(size=True)], 'size "True"'),
        ([pool(size="many")], 'size "many"'),
        ([pool(size=4, auto_assign="perhaps")], 'auto_assign is "perhaps"'),
        ([pool(size=4), pool(size=4)], "more than once"),
    ],
)
def test_malformed_pools_are_named(pools, words):
    result = plan(pools)
    assert any(words in problem for problem in result["problems"]), result["problems"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lan": ""}, "lantern_lan is missing"),
        ({"lan": "192.168.2.0"}, '"192.168.2.0" is not a network'),
        ({"lan": "home"}, '"home" is not a network'),
        ({"router": {"type": "fritzbox"}}, '"fritzbox" is not known'),
        ({"router": "192.168.2.1"}, "is no mapping"),
        ({"router": {"type": "dnsmasq", "adress": "x"}}, 'Did you mean "address"?'),
        ({"router": {"type": "dnsmasq", "address": "router"}}, '"router" is not an IP address'),
        ({"router_hosts": {}}, "group router has no host"),
        ({"nodes": {}, "control_plane": []}, "group nodes is empty"),
        ({"control_plane": ["other"]}, "not in group nodes: other"),
        ({"reservations": "192.168.2.9"}, "is no list"),
        ({"reservations": [{"name": "x"}]}, "entry 1"),
        ({"reservations": [{"name": "x", "address": "nowhere"}]}, '"nowhere" is not an IP address'),
        ({"serve_from_control_plane": "maybe"}, '"maybe" is not known'),
    ],
)
def test_the_rest_of_the_inventory_is_checked_too(changes, words):
    result = plan([pool(addresses=["192.168.2.128/26"])], **changes)
    assert any(words in problem for problem in result["problems"]), result["problems"]


def test_without_a_router_type_nothing_is_managed():
    result = plan([pool(size=8)], router=None, router_hosts={})
    assert result["router"] == {"type": "none", "address": ""} and result["problems"] == []
    assert any("router's address is not known" in text for text in result["warnings"])


def test_the_routers_address_is_that_of_its_host_unless_said_otherwise():
    assert plan([pool(size=8)], router={"type": "dnsmasq"})["router"]["address"] == "192.168.2.1"
    other = plan([pool(size=8)], router={"type": "dnsmasq", "address": "192.168.2.254"})
    assert addresses(other) == {"default": ["192.168.2.246-192.168.2.253"]}


def test_hosts_outside_the_lan_and_hosts_without_address_are_warned_about():
    result = plan([pool(size=8)], nodes={"node1": "10.0.0.1", "node2": ""})
    assert result["problems"] == []
    assert any('"node1"' in text and "10.0.0.1" in text for text in result["warnings"])
    assert any('"node2"' in text and "not known" in text for text in result["warnings"])


@pytest.mark.parametrize("control_plane", [["node1"], []])
def test_a_single_node_is_told_about_its_label(control_plane):
    result = plan([pool(size=8)], nodes={"node1": "192.168.2.11"}, control_plane=control_plane)
    (notice,) = result["notices"]
    assert "node.kubernetes.io/exclude-from-external-load-balancers" in notice and "node1" in notice
    assert "lantern_serve_from_control_plane" in notice


def test_a_single_node_that_keeps_its_label_is_warned():
    result = plan([pool(size=8)], nodes={"node1": "192.168.2.11"}, serve_from_control_plane=False)
    assert result["notices"] == []
    assert any("kubectl label node node1" in text for text in result["warnings"])


def test_serving_from_the_control_plane_beside_workers_is_said():
    assert "node1" in plan([pool(size=8)], serve_from_control_plane=True)["notices"][0]


def test_the_summary_is_a_table():
    result = plan(
        [pool(addresses=["192.168.2.128/25"]), pool(name="spare", addresses=["192.168.2.100/32"], auto_assign=False)],
        nodes={"node10": "192.168.2.20", "node9": "192.168.2.9"},
        control_plane=["node9"],
    )
    assert result["summary"].split("\n") == [
        "LAN     192.168.2.0/24",
        "Router  192.168.2.1, dnsmasq",
        "Node    node9  192.168.2.9, control plane",
        "Node    node10  192.168.2.20",
        "Pool    default  192.168.2.128-192.168.2.254  127 addresses",
        "Pool    spare  192.168.2.100/32  1 address, only on request",
    ]


def pinned(result):
    return {item["name"]: item["pinned"] for item in result["pools"]}


def test_pins_go_to_the_pool_that_holds_them():
    pools = [pool(addresses=["192.168.2.128/26"]), pool(name="media", addresses=["192.168.2.200-192.168.2.210"])]
    pins = {"default/web": "192.168.2.130", "media/tv": {"address": ["192.168.2.201"], "host": "tv"}}
    result = plan(pools, pins=pins)
    assert result["problems"] == []
    assert pinned(result) == {"default": "default/web=192.168.2.130", "media": "media/tv=192.168.2.201"}
    assert "Pin" in result["summary"] and "media/tv  192.168.2.201" in result["summary"]


@pytest.mark.parametrize(
    "pins, told",
    [
        ({"web": "192.168.2.130"}, "namespace and name"),
        ({"default/web": "192.168.2.300"}, "192.168.2.300"),
        ({"default/web": "192.168.2.20"}, "is in no pool"),
        ({"default/web": "192.168.2.130", "default/api": "192.168.2.130"}, "both default/web and default/api"),
        ({"default/web": ["192.168.2.130", "192.168.2.131"]}, "one of each family"),
        ({"default/web": {"ip": "192.168.2.130"}}, "give it address"),
        ({"default/web": {"address": "192.168.2.130", "host": "My TV"}}, "no host name"),
        (["default/web"], "no mapping"),
    ],
)
def test_bad_pins_are_named(pins, told):
    problems = plan([pool(addresses=["192.168.2.128/26"])], pins=pins)["problems"]
    assert len(problems) == 1 and told in problems[0] and "lantern_pins" in problems[0]


def test_host_parts_are_handed_on_and_checked():
    good = plan([pool(addresses=["192.168.2.128/26"], ipv6_host_parts=["::100-::1ff"])])
    assert good["problems"] == [] and good["pools"][0]["ipv6_host_parts"] == ["::100-::1ff"]
    bad = plan([pool(addresses=["192.168.2.128/26"], ipv6_host_parts="fd00::100-fd00::1ff")])
    assert len(bad["problems"]) == 1 and "fd00::100" in bad["problems"][0]


SEED = "192.168.0.230-192.168.1.250"


def seed_plan(lan, **changes):
    home = {"nodes": {"node1": "192.168.0.11"}, "router": {"type": "dnsmasq", "address": "192.168.0.1"}}
    return plan([pool(addresses=[SEED])], lan=lan, **dict(home, **changes))


def test_a_pool_that_reaches_out_of_a_24_is_cut_to_it_with_a_warning_that_names_the_23():
    result = seed_plan("192.168.0.0/24")
    assert result["problems"] == []
    assert addresses(result) == {"default": ["192.168.0.230-192.168.0.254"]}
    cut = next(text for text in result["warnings"] if "only" in text)
    assert "192.168.0.230-192.168.0.254" in cut and "192.168.0.0/23 would hold all of it" in cut


def test_the_same_pool_is_fine_in_a_23():
    result = seed_plan("192.168.0.0/23")
    assert (result["problems"], result["warnings"]) == ([], [])
    assert addresses(result) == {"default": [SEED]}


def test_a_pool_that_lies_elsewhere_altogether_stays_as_it_may_be_routed():
    result = plan([pool(addresses=["10.9.9.0/24"])])
    assert addresses(result) == {"default": ["10.9.9.0/24"]}
    assert "outside the LAN" in result["warnings"][0]


DHCP = {"type": "dnsmasq", "address": "192.168.2.1", "dhcp_ranges": ["192.168.2.100-192.168.2.249"]}


def test_dhcp_before_and_after():
    result = plan([pool(addresses=["192.168.2.200-192.168.2.210"])], router=DHCP)
    assert result["dhcp"] == {
        "before": ["192.168.2.100-192.168.2.249"],
        "after": ["192.168.2.100-192.168.2.199", "192.168.2.211-192.168.2.249"],
    }
    assert "then   192.168.2.100-192.168.2.199, 192.168.2.211" in result["summary"] and result["warnings"] == []


def test_a_router_that_is_not_managed_has_to_be_told_by_the_user():
    result = plan([pool(addresses=["192.168.2.200-192.168.2.254"])], router=dict(DHCP, type="none"))
    assert "192.168.2.100-192.168.2.199 only" in result["warnings"][0]


def test_a_malformed_dhcp_range_is_a_problem():
    (problem,) = plan([pool(size=3)], router=dict(DHCP, dhcp_ranges=["192.168.2.250-192.168.2.100"]))["problems"]
    assert "dhcp_ranges" in problem and "192.168.2.250-192.168.2.100" in problem


def test_proposals_leave_the_dhcp_range_alone_where_they_can():
    router = dict(DHCP, dhcp_ranges="192.168.2.150-192.168.2.254")
    assert addresses(plan([pool(size=32)], router=router)) == {"default": ["192.168.2.118-192.168.2.149"]}
    assert addresses(plan([pool(size=200)], router=router)) == {"default": ["192.168.2.55-192.168.2.254"]}


def test_pools_with_the_same_limits_share_an_advertisement():
    result = plan(
        [
            pool(addresses=["192.168.2.128-192.168.2.139"]),
            pool(name="dmz", addresses=["192.168.2.140-192.168.2.149"], nodes=["node2"], interfaces=["eth0"]),
            pool(name="games", size=4, nodes=["node2"], interfaces=["eth0"]),
            pool(name="routed", addresses=["10.9.0.0/28"], announce="none"),
        ]
    )
    assert result["problems"] == []
    assert result["advertisements"] == [
        {"name": "lantern", "pools": ["default"], "nodes": [], "interfaces": []},
        {"name": "lantern-dmz", "pools": ["dmz", "games"], "nodes": ["node2"], "interfaces": ["eth0"]},
    ]
    assert "dmz  announced by node2 on eth0" in result["summary"]
    assert "routed  announced by nobody" in result["summary"]
    assert any("routed" in notice and "needs a route" in notice for notice in result["notices"])


def test_pools_that_nobody_announces_have_no_advertisement_at_all():
    """One without pools would be one for all."""
    assert plan([pool(addresses=["192.168.2.128/28"], announce="none")])["advertisements"] == []


@pytest.mark.parametrize(
    "keys, told",
    [
        ({"announce": "bgp"}, 'announce is "bgp". Write layer2'),
        ({"nodes": ["nod2"]}, '"nod2", which is not in group nodes. Did you mean "node2"?'),
        ({"nodes": "node2"}, 'nodes is "node2". Write a list'),
        ({"nodes": []}, 'nodes is "[]". Write a list with one or more'),
        ({"interfaces": ["eth0 eth1"]}, '"eth0 eth1", which is no name of an interface'),
        ({"announce": "none", "interfaces": ["eth0"]}, "announce is none, so nodes and interfaces mean nothing"),
    ],
)
def test_limits_that_cannot_be_meant(keys, told):
    (problem,) = plan([pool(addresses=["192.168.2.128/28"], **keys)])["problems"]
    assert problem.startswith('pool "default": ') and told in problem


@pytest.mark.parametrize("serve, warned", [("auto", True), ("false", True), ("true", False)])
def test_a_pool_whose_nodes_are_all_kept_away_from_services(serve, warned):
    result = plan([pool(addresses=["192.168.2.128/28"], nodes=["node1"])], serve_from_control_plane=serve)
    assert any("only node1 may announce it" in warning for warning in result["warnings"]) is warned
