# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""dnsmasq's configuration as text: what is understood, what is written, and that undoing gives the same bytes."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange, RangeSet, parse_range
from ansible_collections.homelab.lantern.plugins.module_utils._routers import blocks, contract, dnsmasq


def ranges(*texts):
    parsed = [parse_range(text) for text in texts]
    assert all(isinstance(item, AddressRange) for item in parsed)
    return parsed


POOL = ranges("192.168.2.128/25")
LAN = ranges("192.168.2.0/24")[0]


def handed_out(text):
    return [str(item.addresses) for _where, item in dnsmasq.dynamic_ranges({"f": text})]


def reserve(text, reserved=None, lan=None):
    outcome = dnsmasq.reserve({"f": text}, POOL if reserved is None else reserved, lan)
    return outcome.files["f"], outcome


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("dhcp-range=192.168.2.2,192.168.2.254", "192.168.2.2-192.168.2.254"),
        ("dhcp-range=192.168.2.2,192.168.2.254,255.255.255.0,12h", "192.168.2.2-192.168.2.254"),
        ("dhcp-range=192.168.2.2,192.168.2.254,255.255.255.0,192.168.2.255,infinite", "192.168.2.2-192.168.2.254"),
        ("  dhcp-range = 192.168.2.2 , 192.168.2.254 , 12h  # the LAN", "192.168.2.2-192.168.2.254"),
        ("dhcp-range=set:lan,192.168.2.2,192.168.2.254,12h", "192.168.2.2-192.168.2.254"),
        ("dhcp-range=tag:a,tag:b,set:lan,192.168.2.2,192.168.2.254,12h", "192.168.2.2-192.168.2.254"),
        ("dhcp-range=interface:eth0,192.168.2.2,192.168.2.254,12h", "192.168.2.2-192.168.2.254"),
        ("dhcp-range=lan,192.168.2.2,192.168.2.254", "192.168.2.2-192.168.2.254"),
        ("dhcp-range=192.168.2.254,192.168.2.2,12h", "192.168.2.2-192.168.2.254"),
        ("dhcp-range=192.168.2.2,192.168.2.254,12h\r", "192.168.2.2-192.168.2.254"),
    ],
)
def test_dynamic_ranges_are_found_in_every_notation(line, expected):
    item = dnsmasq.dynamic_range(line)
    assert item is not None
    assert str(item.addresses) == expected
    assert item.head + line[len(item.head) : len(line) - len(item.tail)] + item.tail == line


@pytest.mark.parametrize(
    "line",
    [
        "# dhcp-range=192.168.2.2,192.168.2.254",
        "#dhcp-range=192.168.2.2,192.168.2.254",
        "dhcp-range=192.168.2.0,static",
        "dhcp-range=192.168.2.0,static,255.255.255.0,12h",
        "dhcp-range=192.168.2.0,proxy",
        "dhcp-range=::1000,::1fff,constructor:eth0,64,12h",
        "dhcp-range=fd00::,ra-only",
        "dhcp-range=::,constructor:eth0,ra-stateless,ra-names",
        "dhcp-option=option:router,192.168.2.1",
        "dhcp-range",
        "",
    ],
)
def test_what_hands_out_no_ipv4_addresses_is_left_alone(line):
    assert dnsmasq.dynamic_range(line) is None
    assert reserve(line)[0] == line


def test_a_range_is_shortened_where_it_stands():
    text = "domain=lan\ndhcp-range=set:lan,192.168.2.2,192.168.2.254,255.255.255.0,12h  # LAN\nno-resolv\n"
    after, outcome = reserve(text)
    assert not outcome.problems and not outcome.warnings
    assert after.split("\n") == [
        "domain=lan",
        blocks.BEGIN,
        blocks.WAS + "dhcp-range=set:lan,192.168.2.2,192.168.2.254,255.255.255.0,12h  # LAN",
        "dhcp-range=set:lan,192.168.2.2,192.168.2.127,255.255.255.0,12h  # LAN",
        blocks.END,
        "no-resolv",
        "",
    ]


def test_a_range_around_the_pool_is_split():
    after, _outcome = reserve("dhcp-range=192.168.1.100,192.168.1.254,12h\n", ranges("192.168.1.240-192.168.1.250"))
    assert handed_out(after) == ["192.168.1.100-192.168.1.239", "192.168.1.251-192.168.1.254"]
    assert after.count(",12h") == 3  # the original in its comment, and both parts


def test_several_pools_cut_several_holes():
    after, _outcome = reserve(
        "dhcp-range=10.0.0.10,10.0.0.250\n", ranges("10.0.0.100-10.0.0.110", "10.0.0.111-10.0.0.120", "10.0.0.200/30")
    )
    assert handed_out(after) == ["10.0.0.10-10.0.0.99", "10.0.0.121-10.0.0.199", "10.0.0.204-10.0.0.250"]


