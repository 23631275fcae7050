# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges of addresses and the two notations for them."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._pools import (
    AddressRange,
    Problem,
    parse_address,
    parse_network,
    parse_networks,
    parse_range,
)


def read(text: str) -> AddressRange:
    found = parse_range(text)
    assert isinstance(found, AddressRange), found
    return found


@pytest.mark.parametrize(
    ("text", "shown", "size"),
    [
        ("192.168.2.128/25", "192.168.2.128-192.168.2.255", 128),
        ("192.168.2.130/25", "192.168.2.128-192.168.2.255", 128),
        ("192.168.2.5/32", "192.168.2.5-192.168.2.5", 1),
        ("0.0.0.0/0", "0.0.0.0-255.255.255.255", 2**32),
        ("192.168.2.240-192.168.2.250", "192.168.2.240-192.168.2.250", 11),
        ("  192.168.2.240 -  192.168.2.250 ", "192.168.2.240-192.168.2.250", 11),
        ("fd00::/64", "fd00::-fd00::ffff:ffff:ffff:ffff", 2**64),
        ("fd00::1-fd00::ff", "fd00::1-fd00::ff", 255),
    ],
)
def test_both_notations(text: str, shown: str, size: int) -> None:
    found = read(text)
    assert (str(found), found.size) == (shown, size)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", "malformed", 'Write a CIDR such as "192.168.2.128/25"'),
        ("home", "malformed", '"home" is not a range'),
        ("192.168.2.5", "malformed", 'For this one address alone write "192.168.2.5/32"'),
        ("fd00::5", "malformed", 'write "fd00::5/128"'),
        ("192.168.2.0/33", "malformed", '"192.168.2.0/33" is not a valid CIDR'),
        ("192.168.2.0/", "malformed", "not a valid CIDR"),
        ("192.168.2.0/255.255.255.0", "malformed", "not a valid CIDR"),
        ("fe80::%eth0/64", "malformed", "not a valid CIDR"),
        ("192.168.2.300-192.168.2.301", "malformed", '"192.168.2.300" in "192.168.2.300-192.168.2.301"'),
        ("192.168.2.1-", "malformed", '"" in "192.168.2.1-"'),
        ("192.168.2.1-20", "malformed", '"20" in "192.168.2.1-20" is not an IP address'),
        ("192.168.2.9-192.168.2.1", "reversed", 'Write it as "192.168.2.1-192.168.2.9"'),
        ("192.168.2.1-fd00::1", "family-mix", "mixes IPv4 and IPv6"),
    ],
)
def test_what_is_wrong_is_told_with_the_remedy(text: str, code: str, words: str) -> None:
    found = parse_range(text, 'pool "home"')
    assert isinstance(found, Problem)
    assert found.code == code and found.where == 'pool "home"'
    assert found.message.startswith('pool "home": ') and words in found.message
    assert str(found) == found.message


def test_numbers_and_none_are_told_too() -> None:
    for odd in (None, 5, ["a"]):
        assert isinstance(parse_range(odd), Problem)


def test_contains_overlaps_covers() -> None:
    home = read("192.168.2.128/25")
    assert ip_address("192.168.2.128") in home and ip_address("192.168.2.255") in home
    assert ip_address("192.168.2.127") not in home and ip_address("192.168.3.0") not in home
    assert ip_address("::c0a8:280") not in home and "192.168.2.128" not in home
    assert home.overlaps(read("192.168.2.0-192.168.2.128")) and not home.overlaps(read("192.168.2.0/25"))
    assert home.covers(read("192.168.2.200/32")) and not home.covers(read("192.168.2.0/24"))
    assert not home.overlaps(read("::/0")) and not home.covers(read("::1/128"))


def test_networks() -> None:
    assert [str(item) for item in read("192.168.2.126-192.168.2.129").networks()] == [
        "192.168.2.126/31",
        "192.168.2.128/31",
    ]


def test_ranges_sort_by_family_then_first() -> None:
    texts = ["fd00::/64", "192.168.2.0/24", "10.0.0.0/8"]
    assert [str(item.first_address) for item in sorted(read(text) for text in texts)] == [
        "10.0.0.0",
        "192.168.2.0",
        "fd00::",
    ]


def test_addresses_and_networks() -> None:
    assert parse_address(" 192.168.2.1 ") == ip_address("192.168.2.1")
    assert isinstance(parse_address("192.168.2.1/24"), Problem) and isinstance(parse_address("fe80::1%eth0"), Problem)
    assert str(parse_network("192.168.2.7/24")) == "192.168.2.0/24"
    wrong = parse_network("192.168.2.0", "the LAN")
    assert isinstance(wrong, Problem)
    assert wrong.message == 'the LAN: "192.168.2.0" is not a network. Write a CIDR such as 192.168.2.0/24.'


@pytest.mark.parametrize(
    ("given", "networks", "wrong"),
    [
        ("192.168.2.0/24", ["192.168.2.0/24"], 0),
        (["192.168.2.7/24", "fd00::/64", "192.168.2.0/24"], ["192.168.2.0/24", "fd00::/64"], 0),
        (["home", "fd00::/64", None], ["fd00::/64"], 2),
        (None, [], 1),
        ([], [], 0),
    ],
)
def test_one_network_or_a_list(given: object, networks: list[str], wrong: int) -> None:
    found, problems = parse_networks(given, "lantern_lan")
    assert [str(item) for item in found] == networks
    assert [item.code for item in problems] == ["malformed"] * wrong
