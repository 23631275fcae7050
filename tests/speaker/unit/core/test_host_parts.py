# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which prefix the nodes tell, and what host parts amount to under it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Network, ip_address

import pytest
from fakes.records import node, pool
from lantern.core.host_parts import host_part_problems, nodes_prefix, resolve
from lantern.core.model import Node, PoolSpec
from lantern.core.validation import pool_problems

ONE, TWO, ULA = "2001:db8:0:1::", "2001:db8:0:2::", "fd00:1:2:3::"


def nodes(*addresses: str) -> list[Node]:
    """One node for each text; several addresses of one node are divided by spaces."""
    return [
        node(f"n{number}", addresses=tuple(ip_address(address) for address in text.split()))
        for number, text in enumerate(addresses)
    ]


def six(*host_parts: str, addresses: tuple[str, ...] = ()) -> PoolSpec:
    return replace(pool("six", *addresses), host_parts=host_parts)


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ([], None),
        (["192.168.2.10"], None),
        (["fe80::1", "::1", "ff02::1", "::ffff:10.0.0.1"], None),
        ([f"192.168.2.10 {ONE}5"], ONE),
        ([f"{ULA}5"], ULA),
        ([f"{ULA}5", f"{ULA}6", f"{ONE}5"], ONE),
        ([f"{TWO}5", f"{TWO}6", f"{ONE}5"], TWO),
        ([f"{TWO}5", f"{ONE}5"], ONE),
        ([f"{TWO}5 {TWO}6", f"{ONE}5", f"{ONE}6"], ONE),
    ],
    ids=["no nodes", "IPv4 only", "nothing that tells", "one", "unique local", "global first", "most nodes", "lowest",
         "a node speaks once"],
)  # fmt: skip
def test_prefix(addresses: list[str], expected: str | None) -> None:
    found = nodes_prefix(nodes(*addresses))
    assert found == (None if expected is None else IPv6Network(f"{expected}/64"))
    assert nodes_prefix(reversed(nodes(*addresses))) == found


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("::100-::1ff", "2001:db8:0:1::100-2001:db8:0:1::1ff"),
        ("::1:0/112", "2001:db8:0:1::1:0-2001:db8:0:1::1:ffff"),
        ("::5/128", "2001:db8:0:1::5-2001:db8:0:1::5"),
        ("::/64", "2001:db8:0:1::-2001:db8:0:1:ffff:ffff:ffff:ffff"),
    ],
)
def test_host_part_under_a_prefix(written: str, expected: str) -> None:
    assert resolve(six(written), IPv6Network(f"{ONE}/64")).pool.addresses == (expected,)
    assert host_part_problems(six(written)) == []


def test_written_addresses_stay_before_the_completed_ones() -> None:
    found = resolve(six("::1/128", addresses=("192.168.2.128/25",)), IPv6Network(f"{ONE}/64"))
    assert found.pool.addresses == ("192.168.2.128/25", "2001:db8:0:1::1-2001:db8:0:1::1")
    assert found.host_parts == ("::1/128",)


def test_problem_of_a_completed_address_names_what_was_written() -> None:
    prefix = IPv6Network(f"{ONE}/64")
    specs = [resolve(six("::1:0/112", "::1:5/128", addresses=("fd00::/112",)), prefix), pool("x", "fd00::5/128")]
    told = sorted(problem.message for problem in pool_problems(specs))
    assert told[0].startswith('pool "six", annotation lantern.homelab/ipv6-host-parts lists addresses twice: ')
    assert 'pool "six", spec.addresses[0] (fd00::-fd00::ffff)' in told[1] and len(told) == 2


def test_pool_without_host_parts_is_left_as_it_is() -> None:
    spec = pool("home", "192.168.2.128/25")
    assert resolve(spec, None) is spec


def test_unknown_prefix_says_what_would_help() -> None:
    found = resolve(six("::100-::1ff"), None)
    assert found.pool.addresses == ()
    assert "::100-::1ff" in found.pending and "--node-ip" in found.pending


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("2001:db8::1-2001:db8::2", "Leave the prefix out"),
        ("::/63", "Leave the prefix out"),
        ("192.168.2.0/24", "Leave the prefix out"),
        ("::9-::1", "ends before it begins"),
        ("::5", "is a single address"),
        ("zero", "is not a range of addresses"),
    ],
)
def test_what_is_no_host_part(written: str, told: str) -> None:
    (problem,) = host_part_problems(six(written))
    assert problem.where == 'pool "six"' and "lantern.homelab/ipv6-host-parts" in problem.message
    assert f'"{written}"' in problem.message and told in problem.message
    assert resolve(six(written), IPv6Network(f"{ONE}/64")).pool.addresses == ()
