# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts as they reach a node: what it learns, what it passes on, and how it objects."""

from __future__ import annotations

import pytest
from lantern.gossip import effects, wire
from lantern.gossip.config import Limits, Timing
from lantern.gossip.endpoint import Endpoint
from lantern.gossip.faults import DropReason
from lantern.gossip.members import MemberState
from lantern.gossip.wire import Alive, Dead, Suspect
from unit.gossip.driver import VERSIONS, Driver, address, alive, dropped, of, place

QUIET = Timing(probe_interval_seconds=1e6, push_pull_interval_seconds=1e6)


def state_of(driver: Driver, number: int) -> MemberState | None:
    member = driver.member(number)
    return member.state if member else None


def spread(driver: Driver, seconds: float = 0.3) -> list[wire.Message | bytes]:
    """What the node gossips next, whoever gets it."""
    return [message for _, message in driver.messages(driver.pass_time(seconds))]


def test_life_of_a_member_as_events() -> None:
    driver = Driver(timing=QUIET)
    happened = []
    for message in (
        alive(2),
        alive(2, 2, b"meta"),
        Suspect(2, "n2", "n3"),
        alive(2, 3, b"meta"),
        Dead(3, "n2", "n3"),
        alive(2, 4),
        Dead(4, "n2", "n2"),
    ):
        driver.give(message)
        happened += driver.collect()
    assert [type(event) for event in happened] == [
        effects.MemberJoined,
        effects.MemberUpdated,
        effects.MemberSuspected,
        effects.MemberRestored,
        effects.MemberFailed,
        effects.MemberJoined,
        effects.MemberLeft,
    ]
    assert all(event.member.name == "n2" for event in happened if isinstance(event, effects.MemberJoined))


def test_news_is_passed_on_and_old_news_is_not() -> None:
    driver = Driver(3, timing=QUIET)
    driver.pass_time(5)
    driver.give(alive(2, 2))
    assert alive(2, 2) in spread(driver)
    driver.pass_time(5)
    driver.give(Dead(1, "n3", "n4"), alive(1, 2, b"old"))
    driver.pass_time(5)
    for old in (
        alive(2, 2),
        alive(2, 1),
        Suspect(1, "n2", "n3"),
        Dead(1, "n2", "n3"),
        Dead(1, "n3", "n2"),
        Suspect(9, "unknown", "n3"),
        alive(1, 1, b"older"),
    ):
        driver.give(old)
    assert of(driver.pass_time(5), effects.SendDatagram) == []


def test_facts_carry_the_bytes_they_came_with() -> None:
    """16 bytes for an IPv4 address stay 16 bytes: others compare them so."""
    driver = Driver(1, timing=QUIET)
    mapped = bytes(10) + b"\xff\xff" + address(9)
    driver.give(Alive(1, "n9", mapped, 7946, b"", VERSIONS))
    assert Alive(1, "n9", mapped, 7946, b"", VERSIONS) in spread(driver)
    member = driver.member(9)
    assert member is not None
    assert member.endpoint == place(9)


def test_port_0_means_the_own_port() -> None:
    driver = Driver(port=1234)
    driver.give(Alive(1, "n2", address(2), 0, b"", VERSIONS))
    member = driver.member(2)
    assert member is not None
    assert member.endpoint == Endpoint("10.0.0.2", 1234)


@pytest.mark.parametrize(
    "accusation", [Suspect(1, "n1", "n2"), Dead(1, "n1", "n2"), Suspect(7, "n1", "n2"), Dead(7, "n1", "n1")]
)
def test_node_objects_to_what_is_said_about_itself(accusation: Suspect | Dead) -> None:
    driver = Driver(1, timing=QUIET)
    driver.pass_time(5)
    driver.give(accusation)
    assert alive(1, accusation.incarnation + 1) in spread(driver)
    assert state_of(driver, 1) is MemberState.ALIVE
    assert driver.node.health == 1


@pytest.mark.parametrize("late", [Suspect(1, "n1", "n2"), Dead(1, "n1", "n2")])
def test_who_missed_an_objection_is_told_directly(late: Suspect | Dead) -> None:
    driver = Driver(3, timing=QUIET)
    driver.give(Suspect(1, "n1", "n2"))
    driver.pass_time(20)
    driver.give(late, source=4)
    assert driver.messages(driver.collect()) == [(place(4), alive(1, 2))]
    assert driver.node.health == 1, "no news to itself"


