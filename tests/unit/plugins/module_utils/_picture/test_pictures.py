# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures: what they show, and that they are SVG that needs nothing else."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from ansible_collections.homelab.lantern.plugins.filter.address_map import address_map
from ansible_collections.homelab.lantern.plugins.filter.address_picture import address_picture
from ansible_collections.homelab.lantern.plugins.filter.address_plan import address_plan
from ansible_collections.homelab.lantern.plugins.filter.lan_picture import lan_picture
from ansible_collections.homelab.lantern.plugins.module_utils._picture import address_space, drawing

SVG = "{http://www.w3.org/2000/svg}"


def words(picture):
    """Every text in the picture, and every hint."""
    root = ElementTree.fromstring(picture)
    assert root.tag == f"{SVG}svg" and "href" not in picture and "<script" not in picture
    return [element.text for element in root.iter() if element.text]


def plan(pools, **changes):
    settings = {
        "lan": "192.168.2.0/24",
        "nodes": {"node1": "192.168.2.11", "node2": "192.168.2.12"},
        "router": {"type": "dnsmasq", "address": "192.168.2.1", "dhcp_ranges": ["192.168.2.100-192.168.2.199"]},
        "router_hosts": {"r": "192.168.2.1"},
        "control_plane": ["node1"],
        "reservations": [{"name": "printer", "address": "192.168.2.9"}],
        "pins": {"default/web": "192.168.2.190"},
    }
    return address_plan(pools, **dict(settings, **changes))


POOL = [{"name": "lan", "addresses": ["192.168.2.180-192.168.2.220"]}]


def test_the_map_has_a_letter_for_each_address():
    lines = address_map(plan(POOL))
    cells = "".join(line.split()[1] for line in lines[:4])
    assert len(cells) == 256
    assert cells[0] == cells[255] == "_" and cells[1] == "R" and cells[9] == "o" and cells[11:13] == "NN"
    assert set(cells[100:180]) == {"d"} and cells[180] == "P" and cells[190] == "*" and cells[221] == "."
    assert lines[1].startswith("192.168.2.64 ")
    assert "R router" in lines[4] and "conflict" not in lines[4]


def test_the_map_of_a_large_lan_shows_the_most_important_of_several():
    lines = address_map(plan([{"name": "lan", "addresses": ["10.0.0.0-10.0.255.255"]}], lan="10.0.0.0/8"))
    assert len(lines) == 9 and "32768 addresses a letter" in lines[-1]
    assert lines[0].split()[1].startswith("PP.")


def test_conflicts_are_marked_in_both():
    bad = plan(
        [{"name": "a", "addresses": ["192.168.2.5-192.168.2.20"]}, {"name": "b", "addresses": ["192.168.2.18/31"]}]
    )
    assert bad["problems"]
    cells = address_map(bad)[0].split()[1]
    assert cells[9] == cells[11] == cells[18] == "!" and cells[6] == "P"
    told = words(address_picture(bad))
    assert any("to be solved" in text for text in told) and "conflicts" in told
    assert any('"printer"' in text for text in told)


def test_the_picture_names_everything():
    told = words(address_picture(plan(POOL)))
    for text in ("LAN 192.168.2.0/24", "can be used", "router", "node1, node2", "printer", "DHCP today", ".100 to .199",
                 "DHCP then", ".100 to .179", "web", "192.168.2.255"):  # fmt: skip
        assert text in told
    assert "lan: 192.168.2.180-192.168.2.220, 41 addresses" in told


@pytest.mark.parametrize("lan", ["", "nonsense"])
def test_without_a_lan_the_problems_are_shown(lan):
    bad = plan(POOL, lan=lan)
    assert address_map(bad) == []
    assert any("lantern_lan" in text for text in words(address_picture(bad)))


@pytest.mark.parametrize("lan", ["192.168.2.0/31", "192.168.2.0/16", "fd00::/64", "192.168.2.1/32"])
def test_lans_of_any_size(lan):
    result = plan(POOL, lan=lan)
    assert words(address_picture(result)) and len(address_map(result)) <= 9


DUAL = {
    "lan": ["192.168.2.0/24", "fd00:2::/64"],
    "nodes": {"node1": ["192.168.2.11", "fd00:2::11"], "node2": ["192.168.2.12"]},
    "router": {"type": "dnsmasq", "address": "192.168.2.1", "addresses": ["fd00:2::1"]},
    "pins": {"default/web": ["192.168.2.190", "fd00:2::1:5"]},
}
DUAL_POOL = [{"name": "lan", "addresses": ["192.168.2.180-192.168.2.220", "fd00:2::1:0/112"]}]


def test_an_ipv6_lan_has_a_list_below_the_map():
    lines = address_map(plan(DUAL_POOL, **DUAL))
    assert lines[2].split()[1][52:] == "PPPPPPPPPP*P" and lines[5] == ""
    assert lines[6:] == [
        "fd00:2::/64:",
        "fd00:2::1                   R router",
        "fd00:2::11                  N node1",
        "fd00:2::1:0-fd00:2::1:ffff  P lan",
        "fd00:2::1:5                 * default/web",
        "R router, N node, * pinned, P pool",
    ]
    assert address_map(plan(POOL, lan=["fd00:3::/64"])) == ["fd00:3::/64:", "nobody known"]


