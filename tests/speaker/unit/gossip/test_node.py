# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The node as a whole: gossip, goodbye, user messages, drops, time."""

from __future__ import annotations

from collections import Counter

import pytest
from lantern.gossip import effects, packet, wire
from lantern.gossip.config import Limits, Security, Timing
from lantern.gossip.effects import LeaveFinished, SendDatagram
from lantern.gossip.faults import DropReason
from lantern.gossip.members import MemberState
from lantern.gossip.wire import Ack, Alive, Dead, Ping
from unit.gossip import vectors
from unit.gossip.driver import VERSIONS, Driver, address, alive, dropped, of, place

QUIET = Timing(probe_interval_seconds=1e6, push_pull_interval_seconds=1e6)


def test_quiet_node_wakes_rarely() -> None:
    driver = Driver(timing=QUIET)
    driver.pass_time(20)
    assert driver.node.next_timer() is not None
    assert driver.pass_time(60) == []


def test_gossip_reaches_three_members_each_tick_and_each_fact_is_sent_its_number_of_times() -> None:
    driver = Driver(9, timing=QUIET)
    driver.pass_time(20)
    driver.give(alive(2, 2))
    begin = driver.now
    sent = driver.pass_time(0.21)
    assert len({to for to, _ in driver.messages(sent)}) == 3
    sent += driver.pass_time(10)
    counts = Counter(message for _, message in driver.messages(sent))
    assert counts == {alive(2, 2): 8}  # 4 x ceil(log10(10 + 1))
    assert begin < driver.now


def test_facts_ride_on_pings_and_acks() -> None:
    driver = Driver(3, timing=QUIET)
    driver.pass_time(20)
    driver.give(alive(2, 2), Ping(7))
    assert driver.messages(driver.collect()) == [(place(2), Ack(7)), (place(2), alive(2, 2))]


@pytest.mark.parametrize("security", [Security(), Security(keys=(b"k" * 32,), label=b"home")])
def test_message_goes_to_one_member_alone_also_to_one_that_is_dead_and_forgotten(security: Security) -> None:
    driver = Driver(3, timing=QUIET, security=security)
    driver.pass_time(20)
    assert driver.node.send("n3", b"hello")
    assert driver.messages(driver.collect()) == [(place(3), b"hello")]
    driver.give(Dead(1, "n3", "n2"))
    driver.pass_time(1000)
    assert driver.node.send("n3", b"back?")
    assert driver.messages(driver.collect()) == [(place(3), b"back?")]


def test_message_for_nobody_or_too_long_for_a_datagram() -> None:
    driver = Driver(1, timing=QUIET)
    assert not driver.node.send("stranger", b"hello") and not driver.node.send("n1", b"hello")
    longest = driver.node.longest_payload
    assert driver.node.send("n2", bytes(longest))
    with pytest.raises(ValueError, match=f"give at most {longest}"):
        driver.node.send("n2", bytes(longest + 1))
    assert max(len(datagram.data) for datagram in of(driver.collect(), SendDatagram)) <= 1400


def test_sender_of_a_message_is_named() -> None:
    driver = Driver(1, timing=QUIET)
    for source in (2, 9):
        sealed = packet.seal([b"\x08hello"], driver.sealing, checksum=False)
        driver.node.receive_datagram(sealed, place(source), now=driver.now)
    named = [message.name for message in of(driver.collect(), effects.UserMessage)]
    assert named == ["n2", None]


def test_datagrams_stay_within_their_size_and_facts_are_not_cut() -> None:
    for security in (Security(), Security(keys=(b"k" * 32,), label=b"home")):
        driver = Driver(timing=QUIET, security=security)
        facts = {
            Alive(1, f"node-with-a-rather-long-name-{number}", address(number), 7946, b"m" * 300, VERSIONS)
            for number in range(2, 40)
        }
        for fact in facts:
            driver.give(fact)
        sent = driver.pass_time(20)
        assert max(len(datagram.data) for datagram in of(sent, SendDatagram)) <= 1400
        assert facts <= {message for _, message in driver.messages(sent)}


