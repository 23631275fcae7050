# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several clusters in one inventory: which hosts a run is about, what those in one LAN have to know of each other."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.homelab.lantern.plugins.filter.address_plan import address_plan
from ansible_collections.homelab.lantern.plugins.filter.cluster_hosts import cluster_hosts
from ansible_collections.homelab.lantern.plugins.filter.cluster_neighbours import cluster_neighbours
from ansible_collections.homelab.lantern.plugins.filter.cluster_pattern import cluster_pattern

ONE = {"all": ["r", "n1", "n2"], "ungrouped": [], "nodes": ["n1", "n2"], "control_plane": ["n1"], "router": ["r"]}


def of(cluster):
    return [f"{cluster}-{name}" for name in ("controller", "router", "1", "2")]


TWO = {
    "all": of("attic") + of("cellar"),
    "ungrouped": [],
    "attic": of("attic"),
    "cellar": of("cellar"),
    "home": of("attic") + of("cellar"),
    "ansible_controller": ["attic-controller", "cellar-controller"],
    "nodes": ["attic-1", "attic-2", "cellar-1", "cellar-2"],
    "control_plane": ["attic-1", "cellar-1"],
    "router": ["attic-router", "cellar-router"],
    "probe": ["cellar-2"],
}


def test_an_inventory_with_one_cluster_needs_no_name():
    assert cluster_hosts(ONE, "nodes") == ["n1", "n2"]
    assert cluster_hosts(ONE, "probe") == []
    patterns = [cluster_pattern(ONE, role) for role in ("nodes", "router", "controller", "probe")]
    assert patterns == ["nodes", "router", "localhost", "localhost"]
    assert cluster_pattern(dict(ONE, probe=["p", "q"]), "probe") == "p"
    assert cluster_pattern(dict(ONE, ansible_controller=["here"]), "probe") == "here"
    assert cluster_neighbours(ONE, {}) == []


def test_a_named_cluster_has_its_own_hosts_only():
    assert cluster_hosts(TWO, "nodes", "cellar") == ["cellar-1", "cellar-2"]
    assert cluster_hosts(TWO, "control_plane", "attic") == ["attic-1"]
    patterns = [cluster_pattern(TWO, role, "attic") for role in ("nodes", "router", "controller", "probe")]
    assert patterns == ["nodes:&attic", "router:&attic", "attic-controller", "attic-controller"]
    assert cluster_pattern(TWO, "probe", "cellar") == "cellar-2"


@pytest.mark.parametrize(
    ("groups", "cluster", "told"),
    [
        (TWO, "", "the clusters attic, cellar, and a run is about one of them.*lantern_cluster=attic"),
        (TWO, "garden", 'no cluster "garden".*are: attic, cellar'),
        (TWO, "nodes", 'no cluster "nodes"'),
        (ONE, "attic", "are: none"),
        (dict(TWO, cellar=[*of("cellar"), "attic-1"]), "attic", "attic-1 is in the clusters attic, cellar"),
    ],
)
def test_it_has_to_be_clear_which_cluster_is_meant(groups, cluster, told):
    with pytest.raises(AnsibleFilterError, match=told):
        cluster_hosts(groups, "nodes", cluster)
    with pytest.raises(AnsibleFilterError, match=told):
        cluster_pattern(groups, "nodes", cluster)


def test_a_cluster_without_controller_is_told_how_to_get_one():
    groups = dict(TWO, ansible_controller=["cellar-controller"])
    with pytest.raises(AnsibleFilterError, match="Cluster attic has no host in group ansible_controller.*local"):
        cluster_pattern(groups, "controller", "attic")


