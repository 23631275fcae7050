# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Probe rounds, pings for others, and round-trip times."""

from __future__ import annotations

from random import Random

import pytest
from lantern.gossip import effects, packet, wire
from lantern.gossip.config import Limits, Timing
from lantern.gossip.effects import Effect
from lantern.gossip.endpoint import Endpoint
from lantern.gossip.faults import DropReason
from lantern.gossip.members import Member, MemberState, MemberTable
from lantern.gossip.probe import ProbeRing
from lantern.gossip.wire import Ack, IndirectPing, Nack, Ping, Suspect
from unit.gossip.driver import VERSIONS, Driver, address, alive, dropped, of, place

CALM = Timing(push_pull_interval_seconds=1e6)


def pings(driver: Driver, happened: list[Effect]) -> list[tuple[Endpoint, Ping]]:
    return [(to, message) for to, message in driver.messages(happened) if isinstance(message, Ping)]


def answers(driver: Driver, happened: list[Effect]) -> list[tuple[Endpoint, Ack | Nack]]:
    return [(to, message) for to, message in driver.messages(happened) if isinstance(message, Ack | Nack)]


def until_ping(driver: Driver) -> tuple[Endpoint, Ping]:
    """Let time pass until the next round begins."""
    for _ in range(2000):
        found = pings(driver, driver.pass_time(0.001))
        if found:
            return found[0]
    raise AssertionError("no ping within 2 seconds")


def suspected(driver: Driver, number: int) -> bool:
    member = driver.member(number)
    return member is not None and member.state is MemberState.SUSPECT


def test_ping_names_both_ends() -> None:
    driver = Driver(1, timing=CALM)
    to, ping = until_ping(driver)
    assert to == place(2)
    assert (ping.node, ping.source_address, ping.source_port, ping.source_node) == ("n2", address(1), 7946, "n1")


def test_answered_ping_is_followed_by_the_next_after_the_interval() -> None:
    driver = Driver(1, timing=CALM)
    _, ping = until_ping(driver)
    begin = driver.now
    driver.now += 0.1
    driver.give(Ack(ping.seq_no))
    _, following = until_ping(driver)
    assert driver.now - begin == pytest.approx(1.0, abs=0.002)
    assert following.seq_no == (ping.seq_no + 1) % 2**32
    assert driver.node.round_trips["n2"].latest == pytest.approx(0.1, abs=0.002)


def say(driver: Driver, number: int) -> None:
    """A message of that member's application."""
    sealed = packet.seal([b"\x08hello"], driver.sealing, checksum=False)
    driver.node.receive_datagram(sealed, place(number), now=driver.now)


def pinged(driver: Driver, seconds: float, *talking: int) -> set[str]:
    """Who is pinged, and answers, while the applications of some members talk."""
    names = set()
    for _ in range(int(seconds / 0.25)):
        for number in talking:
            say(driver, number)
        for _, ping in pings(driver, driver.pass_time(0.25)):
            driver.give(Ack(ping.seq_no))
            names.add(ping.node)
    return names


def test_who_talks_is_not_pinged_until_it_is_silent() -> None:
    driver = Driver(3, timing=CALM)
    assert pinged(driver, 10, 2, 4) == {"n3"}
    assert pinged(driver, 10, 4) == {"n2", "n3"}


def test_who_talks_is_pinged_when_it_is_suspected() -> None:
    driver = Driver(2, timing=CALM)
    assert pinged(driver, 4, 2, 3) == set()
    driver.give(Suspect(1, "n2", "n3"), source=3)
    assert pinged(driver, 2.5, 2, 3) == {"n2"}


