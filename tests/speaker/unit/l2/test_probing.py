# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking for addresses before they are announced, with numbers for a clock."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from lantern.l2.probing import RETRY_SECONDS, FoundFree, FoundInUse, Probing, ProbingEffect, SendProbe

A = ip_address("192.168.2.128")
B = ip_address("fd00::1")
MAC = bytes.fromhex("020000000066")


def run(probing: Probing, until: float) -> list[tuple[float, ProbingEffect]]:
    """Fire every timer up to `until`; what came of it when."""
    found: list[tuple[float, ProbingEffect]] = []
    while (due := probing.next_timer()) is not None and due <= until:
        probing.handle_timer(now=due)
        found += [(round(due, 3), effect) for effect in probing.drain()]
    return found


def test_three_probes_in_half_a_second_then_it_is_free() -> None:
    probing = Probing(0.6)
    probing.start(A, now=10.0)
    assert probing.drain() == [SendProbe(A)]
    assert run(probing, 20.0) == [(10.2, SendProbe(A)), (10.4, SendProbe(A)), (10.6, FoundFree(A, was_in_use=False))]
    assert probing.next_timer() is None and A not in probing


def test_answer_is_told_once_and_the_question_repeated_later() -> None:
    probing = Probing(0.6)
    probing.start(A, now=0.0)
    probing.answered(A, MAC, "eth0", now=0.1)
    probing.answered(A, MAC, "eth0", now=0.1)
    assert probing.drain() == [SendProbe(A), FoundInUse(A, MAC, "eth0")]
    assert probing.next_timer() == pytest.approx(0.1 + RETRY_SECONDS)
    assert run(probing, 10.2) == [(10.1, SendProbe(A))]
    probing.answered(A, MAC, "eth0", now=10.2)
    assert probing.drain() == []
    assert run(probing, 30.0)[-1] == (20.8, FoundFree(A, was_in_use=True))


def test_another_holder_is_told_of() -> None:
    probing = Probing(0.6)
    probing.start(A, now=0.0)
    probing.answered(A, MAC, "eth0", now=0.1)
    probing.answered(A, bytes(6), "eth0", now=0.2)
    assert [effect for effect in probing.drain() if isinstance(effect, FoundInUse)][1].mac == bytes(6)


def test_stopped_question_tells_nothing_more() -> None:
    probing = Probing(0.6)
    probing.start(A, now=0.0)
    probing.start(B, now=0.0)
    probing.stop(A)
    probing.answered(A, MAC, "eth0", now=0.1)
    assert {effect.address for effect in probing.drain()} == {B}
    assert {effect.address for _, effect in run(probing, 60.0)} == {B}
    probing.stop(A)


def test_asking_again_goes_on() -> None:
    probing = Probing(0.6)
    probing.start(A, now=0.0)
    probing.start(A, now=0.1)
    assert probing.drain() == [SendProbe(A)]
