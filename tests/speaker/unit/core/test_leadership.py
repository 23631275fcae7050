# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may write: one contender at a time, whatever freezes."""

from __future__ import annotations

from lantern.core.leadership import Leadership, LeaseRecord, Take, Timings, Wait

TIMES = Timings(duration=4, renew=1, margin=1)


def lease(holder: str, version: int, transitions: int = 0) -> LeaseRecord:
    return LeaseRecord(holder, str(version), transitions, TIMES.duration)


def leader(version: int = 1) -> Leadership:
    """Contender "a", which took a Lease that did not exist at time 10."""
    one = Leadership("a", TIMES)
    one.saw(None, now=10)
    assert one.decide(now=10) == Take("", 0, False)
    one.took(lease("a", version), Take("", 0, False), started=10, now=10.01)
    return one


def test_nothing_is_written_before_the_lease_was_looked_at() -> None:
    one = Leadership("a", TIMES)
    assert one.decide(now=0) == Wait(1)
    assert not one.may_write(now=0)


def test_absent_lease_is_created_and_may_be_used_at_once() -> None:
    one = leader()
    assert one.may_write(now=10.01)
    assert one.seconds_left(now=11) == 2


def test_renewal_in_time_goes_on_without_a_gap() -> None:
    one = leader()
    assert one.decide(now=10.5) == Wait(0.5)
    assert one.decide(now=11) == Take("1", 0, True)
    one.took(lease("a", 2), Take("1", 0, True), started=11, now=11.02)
    assert one.may_write(now=13.9) and not one.may_write(now=14)


def test_holder_counts_from_before_it_sent_the_renewal() -> None:
    one = leader()
    # The answer came late; whoever watched saw the renewal later than `started`, so they wait longer.
    one.took(lease("a", 2), Take("1", 0, True), started=11, now=13.5)
    assert one.seconds_left(now=13.5) == 0.5


def test_frozen_holder_stops_when_it_wakes() -> None:
    assert not leader().may_write(now=75)


def test_holder_that_nobody_replaced_goes_on() -> None:
    one = leader()
    assert one.decide(now=75) == Take("1", 0, True)
    one.took(lease("a", 2), Take("1", 0, True), started=75, now=75.01)
    assert one.may_write(now=75.01)


def test_holder_that_was_replaced_stops_at_once() -> None:
    one = leader()
    one.saw(lease("b", 2), now=11)
    assert not one.may_write(now=11)
    assert one.decide(now=11) == Wait(4)


def test_dead_holder_is_replaced_after_the_duration() -> None:
    other = Leadership("b", TIMES)
    other.saw(lease("a", 1), now=100)
    other.saw(lease("a", 2), now=101)
    assert other.decide(now=101) == Wait(4)
    take = other.decide(now=105)
    assert take == Take("2", 1, False, by_force=True)
    # The watch may be quicker than the answer.
    other.saw(lease("b", 3, 1), now=105.005)
    other.took(lease("b", 3, 1), take, started=105, now=105.01)
    assert other.may_write(now=105.01) and other.by_force


def test_same_version_seen_twice_does_not_prolong_the_holders_time() -> None:
    other = Leadership("b", TIMES)
    other.saw(lease("a", 1), now=100)
    other.saw(lease("a", 1), now=103)
    assert other.decide(now=104) == Take("1", 1, False, by_force=True)


def test_lease_that_was_given_back_is_taken_and_used_at_once() -> None:
    other = Leadership("b", TIMES)
    other.saw(lease("a", 1), now=100)
    other.saw(lease("", 2), now=100.5)
    assert other.decide(now=100.5) == Take("2", 1, False)
    other.took(lease("b", 3, 1), Take("2", 1, False), started=100.5, now=100.51)
    assert other.may_write(now=100.51) and not other.by_force


def test_restarted_container_of_the_same_pod_goes_on_at_once() -> None:
    again = Leadership("a", TIMES)
    again.saw(lease("a", 7), now=0)
    assert again.decide(now=0) == Take("7", 1, False)


def test_longer_duration_in_the_lease_is_respected() -> None:
    """As while settings change: the holder still lives by what it wrote."""
    other = Leadership("b", TIMES)
    other.saw(LeaseRecord("a", "1", 0, 15), now=0)
    assert other.decide(now=14) == Wait(1)
