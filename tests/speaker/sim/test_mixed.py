# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A home that moves from MetalLB node by node: as long as one of its speakers is there, its election is everybody's.

The owners that are expected are computed here, from what MetalLB's source says, and not by Lantern's election.
"""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest
from fakes.records import advertisement, labelled, node
from lantern.core.model import Preference, Snapshot
from lantern.pools import Address

from sim.lanworld import LanWorld, snapshot

OURS = ("n1", "n2", "n3")
METALLB = ("m1", "m2")
VIPS = 40
PREFERENCES = (Preference(30, labelled(disk="ssd")), Preference(20, labelled(rack="low")))
LABELS = {"n1": {"disk": "ssd"}, "n2": {"rack": "low"}, "n3": {"disk": "ssd", "rack": "low"}, "m1": {}, "m2": {}}
WEIGHTS = {"n1": 30, "n2": 20, "n3": 50, "m1": 0, "m2": 0}
EVEN = dict.fromkeys(WEIGHTS, 0)


def elected(address: Address, weights: dict[str, int]) -> str:
    """MetalLB's choice (speaker/layer2_controller.go): the greatest weight, then the least digest of NODE#IP."""
    best = max(weights.values())
    names = [name for name, weight in weights.items() if weight == best]
    return min(names, key=lambda name: hashlib.sha256(f"{name}#{address}".encode()).hexdigest())


def home(**changes: object) -> Snapshot:
    return snapshot([*OURS, *METALLB], VIPS, **changes)


def world_of(state: Snapshot, *foreign: str) -> LanWorld:
    world = LanWorld(1)
    world.state = state
    world.boot(OURS)
    world.foreigners(*foreign)
    world.run(5)
    return world


def follows_metallb(world: LanWorld, weights: dict[str, int], foreign: tuple[str, ...]) -> None:
    """Whether each address is where MetalLB's speakers believe that it is; theirs are left to them."""
    for item in world.state.services:
        (address,) = item.addresses
        owner = elected(address, weights)
        assert world.owners(address) == ([] if owner in foreign else [owner]), address


@pytest.mark.parametrize("weights", [EVEN, WEIGHTS], ids=["alike", "preferred"])
def test_each_address_is_where_metallb_expects_it(weights: dict[str, int]) -> None:
    preferred = {
        "nodes": {name: node(name, labels=LABELS[name]) for name in weights},
        "advertisements": (advertisement(preferences=PREFERENCES),),
    }
    world = world_of(home(**preferred) if any(weights.values()) else home(), *METALLB)
    follows_metallb(world, weights, METALLB)
    # Of those that are left, the next one.
    favourite = max(OURS, key=lambda name: weights[name])
    world.power_off(world.boxes[favourite])
    world.run(10)
    follows_metallb(world, {name: weight for name, weight in weights.items() if name != favourite}, METALLB)


def test_last_metallb_speaker_takes_its_election_with_it() -> None:
    world = world_of(home(), *METALLB)
    world.foreigners("m2")
    world.add("m1")
    world.run(5)
    follows_metallb(world, EVEN, ("m2",))
    assert all(box.failover.by_hash for box in world.boxes.values())
    ours = {address for box in world.boxes.values() for address in box.announced}
    world.forget_gaps()
    world.foreigners()
    world.add("m2")
    world.run(5)
    assert not any(box.failover.by_hash for box in world.boxes.values())
    assert world.settled()
    world.run(80)
    assert not ours & world.alone.keys(), "nobody waited for what was Lantern's already"
    assert world.settled()
    counts = world.counts().values()
    assert max(counts) - min(counts) <= 1
    by_hash = Counter(elected(item.addresses[0], EVEN) for item in world.state.services).values()
    assert max(by_hash) - min(by_hash) > 1, "the hash would have spread them otherwise"
