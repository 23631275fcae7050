# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that read facts about hosts."""

from __future__ import annotations

import pytest
from ansible_collections.homelab.lantern.plugins.filter.host_addresses import host_addresses
from ansible_collections.homelab.lantern.plugins.filter.image_architecture import image_architecture
from ansible_collections.homelab.lantern.plugins.filter.package_target import package_target


def test_addresses_come_from_the_inventory_before_facts():
    facts = {"default_ipv4": {"address": "192.168.2.99"}}
    hostvars = {
        "a": {"ansible_host": "192.168.2.11", "ansible_facts": facts},
        "192.168.2.12": {},
        "c": {"ansible_host": "c.home", "ansible_facts": facts},
        "d": {"ansible_host": "d.home"},
        "e": {"ansible_facts": {"default_ipv4": {}}},
        "fd00::1": {"ansible_host": "lan"},
    }
    assert host_addresses(list(hostvars), hostvars) == {
        "a": "192.168.2.11",
        "192.168.2.12": "192.168.2.12",
        "c": "192.168.2.99",
        "d": "",
        "e": "",
        "fd00::1": "fd00::1",
    }


def test_all_known_addresses_begin_with_the_inventorys_own():
    facts = {"default_ipv4": {"address": "192.168.2.99"}, "default_ipv6": {"address": "fd00:2::99"}}
    hostvars = {
        "a": {"ansible_host": "192.168.2.11", "ansible_facts": facts, "lantern_addresses": ["fd00:2::11"]},
        "b": {"ansible_host": "192.168.2.12", "lantern_addresses": "fd00:2::12"},
        "c": {"ansible_facts": facts},
        "d": {"ansible_facts": {"default_ipv4": {}, "default_ipv6": {}}},
    }
    assert host_addresses(list(hostvars), hostvars, every=True) == {
        "a": ["192.168.2.11", "fd00:2::11", "192.168.2.99", "fd00:2::99"],
        "b": ["192.168.2.12", "fd00:2::12"],
        "c": ["192.168.2.99", "fd00:2::99"],
        "d": [],
    }


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (
            {
                "os_family": "Debian",
                "distribution": "Debian",
                "distribution_release": "bookworm",
                "architecture": "aarch64",
            },
            ("debian", "bookworm", "arm64"),
        ),
        (
            {
                "os_family": "Debian",
                "distribution": "Raspbian",
                "distribution_release": "bookworm",
                "architecture": "aarch64",
                "userspace_bits": "32",
            },
            ("raspbian", "bookworm", "armhf"),
        ),
        (
            {
                "os_family": "RedHat",
                "distribution": "Rocky",
                "distribution_major_version": "9",
                "architecture": "aarch64",
            },
            ("rocky", "9", "aarch64"),
        ),
    ],
)
def test_what_packages_fit(facts, expected):
    target = package_target(facts)
    assert (target["distribution"], target["release"], target["architecture"]) == expected
    assert target["family"] == facts["os_family"]


def test_unknown_systems_get_no_packages():
    assert package_target({}) == {}
    assert package_target({"os_family": "Alpine"}) == {}


@pytest.mark.parametrize(
    ("kernel", "bits", "expected"),
    [
        ("x86_64", "64", "amd64"),
        ("aarch64", "64", "arm64"),
        ("aarch64", "32", "arm"),
        ("armv7l", "32", "arm"),
        ("armv8l", "32", "arm"),
        ("armv6l", "32", ""),
        ("x86_64", "32", ""),
        ("riscv64", "64", ""),
    ],
)
def test_a_nodes_programs_decide_which_image_it_needs(kernel, bits, expected):
    assert image_architecture({"architecture": kernel, "userspace_bits": bits}) == expected


def test_a_node_that_was_not_asked_needs_no_image():
    assert image_architecture({}) == ""
