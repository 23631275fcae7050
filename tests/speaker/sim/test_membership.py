# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters on a virtual network: deaths are found in time, the living are left alone, what was apart comes together.

LANTERN_SIM_HOURS lengthens the long runs: with 1, the default, the longest takes 4 virtual hours.
"""

from __future__ import annotations

import os
from random import Random

import pytest
from lantern.gossip import effects, suspicion
from lantern.gossip.config import LAN, Security
from lantern.gossip.members import MemberState

from sim.simnet import Host, Link, SimNet

HOURS = float(os.environ.get("LANTERN_SIM_HOURS", "1"))
WIFI = Link(loss=0.05, duplicates=0.02, delay_seconds=(0.0005, 0.03))


def complete(hosts: list[Host]) -> bool:
    names = {host.name for host in hosts}
    return all(host.present() == names for host in hosts)


def settled(seed: int, size: int, link: Link | None = None, **settings: object) -> tuple[SimNet, list[Host]]:
    """A network with a cluster in which everybody knows everybody and has for a while."""
    net = SimNet(seed, link)
    hosts = net.cluster(size, **settings)
    net.run_until(lambda: complete(hosts), 60)
    net.run(10)
    return net, hosts


def failures(hosts: list[Host]) -> list[tuple[str, float]]:
    return [(host.name, when) for host in hosts for when in host.seen(effects.MemberFailed)]


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("size", [2, 3, 5])
def test_death_is_found_within_the_bound(size: int, seed: int) -> None:
    net, hosts = settled(seed, size)
    begin = net.now
    victim, *others = reversed(hosts)
    net.power_off(victim)
    net.run_until(lambda: all(host.seen(effects.MemberFailed, victim.name) for host in others), 60)
    shortest = suspicion.shortest_seconds(LAN, size)
    found = [when - begin for host in others for when in host.seen(effects.MemberFailed, victim.name)]
    # Everybody is probed once in each turn, so at the latest after two turns but one; then the probe, then the
    # time to object, and gossip.
    turns = 2 * (size - 1) * LAN.probe_interval_seconds
    assert shortest < min(found)
    assert max(found) < turns + LAN.probe_interval_seconds + shortest + 1


def test_death_in_a_large_cluster_is_found_within_the_bound() -> None:
    net, hosts = settled(1, 50, WIFI)
    begin = net.now
    victim, *others = reversed(hosts)
    net.power_off(victim)
    net.run_until(lambda: all(host.seen(effects.MemberFailed, victim.name) for host in others), 60)
    # 49 nodes probe at random, so one meets the victim soon, and confirmations make the suspicion shortest.
    assert net.now - begin < suspicion.shortest_seconds(LAN, 50) + 5
    assert {name for host in others for name in host.present()} == {host.name for host in others}


def test_killed_process_is_found_like_a_dead_host() -> None:
    net, hosts = settled(3, 4)
    net.kill(hosts[1])
    net.run_until(lambda: all(host.seen(effects.MemberFailed, "n2") for host in hosts if host.name != "n2"), 15)


def test_nobody_dies_of_a_lossy_network() -> None:
    net, hosts = settled(4, 3, WIFI)
    net.run(HOURS * 4 * 3600)
    assert failures(hosts) == []
    assert any(host.seen(effects.MemberSuspected) for host in hosts), "the loss was felt"
    assert complete(hosts)


def test_nobody_dies_of_a_lossy_network_among_fifty() -> None:
    net, hosts = settled(5, 50, WIFI)
    net.run(HOURS * 300)
    assert failures(hosts) == []
    assert complete(hosts)


def test_nobody_dies_of_jitter() -> None:
    net, hosts = settled(6, 5, Link(loss=0.05, delay_seconds=(0.001, 0.4)))
    net.run(HOURS * 1800)
    assert failures(hosts) == []


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cut_off", [1, 2])
def test_partition_heals_after_both_sides_have_forgotten_each_other(cut_off: int, seed: int) -> None:
    net, hosts = settled(seed, 5)
    few, many = hosts[-cut_off:], hosts[:-cut_off]
    net.partition(few, many)
    net.run(150)
    for side in (few, many):
        assert all(set(host.states()) == {host.name for host in side} for host in side), "forgotten, not just dead"
    net.heal()
    healed = net.run_until(lambda: complete(hosts), 60)
    # One of a side tries within an interval; a connection attempt begun before the end of the partition may have to
    # give up first.
    assert healed < 1.25 * LAN.rejoin_interval_seconds + LAN.join_timeout_seconds + 2


def test_partition_shorter_than_the_memory_of_the_dead_heals_too() -> None:
    net, hosts = settled(7, 4)
    net.partition(hosts[:2], hosts[2:])
    net.run(20)
    assert all(len(host.present()) == 2 for host in hosts)
    net.heal()
    assert net.run_until(lambda: complete(hosts), 60) < 20


def test_seeds_given_later_bring_two_clusters_together() -> None:
    net = SimNet(8)
    hosts = net.cluster(3)
    strangers = [net.add(f"s{number}") for number in range(3)]
    for host in strangers[1:]:
        net.seed(host, strangers[0])
    net.run(10)
    assert len(hosts[0].present()) == len(strangers[0].present()) == 3
    net.seed(hosts[2], strangers[1])
    net.run_until(lambda: complete(hosts + strangers), 10)


def test_leaving_is_known_at_once_and_is_no_failure() -> None:
    net, hosts = settled(9, 5)
    begin = net.now
    leaver, *others = reversed(hosts)
    net.leave(leaver)
    net.run_until(lambda: all(host.seen(effects.MemberLeft, leaver.name) for host in others), 1)
    assert net.now - begin < 0.1
    net.run_until(lambda: bool(leaver.seen(effects.LeaveFinished)), 3)
    net.kill(leaver)
    net.run(120)
    assert failures(others) == []
    assert all(leaver.name not in host.states() for host in others)


def test_restarted_node_is_taken_back() -> None:
    net, hosts = settled(10, 4)
    for ended in (net.kill, net.power_off):
        ended(hosts[3])
        net.run_until(lambda: all("n4" not in host.present() for host in hosts[:3]), 20)
        hosts[3] = net.add("n4")
        net.seed(hosts[3], hosts[0])
        net.run_until(lambda: complete(hosts), 5)
    # Faster than anybody notices that it was gone.
    hosts[3] = net.add("n4", meta=b"new")
    net.seed(hosts[3], hosts[0])
    net.run_until(lambda: all(m.meta == b"new" for host in hosts for m in host.node.members if m.name == "n4"), 5)
    assert complete(hosts)


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 5.0, -5.0])
def test_clock_that_jumps_kills_nobody(jump: float) -> None:
    net, hosts = settled(11, 5, WIFI)
    for host in hosts[:3]:
        net.jump_clock(host, jump)
        net.run(20)
    assert failures(hosts) == []
    assert complete(hosts)


def test_paused_node_blames_nobody_when_it_wakes() -> None:
    net, hosts = settled(12, 5)
    sleeper, others = hosts[0], hosts[1:]
    for seconds in (2.0, 40.0, 200.0):
        net.pause(sleeper, seconds)
        net.run(seconds + 25)
        assert complete(hosts)
    assert failures([sleeper]) == []
    assert {event.member.name for host in others for _, event in host.events
            if isinstance(event, effects.MemberFailed)} == {sleeper.name}  # fmt: skip


def test_keys_are_rotated_under_way() -> None:
    old, new = b"o" * 32, b"n" * 16
    net, hosts = settled(13, 4, security=Security(keys=(old,)))
    for keys in ((old, new), (new, old), (new,)):
        for host in hosts:
            host.node.set_keys(keys)
            net.run(7)
    net.run(60)
    assert failures(hosts) == []
    assert not any(host.seen(effects.MemberSuspected) for host in hosts)
    assert not any(isinstance(event, effects.Dropped) for host in hosts for _, event in host.events)


def test_other_key_and_other_label_keep_clusters_apart() -> None:
    net = SimNet(14)
    hosts = [
        net.add("plain"),
        net.add("key", security=Security(keys=(b"k" * 32,))),
        net.add("otherkey", security=Security(keys=(b"K" * 32,))),
        net.add("label", security=Security(label=b"home")),
        net.add("both", security=Security(keys=(b"k" * 32,), label=b"home")),
    ]
    for host in hosts:
        net.seed(host, *hosts)
    net.run(60)
    assert all(host.present() == {host.name} for host in hosts)


def test_user_messages_and_state_reach_everybody_who_understands_them() -> None:
    net, hosts = settled(15, 10, WIFI, meta=b"lantern1", capability=b"lantern")
    net.broadcast(hosts[0], "vip", b"owned")

    def heard() -> set[str]:
        return {
            host.name
            for host in hosts
            for _, event in host.events
            if isinstance(event, effects.UserMessage) and event.data == b"owned"
        }

    # Gossip alone reaches those that the few transmissions hit; the application repeats it or sends it as state.
    net.run(5)
    assert len(heard()) >= 3
    for host in hosts:
        host.node.set_user_state(b"state of " + host.name.encode())
    net.run(120)
    states = {event.data for host in hosts for _, event in host.events if isinstance(event, effects.RemoteUserState)}
    assert states == {b"state of " + host.name.encode() for host in hosts}


def test_nothing_of_ours_is_sent_while_somebody_would_not_understand_it() -> None:
    net = SimNet(16)
    stranger = net.add("stranger")
    ours = [net.add(f"n{number}", meta=b"lantern1", capability=b"lantern") for number in range(3)]
    for host in ours:
        host.node.set_user_state(b"state")
        net.seed(host, stranger)
    net.run(5)
    assert complete([stranger, *ours])
    assert not ours[0].node.broadcasts_allowed
    net.broadcast(ours[0], "vip", b"owned")
    net.run(120)

    def user_events() -> list[effects.Event]:
        kinds = (effects.UserMessage, effects.RemoteUserState)
        return [event for host in [stranger, *ours] for _, event in host.events if isinstance(event, kinds)]

    assert user_events() == []
    net.leave(stranger)
    net.run(1)
    assert ours[0].node.broadcasts_allowed
    net.run(60)
    assert {type(event) for event in user_events()} == {effects.UserMessage, effects.RemoteUserState}
    assert stranger.seen(effects.MemberLeft) == []


def test_name_used_twice_is_reported_and_the_first_stays() -> None:
    net, hosts = settled(17, 3)
    twin = net.add("twin", name="n1")
    net.seed(twin, hosts[1])
    net.run(60)
    for host in hosts:
        assert {member.name: member.endpoint for member in host.node.members} == {h.name: h.where for h in hosts}
    expected = effects.NameConflict("n1", hosts[0].where, twin.where)
    assert expected in [event for _, event in hosts[1].events]
    assert any(isinstance(event, effects.NameConflict) for _, event in twin.events)
    assert failures(hosts) == []


def test_everything_is_alike_with_the_same_seed() -> None:
    def story(seed: int) -> list[object]:
        net, hosts = settled(seed, 5, WIFI)
        net.power_off(hosts[2])
        net.run(60)
        return [(host.name, event) for host in hosts for event in host.events]

    assert story(18) == story(18)
    assert story(18) != story(19)


def test_random_trouble_ends_in_one_cluster() -> None:
    """Partitions, restarts, pauses and jumps at random; then quiet; then everybody must be there."""
    for seed in range(5):
        rng = Random(seed)
        net, hosts = settled(100 + seed, 6, WIFI)
        for _ in range(10):
            host = rng.choice(hosts)
            match rng.randrange(4):
                case 0:
                    rng.shuffle(hosts)
                    cut = rng.randrange(1, 5)
                    net.partition(hosts[:cut], hosts[cut:])
                case 1:
                    net.pause(host, rng.uniform(1, 60))
                case 2:
                    net.jump_clock(host, rng.uniform(-100, 100))
                case 3:
                    net.heal()
            net.run(rng.uniform(1, 90))
        net.heal()
        net.run_until(lambda hosts=hosts: complete(hosts), 120)
        assert all(state is MemberState.ALIVE for host in hosts for state in host.states().values())
