# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of role reserve: names of pinned Services, steps for a router with only a web page, the proof of all LANs."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.homelab.lantern.plugins.filter import proof_summary, reservation_steps, service_names

steps = reservation_steps.FilterModule().filters()["reservation_steps"]
summary = proof_summary.FilterModule().filters()["proof_summary"]
names = service_names.FilterModule().filters()["service_names"]


def test_only_pins_with_a_host_have_a_name():
    pins = {
        "default/web": {"address": ["192.168.2.130", "fd00::1"], "host": "web.home"},
        "default/db": "192.168.2.131",
        "wrong": "192.168.2.132",
    }
    assert names(pins) == [{"name": "web.home", "addresses": ["192.168.2.130", "fd00::1"]}]
    assert names({}) == names(None) == []


def test_the_steps_have_the_users_numbers():
    told = "\n".join(steps(["192.168.2.128/25"], "192.168.2.0/24", "192.168.2.1"))
    assert "http://192.168.2.1" in told
    assert "start 192.168.2.2 and end 192.168.2.127" in told
    assert "192.168.2.128-192.168.2.255" in told
    assert "several ranges" not in told


def test_a_pool_in_the_middle_leaves_two_ranges_and_the_larger_one_is_proposed():
    told = "\n".join(steps(["10.0.0.50-10.0.0.59", "fd00::/64"], "10.0.0.0/24"))
    assert "start 10.0.0.60 and end 10.0.0.254" in told
    assert "these are free as well: 10.0.0.1-10.0.0.49" in told
    assert "default gateway" in told


def test_pools_that_take_the_whole_lan():
    assert "Switch its DHCP server off" in steps(["10.0.0.0/24"], "10.0.0.0/24")[-1]


def test_what_is_no_range_is_named():
    with pytest.raises(AnsibleFilterError, match="10.0.0.300"):
        steps(["10.0.0.300/24"], "10.0.0.0/24")


def asked(network, host, verdict, **found):
    lists = {key: [] for key in ("problems", "warnings_found", "servers", "routers", "strangers", "asked", "table")}
    item = {"network": network, "pools": [], "host": host}
    return {**lists, "scanned": 10, "seconds": 1.5, "verdict": verdict, "item": item, **found}


def not_asked(network, host, msg):
    return {"item": {"network": network, "pools": [], "host": host}, "msg": msg}


def test_the_proof_of_one_lan_is_in_the_words_of_the_module():
    told = summary([asked("192.168.2.0/24", "desktop", "failed", problems=["No."], warnings_found=["Hm."])])
    assert (told["verdict"], told["problems"], told["warnings_found"]) == ("failed", ["No."], ["Hm."])
    assert told["lans"] == [{"network": "192.168.2.0/24", "host": "desktop", "verdict": "failed"}]
    none = summary([not_asked("192.168.2.0/24", "desktop", "No scapy.")])
    assert (none["verdict"], none["problems"], none["servers"]) == ("unknown", ["No scapy."], [])
    assert none["lans"] == [{"network": "192.168.2.0/24", "host": "", "verdict": "unknown"}]
    assert summary([])["verdict"] == "unknown"


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [(("proven", "proven"), "proven"), (("unknown", "proven"), "unknown"), (("unknown", "failed"), "failed")],
)
def test_the_proof_of_several_lans_is_that_of_the_worst(verdicts, worst):
    one, two = verdicts
    told = summary(
        [
            asked("192.168.2.0/24", "desktop", one, asked=["192.168.2.9"], warnings_found=["Hm."]),
            not_asked("192.168.3.0/24", "desktop", "Not there."),
            asked("192.168.3.0/24", "tablet", two, asked=["192.168.3.9"], problems=["No."]),
        ]
    )
    assert told["verdict"] == worst
    assert told["problems"] == ["LAN 192.168.3.0/24: No."] and told["warnings_found"] == ["LAN 192.168.2.0/24: Hm."]
    assert told["asked"] == ["192.168.2.9", "192.168.3.9"] and (told["scanned"], told["seconds"]) == (20, 3.0)
    assert [(lan["host"], lan["verdict"]) for lan in told["lans"]] == [("desktop", one), ("tablet", two)]


def test_a_lan_that_nobody_could_ask_in_is_unknown_and_each_host_says_why():
    told = summary([not_asked("192.168.3.0/24", "desktop", "Not there."), not_asked("192.168.3.0/24", "pi", "Off.")])
    assert told["verdict"] == "unknown" and told["problems"] == ["from desktop: Not there.", "from pi: Off."]