def test_who_doubts_itself_pings_until_it_does_not() -> None:
    driver = Driver(2, timing=CALM)
    _, unanswered = until_ping(driver)
    driver.pass_time(0.9)
    say(driver, 2)
    say(driver, 3)
    ((_, ping),) = pings(driver, driver.pass_time(0.2))
    assert driver.node.health == 1 and ping.node != unanswered.node
    driver.give(Ack(ping.seq_no))
    driver.give(alive(int(unanswered.node[1:]), incarnation=2))
    assert driver.node.health == 0
    assert pinged(driver, 4, 2, 3) == set()


def test_ack_of_another_host_counts_but_is_not_measured() -> None:
    driver = Driver(2, timing=CALM)
    _, ping = until_ping(driver)
    driver.give(Ack(ping.seq_no), source=9)
    happened = driver.pass_time(0.9)
    assert not of(happened, effects.OpenStream)
    assert driver.node.round_trips == {}


def test_silence_is_answered_with_indirect_pings_and_tcp_then_with_suspicion() -> None:
    driver = Driver(5, timing=CALM)
    to, ping = until_ping(driver)
    target = int(ping.node[1:])
    early = driver.pass_time(0.498)
    assert not of(early, effects.OpenStream)
    late = driver.pass_time(0.01)
    requests = [(where, m) for where, m in driver.messages(late) if isinstance(m, IndirectPing)]
    assert len({where for where, _ in requests}) == len(requests) == 3
    assert to not in {where for where, _ in requests}
    expected = IndirectPing(ping.seq_no, address(target), 7946, ping.node, True, address(1), 7946, "n1")
    assert all(request == expected for _, request in requests)
    (opened,) = of(late, effects.OpenStream)
    assert opened.to == to
    assert driver.read(opened.data, dialled=True) == ping
    end = driver.pass_time(0.5)
    assert [event.member.name for event in of(end, effects.MemberSuspected)] == [ping.node]
    assert suspected(driver, target)


@pytest.mark.parametrize("late", [0.3, 0.7])
def test_any_ack_within_the_round_is_enough(late: float) -> None:
    driver = Driver(3, timing=CALM)
    _, ping = until_ping(driver)
    driver.pass_time(late)
    driver.give(Ack(ping.seq_no), source=9)
    driver.pass_time(0.99 - late)
    assert not suspected(driver, int(ping.node[1:]))
    driver.give(Ack(ping.seq_no), source=9)
    assert driver.collect() == [], "nobody waits for it any more"


def test_answer_over_tcp_is_enough_and_is_reported() -> None:
    driver = Driver(3, timing=CALM)
    _, ping = until_ping(driver)
    (opened,) = of(driver.pass_time(0.6), effects.OpenStream)
    driver.node.receive_stream(opened.stream, driver.frame(Ack(ping.seq_no), dialler=False), now=driver.now)
    assert effects.StreamClose(opened.stream) in driver.collect()
    happened = driver.pass_time(0.5)
    assert [event.member.name for event in of(happened, effects.OnlyStreamsAnswer)] == [ping.node]
    assert not suspected(driver, int(ping.node[1:]))
    assert driver.node.health == 0


def test_wrong_ack_over_tcp_is_none() -> None:
    driver = Driver(3, timing=CALM)
    _, ping = until_ping(driver)
    (opened,) = of(driver.pass_time(0.6), effects.OpenStream)
    driver.node.receive_stream(opened.stream, driver.frame(Ack(ping.seq_no + 1), dialler=False), now=driver.now)
    driver.pass_time(0.5)
    assert suspected(driver, int(ping.node[1:]))


def test_peers_of_old_protocols_get_neither_tcp_pings_nor_nack_requests() -> None:
    driver = Driver(timing=CALM)
    old = bytes((1, 2, 2, 0, 0, 0))
    for number in (2, 3):
        driver.give(alive(number, versions=old))
    until_ping(driver)
    happened = driver.pass_time(0.6)
    assert not of(happened, effects.OpenStream)
    (request,) = [m for _, m in driver.messages(happened) if isinstance(m, IndirectPing)]
    assert not request.nack