TEXTS = [
    "dhcp-range=192.168.2.2,192.168.2.254,12h\n",
    "dhcp-range=192.168.2.2,192.168.2.254,12h",
    "\n\ndhcp-range=192.168.2.2,192.168.2.254,12h\r\nexpand-hosts\r\n",
    "# Umlaut \udce4\ndhcp-range=192.168.2.2,192.168.2.254\n\n",
    "dhcp-range=192.168.2.2,192.168.2.100\ndhcp-range=192.168.2.110,192.168.2.140\ndhcp-range=192.168.2.200,192.168.2.210",
    "dhcp-range=10.1.0.2,10.1.0.9\n",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
def test_releasing_gives_the_same_bytes(text):
    after, _outcome = reserve(text)
    assert dnsmasq.release_text(after) == text
    assert not any(item.addresses.overlaps(POOL[0]) for _where, item in dnsmasq.dynamic_ranges({"f": after}))


@pytest.mark.parametrize("text", TEXTS)
def test_reserving_again_changes_nothing(text):
    after, _outcome = reserve(text)
    assert reserve(after)[0] == after


def test_other_pools_start_from_the_original():
    text = "dhcp-range=192.168.2.2,192.168.2.254,12h\n"
    first, _outcome = reserve(text)
    second, _outcome = reserve(first, ranges("192.168.2.10-192.168.2.19"))
    assert handed_out(second) == ["192.168.2.2-192.168.2.9", "192.168.2.20-192.168.2.254"]
    assert dnsmasq.release_text(second) == text


def test_a_range_inside_the_pool_goes_with_a_warning():
    text = "dhcp-range=192.168.2.2,192.168.2.100\ndhcp-range=192.168.2.200,192.168.2.210\n"
    after, outcome = reserve(text, lan=LAN)
    assert handed_out(after) == ["192.168.2.2-192.168.2.100"]
    assert (
        len(outcome.warnings) == 1
        and "192.168.2.200-192.168.2.210" in outcome.warnings[0]
        and "f:2" in outcome.warnings[0]
    )
    assert not outcome.problems


def test_nothing_left_to_hand_out_is_refused():
    _after, outcome = reserve("dhcp-range=192.168.2.200,192.168.2.210\n")
    assert [item.code for item in outcome.problems] == ["nothing-left"]
    assert "192.168.2.200-192.168.2.210" in outcome.problems[0].message


def test_a_range_of_another_network_is_no_substitute():
    text = "dhcp-range=192.168.2.200,192.168.2.210\ndhcp-range=10.9.0.2,10.9.0.99\n"
    assert [item.code for item in reserve(text, lan=LAN)[1].problems] == ["nothing-left"]


def test_no_dhcp_server_is_no_problem():
    assert reserve("server=9.9.9.9\n", lan=LAN)[1].problems == []


BLOCK = reserve("a\ndhcp-range=192.168.2.2,192.168.2.254,12h\nb\n")[0].split("\n")


@pytest.mark.parametrize(
    "damaged",
    [
        [line.replace(".127", ".254") for line in BLOCK],
        [line for line in BLOCK if not line.startswith("dhcp-range")],
        [line for line in BLOCK if not line.startswith("# BEGIN")],
        [line for line in BLOCK if not line.startswith("# END")],
        [line for line in BLOCK if not line.startswith(("# BEGIN", "# END"))],
        ["a", "dhcp-range=192.168.2.2,192.168.2.254,12h", "b", ""],
        ["a", "dhcp-range=192.168.2.2,192.168.2.254,12h", "# END LANTERN", "b", ""],
        BLOCK[:4] + ["dhcp-range=192.168.2.200,192.168.2.254,12h"] + BLOCK[4:],
        BLOCK[:4] + ["dhcp-range=garbage"] + BLOCK[4:],
    ],
    ids=["widened", "emptied", "no-begin", "no-end", "only-original", "undone", "half-undone", "added", "garbage"],
)
def test_damage_is_repaired(damaged):
    assert reserve("\n".join(damaged))[0] == "\n".join(BLOCK)


def test_a_lost_original_keeps_what_is_there():
    damaged = "\n".join(line for line in BLOCK if not line.startswith(blocks.WAS))
    assert dnsmasq.release_text(damaged) == "a\ndhcp-range=192.168.2.2,192.168.2.127,12h\nb\n"


def test_other_options_written_into_a_block_survive():
    damaged = BLOCK[:4] + ["dhcp-option=3,192.168.2.1"] + BLOCK[4:]
    assert "dhcp-option=3,192.168.2.1" in dnsmasq.release_text("\n".join(damaged)).split("\n")


def test_every_kind_of_include_is_found():
    text = (
        "conf-file=/etc/a.conf\n#conf-dir=/no\nconf-dir=/etc/dnsmasq.d/,*.conf, .bak\nconf-file=-\n"
        'dhcp-hostsfile="/etc/hosts.d"\ndhcp-hostsdir=/etc/h\nread-ethers\n'
    )
    assert [tuple(item) for item in dnsmasq.includes(text)] == [
        ("conf-file", "/etc/a.conf", ()),
        ("conf-dir", "/etc/dnsmasq.d/", ("*.conf", ".bak")),
        ("host-file", "/etc/hosts.d", ()),
        ("host-dir", "/etc/h", ()),
        ("ethers", "/etc/ethers", ()),
    ]


NAMES = ["b.conf", "a.conf", "a.conf.dpkg-old", "x~", ".hidden", "#auto#", "README", ".conf"]


@pytest.mark.parametrize(
    ("suffixes", "expected"),
    [
        ((), ["README", "a.conf", "a.conf.dpkg-old", "b.conf"]),
        (("*.conf",), ["a.conf", "b.conf"]),
        ((".dpkg-old",), ["README", "a.conf", "b.conf"]),
        (("*", ".dpkg-old"), ["README", "a.conf", "b.conf"]),
        (("*.conf", "*README"), ["a.conf", "b.conf"]),
    ],
)
def test_files_of_a_directory(suffixes, expected):
    assert dnsmasq.directory_members(NAMES, suffixes) == expected


def test_fixed_leases_inside_the_pool_are_refused_by_name():
    options = {
        "/etc/dnsmasq.conf": "dhcp-host=11:22:33:44:55:66,printer,192.168.2.200,infinite\n"
        "dhcp-host=aa:bb:cc:dd:ee:ff,set:tv,192.168.2.20\n"
    }
    hosts = {"/etc/hosts.d/x": "# comment\n02:00:00:00:00:01,192.168.2.130,12h\n"}
    found = dnsmasq.fixed_leases(options, hosts, "02:00:00:00:00:02 192.168.2.140\n02:00:00:00:00:03 name\n")
    assert {str(item.address) for item in found} == {"192.168.2.200", "192.168.2.20", "192.168.2.130", "192.168.2.140"}
    messages = [item.message for item in contract.fixed_lease_problems(found, POOL)]
    assert len(messages) == 3
    assert "/etc/dnsmasq.conf:1" in messages[0] and '"printer"' in messages[0] and "192.168.2.200" in messages[0]
    assert "/etc/hosts.d/x:2" in messages[1] and "02:00:00:00:00:01" in messages[1]
    assert "/etc/ethers:1" in messages[2]


def test_leases_that_have_run_out_do_not_count():
    text = (
        "1000 02:00:00:00:00:01 192.168.2.10 old *\n"
        "3000 02:00:00:00:00:02 192.168.2.130 tv 01:02:00:00:00:00:02\n"
        "0 02:00:00:00:00:03 192.168.2.131 * *\n"
        "duid 00:01\n3000 123 fd00::10 tv 00:01\nrubbish\n"
    )
    found = dnsmasq.leases(text, now=2000.0)
    assert [tuple(item) for item in found] == [
        (IPv4Address("192.168.2.130"), "02:00:00:00:00:02", "tv", 3000),
        (IPv4Address("192.168.2.131"), "02:00:00:00:00:03", "", 0),
    ]


def test_the_last_value_of_an_option_counts():
    files = {"a": "dhcp-leasefile=/one\n# dhcp-leasefile=/two\n", "b": "dhcp-leasefile=/three\n"}
    assert dnsmasq.last_option(files, "dhcp-leasefile") == "/three"
    assert dnsmasq.last_option(files, "leasefile-ro") is None


def test_no_address_is_lost_or_invented():
    """Against a set of integers: what is handed out afterwards is what was handed out before, without the pools."""
    for first in range(0, 20, 3):
        for last in range(first, 24, 4):
            for start in range(0, 24, 5):
                pool = AddressRange(4, (10 << 24) + start, (10 << 24) + start + 4)
                text = f"dhcp-range=10.0.0.{first},10.0.0.{last}\n"
                after = dnsmasq.reserve({"f": text}, [pool]).files["f"]
                got = RangeSet(item.addresses for _where, item in dnsmasq.dynamic_ranges({"f": after}))
                wanted = set(range(first, last + 1)) - set(range(start, start + 5))
                assert {value - (10 << 24) for item in got for value in range(item.first, item.last + 1)} == wanted
