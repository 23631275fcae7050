# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The allocator on arbitrary clusters, and through arbitrary histories of one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address
from itertools import combinations
from random import Random

from fakes.records import applied, labelled, pool, service
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from lantern.core.allocate import plan
from lantern.core.decisions import Plan
from lantern.core.explain import explain, render
from lantern.core.memory import decode, encode, remember
from lantern.core.model import PoolSpec, Service, ServiceAllocation, ServiceKey, Snapshot
from lantern.core.recall import Recall
from lantern.core.usage import usage
from lantern.pools import Address, Problem
from lantern.reasons import Reason

PINNED = "10.0.0.2"
POOLS = (
    pool("a", "10.0.0.0/30", "fd00::/126", created="1", pins={"default/s0": PINNED, "default/absent": "fd00::3"}),
    pool("b", "10.0.1.254-10.0.2.1", created="2", avoid_buggy_ips=True),
    pool("c", "10.0.3.0/31", created="0", auto_assign=False),
    pool("d", "10.0.4.0/31", created="3", allocation=ServiceAllocation(service_selectors=(labelled(tier="web"),))),
    pool("e", "2001:db8:0:1::10-2001:db8:0:1::12", "10.0.5.1/32", created="4", host_parts=("::10-::12",)),
)
ADDRESSES = [f"10.0.{third}.{last}" for third in range(5) for last in (0, 1, 2, 254, 255)]
ADDRESSES += ["fd00::", "fd00::1", "2001:db8:0:1::10", "2001:db8::11", "10.0.5.1", "10.9.9.9"]
LAYOUTS = (
    {"b": ("10.0.1.254-10.0.2.1",), "c": ("10.0.3.0/31",)},
    {"b": ("10.0.1.255-10.0.2.1",), "c": ("10.0.3.1/32",)},
    {"b": ("10.0.3.0/32",), "c": ("10.0.3.1/32", "10.0.1.254/31")},
)
"""What two pools may hold in turn; the last one also hands addresses from one to the other."""
MEMORY = {
    ServiceKey("default", "gone"): (ip_address("10.0.0.0"), ip_address("fd00::")),
    ServiceKey("default", "s1"): (ip_address("10.0.0.1"), ip_address("2001:db8:0:9::10")),
}


@st.composite
def wishes(draw: st.DrawFn) -> dict[str, str]:
    asks = {}
    if draw(st.integers(0, 3)) == 0:
        asks["address-pool"] = draw(st.sampled_from(["a", "b", "c", "d", "none"]))
    if draw(st.integers(0, 3)) == 0:
        asks["loadBalancerIPs"] = ",".join(draw(st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=2)))
    if draw(st.booleans()):
        asks["allow-shared-ip"] = draw(st.sampled_from(["k", "l", ""]))
    return asks


@st.composite
def services(draw: st.DrawFn, name: str) -> Service:
    families, policy = draw(
        st.sampled_from(
            [((4,), ""), ((6,), ""), ((4,), "prefers"), ((4, 6), "prefers"), ((6, 4), "prefers")]
            + [((4, 6), "requires"), ((6, 4), "requires"), ((4,), "requires"), ((), "")]
        )
    )
    return service(
        name,
        *draw(st.lists(st.sampled_from(ADDRESSES), max_size=2, unique=True)),
        pool=draw(st.sampled_from([None, "a", "b", "gone"])),
        created=str(draw(st.integers(0, 3))),
        labels=draw(st.sampled_from([{}, {"tier": "web"}])),
        families=families,
        requires_dual_stack=policy == "requires",
        prefers_dual_stack=policy == "prefers",
        local_traffic_only=draw(st.booleans()),
        selector=draw(st.sampled_from([{}, {"app": "x"}, {"app": "y"}])),
        ports=draw(st.sampled_from([(("TCP", 80),), (("TCP", 443),), (("TCP", 80), ("UDP", 53)), ()])),
        is_load_balancer=draw(st.integers(0, 9)) > 0,
        lb_class=draw(st.sampled_from([""] * 9 + ["other"])),
        asks=draw(wishes()),
    )