def test_suspect_is_told_with_the_ping() -> None:
    driver = Driver(1, timing=CALM)
    driver.give(Suspect(1, "n2", "n3"))
    for _ in range(3000):
        happened = driver.messages(driver.pass_time(0.001))
        if any(isinstance(message, Ping) for _, message in happened):
            break
    assert (place(2), Suspect(1, "n2", "n1")) in happened


@pytest.mark.parametrize(
    ("nacks", "health"),
    [(0, 3), (1, 2), (3, 0)],
)
def test_missing_nacks_make_a_node_doubt_itself(nacks: int, health: int) -> None:
    driver = Driver(5, timing=CALM)
    _, ping = until_ping(driver)
    driver.pass_time(0.6)
    for _ in range(nacks):
        driver.give(Nack(ping.seq_no))
    driver.pass_time(0.5)
    assert driver.node.health == health


def test_failed_probe_without_helpers_makes_a_node_doubt_itself_a_little() -> None:
    driver = Driver(1, timing=CALM)
    until_ping(driver)
    driver.pass_time(1.01)
    assert driver.node.health == 1


@pytest.mark.parametrize("over_tcp", [False, True])
def test_answers_take_the_doubt_away(over_tcp: bool) -> None:
    driver = Driver(3, timing=CALM)
    driver.give(Suspect(1, "n1", "n2"))
    driver.give(Suspect(2, "n1", "n2"))
    assert driver.node.health == 2
    _, ping = until_ping(driver)
    if over_tcp:
        (opened,) = of(driver.pass_time(0.6), effects.OpenStream)
        driver.node.receive_stream(opened.stream, driver.frame(Ack(ping.seq_no), dialler=False), now=driver.now)
        driver.pass_time(2.5)
    else:
        driver.give(Ack(ping.seq_no))
    assert driver.node.health == 1


def test_doubt_makes_the_next_round_longer() -> None:
    driver = Driver(5, timing=CALM)
    until_ping(driver)
    driver.pass_time(1.0001)  # health 3: the next round takes 4 seconds
    assert driver.node.health == 3
    before = {member.name for member in driver.node.members if member.state is MemberState.SUSPECT}
    driver.pass_time(3.9)
    after = {member.name for member in driver.node.members if member.state is MemberState.SUSPECT}
    assert before == after
    driver.pass_time(0.2)
    assert driver.node.health > 3


def test_ping_is_answered_to_where_it_says() -> None:
    driver = Driver()
    driver.give(Ping(7), source=5)
    driver.give(Ping(8, "n1", address(6), 1234, "n6"), source=5)
    assert answers(driver, driver.collect()) == [(place(5), Ack(7)), (Endpoint("10.0.0.6", 1234), Ack(8))]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (Ping(7, "n2"), DropReason.NOT_FOR_US),
        (Ping(7, "n1", b"\xe0\0\0\1", 5, ""), DropReason.BAD_ADDRESS),
        (IndirectPing(7, b"", 1, "n2"), DropReason.BAD_ADDRESS),
        (IndirectPing(7, bytes(4), 1, "n2"), DropReason.BAD_ADDRESS),
    ],
)
def test_pings_that_are_not_answered(message: wire.Message, reason: DropReason) -> None:
    driver = Driver()
    driver.give(message)
    happened = driver.collect()
    assert dropped(happened) == [reason]
    assert not of(happened, effects.SendDatagram)


@pytest.mark.parametrize("nack", [False, True])
def test_indirect_ping_relays_the_ack_under_the_askers_number(nack: bool) -> None:
    driver = Driver(timing=CALM)
    driver.give(IndirectPing(70, address(9), 7946, "n9", nack), source=5)
    ((to, ping),) = pings(driver, driver.collect())
    assert (to, ping.node) == (place(9), "n9")
    driver.now += 0.1
    driver.give(Ack(ping.seq_no, b"payload"), source=9)
    assert answers(driver, driver.collect()) == [(place(5), Ack(70))]
    assert answers(driver, driver.pass_time(2)) == []


