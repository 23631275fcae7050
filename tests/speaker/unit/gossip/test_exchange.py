# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams of a node: push/pull both ways, joins, TCP pings, user messages, limits, deadlines."""

from __future__ import annotations

import pytest
from lantern.gossip import effects, wire
from lantern.gossip.config import Limits, Security, Timing
from lantern.gossip.effects import ExchangeFailed, OpenStream, RemoteUserState, StateExchanged, StreamClose, StreamSend
from lantern.gossip.faults import DropReason
from lantern.gossip.members import MemberState
from lantern.gossip.stream import PushPull, StreamMessage, UserPayload
from unit.gossip.driver import Driver, alive, dropped, entry, of, place

QUIET = Timing(probe_interval_seconds=1e6)


def incoming(driver: Driver, message: StreamMessage, source: int = 9) -> list[effects.Effect]:
    number = driver.node.accept_stream(place(source), now=driver.now)
    assert number is not None
    driver.node.receive_stream(number, driver.frame(message, dialler=True), now=driver.now)
    return driver.collect()


def join(driver: Driver, seed: int = 9) -> OpenStream:
    """Give the node a seed; the stream it opens."""
    driver.node.set_seeds([place(seed)], now=driver.now)
    (opened,) = of(driver.collect(), OpenStream)
    return opened


def state_of(driver: Driver, number: int) -> MemberState | None:
    member = driver.member(number)
    return member.state if member else None


def test_join_sends_all_members_and_takes_those_of_the_seed() -> None:
    driver = Driver(1, timing=QUIET, meta=b"meta")
    opened = join(driver)
    assert opened.to == place(9)
    state = driver.read(opened.data, dialled=True)
    assert state == PushPull((entry(1, meta=b"meta"), entry(2)), b"", True)
    answer = PushPull((entry(9), entry(2), entry(3, meta=b"x")), b"serf's", False)
    driver.node.receive_stream(opened.stream, driver.frame(answer, dialler=False), now=driver.now)
    happened = driver.collect()
    assert {event.member.name for event in of(happened, effects.MemberJoined)} == {"n9", "n3"}
    assert RemoteUserState(b"serf's", place(9), True) in happened
    assert StateExchanged(place(9), True) in happened
    assert StreamClose(opened.stream) in happened


def test_answer_in_single_bytes() -> None:
    driver = Driver(timing=QUIET, security=Security(keys=(b"k" * 16,), label=b"home"))
    opened = join(driver)
    for byte in driver.frame(PushPull((entry(9),), b"", False), dialler=False):
        driver.node.receive_stream(opened.stream, bytes((byte,)), now=driver.now)
    assert StateExchanged(place(9), True) in driver.collect()


def test_seed_is_tried_again_while_nobody_is_there() -> None:
    driver = Driver(timing=QUIET)
    first = join(driver)
    driver.node.stream_closed(first.stream, now=driver.now)
    assert ExchangeFailed(place(9), DropReason.STREAM_CLOSED, "") in driver.collect()
    again = of(driver.pass_time(1.3), OpenStream)
    assert [opened.to for opened in again] == [place(9)]


def test_seed_is_not_tried_twice_at_the_same_time_and_an_attempt_has_an_end() -> None:
    driver = Driver(timing=QUIET)
    first = join(driver)
    assert not of(driver.pass_time(2.9), OpenStream)
    happened = driver.pass_time(1.5)
    assert StreamClose(first.stream) in happened
    assert ExchangeFailed(place(9), DropReason.STREAM_TIMEOUT, "") in happened
    assert of(happened, OpenStream)


def test_own_address_among_the_seeds_is_left_out() -> None:
    driver = Driver(timing=QUIET)
    driver.node.set_seeds([place(1)], now=driver.now)
    assert not of(driver.pass_time(30), OpenStream)


def test_present_members_are_not_joined_again() -> None:
    driver = Driver(1, timing=Timing(probe_interval_seconds=1e6, push_pull_interval_seconds=1e6))
    driver.node.set_seeds([place(2)], now=driver.now)
    assert not of(driver.pass_time(60), OpenStream)


def test_dead_member_is_looked_for_without_any_seed() -> None:
    driver = Driver(2, timing=Timing(push_pull_interval_seconds=1e6, probe_interval_seconds=1e6))
    driver.give(wire.Dead(1, "n2", "n3"))
    assert {opened.to for opened in of(driver.pass_time(30), OpenStream)} == {place(2)}
    driver.give(wire.Dead(1, "n2", "n2"))
    assert not of(driver.pass_time(60), OpenStream), "it has left after all"