def test_node_outdoes_what_it_said_in_an_earlier_life() -> None:
    driver = Driver(1, timing=QUIET, meta=b"new")
    driver.pass_time(5)
    driver.give(alive(1, 1, b"new"))
    assert driver.pass_time(1) == []
    driver.give(alive(1, 1, b"old"))
    assert alive(1, 2, b"new") in spread(driver)
    driver.give(alive(1, 9, b"new"))
    assert alive(1, 10, b"new") in spread(driver)


def test_incarnations_that_nobody_could_exceed_are_refused() -> None:
    driver = Driver(1, timing=QUIET)
    for fact in (Dead(2**31, "n2", "n3"), Suspect(2**32 - 1, "n1", "n3"), alive(2, 2**32 - 1), alive(1, 2**31 + 1)):
        driver.give(fact)
        assert dropped(driver.collect()) == [DropReason.IMPLAUSIBLE_INCARNATION]
    driver.give(Suspect(2**31 - 1, "n1", "n3"))
    assert alive(1, 2**31) in spread(driver)
    driver.give(alive(1, 2**31, b"lie"))
    assert alive(1, 2**31) in spread(driver), "no further, but no error either"


@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        (Alive(1, "x", b"", 7946, b"", VERSIONS), DropReason.BAD_ADDRESS),
        (Alive(1, "x", bytes(4), 7946, b"", VERSIONS), DropReason.BAD_ADDRESS),
        (Alive(1, "x", b"\xe0\0\0\1", 7946, b"", VERSIONS), DropReason.BAD_ADDRESS),
        (Alive(1, "x", address(2), 7946, b"", b""), DropReason.VERSION),
        (Alive(1, "x", address(2), 7946, b"", bytes((0, 5, 2, 0, 0, 0))), DropReason.VERSION),
        (Alive(1, "x", address(2), 7946, b"", bytes((5, 4, 2, 0, 0, 0))), DropReason.VERSION),
        (Alive(1, "n1", address(2), 7946, b"", VERSIONS), DropReason.NAME_CONFLICT),
    ],
)
def test_facts_that_cannot_be(fact: Alive, reason: DropReason) -> None:
    driver = Driver()
    driver.give(fact)
    assert dropped(driver.collect()) == [reason]
    assert len(driver.node.members) == 1


def test_name_conflict_names_both_places() -> None:
    driver = Driver(1)
    driver.give(Alive(7, "n2", address(3), 7946, b"", VERSIONS))
    assert effects.NameConflict("n2", place(2), place(3)) in driver.collect()


def test_number_of_members_is_limited() -> None:
    driver = Driver(3, limits=Limits(members=4))
    driver.give(alive(9))
    assert dropped(driver.collect()) == [DropReason.TOO_MANY_MEMBERS]
    driver.give(alive(2, 2))
    assert dropped(driver.collect()) == []


def test_suspicion_runs_out_after_the_documented_time() -> None:
    """Two others at most: nobody could confirm, so exactly 4 seconds."""
    driver = Driver(2, timing=QUIET_BUT_SUSPICIOUS)
    begin = driver.now
    driver.give(Suspect(1, "n2", "n3"))
    happened = driver.pass_time(3.999)
    assert not of(happened, effects.MemberFailed)
    assert of(driver.pass_time(0.002), effects.MemberFailed)
    assert driver.now - begin == pytest.approx(4.001)
    assert Dead(1, "n2", "n1") in spread(driver)


# Probes as rare as can be, while suspicions are as long as with one probe each second.
QUIET_BUT_SUSPICIOUS = Timing(probe_interval_seconds=1.0, stream_pings=False, push_pull_interval_seconds=1e6)


