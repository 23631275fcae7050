# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of role reserve: names of pinned Services, and the steps for a router with only a web page."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.homelab.lantern.plugins.filter import reservation_steps, service_names

steps = reservation_steps.FilterModule().filters()["reservation_steps"]
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