def test_push_pull_of_a_peer_is_answered_then_merged() -> None:
    driver = Driver(2, timing=QUIET)
    driver.node.set_user_state(b"ours")
    happened = incoming(driver, PushPull((entry(9), entry(2, 2), entry(3, 3)), b"theirs", False))
    (sent,) = of(happened, StreamSend)
    assert driver.read(sent.data, dialled=False) == PushPull((entry(1), entry(2), entry(3)), b"ours", False)
    assert StreamClose(sent.stream) in happened
    assert RemoteUserState(b"theirs", place(9), False) in happened
    assert state_of(driver, 9) is MemberState.ALIVE
    assert state_of(driver, 2) is MemberState.SUSPECT, "dead there, so that it can object here"
    assert state_of(driver, 3) is MemberState.LEFT


@pytest.mark.parametrize("state", [1, 2, 3])
def test_what_a_peer_holds_against_this_node_is_objected_to(state: int) -> None:
    driver = Driver(1, timing=QUIET)
    incoming(driver, PushPull((entry(9), entry(1, state, 4)), b"", True))
    me = driver.member(1)
    assert me is not None
    assert (me.state, me.incarnation) == (MemberState.ALIVE, 5)


def test_push_pull_with_a_random_member_every_interval() -> None:
    driver = Driver(2, timing=QUIET)
    opened = of(driver.pass_time(121), OpenStream)
    assert len(opened) == 4
    assert {stream.to for stream in opened} <= {place(2), place(3)}


def test_push_pulls_become_rarer_in_large_clusters() -> None:
    driver = Driver(timing=QUIET)
    incoming(driver, PushPull(tuple(entry(number) for number in range(2, 102)), b"", True))
    opened = of(driver.pass_time(30 + 240), OpenStream)
    assert len(opened) == 3  # every 90 s: 1 + ceil(log2(101 / 32)) intervals


def test_versions_that_do_not_fit_are_refused() -> None:
    driver = Driver(timing=QUIET)
    serf = wire.RemoteMember("s", b"\x0a\0\0\x09", 7946, b"", 1, 0, bytes((1, 5, 2, 2, 5, 5)))
    happened = incoming(driver, PushPull((serf,), b"", True))
    assert dropped(happened) == [DropReason.VERSION]
    assert of(happened, StreamSend), "it gets the answer by which it sees the same"
    assert len(driver.node.members) == 1
    opened = join(driver)
    driver.node.receive_stream(
        opened.stream, driver.frame(PushPull((serf,), b"", False), dialler=False), now=driver.now
    )
    (failed,) = of(driver.collect(), ExchangeFailed)
    assert failed.reason is DropReason.VERSION
    assert "delegate version" in failed.detail


def test_entries_that_cannot_be_are_left_out_and_the_rest_is_taken() -> None:
    driver = Driver(timing=QUIET)
    wrong = wire.RemoteMember("w", b"", 7946, b"", 1, 0, bytes((1, 5, 2, 0, 0, 0)))
    happened = incoming(driver, PushPull((wrong, entry(8, 9), entry(9)), b"", True))
    assert dropped(happened) == [DropReason.BAD_ADDRESS, DropReason.MALFORMED]
    assert driver.member(9) is not None


def test_ping_over_tcp_is_answered() -> None:
    driver = Driver(timing=QUIET)
    for node in ("n1", ""):
        (sent,) = of(incoming(driver, wire.Ping(7, node)), StreamSend)
        assert driver.read(sent.data, dialled=False) == wire.Ack(7)
    happened = incoming(driver, wire.Ping(7, "n2"))
    assert dropped(happened) == [DropReason.NOT_FOR_US]
    assert not of(happened, StreamSend)


def test_user_message_over_tcp() -> None:
    assert effects.UserMessage(b"payload", place(9)) in incoming(Driver(timing=QUIET), UserPayload(b"payload"))


@pytest.mark.parametrize("message", [wire.Ack(1), wire.ErrorReport("what")])
def test_answers_nobody_asked_for(message: StreamMessage) -> None:
    happened = incoming(Driver(timing=QUIET), message)
    assert len(dropped(happened)) == 1
    assert not of(happened, StreamSend)


def test_error_of_the_peer_is_passed_on_in_its_words() -> None:
    driver = Driver(timing=QUIET)
    opened = join(driver)
    report = driver.frame(wire.ErrorReport("Remote state is encrypted"), dialler=False)
    driver.node.receive_stream(opened.stream, report, now=driver.now)
    assert ExchangeFailed(place(9), DropReason.REMOTE_ERROR, "Remote state is encrypted") in driver.collect()


def test_peer_with_encryption_is_told_that_there_is_none_here() -> None:
    driver, other = Driver(timing=QUIET), Driver(timing=QUIET, security=Security(keys=(b"k" * 16,)))
    number = driver.node.accept_stream(place(9), now=driver.now)
    assert number is not None
    driver.node.receive_stream(number, other.frame(wire.Ping(1), dialler=True), now=driver.now)
    happened = driver.collect()
    assert dropped(happened) == [DropReason.NO_KEY]
    (sent,) = of(happened, StreamSend)
    report = driver.read(sent.data, dialled=False)
    assert isinstance(report, wire.ErrorReport)
    assert "encryption is not configured" in report.error