def test_conflicts_in_an_ipv6_lan():
    pools = [
        {"name": "a", "addresses": ["fd00:2::10-fd00:2::20"]},
        {"name": "b", "addresses": ["fd00:2::19-fd00:2::30"]},
    ]
    lines = address_map(plan(pools, lan=DUAL["lan"], nodes=DUAL["nodes"], router=DUAL["router"], pins={}))
    for line in ("fd00:2::11 ! node1", "fd00:2::19-fd00:2::20 !", "fd00:2::19-fd00:2::30 P b"):
        assert line in [" ".join(told.split()) for told in lines]


def test_the_picture_has_a_ruler_for_each_lan():
    picture = address_picture(plan(DUAL_POOL, **DUAL))
    told = words(picture)
    for text in ("LAN 192.168.2.0/24", "192.168.2.192", "LAN fd00:2::/64", "not to scale", "fd00:2::1:0"):
        assert text in told
    assert told.count("can be used") == 1 and "lan: fd00:2::1:0-fd00:2::1:ffff, 65536 addresses" in told
    assert "node1: fd00:2::11" in told and "not to scale" not in words(address_picture(plan(POOL)))
    marks = [
        (float(mark.get("x")), mark.findtext(f"{SVG}title"))
        for mark in ElementTree.fromstring(picture).iter(f"{SVG}rect")
        if "fd00:2::" in (mark.findtext(f"{SVG}title") or "")
    ]
    assert [title.partition(":")[0] for _x, title in sorted(marks)] == ["router", "node1", "lan", "default/web"]
    places = sorted(place for place, _title in marks)
    apart = [after - before for before, after in zip(places, places[1:])]
    assert min(apart) > 50


def test_free_space():
    (found,) = address_space.spaces(plan(POOL))
    assert str(next(iter(address_space.free(found)))) == "192.168.2.0-192.168.2.0"
    assert address_space.free(found).size == 256 - 41 - 80 - 4


def summary(**changes):
    probe = {
        "service": "default/web",
        "address": "192.168.2.130",
        "good": True,
        "broken": "",
        "macs": ["mac:1"],
        "node": "node1",
        "source": "192.168.2.50",
        "gateway": "",
        "owners": ["node1"],
        "foreign": [],
    }
    probes = [dict(probe, **one) for one in changes.pop("probes", [{}])]
    told = {
        "broken": [one for one in probes if not one["good"]],
        "probes": probes,
        "nodes": [
            {"name": "node1", "addresses": ["192.168.2.11"], "ready": True},
            {"name": "node2", "addresses": ["fd00::12"], "excluded": True},
            {"name": "node3", "addresses": [], "ready": False},
        ],
        "services": [{"name": "default/web", "addresses": ["192.168.2.130"], "waiting": ""}],
    }
    return dict(told, **changes)


def test_a_good_home():
    told = words(lan_picture(summary(), lan="192.168.2.0/24", router="192.168.2.1"))
    for text in ("all good", "1 address tried", "192.168.2.130 web", "node1", "fd00::12", "may not announce",
                 "not Ready", "192.168.2.50", "192.168.2.1", "LAN 192.168.2.0/24"):  # fmt: skip
        assert text in told
    assert "another device" not in told and "at no node" not in told


def test_strangers_lost_and_pending_addresses_have_boxes_of_their_own():
    broken = {"good": False, "broken": "ARP", "node": ""}
    probes = [
        dict(broken, macs=["mac:1", "mac:9"], foreign=["mac:9"]),
        dict(broken, address="192.168.2.131", macs=[], owners=[]),
        dict(broken, address="192.168.2.132", macs=[], owners=["node2"]),
    ]
    waiting = [{"name": "default/late", "addresses": [], "waiting": "no pool <&>"}]
    told = words(lan_picture(summary(probes=probes, services=waiting)))
    for text in (
        "3 broken",
        "another device",
        "mac:9",
        "at no node",
        "192.168.2.131 web",
        "pending default/late",
        "no pool <&>",
    ):
        assert text in told
    assert told.count("192.168.2.130 web") == 2, "at its owner and at the stranger"


def test_from_another_lan_unknown_owners_are_beyond_the_router():
    told = words(lan_picture(summary(probes=[{"gateway": "192.168.3.1", "node": "", "macs": [], "owners": []}])))
    assert "in another LAN" in told and "beyond the router" in told and "192.168.3.1" in told


def test_many_addresses_and_nodes_stay_readable():
    probes = [{"address": f"192.168.2.{number}"} for number in range(130, 150)]
    nodes = [{"name": f"node{number}", "addresses": [f"192.168.2.{number}"]} for number in range(1, 10)]
    picture = lan_picture(summary(probes=probes, nodes=nodes))
    assert "and 8 more" in words(picture)
    width = float(ElementTree.fromstring(picture).attrib["viewBox"].split()[2])
    assert width < 1100


def test_words_are_cut_to_fit():
    assert drawing.fitted("short", 100) == "short"
    assert drawing.fitted("a very long name of a Service", 100) == "a very long…"
