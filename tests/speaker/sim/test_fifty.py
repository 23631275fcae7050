# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fifty speakers on a bad network, and all that can go wrong there one after the other."""

from __future__ import annotations

from collections import Counter

from lantern.pools import Address
from lantern.watch.effects import Lost

from sim import simnet
from sim.lanworld import Box, LanWorld, Link, snapshot
from sim.test_membership import complete, failures

NAMES = [f"n{number}" for number in range(1, 51)]
VIPS = 25
BAD = Link(loss=0.05, delay_seconds=(0.0005, 0.03))
JUMPS = (-3600.0, -5.0, 5.0, 3600.0)


def owners(boxes: list[Box]) -> Counter[Address]:
    return Counter(address for box in boxes for address in box.announced)


def test_jumping_clocks_a_death_and_a_partition_leave_one_owner_each() -> None:
    world = LanWorld(4, BAD)
    world.state = snapshot(NAMES, VIPS)
    boxes = world.boot(NAMES)
    world.run(5)
    world.run_until(world.settled, 30)
    world.forget_gaps()
    for box in boxes[::2]:
        world.jump_clock(box, world.rng.choice(JUMPS))
        world.run(0.2)
    assert not [event for box in boxes for event in box.seen(Lost)]
    assert world.settled() and world.longest_gap == 0

    victim, *rest = sorted(boxes, key=lambda box: -len(box.announced))
    world.power_off(victim)
    world.run(3)
    assert world.settled() and world.longest_gap < 1.0
    assert {event.peer for box in rest for event in box.seen(Lost)} == {victim.name}

    few, many = rest[:15], rest[15:]
    world.partition(few, many)
    world.run(6)
    for side in (few, many):
        assert len(owners(side)) == VIPS and set(owners(side).values()) == {1}
    world.forget_gaps()
    world.heal()
    # Membership, from which those hear of each other that do not watch each other, takes up to ten seconds here.
    world.run_until(world.settled, 30, step_seconds=0.1)
    world.run(3)
    assert world.settled() and world.longest_gap == 0


def test_membership_survives_jumping_clocks_and_a_partition() -> None:
    net = simnet.SimNet(22, simnet.Link(BAD.loss, 0.02, BAD.delay_seconds))
    hosts = net.cluster(50)
    net.run_until(lambda: complete(hosts), 60)
    for host in hosts[::2]:
        net.jump_clock(host, net.rng.choice(JUMPS))
        net.run(1)
    assert failures(hosts) == [] and complete(hosts)
    few, many = hosts[:15], hosts[15:]
    net.partition(few, many)
    # Each is probed in its turn, the more slowly the more of them are silent.
    net.run_until(lambda: complete(few) and complete(many), 150, step_seconds=1)
    net.heal()
    net.run_until(lambda: complete(hosts), 10)
