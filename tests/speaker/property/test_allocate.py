# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The allocator on arbitrary clusters: no address twice, nothing outside the pools, and nothing left to do."""

from __future__ import annotations

from collections import Counter
from random import Random

from fakes.records import applied, pool, service
from hypothesis import given
from hypothesis import strategies as st
from lantern.core.allocate import plan
from lantern.core.model import Service, Snapshot

POOLS = (
    pool("a", "10.0.0.0/30", "fd00::/126", created="1"),
    pool("b", "10.0.1.254-10.0.2.1", created="2", avoid_buggy_ips=True),
    pool("c", "10.0.3.0/31", created="0", auto_assign=False),
)
ADDRESSES = [f"10.0.{third}.{last}" for third in range(4) for last in (0, 1, 2, 254, 255)] + ["fd00::", "fd00::1"]


@st.composite
def services(draw: st.DrawFn, name: str) -> Service:
    asks = {}
    if draw(st.booleans()):
        asks["address-pool"] = draw(st.sampled_from(["a", "b", "c", "none"]))
    if draw(st.booleans()):
        asks["loadBalancerIPs"] = ",".join(draw(st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=2)))
    return service(
        name,
        *draw(st.lists(st.sampled_from(ADDRESSES), max_size=2, unique=True)),
        pool=draw(st.sampled_from([None, "a", "b", "gone"])),
        created=str(draw(st.integers(0, 3))),
        families=draw(st.sampled_from([(4,), (6,), (4, 6), (6, 4), ()])),
        requires_dual_stack=draw(st.booleans()),
        prefers_dual_stack=draw(st.booleans()),
        is_load_balancer=draw(st.integers(0, 9)) > 0,
        asks=asks,
    )


clusters = st.integers(0, 8).flatmap(lambda count: st.tuples(*(services(f"s{number}") for number in range(count))))


@given(clusters)
def test_applying_a_plan_leaves_nothing_to_do(found: tuple[Service, ...]) -> None:
    after = applied(found, plan(Snapshot(pools=POOLS, services=found)))
    assert plan(Snapshot(pools=POOLS, services=after)).is_empty


@given(clusters)
def test_no_address_is_given_twice_and_all_are_of_the_pool(found: tuple[Service, ...]) -> None:
    decided = plan(Snapshot(pools=POOLS, services=found))
    held = [ip for item in decided.keep for ip in item.service.addresses]
    held += [ip for item in decided.assign for ip in item.addresses]
    assert max(Counter(held).values(), default=1) == 1
    by_name = {spec.pool.name: spec.pool for spec in POOLS}
    for item in decided.assign:
        assert all(by_name[item.pool].usable(ip) for ip in item.addresses)
        assert [ip.version for ip in item.addresses] == sorted(ip.version for ip in item.addresses) or not item.is_new


@given(clusters, st.randoms(use_true_random=False))
def test_the_order_of_listing_does_not_matter(found: tuple[Service, ...], rng: Random) -> None:
    shuffled = list(found)
    rng.shuffle(shuffled)
    assert plan(Snapshot(pools=POOLS, services=found)) == plan(Snapshot(pools=POOLS, services=tuple(shuffled)))


@given(clusters)
def test_every_service_is_in_exactly_one_place(found: tuple[Service, ...]) -> None:
    decided = plan(Snapshot(pools=POOLS, services=found))
    served = [item.service.key for item in decided.keep] + [item.service.key for item in decided.assign]
    without = [item.service.key for item in decided.refuse if item.service.key not in served]
    assert sorted(served + without) == sorted(item.key for item in found if item.is_load_balancer)