def test_checksum_only_for_those_who_know_it() -> None:
    driver = Driver(timing=QUIET)
    for number, protocol in ((2, 5), (3, 4)):
        driver.give(alive(number, versions=bytes((1, protocol, 2, 0, 0, 0))))
    sent = of(driver.pass_time(20), SendDatagram)
    assert {(datagram.to, datagram.data[0] == 12) for datagram in sent} == {(place(2), True), (place(3), False)}


def test_the_recently_dead_are_told() -> None:
    driver = Driver(1, timing=QUIET)
    driver.give(Dead(1, "n2", "n3"))
    assert (place(2), Dead(1, "n2", "n3")) in driver.messages(driver.pass_time(1))
    driver.pass_time(31)
    driver.give(alive(3))
    assert place(2) not in {to for to, _ in driver.messages(driver.pass_time(5))}


def test_those_who_left_are_told_nothing() -> None:
    driver = Driver(2, timing=QUIET)
    driver.give(Dead(1, "n2", "n2"))
    assert place(2) not in {to for to, _ in driver.messages(driver.pass_time(5))}


def test_dead_members_are_forgotten() -> None:
    driver = Driver(1, timing=Timing(push_pull_interval_seconds=1e6))
    driver.give(Dead(1, "n2", "n3"))
    assert not of(driver.pass_time(29), effects.MemberForgotten)
    assert of(driver.pass_time(3), effects.MemberForgotten)
    assert driver.member(2) is None


def test_goodbye_goes_to_everybody_at_once_and_is_gossiped() -> None:
    driver = Driver(5, timing=QUIET)
    driver.pass_time(20)
    driver.node.leave(now=driver.now)
    assert set(driver.messages(driver.collect())) == {(place(number), Dead(1, "n1", "n1")) for number in range(2, 7)}
    assert of(driver.pass_time(0.41), LeaveFinished) == [LeaveFinished()]
    me = driver.member(1)
    assert me is not None
    assert me.state is MemberState.LEFT


def test_after_the_goodbye_nothing_brings_the_node_back() -> None:
    driver = Driver(2, timing=QUIET)
    driver.node.leave(now=driver.now)
    driver.give(alive(1, 9, b"other"), wire.Suspect(9, "n1", "n2"), Dead(9, "n1", "n2"))
    driver.node.set_seeds([place(9)], now=driver.now)
    happened = driver.pass_time(30)
    assert not of(happened, effects.OpenStream)
    me = driver.member(1)
    assert me is not None
    assert not me.present
    driver.node.leave(now=driver.now)
    assert of(driver.collect(), LeaveFinished) == []


def test_goodbye_of_a_node_alone_is_said_at_once() -> None:
    driver = Driver(timing=QUIET)
    driver.node.leave(now=driver.now)
    assert of(driver.collect(), LeaveFinished) == [LeaveFinished()]


def test_user_messages_of_others_are_opaque() -> None:
    driver = Driver()
    driver.node.receive_datagram(b"\x08\xff\x00anything", place(9), now=driver.now)
    assert driver.collect() == [effects.UserMessage(b"\xff\x00anything", place(9))]


def test_own_user_messages_follow_the_facts() -> None:
    driver = Driver(2, timing=QUIET)
    driver.node.broadcast("key", b"one", now=driver.now)
    driver.node.broadcast("key", b"two", now=driver.now)
    messages = [message for _, message in driver.messages(driver.pass_time(0.3))]
    assert b"one" not in messages
    assert messages.index(b"two") > 0