@pytest.mark.parametrize(("nack", "expected"), [(False, []), (True, [(place(5), Nack(70))])])
def test_indirect_ping_without_answer(nack: bool, expected: list[object]) -> None:
    driver = Driver(timing=CALM)
    driver.give(IndirectPing(70, address(9), 0, "n9", nack), source=5)
    ((to, _),) = pings(driver, driver.collect())
    assert to == place(9)
    assert answers(driver, driver.pass_time(0.499)) == []
    assert answers(driver, driver.pass_time(0.002)) == expected


def test_relays_are_limited() -> None:
    driver = Driver(limits=Limits(relays=2))
    for number in range(3):
        driver.give(IndirectPing(number, address(9), 1, "n9"))
    assert dropped(driver.collect()) == [DropReason.TOO_MANY_RELAYS]
    driver.pass_time(1)
    driver.give(IndirectPing(4, address(9), 1, "n9"))
    assert dropped(driver.collect()) == []


def test_ping_for_the_application() -> None:
    driver = Driver(2, timing=CALM)
    number = driver.node.ping("n2", timeout_seconds=0.2, now=driver.now)
    assert number is not None
    driver.now += 0.05
    driver.give(Ack(number), source=2)
    assert effects.PingAnswered(number, "n2", pytest.approx(0.05)) in driver.collect()
    assert driver.node.round_trips["n2"].latest == pytest.approx(0.05)
    number = driver.node.ping("n3", timeout_seconds=0.2, now=driver.now)
    assert number is not None
    assert effects.PingUnanswered(number, "n3") in driver.pass_time(0.201)
    assert driver.node.ping("n1", timeout_seconds=1, now=driver.now) is None
    assert driver.node.ping("nobody", timeout_seconds=1, now=driver.now) is None


def test_acks_and_nacks_that_nobody_waits_for_are_nothing() -> None:
    driver = Driver(timing=CALM)
    driver.give(Ack(1), Nack(1))
    assert driver.collect() == []


def test_round_trip_times_go_with_the_member() -> None:
    driver = Driver(1, timing=CALM)
    _, ping = until_ping(driver)
    driver.give(Ack(ping.seq_no))
    assert "n2" in driver.node.round_trips
    driver.give(wire.Dead(1, "n2", "n2"))
    driver.pass_time(35)
    assert driver.node.round_trips == {}


class TestRing:
    @staticmethod
    def table(*names: str) -> MemberTable:
        table = MemberTable()
        for name in names:
            table.put(Member(name=name, address=address(1), port=1, meta=b"", versions=VERSIONS,
                             incarnation=1, state=MemberState.ALIVE, since=0.0))  # fmt: skip
        return table

    def test_everybody_once_in_each_turn_but_me(self) -> None:
        turns: list[None] = []
        ring, table = ProbeRing(Random(1)), self.table("me", "a", "b", "c")
        for _ in range(5):
            found = [ring.next(table, "me", lambda: turns.append(None)) for _ in range(3)]
            assert {member.name for member in found if member} == {"a", "b", "c"}
        assert 4 <= len(turns) <= 5

    def test_alone(self) -> None:
        ring = ProbeRing(Random(1))
        assert all(ring.next(self.table("me"), "me", lambda: None) is None for _ in range(3))

    def test_newcomers_mostly_get_a_place_in_this_turn(self) -> None:
        waits = []
        for seed in range(200):
            ring, table = ProbeRing(Random(seed)), self.table("me", *"abcdefghij")
            for _ in range(5):
                ring.next(table, "me", lambda: None)
            table = self.table("me", *"abcdefghij", "new")
            wait = 0
            while (member := ring.next(table, "me", lambda: None)) is None or member.name != "new":
                wait += 1
            waits.append(wait)
        assert sum(waits) / len(waits) < 5