clusters = st.integers(0, 8).flatmap(lambda count: st.tuples(*(services(f"s{number}") for number in range(count))))


def snapshot(found: Iterable[Service]) -> Snapshot:
    return Snapshot(pools=POOLS, services=tuple(found), memory=MEMORY)


def holders(decided: Plan) -> list[tuple[Service, tuple[Address, ...], str]]:
    """Who has what once the plan is carried out, and out of which pool."""
    held = [(item.service, item.service.addresses, item.pool) for item in decided.keep]
    return held + [(item.service, item.addresses, item.pool) for item in decided.assign]


def may_share(one: Service, other: Service) -> bool:
    """The rules of sharing, said once more in other words."""
    same_key = one.annotation("allow-shared-ip") == other.annotation("allow-shared-ip")
    if not one.annotation("allow-shared-ip") or not same_key or set(one.ports) & set(other.ports):
        return False
    pods = [sorted(item.selector.items()) if item.local_traffic_only else [] for item in (one, other)]
    return pods[0] == pods[1]


def check(pools: tuple[PoolSpec, ...], decided: Plan) -> None:
    """What is true of every plan."""
    by_name = {spec.pool.name: spec for spec in pools}
    pinned = {address: owner for spec in pools for owner, held in spec.pins.items() for address in held}
    held = holders(decided)
    for (one, its, _), (other, others, _) in combinations(held, 2):
        assert not set(its) & set(others) or may_share(one, other), f"{one.key} and {other.key}"
    for item, addresses, name in held:
        assert len({address.version for address in addresses}) == len(addresses) > 0
        assert {address.version for address in addresses} <= set(item.families)
        assert all(by_name[name].pool.usable(address) for address in addresses)
        assert all(pinned.get(address, item.key) == item.key for address in addresses)
    for change in decided.assign:
        versions = [address.version for address in change.addresses]
        assert versions == sorted(versions) or not change.is_new
        assert change.lost is not None or set(change.service.addresses) <= set(change.addresses)
    for numbers in usage(pools, decided).values():
        for family in (0, 4, 6):
            assert 0 <= numbers.assigned(family) + numbers.available(family) <= numbers.total(family) < 2**63


@given(clusters)
def test_applying_a_plan_leaves_nothing_to_do(found: tuple[Service, ...]) -> None:
    first = plan(snapshot(found))
    second = plan(snapshot(applied(found, first)))
    assert second.is_empty
    assert [(item.service.key, item.denied.reason) for item in second.refuse] == [
        (item.service.key, item.denied.reason) for item in first.refuse
    ]


@given(clusters)
def test_every_plan_keeps_the_rules(found: tuple[Service, ...]) -> None:
    check(POOLS, plan(snapshot(found)))


@given(clusters, st.randoms(use_true_random=False))
def test_the_order_of_listing_does_not_matter(found: tuple[Service, ...], rng: Random) -> None:
    mixed, pools = list(found), list(POOLS)
    rng.shuffle(mixed)
    rng.shuffle(pools)
    assert plan(snapshot(found)) == plan(replace(snapshot(mixed), pools=tuple(pools)))


@given(clusters)
def test_every_service_is_in_its_place(found: tuple[Service, ...]) -> None:
    decided = plan(snapshot(found))
    served = [item.key for item, _addresses, _pool in holders(decided)]
    assert len(set(served)) == len(served)
    without = {item.service.key for item in decided.refuse} - set(served)
    ours = {item.key for item in found if item.is_load_balancer and item.lb_class == ""}
    assert set(served) | without == ours
    released = {item.service.key for item in decided.release}
    assert not released & set(served)
    emptied = {item.key for item in found if item.addresses and item.key in without}
    assert emptied <= released


