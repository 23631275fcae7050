# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters of pools."""

from __future__ import annotations

import pytest
from fakes.plans import decide
from fakes.records import pool, service
from lantern.core.model import PoolSpec, Service
from lantern.core.usage import LIMIT, Usage, usage


def counted(services: list[Service], *pools: PoolSpec) -> dict[str, Usage]:
    return usage(pools, decide(services, *pools))


def numbers(found: Usage) -> tuple[int, int, int, int]:
    """As in IPAddressPool.status: assigned IPv4 and IPv6, available IPv4 and IPv6."""
    return (found.assigned(4), found.assigned(6), found.available(4), found.available(6))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (pool("p", "1.2.3.0/24"), (0, 0, 256, 0)),
        (pool("p", "1.2.3.0/24", avoid_buggy_ips=True), (0, 0, 254, 0)),
        (pool("p", "1.2.3.0/30", "fd00::/127"), (0, 0, 4, 2)),
        (pool("p", "fd00::/64", "fd01::/64"), (0, 0, 0, LIMIT)),
        (pool("p", "::/1", "8000::/1"), (0, 0, 0, LIMIT)),
        (pool("p", "1.2.3.4/32"), (0, 0, 1, 0)),
        (pool("p", "1.2.3.0/24", "1.2.5.128/25"), (0, 0, 384, 0)),
        (pool("p", "1.2.3.0/24", "1.2.5.128/25", avoid_buggy_ips=True), (0, 0, 381, 0)),
        (pool("p", "10.0.0.0/20", avoid_buggy_ips=True), (0, 0, 4096 - 32, 0)),
        (pool("p", "1.2.3.254-1.2.4.1", avoid_buggy_ips=True), (0, 0, 2, 0)),
        (pool("p", "1.2.3.0/31", "fd00::/127", avoid_buggy_ips=True), (0, 0, 1, 2)),
        (pool("p", "1.2.3.0/31", "fd00::/64", "fd01::/120"), (0, 0, 2, LIMIT)),
        (pool("p", host_parts=("::10",), pending="no prefix"), (0, 0, 0, 0)),
    ],
)
def test_capacity(spec: PoolSpec, expected: tuple[int, ...]) -> None:
    assert numbers(counted([], spec)["p"]) == expected


def test_totals_for_gauges() -> None:
    found = counted([], pool("p", "1.2.3.0/30", "fd00::/64"))["p"]
    assert (found.total(4), found.total(6), found.total(0)) == (4, LIMIT, LIMIT)


def test_new_and_kept_addresses_count_and_released_ones_do_not() -> None:
    services = [
        service("kept", "1.2.3.1", pool="p"),
        service("new", created="1"),
        service("moved", "1.2.3.2", pool="p", asks={"address-pool": "q"}),
        service("refused", requested_ip="9.9.9.9"),
    ]
    found = counted(services, pool("p", "1.2.3.0/30", created="1"), pool("q", "1.2.4.0/30", created="2"))
    assert numbers(found["p"]) == (2, 0, 2, 0)
    assert numbers(found["q"]) == (1, 0, 3, 0)


def test_a_shared_address_counts_once() -> None:
    shares = {"allow-shared-ip": "k"}
    services = [service("a", ports=(("TCP", 80),), asks=shares), service("b", ports=(("TCP", 443),), asks=shares)]
    assert numbers(counted(services, pool("p", "1.2.3.0/30"))["p"]) == (1, 0, 3, 0)


def test_dual_stack_counts_in_both_families() -> None:
    one = service("a", families=(4, 6), requires_dual_stack=True)
    found = counted([one], pool("p", "1.2.3.0/30", "fd00::/126"))["p"]
    assert numbers(found) == (1, 1, 3, 3) and (found.assigned(0), found.available(0)) == (2, 6)


def test_a_pinned_address_is_not_available_and_counts_once_its_owner_has_it() -> None:
    spec = pool("p", "1.2.3.0/30", pins={"default/a": "1.2.3.1", "default/b": "1.2.3.2"})
    assert numbers(counted([], spec)["p"]) == (0, 0, 2, 0)
    assert numbers(counted([service("a")], spec)["p"]) == (1, 0, 2, 0)
