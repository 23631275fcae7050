# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strangers, with numbers for a clock."""

from __future__ import annotations

from ipaddress import ip_address

from lantern.l2.conflicts import PROBES_PER_SECOND, STRANGERS, AskAround, ConflictSeen, ConflictWatch, Defend

A = ip_address("192.168.2.128")
B = ip_address("fd00::1")
MAC = bytes.fromhex("020000000066")


def test_stranger_is_told_of_once_a_minute_and_defended_against_every_ten_seconds() -> None:
    watch = ConflictWatch()
    told, defended = [], []
    for second in range(0, 121):
        watch.sighted(A, MAC, "eth0", now=float(second))
        for effect in watch.drain():
            (told if isinstance(effect, ConflictSeen) else defended).append(second)
    assert told == [0, 60, 120]
    assert defended == list(range(0, 121, 10))


def test_interfaces_are_defended_each() -> None:
    watch = ConflictWatch()
    watch.sighted(A, MAC, "eth0", now=0.0)
    watch.sighted(A, MAC, "eth1", now=1.0)
    assert watch.drain() == [ConflictSeen(A, MAC, "eth0"), Defend(A, "eth0"), Defend(A, "eth1")]


def test_forged_strangers_are_not_told_of_without_end() -> None:
    watch = ConflictWatch()
    for number in range(1000):
        watch.sighted(A, number.to_bytes(6, "big"), "eth0", now=0.0)
    assert len([effect for effect in watch.drain() if isinstance(effect, ConflictSeen)]) == STRANGERS


def test_client_s_question_prompts_one_probe_a_second() -> None:
    watch = ConflictWatch()
    asked = []
    now = 0.0
    while now < 3.05:
        if round(now * 100) % 2 == 0:
            watch.requested(A, now=now)
        watch.handle_timer(now=now)
        asked += [round(now, 2) for effect in watch.drain() if effect == AskAround(A)]
        now = round(now + 0.01, 2)
    assert asked == [0.0, 1.0, 2.0, 3.0]


def test_last_question_is_followed_by_a_probe_within_a_second() -> None:
    watch = ConflictWatch()
    assert watch.requested(A, now=0.0)
    watch.drain()
    assert watch.requested(A, now=0.1) and not watch.requested(A, now=0.2)
    assert watch.drain() == [] and watch.next_timer() == 1.0
    watch.handle_timer(now=1.0)
    assert watch.drain() == [AskAround(A)] and watch.next_timer() is None


def test_probes_of_many_addresses_are_limited_together_and_all_come() -> None:
    watch = ConflictWatch()
    addresses = [ip_address(f"10.0.0.{number}") for number in range(100)]
    for address in addresses:
        watch.requested(address, now=0.0)
    assert len(watch.drain()) == PROBES_PER_SECOND
    seen: list[float] = []
    while (due := watch.next_timer()) is not None:
        watch.handle_timer(now=due)
        seen += [due] * len(watch.drain())
    assert len(seen) == 100 - PROBES_PER_SECOND
    assert 3.9 < seen[-1] < 4.1


def test_address_that_is_given_up_is_forgotten() -> None:
    watch = ConflictWatch()
    for address in (A, B):
        watch.requested(address, now=0.0)
        watch.sighted(address, MAC, "eth0", now=0.0)
    watch.stop(A)
    assert {effect.address for effect in watch.drain()} == {B}
    watch.sighted(A, MAC, "eth0", now=1.0)
    assert watch.drain() == [ConflictSeen(A, MAC, "eth0"), Defend(A, "eth0")]