@given(clusters)
def test_whoever_needs_nothing_and_bothers_nobody_keeps_its_address(found: tuple[Service, ...]) -> None:
    decided = plan(snapshot(found))
    kept = {item.key: addresses for item, addresses, _pool in holders(decided)}
    shown = [address for item in found if item.is_load_balancer for address in item.addresses]
    for item in found:
        if not item.is_load_balancer or item.lb_class or item.families != (4,) or item.requires_dual_stack:
            continue
        asks = item.annotation("loadBalancerIPs") or item.annotation("address-pool")
        inside = len(item.addresses) == 1 and item.addresses[0] in map(ip_address, ("10.0.0.1", "10.0.3.0"))
        if inside and not asks and item.key.name != "s0" and shown.count(item.addresses[0]) == 1:
            assert kept[item.key] == item.addresses


@given(clusters)
def test_nobody_waits_while_there_is_an_address_for_it(found: tuple[Service, ...]) -> None:
    decided = plan(snapshot(found))
    used = {address for _item, addresses, _pool in holders(decided) for address in addresses}
    used |= {address for item in found if item.lb_class and item.is_load_balancer for address in item.addresses}
    free = {ip_address(text) for text in ("10.0.0.0", "10.0.0.1", "10.0.0.3", "10.0.1.254", "10.0.2.1", "10.0.5.1")}
    for item in decided.refuse:
        asks = item.service.annotation("address-pool")
        if item.denied.reason is Reason.NO_FREE_ADDRESS and item.service.families == (4,) and not asks:
            assert free <= used


@given(clusters, clusters)
def test_what_is_remembered_of_a_plan_does_not_change_the_next(
    found: tuple[Service, ...], later: tuple[Service, ...]
) -> None:
    settled = applied(found, plan(snapshot(found)))
    older = tuple(replace(item, key=ServiceKey("other", item.key.name), created="") for item in settled[::2])
    recall = Recall()
    for now in (settled, settled, (*older, *settled), (*settled, *later)[::2], settled[1:], (*later, *settled[:2])):
        unique = tuple({item.key: item for item in now}.values())
        assert plan(snapshot(unique), recall) == plan(snapshot(unique))


@given(clusters)
def test_everything_can_be_explained(found: tuple[Service, ...]) -> None:
    for item in found:
        shown = render(explain(snapshot(found), item.key))
        assert shown.startswith(f"Service {item.key}\n") and "state" in shown
        assert shown.count("  used\n") <= 1