def test_number_of_incoming_streams_is_limited() -> None:
    driver = Driver(timing=QUIET, limits=Limits(streams=3))
    assert all(driver.node.accept_stream(place(9), now=driver.now) for _ in range(3))
    assert driver.node.accept_stream(place(9), now=driver.now) is None
    assert dropped(driver.collect()) == [DropReason.TOO_MANY_STREAMS]


def test_what_all_streams_hold_together_is_limited() -> None:
    driver = Driver(timing=QUIET, limits=Limits(streams_total_bytes=10_000))
    begun = b"\x08" + wire.pack(wire.UserHeader(9_000)) + bytes(5_000)
    first, second = (driver.node.accept_stream(place(9), now=driver.now) for _ in range(2))
    assert first is not None and second is not None
    driver.node.receive_stream(first, begun, now=driver.now)
    assert dropped(driver.collect()) == []
    driver.node.receive_stream(second, begun, now=driver.now)
    assert dropped(driver.collect()) == [DropReason.TOO_LARGE]
    driver.node.receive_stream(first, bytes(4_000), now=driver.now)
    assert of(driver.collect(), effects.UserMessage)


def test_streams_end_at_their_deadline() -> None:
    driver = Driver(timing=QUIET)
    number = driver.node.accept_stream(place(9), now=driver.now)
    assert number is not None
    assert not of(driver.pass_time(9.9), StreamClose)
    happened = driver.pass_time(0.2)
    assert dropped(happened) == [DropReason.STREAM_TIMEOUT]
    assert StreamClose(number) in happened
    driver.node.receive_stream(number, b"late", now=driver.now)
    driver.node.stream_closed(number, now=driver.now)
    assert driver.collect() == []


def test_stream_that_ends_early_is_noted_an_empty_one_is_a_port_check() -> None:
    driver = Driver(timing=QUIET)
    for data, expected in ((b"", []), (b"\x06", [DropReason.STREAM_CLOSED])):
        number = driver.node.accept_stream(place(9), now=driver.now)
        assert number is not None
        if data:
            driver.node.receive_stream(number, data, now=driver.now)
        driver.node.stream_closed(number, now=driver.now)
        assert dropped(driver.collect()) == expected


class TestUserState:
    """Only those get it who understand it."""

    def test_seeds_get_none_when_a_capability_is_asked_for(self) -> None:
        driver = Driver(timing=QUIET, meta=b"lantern1", capability=b"lantern")
        driver.node.set_user_state(b"state")
        sent = driver.read(join(driver).data, dialled=True)
        assert isinstance(sent, PushPull)
        assert sent.user_state == b""

    @pytest.mark.parametrize(("meta", "expected"), [(b"lantern7", b"state"), (b"", b""), (b"other", b"")])
    def test_answer_depends_on_the_asker(self, meta: bytes, expected: bytes) -> None:
        driver = Driver(timing=QUIET, meta=b"lantern1", capability=b"lantern")
        driver.node.set_user_state(b"state")
        (sent,) = of(incoming(driver, PushPull((entry(9, meta=meta),), b"", True)), StreamSend)
        answer = driver.read(sent.data, dialled=False)
        assert isinstance(answer, PushPull)
        assert answer.user_state == expected

    def test_answer_depends_on_those_the_asker_knows_too(self) -> None:
        driver = Driver(timing=QUIET, meta=b"lantern1", capability=b"lantern")
        driver.node.set_user_state(b"state")
        asked = PushPull((entry(9, meta=b"lantern1"), entry(8), entry(7, 2)), b"", True)
        (sent,) = of(incoming(driver, asked), StreamSend)
        answer = driver.read(sent.data, dialled=False)
        assert isinstance(answer, PushPull)
        assert answer.user_state == b""

    def test_members_get_it_while_all_understand_it(self) -> None:
        driver = Driver(timing=QUIET, meta=b"lantern1", capability=b"lantern")
        driver.node.set_user_state(b"state")
        driver.give(alive(2, meta=b"lantern1"))

        def states() -> set[bytes]:
            found = set()
            for opened in of(driver.pass_time(61), OpenStream):
                state = driver.read(opened.data, dialled=True)
                assert isinstance(state, PushPull)
                found.add(state.user_state)
            return found

        assert states() == {b"state"}
        driver.give(alive(3))
        assert states() == {b""}


def test_lost_member_is_looked_for_soon() -> None:
    driver = Driver(2, timing=Timing(push_pull_interval_seconds=1e6, probe_interval_seconds=1e6))
    driver.pass_time(15)
    driver.give(wire.Dead(1, "n2", "n3"))
    driver.collect()
    assert [opened.to for opened in of(driver.pass_time(1.25), OpenStream)] == [place(2)]
