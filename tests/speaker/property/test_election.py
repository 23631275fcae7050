# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The election for any cluster: everybody agrees, all carry alike, no more moves than must."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from lantern.core.candidates import Candidate
from lantern.core.model import ServiceKey
from lantern.core.spread import Field, balance, place
from lantern.core.succession import Succession
from lantern.core.vips import Vip, VipKey
from lantern.tenure import Bulletin

NAMES = ("a", "b", "c", "d", "e")
WORD = Bulletin(ready=True, settled=True, interfaces={"eth0": bytes(6)})


@st.composite
def candidates(draw: st.DrawFn) -> tuple[Candidate, ...]:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    return tuple(Candidate(name, draw(st.sampled_from((0, 0, 10)))) for name in sorted(names))


@st.composite
def clusters(draw: st.DrawFn) -> list[Vip]:
    """VIPs whose candidates are of a few kinds, as in real clusters."""
    kinds = draw(st.lists(candidates(), min_size=1, max_size=3))
    chosen = draw(st.lists(st.sampled_from(range(len(kinds))), max_size=30))
    found = []
    for number, kind in enumerate(chosen):
        address = ip_address(f"10.9.0.{number}")
        found.append(Vip(address.packed, (address,), (ServiceKey("default", f"web-{number}"),), kinds[kind]))
    return found


@st.composite
def owned(draw: st.DrawFn) -> tuple[list[Vip], dict[VipKey, str]]:
    vips = draw(clusters())
    return vips, {vip.key: draw(st.sampled_from([item.node for item in vip.candidates])) for vip in vips}


def speakers(*names: str, **special: Bulletin) -> dict[str, Bulletin]:
    return {**dict.fromkeys(names or NAMES, WORD), **special}


@given(clusters(), st.randoms(use_true_random=False), st.dictionaries(st.sampled_from(NAMES), st.integers(0, 20)))
def test_same_facts_in_any_order_give_the_same_owners(vips: list[Vip], rng: Any, counts: dict[str, int]) -> None:
    shuffled, names = vips[:], list(NAMES)
    rng.shuffle(shuffled)
    rng.shuffle(names)
    assert place(vips, Field(speakers()), counts) == place(shuffled, Field(speakers(*names)), counts)


@given(clusters())
def test_every_vip_gets_one_of_its_most_preferred_nodes(vips: list[Vip]) -> None:
    placed = place(vips, Field(speakers()), {})
    for vip in vips:
        weights = {item.node: item.weight for item in vip.candidates}
        assert weights[placed[vip.key]] == max(weights.values())


@given(owned(), st.sets(st.sampled_from(NAMES), max_size=2))
def test_after_the_moves_no_single_move_helps(cluster: tuple[list[Vip], dict[VipKey, str]], new: set[str]) -> None:
    vips, owners = cluster
    ground = Field(speakers(**{name: replace(WORD, settled=False) for name in new}))
    moves = balance(vips, owners, ground)
    assert len({move.key for move in moves}) == len(moves)
    after = {**owners, **{move.key: move.to for move in moves}}
    load = Counter(after.values())
    for vip in vips:
        nodes = ground.settled(vip.candidates)
        owner = after[vip.key]
        assert all(load[owner] <= load[node] + 1 for node in nodes)
        if owner != owners[vip.key]:
            assert owner in nodes
    assert balance(vips, after, ground) == []


@given(st.lists(st.integers(0, 12), min_size=2, max_size=5))
def test_among_equals_no_more_moves_than_must(carried: list[int]) -> None:
    names = NAMES[: len(carried)]
    everybody = tuple(Candidate(name, 0) for name in names)
    owners: dict[VipKey, str] = {}
    vips: list[Vip] = []
    for name, number in zip(names, carried, strict=True):
        for _ in range(number):
            address = ip_address(f"10.9.0.{len(vips)}")
            vips.append(Vip(address.packed, (address,), (ServiceKey("default", str(address)),), everybody))
            owners[address.packed] = name
    moves = balance(vips, owners, Field(speakers(*names)))
    least, more = divmod(len(vips), len(names))
    # The fullest keep one more than the others.
    targets = [least + 1] * more + [least] * (len(names) - more)
    fewest = sum(max(0, have - target) for have, target in zip(sorted(carried, reverse=True), targets, strict=True))
    assert len(moves) == fewest


class Round:
    """Nodes that hear each other perfectly, one round after the other."""

    def __init__(self, vips: list[Vip]) -> None:
        self.vips = {vip.key: vip for vip in vips}
        self.nodes = {name: Succession(name) for name in NAMES}
        self.alive = set(NAMES)
        self.now = 1000.0

    def go(self, rounds: int, rng: Any) -> None:
        for _ in range(rounds):
            self.now += 0.3
            order = sorted(self.alive)
            rng.shuffle(order)
            offers: list[tuple[str, str, tuple[tuple[VipKey, int], ...]]] = []
            for name in order:
                words = {other: replace(WORD, tenures=dict(self.nodes[other].mine)) for other in self.alive - {name}}
                vip_of = self.vips
                outcome = self.nodes[name].decide(self.vips, vip_of, words, WORD, now=self.now)
                offers += [(name, to, vips) for to, vips in outcome.offers.items()]
            for by, to, vips in offers:
                self.nodes[to].invite(by, vips, now=self.now)

    def owners(self) -> dict[VipKey, list[str]]:
        found: dict[VipKey, list[str]] = {key: [] for key in self.vips}
        for name in self.alive:
            for key in self.nodes[name].mine:
                found[key].append(name)
        return found


@given(clusters(), st.randoms(use_true_random=False), st.sampled_from(NAMES))
@settings(max_examples=50)
def test_exactly_one_owner_after_settling(vips: list[Vip], rng: Any, victim: str) -> None:
    cluster = Round(vips)
    cluster.go(60, rng)
    assert all(len(names) == 1 for names in cluster.owners().values())
    cluster.alive.discard(victim)
    cluster.go(60, rng)
    after = cluster.owners()
    for vip in vips:
        assert len(after[vip.key]) == bool({item.node for item in vip.candidates} - {victim})
    for name in cluster.alive:
        assert cluster.nodes[name].owners == {key: names[0] for key, names in after.items() if names}


@given(clusters(), st.randoms(use_true_random=False), st.sampled_from(NAMES))
@settings(max_examples=50)
def test_those_alive_keep_what_they_have_while_a_dead_one_is_followed(vips: list[Vip], rng: Any, victim: str) -> None:
    cluster = Round(vips)
    cluster.go(60, rng)
    before = cluster.owners()
    cluster.alive.discard(victim)
    cluster.go(1, rng)
    after = cluster.owners()
    for key, (owner,) in before.items():
        if owner != victim:
            assert owner in after[key]