class Cluster(RuleBasedStateMachine):
    """One cluster through its life: after each change the plan is checked and carried out."""

    def __init__(self) -> None:
        super().__init__()
        self.services: dict[str, Service] = {}
        self.pools: dict[str, PoolSpec] = {spec.pool.name: spec for spec in POOLS}
        self.memory: dict[ServiceKey, tuple[Address, ...]] = {}
        self.layout = LAYOUTS[0]
        self.recall = Recall()
        self.clock = 0

    def _change(self, index: int, **values: object) -> None:
        if self.services:
            name = sorted(self.services)[index % len(self.services)]
            self.services[name] = replace(self.services[name], **values)  # type: ignore[arg-type]

    @rule(made=services("new"), name=st.integers(0, 5))
    def create(self, made: Service, name: int) -> None:
        if f"s{name}" not in self.services:
            self.clock += 1
            fresh = replace(made, key=ServiceKey("default", f"s{name}"), addresses=(), created=f"{self.clock:04}")
            self.services[f"s{name}"] = replace(fresh, lb_class="", is_load_balancer=True)

    @rule(index=st.integers(0, 5))
    def delete(self, index: int) -> None:
        if self.services:
            del self.services[sorted(self.services)[index % len(self.services)]]

    @rule(index=st.integers(0, 5), asks=wishes())
    def ask(self, index: int, asks: dict[str, str]) -> None:
        self._change(index, annotations={f"metallb.io/{key}": value for key, value in asks.items()})

    @rule(index=st.integers(0, 5), local=st.booleans(), ports=st.sampled_from([(("TCP", 80),), (("TCP", 443),)]))
    def repoint(self, index: int, local: bool, ports: tuple[tuple[str, int], ...]) -> None:
        self._change(index, local_traffic_only=local, ports=ports)

    @rule(index=st.integers(0, 5), families=st.sampled_from([(4,), (6,), (4, 6)]), prefers=st.booleans())
    def change_families(self, index: int, families: tuple[int, ...], prefers: bool) -> None:
        requires = len(families) == 2 and not prefers
        self._change(index, families=families, prefers_dual_stack=prefers, requires_dual_stack=requires)

    @rule(index=st.integers(0, 5), balances=st.booleans())
    def change_type(self, index: int, balances: bool) -> None:
        self._change(index, is_load_balancer=balances)

    @rule(index=st.integers(0, 5), labels=st.sampled_from([{}, {"tier": "web"}]))
    def relabel(self, index: int, labels: dict[str, str]) -> None:
        self._change(index, labels=labels)

    @rule(index=st.integers(0, 5), written=st.lists(st.sampled_from(ADDRESSES), max_size=2, unique=True))
    def write_status_from_elsewhere(self, index: int, written: list[str]) -> None:
        self._change(index, addresses=tuple(map(ip_address, written)))

    @rule(layout=st.sampled_from(LAYOUTS), auto=st.booleans(), avoids=st.booleans())
    def change_pools(self, layout: dict[str, tuple[str, ...]], auto: bool, avoids: bool) -> None:
        self.layout = layout
        for name in layout.keys() & self.pools.keys():
            old = self.pools[name]
            changed = replace(old.pool, addresses=layout[name], auto_assign=auto, avoid_buggy_ips=avoids)
            self.pools[name] = replace(old, pool=changed)

    @rule(name=st.sampled_from("abcde"))
    def remove_or_restore_pool(self, name: str) -> None:
        if self.pools.pop(name, None) is None:
            spec = next(spec for spec in POOLS if spec.pool.name == name)
            addresses = self.layout.get(name, spec.pool.addresses)
            self.pools[name] = replace(spec, pool=replace(spec.pool, addresses=addresses))

    @rule(prefix=st.sampled_from(["2001:db8:0:1", "2001:db8:0:2", None]))
    def change_prefix(self, prefix: str | None) -> None:
        if (old := self.pools.get("e")) is not None:
            ranges = (f"{prefix}::10-{prefix}::12",) if prefix else ()
            pending = "" if prefix else "no node has an IPv6 address"
            self.pools["e"] = replace(old, pool=replace(old.pool, addresses=("10.0.5.1/32", *ranges)), pending=pending)

    @rule(owner=st.sampled_from(["s0", "s1", "s2"]), address=st.sampled_from(["10.0.0.1", "10.0.0.3", "fd00::1"]))
    def pin(self, owner: str, address: str) -> None:
        if (old := self.pools.get("a")) is not None:
            pins = {ServiceKey("default", owner): (ip_address(address),)}
            self.pools["a"] = replace(old, pins=pins)

    @invariant()
    def plan_is_right_and_carried_out(self) -> None:
        pools = tuple(self.pools.values())
        before = tuple(self.services.values())
        now = Snapshot(pools=pools, services=before, memory=self.memory)
        decided = plan(now)
        assert plan(now, self.recall) == decided
        awaited = any(spec.pending for spec in pools)
        if not awaited:
            check(pools, decided)
        after = applied(before, decided)
        self.services = {item.key.name: item for item in after}
        self.memory = remember(self.memory, decided, limit=4)
        holders = {item.service.key for item in (*decided.keep, *decided.assign)}
        assert holders <= self.memory.keys() and len(self.memory.keys() - holders) <= 4
        assert remember(self.memory, decided, limit=4) == self.memory
        read_back = decode(encode(self.memory))
        assert not isinstance(read_back, Problem) and read_back == self.memory
        again = plan(Snapshot(pools=pools, services=after, memory=self.memory))
        assert again.is_empty
        assert plan(Snapshot(pools=pools, services=after, memory=self.memory), self.recall) == again
        restarted = plan(Snapshot(pools=pools, services=after))
        assert restarted.is_empty


Cluster.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestCluster = Cluster.TestCase