def test_user_message_that_fits_in_no_datagram_is_refused() -> None:
    driver = Driver(1, timing=QUIET, security=Security(keys=(b"k" * 32,)))
    longest = 1400 - 2 - 5 - 29 - 2 - 1
    driver.node.broadcast("key", bytes(longest), now=driver.now)
    assert bytes(longest) in [message for _, message in driver.messages(driver.pass_time(5))]
    with pytest.raises(ValueError, match=f"at most {longest}"):
        driver.node.broadcast("key", bytes(longest + 1), now=driver.now)


def test_user_messages_wait_for_everybodys_capability() -> None:
    driver = Driver(timing=QUIET, meta=b"lantern1", capability=b"lantern")
    driver.give(alive(2, meta=b"lantern1"), alive(3))
    driver.node.broadcast("key", b"data", now=driver.now)
    assert not driver.node.broadcasts_allowed
    assert b"data" not in [message for _, message in driver.messages(driver.pass_time(10))]
    driver.give(alive(3, 2, b"lantern2"))
    assert driver.node.broadcasts_allowed
    assert b"data" in [message for _, message in driver.messages(driver.pass_time(1))]


def test_gate_opens_when_the_one_who_does_not_understand_is_gone() -> None:
    for gone in (Dead(1, "n3", "n2"), Dead(1, "n3", "n3")):
        driver = Driver(timing=QUIET, meta=b"lantern1", capability=b"lantern")
        driver.give(alive(2, meta=b"lantern1"), alive(3))
        assert not driver.node.broadcasts_allowed
        driver.give(gone)
        assert driver.node.broadcasts_allowed


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", DropReason.EMPTY),
        (b"\xf4\x04home\x00", DropReason.LABEL),
        (b"\x0e", DropReason.UNKNOWN_TYPE),
        (b"\x06", DropReason.UNKNOWN_TYPE),
        (b"\x00\xc1", DropReason.MALFORMED),
        (vectors.SERF_GOSSIP[:-1], DropReason.CHECKSUM),
        (vectors.SERF_COMPRESSED[:-1], DropReason.MALFORMED),
        (b"\x07\x01\x00\x05a", DropReason.TRUNCATED),
    ],
)
def test_broken_datagrams_are_dropped_with_a_reason(data: bytes, reason: DropReason) -> None:
    driver = Driver()
    driver.node.receive_datagram(data, place(9), now=driver.now)
    assert driver.collect() == [effects.Dropped(reason, place(9))]


def test_one_broken_message_does_not_spoil_the_others() -> None:
    driver = Driver()
    parts = [b"\x00\xc1", wire.encode(alive(2)), b"\x63", wire.encode(Ping(7))]
    driver.node.receive_datagram(packet.seal(parts, driver.sealing, checksum=False), place(9), now=driver.now)
    happened = driver.collect()
    assert dropped(happened) == [DropReason.MALFORMED, DropReason.UNKNOWN_TYPE]
    assert driver.member(2) is not None
    assert Ack(7) in [message for _, message in driver.messages(happened)]


def test_keys_of_a_wrong_size_are_refused() -> None:
    driver = Driver()
    with pytest.raises(ValueError, match="16, 24 or 32"):
        driver.node.set_keys([b"short"])
    with pytest.raises(ValueError, match="16, 24 or 32"):
        Driver(security=Security(keys=(b"short",)))


def test_clock_that_jumps_does_not_end_a_suspicion() -> None:
    driver = Driver(2, timing=QUIET)
    driver.give(wire.Suspect(1, "n2", "n3"))
    driver.pass_time(1)
    driver.now += 3600
    driver.node.handle_timer(now=driver.now)
    member = driver.member(2)
    assert member is not None
    assert member.state is MemberState.SUSPECT
    driver.give(alive(2, 2))
    assert of(driver.collect(), effects.MemberRestored)


def test_members_are_limited_to_what_a_packet_may_name() -> None:
    driver = Driver(limits=Limits(members=10))
    for number in range(2, 30):
        driver.give(alive(number))
    assert len(driver.node.members) == 10