def confirmed(driver: Driver, *accusers: str) -> float:
    """Accuse n2; the seconds until it is declared dead."""
    begin = driver.now
    for accuser in accusers:
        driver.give(Suspect(1, "n2", accuser), source=9)
    while state_of(driver, 2) is MemberState.SUSPECT:
        # The other members answer; only n2 is silent.
        for _, message in driver.messages(driver.pass_time(0.01)):
            if isinstance(message, wire.Ping) and message.node != "n2":
                driver.give(wire.Ack(message.seq_no), source=int(message.node[1:]))
    return driver.now - begin


def test_confirmations_shorten_a_suspicion() -> None:
    fast = confirmed(Driver(5, timing=QUIET_BUT_SUSPICIOUS), "n3", "n4", "n5")
    assert fast == pytest.approx(4, abs=0.05)


def test_without_confirmations_a_suspicion_takes_longer() -> None:
    slow = confirmed(Driver(5, timing=QUIET_BUT_SUSPICIOUS), "n3", "n3", "n3")
    # This node's own failed probe of n2 is one confirmation.
    assert slow == pytest.approx(11.38, abs=0.05)


def test_confirmations_are_passed_on_once() -> None:
    driver = Driver(5, timing=QUIET)
    driver.pass_time(5)
    driver.give(Suspect(1, "n2", "n3"))
    assert Suspect(1, "n2", "n3") in spread(driver)
    driver.give(Suspect(1, "n2", "n4"))
    assert Suspect(1, "n2", "n4") in spread(driver)
    driver.pass_time(5)
    driver.give(Suspect(1, "n2", "n4"))
    assert driver.pass_time(5) == []


def test_stale_suspicion_does_not_kill_a_member_that_objected() -> None:
    driver = Driver(2, timing=QUIET_BUT_SUSPICIOUS)
    driver.give(Suspect(1, "n2", "n3"))
    driver.pass_time(1)
    driver.give(alive(2, 2))
    driver.give(Suspect(2, "n2", "n3"))
    driver.pass_time(3.9)
    assert state_of(driver, 2) is MemberState.SUSPECT, "the first would have run out by now"
    driver.pass_time(0.2)
    assert state_of(driver, 2) is MemberState.DEAD


def test_accuse_is_a_suspicion_of_ones_own() -> None:
    driver = Driver(2, timing=QUIET)
    driver.pass_time(5)
    driver.node.accuse("n2", now=driver.now)
    driver.node.accuse("n1", now=driver.now)
    driver.node.accuse("nobody", now=driver.now)
    assert state_of(driver, 2) is MemberState.SUSPECT
    assert spread(driver)[0] == Suspect(1, "n2", "n1")


def test_meta_can_be_changed() -> None:
    driver = Driver(1, timing=QUIET)
    driver.pass_time(5)
    driver.node.set_meta(b"new", now=driver.now)
    assert alive(1, 2, b"new") in spread(driver)
    driver.pass_time(5)
    driver.node.set_meta(b"new", now=driver.now)
    assert driver.pass_time(1) == []
    with pytest.raises(ValueError, match="513"):
        driver.node.set_meta(bytes(513), now=driver.now)


def test_the_dead_are_not_waited_for_to_confirm() -> None:
    driver = Driver(3, timing=QUIET_BUT_SUSPICIOUS)
    driver.give(Dead(1, "n4", "n3"))
    assert confirmed(driver, "n3") == pytest.approx(4, abs=0.05)


def test_accusation_of_a_later_life_begins_a_new_suspicion() -> None:
    driver = Driver(2, timing=QUIET_BUT_SUSPICIOUS)
    driver.give(Suspect(1, "n2", "n3"))
    driver.pass_time(3)
    driver.give(Suspect(4, "n2", "n3"))
    assert not of(driver.collect(), effects.MemberSuspected), "it was suspected all the time"
    driver.pass_time(3.9)
    assert state_of(driver, 2) is MemberState.SUSPECT
    driver.pass_time(0.2)
    assert state_of(driver, 2) is MemberState.DEAD


def test_member_that_objected_lives_on() -> None:
    driver = Driver(2, timing=QUIET_BUT_SUSPICIOUS)
    driver.give(Suspect(1, "n2", "n3"))
    driver.pass_time(3)
    driver.give(alive(2, 2))
    # So short that a new suspicion, as it answers no probe here, has not run out yet.
    driver.pass_time(3.9)
    member = driver.member(2)
    assert member is not None
    assert member.present
