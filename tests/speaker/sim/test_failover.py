# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole speakers on a virtual LAN: the dead are followed within a second, the living are left alone, one owner each.

LANTERN_SIM_HOURS lengthens the long runs: with 24 they take virtual days.
"""

from __future__ import annotations

import os
from dataclasses import replace
from statistics import quantiles

import pytest
from fakes.records import node, service
from lantern.app.failover_effects import GaveUp, Left, Took
from lantern.core.elect import owner
from lantern.core.model import EXCLUDE_LABEL, Endpoint
from lantern.watch.effects import HeldBack, Lost

from sim.lanworld import Box, LanWorld, Link, snapshot

HOURS = float(os.environ.get("LANTERN_SIM_HOURS", "1"))
JITTER = Link(loss=0.05, delay_seconds=(0.0, 0.2))


def settled(
    seed: int, size: int = 3, vips: int = 9, link: Link | None = None, seconds: float = 70
) -> tuple[LanWorld, list[Box]]:
    """A cluster beyond its hold time, unless told otherwise."""
    world = LanWorld(seed, link)
    names = [f"n{number}" for number in range(1, size + 1)]
    world.state = snapshot(names, vips)
    boxes = world.boot(names)
    world.run(seconds)
    world.run_until(world.settled, 30)
    world.forget_gaps()
    for box in boxes:
        box.log.clear()
    return world, boxes


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_vips_are_spread_evenly_and_each_has_one_owner(size: int) -> None:
    world, _ = settled(1, size, vips=20)
    counts = world.counts().values()
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("kind", ["power", "cable", "frozen"])
def test_dead_owner_is_followed_well_below_a_second(kind: str) -> None:
    gaps = []
    for seed in range(20):
        world, (victim, *_) = settled(seed)
        match kind:
            case "power":
                world.power_off(victim)
            case "cable":
                world.pull_cable(victim, carrier_is_seen=False)
            case _:
                world.freeze(victim, 60)
        world.run(3)
        assert world.settled()
        gaps.append(world.longest_gap)
    assert quantiles(gaps, n=20)[-1] < 0.85
    assert max(gaps) < 0.95


def test_owner_without_carrier_is_followed_as_fast() -> None:
    world, (victim, *_) = settled(2)
    world.pull_cable(victim)
    assert not victim.announced
    world.run(2)
    assert world.settled() and world.longest_gap < 0.65


@pytest.mark.parametrize("seed", range(3))
def test_two_of_five_die_at_once(seed: int) -> None:
    world, (one, other, *_) = settled(seed, size=5, vips=20)
    world.power_off(one)
    world.power_off(other)
    world.run(5)
    assert world.settled() and world.longest_gap < 1.0


def test_last_one_alive_takes_everything_a_little_later() -> None:
    world, (one, other, last) = settled(3)
    world.power_off(one)
    world.power_off(other)
    world.run(5)
    assert world.counts() == {last.name: 9} and world.longest_gap < 3.0


@pytest.mark.parametrize("size", [2, 3])
def test_nobody_is_held_for_dead_in_jitter_and_loss(size: int) -> None:
    world, boxes = settled(5, size=size, link=JITTER)
    world.run(900 * HOURS)
    events = [event for box in boxes for _, event in box.log if isinstance(event, Lost | HeldBack | Took | GaveUp)]
    assert events == []
    assert world.longest_gap == world.longest_doubled == 0
    world.power_off(boxes[0])
    world.run(5)
    assert world.settled() and world.longest_gap < 2.5


@pytest.mark.parametrize("size", [2, 3, 5])
def test_nobody_is_held_for_dead_when_a_clean_lan_suddenly_jitters(size: int) -> None:
    for seed in range(100):
        world, boxes = settled(seed, size=size)
        world.link = Link(loss=0.05, delay_seconds=(0.0, 0.4), in_order=True)
        world.run(10)
        assert not [event for box in boxes for _, event in box.log if isinstance(event, Lost | Took)], seed


def test_slow_processes_and_jumping_clocks_kill_nobody() -> None:
    world, boxes = settled(6)
    for step in range(600):
        box = boxes[step % 3]
        if step % 10 == 9:
            world.jump_clock(box, world.rng.choice((-3600, -1, 1, 3600)))
        else:
            world.freeze(box, world.rng.uniform(0.01, 0.15))
        world.run(0.5)
    assert not [event for box in boxes for event in box.seen(Lost)]
    assert not [event for box in boxes for event in box.seen(Took)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [2, 3])
def test_healed_partition_has_one_owner_each_within_half_a_second(size: int, seed: int) -> None:
    world, (one, *rest) = settled(seed, size=size)
    before = {box.name: set(box.announced) for box in (one, *rest)}
    world.partition([one], rest)
    world.run(100)
    assert len(one.announced) == 9
    assert sum(world.counts().values()) == 18
    world.forget_gaps()
    world.heal()
    world.run(1)
    assert world.settled() and world.longest_gap == 0 and world.longest_doubled < 0.5
    if size == 3:
        # Those who were many go on.
        assert all(before[box.name] <= box.announced for box in rest)


@pytest.mark.parametrize("seed", range(5))
def test_owner_that_was_only_frozen_yields_at_once_and_takes_nothing_back(seed: int) -> None:
    world, (victim, *rest) = settled(seed)
    world.freeze(victim, 10)
    world.run(9)
    after = {box.name: set(box.announced) for box in rest}
    world.forget_gaps()
    world.run(50)
    assert world.longest_doubled < 0.1 and world.longest_gap == 0
    assert not victim.announced and {box.name: box.announced for box in rest} == after


@pytest.mark.parametrize(("size", "vips"), [(3, 1), (3, 9), (5, 3), (7, 20)])
def test_owner_that_only_the_lan_hears_is_left_alone(size: int, vips: int) -> None:
    for seed in range(5):
        world, boxes = settled(seed, size, vips)
        owner_box = max(boxes, key=lambda box: len(box.announced))
        world.firewall(owner_box)
        world.run(20)
        others = [box for box in boxes if box is not owner_box]
        assert any(box.seen(HeldBack) for box in others)
        assert world.longest_gap == 0 and not [event for box in others for event in box.seen(Took)]


@pytest.mark.parametrize("carrier_is_seen", [True, False])
def test_all_agree_who_follows_soon_after_one_was_cut_off(carrier_is_seen: bool) -> None:
    for seed in range(20):
        world, boxes = settled(seed, vips=1)
        (address,) = world.state.services[0].addresses
        for cut in range(2):
            victim = world.boxes[world.owners(address)[0]]
            world.pull_cable(victim, carrier_is_seen=carrier_is_seen)
            world.run(3)
            took = [event for box in boxes for event in box.seen(Took)]
            assert len(took) == cut + 1, (seed, took)
            world.plug_cable(victim)
            world.run(3)


def test_node_that_comes_back_gets_its_share_after_the_hold_time_without_a_gap() -> None:
    world, (victim, *_) = settled(7)
    world.power_off(victim)
    world.run(30)
    world.forget_gaps()
    back = world.add(victim.name)
    world.run(55)
    assert not back.announced
    world.run(20)
    assert len(back.announced) == 3 and world.settled()
    assert world.longest_gap == 0 and world.longest_doubled < 0.05


def test_new_node_moves_only_what_must_move() -> None:
    world, boxes = settled(8, vips=12)
    before = {address: box.name for box in boxes for address in box.announced}
    world.give(snapshot([*(box.name for box in boxes), "n4"], 12))
    added = world.add("n4")
    world.run(80)
    assert world.settled() and len(added.announced) == 3
    kept = {address: box.name for box in boxes for address in box.announced}
    assert kept.items() <= before.items() and len(kept) == 9


@pytest.mark.parametrize("link", [Link(), Link(loss=0.05, delay_seconds=(0.001, 0.05))])
def test_goodbye_leaves_no_gap(link: Link) -> None:
    for seed in range(5):
        world, (leaver, *_) = settled(seed, link=link)
        begin = world.now
        world.leave(leaver)
        world.run(5)
        assert world.settled() and leaver.left
        assert next(when for when, event in leaver.log if isinstance(event, Left)) - begin < 1.0
        assert world.longest_gap == 0


def test_goodbye_to_nobody_ends_at_once() -> None:
    world, (box,) = settled(9, size=1)
    world.leave(box)
    assert box.left and not box.announced


def test_every_node_restarted_in_turn_leaves_no_gap() -> None:
    world, boxes = settled(10)
    for name in [box.name for box in boxes]:
        world.leave(world.boxes[name])
        world.run(3)
        world.add(name)
        world.run(20)
        assert world.settled()
    assert world.longest_gap == 0


def test_killed_speaker_that_is_restarted_at_once() -> None:
    world, (victim, *_) = settled(11)
    world.power_off(victim)
    world.run(0.2)
    world.add(victim.name)
    world.run(5)
    assert world.settled() and world.longest_gap < 0.75


def test_excluded_node_hands_over_without_a_gap() -> None:
    world, (victim, *_) = settled(12)
    nodes = {**world.state.nodes, victim.name: node(victim.name, labels={EXCLUDE_LABEL: ""})}
    world.give(replace(world.state, nodes=nodes))
    world.run(3)
    assert not victim.announced and world.settled() and world.longest_gap == 0


def test_node_that_does_not_hear_the_api_server_is_relieved_and_stays_so() -> None:
    world, (victim, *rest) = settled(13)
    nodes = {**world.state.nodes, victim.name: node(victim.name, labels={EXCLUDE_LABEL: ""})}
    world.give(replace(world.state, nodes=nodes), only=[box.name for box in rest])
    world.run(10)
    assert not victim.announced and world.settled() and world.longest_gap == 0
    moved = len([event for box in rest for event in box.seen(Took)])
    world.run(60)
    assert len([event for box in rest for event in box.seen(Took)]) == moved


def test_service_that_one_node_does_not_know_of_is_served_all_the_same() -> None:
    for seed in range(6):
        world, boxes = settled(seed)
        grown = snapshot([box.name for box in boxes], 10)
        chosen = min(boxes, key=lambda box: len(box.announced))
        world.give(grown, only=[box.name for box in boxes if box is not chosen])
        world.run(1.5)
        assert world.settled() and world.longest_gap < 1.0


def test_failover_while_the_api_server_is_down() -> None:
    world, (victim, *rest) = settled(14)
    for box in rest:
        box.failover.set_snapshot(world.state, current=False, now=world.now + box.clock_offset)
    world.power_off(victim)
    world.run(2)
    assert world.settled() and world.longest_gap < 0.75


def test_local_traffic_follows_its_endpoints() -> None:
    world, boxes = settled(15)
    local = service("web-0", "10.9.0.0", local_traffic_only=True)
    services = (local, *world.state.services[1:])
    for box in (*boxes, *boxes):
        endpoints = {**world.state.endpoints, local.key: (Endpoint(box.name, True),)}
        world.give(replace(world.state, services=services, endpoints=endpoints))
        world.run(2)
        assert world.owners(local.addresses[0]) == [box.name]
    assert world.longest_gap == 0


def test_with_metallb_in_the_cluster_all_elect_by_its_hash() -> None:
    world, boxes = settled(16)
    state = snapshot([*(box.name for box in boxes), "other"], 30)
    world.give(state)
    world.foreigners("other")
    world.run(2)
    names = [*(box.name for box in boxes), "other"]
    for item in state.services:
        chosen = owner(item.addresses[0], names)
        assert world.owners(item.addresses[0]) == ([chosen] if chosen != "other" else [])
    world.power_off(boxes[0])
    world.run(2)
    for item in state.services:
        chosen = owner(item.addresses[0], names[1:])
        assert world.owners(item.addresses[0]) == ([chosen] if chosen != "other" else [])
    world.leave(boxes[1])
    world.run(2)
    for item in state.services:
        chosen = owner(item.addresses[0], names[2:])
        assert world.owners(item.addresses[0]) == ([chosen] if chosen != "other" else [])
    world.foreigners()
    world.give(snapshot([box.name for box in boxes], 30))
    world.run(2)
    assert world.counts() == {boxes[2].name: 30}


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_in_the_end_each_has_one_owner(seed: int) -> None:
    world, boxes = settled(seed, size=5, vips=15, link=Link(loss=0.02, delay_seconds=(0.0, 0.02)))
    rng = world.rng
    for _ in range(30):
        box = world.boxes[rng.choice(boxes).name]
        match rng.choice(("power", "freeze", "cable", "split", "heal", "leave", "clock", "labels")):
            case "power" | "leave" if not box.powered or box.left:
                world.add(box.name)
            case "power":
                world.power_off(box)
            case "leave":
                world.leave(box)
            case "freeze" if not box.frozen:
                world.freeze(box, rng.uniform(0, 8))
            case "cable":
                (world.pull_cable if box.plugged else world.plug_cable)(box)
            case "split":
                others = rng.sample(list(world.boxes.values()), 2)
                world.partition(others, [item for item in world.boxes.values() if item not in others])
            case "heal":
                world.heal()
            case "clock":
                world.jump_clock(box, rng.uniform(-10, 10))
            case "labels":
                excluded = rng.sample(list(world.state.nodes), rng.randint(0, 2))
                nodes = {
                    name: node(name, labels={EXCLUDE_LABEL: ""} if name in excluded else {})
                    for name in world.state.nodes
                }
                world.give(replace(world.state, nodes=nodes))
            case _:
                pass
        world.run(rng.uniform(0, 6))
    world.heal()
    for box in list(world.boxes.values()):
        if not box.powered or box.left:
            world.add(box.name)
        elif not box.plugged:
            world.plug_cable(box)
    world.run(100)
    assert world.settled(), world.counts()