def variables(**changes):
    said = {"lantern_lan": "192.168.2.0/24", "lantern_router": {"type": "manual", "address": "192.168.2.1"}}
    hostvars = {name: {"ansible_host": f"192.168.2.{number}"} for number, name in enumerate(TWO["all"], 10)}
    hostvars["attic-controller"].update(said, lantern_pools=[{"name": "a", "addresses": ["192.168.2.200/29"]}])
    hostvars["cellar-controller"].update(said, lantern_pools=[{"name": "c", "addresses": ["192.168.2.208/29"]}])
    for name in ("attic-router", "cellar-router"):
        hostvars[name]["ansible_host"] = "192.168.2.1"
    for name, value in changes.items():
        hostvars[name.replace("_", "-")].update(value)
    return hostvars


def test_clusters_behind_one_router_know_of_each_other():
    hostvars = variables(cellar_controller={"lantern_pins": {"default/web": "192.168.2.209"}})
    assert cluster_neighbours(TWO, hostvars, "attic") == [
        {
            "cluster": "cellar",
            "pools": [{"name": "c", "addresses": ["192.168.2.208/29"]}],
            "pins": {"default/web": "192.168.2.209"},
            "nodes": {"cellar-1": "192.168.2.16", "cellar-2": "192.168.2.17"},
        }
    ]


def test_two_homes_may_have_the_same_addresses():
    elsewhere = variables(cellar_router={"ansible_host": "10.8.0.7"})
    assert cluster_neighbours(TWO, elsewhere, "attic") == []
    without_login = dict(TWO, router=[])
    assert [one["cluster"] for one in cluster_neighbours(without_login, variables(), "attic")] == ["cellar"]
    other = variables(cellar_controller={"lantern_router": {"type": "none", "address": "192.168.2.254"}})
    assert cluster_neighbours(without_login, other, "attic") == []


def planned(pools, neighbour_pools):
    beside = [{"cluster": "cellar", "pools": neighbour_pools, "pins": None, "nodes": {"cellar-1": "192.168.2.16"}}]
    return address_plan(pools, "192.168.2.0/24", nodes={"attic-1": "192.168.2.12"}, cluster="attic", neighbours=beside)


def test_the_plan_keeps_out_of_the_neighbours_pools_and_reserves_them_too():
    plan = planned([{"name": "lan", "size": 8}], [{"name": "c", "addresses": ["192.168.2.240-192.168.2.254"]}])
    assert plan["problems"] == []
    assert plan["pools"][0]["addresses"] == ["192.168.2.232-192.168.2.239"]
    assert plan["beside"] == ["192.168.2.240-192.168.2.254"]
    assert plan["reserved"] == ["192.168.2.232-192.168.2.239", "192.168.2.240-192.168.2.254"]
    lines = [line.split() for line in plan["summary"].splitlines()]
    assert lines[0] == ["Cluster", "attic"] and lines[-1] == ["Beside", "cellar:", "c", "192.168.2.240-192.168.2.254"]


@pytest.mark.parametrize(
    ("pools", "neighbour_pools", "words"),
    [
        (
            ["192.168.2.200/29"],
            [{"name": "c", "addresses": ["192.168.2.204/32"]}],
            ["lan", "cellar: c", "192.168.2.204"],
        ),
        (["192.168.2.16/29"], [], ["lan", "cellar: cellar-1", "192.168.2.16"]),
        (["192.168.2.200/29"], [{"name": "c", "size": 4}], ["cellar: c", "gives only a size"]),
    ],
)
def test_what_two_clusters_cannot_both_have_is_refused_by_name(pools, neighbour_pools, words):
    problems = planned([{"name": "lan", "addresses": pools}], neighbour_pools)["problems"]
    assert any(all(word in problem for word in words) for problem in problems), problems


def test_a_neighbours_own_mistakes_are_not_ours():
    neighbour_pools = ["text", {"name": "c", "addresses": "192.168.2.240"}]
    assert planned([{"name": "lan", "addresses": ["192.168.2.200/29"]}], neighbour_pools)["problems"] == []
    assert planned([{"name": "lan", "addresses": ["192.168.2.200/29"]}], None)["problems"] == []
