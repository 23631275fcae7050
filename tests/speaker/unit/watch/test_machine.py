# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One watch, with the test as all the others: what it sends when, whom it holds for lost, and who holds it back."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from lantern.gossip.timers import Clock
from lantern.tenure import Bulletin, Tenure
from lantern.watch import effects, messages
from lantern.watch.effects import Cause, DropReason, Witness
from lantern.watch.machine import Watch
from lantern.watch.messages import NONE, Answer, Delta, Edition, Message, Offer, Page, Probe, Report, Stamp, Suspicion
from lantern.watch.options import Options
from lantern.watch.peer import Status

VIP = bytes((10, 0, 0, 1))
THEIRS = Edition(77, 1)
OPTIONS = Options()


class Stage:
    """A watch on node "a", and what the others do to it. Time passes in steps of a millisecond."""

    def __init__(self, *others: str, now: float = 1000.0) -> None:
        self.now = now
        self.watch = Watch("a", OPTIONS, Random(1), Clock(0.03))
        self.effects: list[tuple[float, effects.Effect]] = []
        self.answering = set(others)
        self.watch.set_peers(others, now=now)
        self.watch.publish(Bulletin(ready=True), now=now)
        self.settle()
        self.run(2.0)
        self.effects.clear()

    def settle(self) -> None:
        for effect in self.watch.drain():
            self.effects.append((self.now, effect))
            if isinstance(effect, effects.Send) and effect.peer in self.answering:
                match messages.decode(effect.data):
                    case Probe(number, stamp):
                        self.tell(effect.peer, messages.encode_probe(Answer(number, Stamp(THEIRS, stamp.own))))
                    case _:
                        pass

    def tell(self, peer: str, data: bytes) -> None:
        self.watch.receive(peer, data, now=self.now)
        self.settle()

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.watch.next_timer()) is not None and due <= end:
            self.now = max(due, self.now)
            self.watch.handle_timer(now=self.now)
            self.settle()
        self.now = end

    def sent(self, peer: str, kind: type[Message]) -> list[Message]:
        found = [messages.decode(item.data) for _, item in self.effects if isinstance(item, effects.Send)]
        peers = [item.peer for _, item in self.effects if isinstance(item, effects.Send)]
        return [
            message for name, message in zip(peers, found, strict=True) if name == peer and isinstance(message, kind)
        ]

    def seen(self, kind: type[effects.Effect]) -> list[effects.Effect]:
        return [effect for _, effect in self.effects if isinstance(effect, kind)]

    def when(self, kind: type[effects.Effect]) -> float:
        return next(when for when, effect in self.effects if isinstance(effect, kind))

    def watched_closely(self) -> set[str]:
        """After ten seconds in which nobody but this one probes."""
        self.run(10.0)
        return {peer for peer in self.answering if len(self.sent(peer, Probe)) > 20}

    def silence(self, *peers: str) -> float:
        """They answer no more; the time."""
        self.answering -= set(peers)
        return self.now

    def word(self, peer: str, edition: Edition = THEIRS, **more: object) -> None:
        """A peer's bulletin arrives."""
        bulletin = Bulletin(ready=True, **more)  # type: ignore[arg-type]
        for data in messages.encode_bulletin(edition, bulletin, now=self.now):
            self.tell(peer, data)


def test_close_peer_is_probed_four_times_a_second_and_distant_ones_once() -> None:
    stage = Stage("b", "c", "d", "e")
    stage.run(10.0)
    counts = sorted(len(stage.sent(name, Probe)) for name in "bcde")
    assert counts[0] in range(9, 12) and counts[-1] in range(38, 43)


def test_who_probes_us_is_probed_half_as_often() -> None:
    stage = Stage("b")
    for number in range(100):
        stage.tell("b", messages.encode_probe(Probe(number, Stamp(THEIRS, NONE))))
        stage.run(0.9 * OPTIONS.interval_seconds)
    assert len(stage.sent("b", Answer)) == 100
    assert len(stage.sent("b", Probe)) < 60


def test_while_everybody_answers_it_wakes_up_only_to_send() -> None:
    stage = Stage("b", "c", "d")
    end, idle = stage.now + 10, 0
    while (due := stage.watch.next_timer()) is not None and due <= end:
        stage.now = max(due, stage.now)
        before = len(stage.effects)
        stage.watch.handle_timer(now=stage.now)
        stage.settle()
        idle += len(stage.effects) == before
    assert idle == 0 and len(stage.effects) > 80


@pytest.mark.parametrize("others", ["b", "bc", "bcd"])
def test_silence_on_a_clean_lan_is_certain_after_five_quick_probes(others: str) -> None:
    stage = Stage(*others)
    begin = stage.silence("b")
    stage.run(0.45)
    assert stage.when(effects.AskWire) - begin <= 1.05 * OPTIONS.interval_seconds + 5 * OPTIONS.step_seconds


def test_when_silence_is_certain_others_and_the_lan_are_asked() -> None:
    stage = Stage("b", "c")
    stage.silence("b")
    stage.run(0.45)
    assert stage.seen(effects.AskWire) == [effects.AskWire("b")]
    (suspicion,) = stage.sent("c", Suspicion)
    assert isinstance(suspicion, Suspicion) and suspicion.name == "b" and 0.1 < suspicion.silent_seconds < 0.35
    assert stage.watch.status("b") is Status.SUSPECT
    assert not stage.seen(effects.Lost)


def test_lost_when_nobody_speaks_for_it() -> None:
    stage = Stage("b", "c")
    begin = stage.silence("b")
    stage.run(0.45)
    stage.watch.wire("b", answered=False, now=stage.now)
    stage.run(0.25)
    (lost,) = stage.seen(effects.Lost)
    assert isinstance(lost, effects.Lost) and (lost.peer, lost.cause) == ("b", Cause.SILENCE)
    assert 0.3 < lost.silent_seconds < 0.85
    assert stage.when(effects.Lost) - begin < 0.65
    assert stage.watch.status("b") is Status.LOST


def test_lost_one_that_came_back_is_found_as_soon_as_before_when_it_is_lost_again() -> None:
    stage = Stage("b", "c")
    taken = []
    for _ in range(3):
        stage.effects.clear()
        begin = stage.silence("b")
        stage.run(0.45)
        stage.watch.wire("b", answered=False, now=stage.now)
        stage.run(5)
        taken.append(stage.when(effects.Lost) - begin)
        stage.answering.add("b")
        stage.run(1)
    assert max(taken) < 0.85


def test_an_answer_in_time_ends_the_doubt() -> None:
    stage = Stage("b", "c")
    stage.silence("b")
    stage.run(0.45)
    assert stage.watch.status("b") is Status.SUSPECT
    stage.tell("b", messages.encode_probe(Answer(0, Stamp(THEIRS, NONE))))
    assert stage.watch.status("b") is Status.ALIVE
    stage.answering.add("b")
    stage.run(5)
    assert not stage.seen(effects.Lost)


@pytest.mark.parametrize("witness", Witness)
def test_witness_holds_back_longer_each_time(witness: Witness) -> None:
    stage = Stage("b", "c")
    stage.silence("b")
    asked = 0
    for _ in range(1000):
        stage.run(0.02)
        if len(stage.seen(effects.AskWire)) > asked:
            asked += 1
            if witness is Witness.WIRE:
                stage.watch.wire("b", answered=True, now=stage.now)
                stage.settle()
            else:
                stage.tell("c", messages.encode_report("b", heard=True))
    assert not stage.seen(effects.Lost)
    assert stage.seen(effects.HeldBack) == [effects.HeldBack("b", witness)] * asked
    held = [when for when, effect in stage.effects if isinstance(effect, effects.HeldBack)]
    pauses = [later - earlier for earlier, later in zip(held, held[1:], strict=False)]
    assert pauses[:3] == pytest.approx([1, 2, 4], abs=0.1)


def test_silence_of_the_lan_is_awaited_but_not_for_ever() -> None:
    stage = Stage("b", "c")
    stage.silence("b")
    stage.run(0.75)
    assert not stage.seen(effects.Lost)
    stage.run(0.25)
    assert stage.when(effects.Lost) - stage.when(effects.AskWire) == pytest.approx(OPTIONS.wire_seconds, abs=0.05)


def test_who_hears_nobody_at_all_waits_longer() -> None:
    stage = Stage("b", "c")
    stage.silence("b", "c")
    stage.run(0.4)
    for peer in ("b", "c"):
        stage.watch.wire(peer, answered=False, now=stage.now)
    stage.run(1.5)
    assert not stage.seen(effects.Lost)
    stage.run(1.0)
    assert len(stage.seen(effects.Lost)) == 2
    assert stage.when(effects.Lost) - stage.when(effects.AskWire) == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(("linked", "seconds"), [(None, 0.4), (True, 0.4), (False, 2.0)])
def test_of_two_nodes_the_lan_tells_which_is_cut_off(linked: bool | None, seconds: float) -> None:
    stage = Stage("b")
    stage.silence("b")
    stage.run(0.45)
    stage.watch.wire("b", answered=False, linked=linked, now=stage.now)
    stage.run(5)
    assert stage.when(effects.Lost) - stage.when(effects.AskWire) == pytest.approx(seconds, abs=0.1)


def test_asked_about_somebody_it_looks_for_itself_and_tells() -> None:
    stage = Stage("b", "c", "d", "e")
    stage.run(0.5)
    stage.silence("b")
    stage.run(0.1)
    stage.effects.clear()
    stage.tell("c", messages.encode_suspicion("b", 0.2))
    assert stage.sent("c", Report) == [Report("b", False)]
    assert stage.seen(effects.AskWire) == [effects.AskWire("b")]
    stage.watch.wire("b", answered=False, now=stage.now)
    begin = stage.now
    stage.run(0.6)
    (lost,) = stage.seen(effects.Lost)
    assert isinstance(lost, effects.Lost) and lost.cause is Cause.TOLD
    assert stage.when(effects.Lost) - begin < 0.5
    assert not stage.sent("c", Suspicion)


@pytest.mark.parametrize(
    ("word", "ways"),
    [
        (None, 2),
        (lambda distant: messages.encode_suspicion(distant, 0.3), 1),
        (lambda distant: messages.encode_report(distant, heard=False), 1),
    ],
)
def test_one_that_others_watch_is_given_time_for_both_ways_until_they_doubt_it_too(
    word: Callable[[str], bytes] | None, ways: int
) -> None:
    stage = Stage("b", "c", "d", "e", "f")
    close = stage.watched_closely()
    watcher, distant = min(close), min(stage.answering - close)
    stage.effects.clear()
    stage.silence(distant)
    while not stage.seen(effects.AskWire):
        stage.run(0.01)
    if word is not None:
        stage.tell(watcher, word(distant))
    stage.watch.wire(distant, answered=False, now=stage.now)
    begin = stage.now
    stage.run(2.0)
    assert stage.when(effects.Lost) - begin == pytest.approx(ways * OPTIONS.inquiry_seconds, abs=0.05)


def test_asked_about_somebody_whom_it_hears_it_says_so() -> None:
    stage = Stage("b", "c")
    stage.tell("b", messages.encode_probe(Answer(0, Stamp(THEIRS, NONE))))
    stage.effects.clear()
    stage.tell("c", messages.encode_suspicion("b", 0.3))
    assert stage.sent("c", Report) == [Report("b", True)]
    stage.tell("c", messages.encode_suspicion("a", 0.3))
    assert stage.sent("c", Report)[-1] == Report("a", True)
    stage.tell("c", messages.encode_suspicion("stranger", 0.3))
    assert len(stage.sent("c", Report)) == 2


def test_heard_after_being_asked_it_tells_the_asker() -> None:
    stage = Stage("b", "c")
    stage.silence("b")
    stage.run(0.2)
    stage.effects.clear()
    stage.tell("c", messages.encode_suspicion("b", 0.2))
    stage.run(0.05)
    stage.tell("b", messages.encode_probe(Answer(0, Stamp(THEIRS, NONE))))
    assert stage.sent("c", Report) == [Report("b", False), Report("b", True)]


def test_gossips_verdict_is_looked_into() -> None:
    stage = Stage("b", "c")
    stage.watch.condemn("b", now=stage.now)
    assert stage.watch.status("b") is Status.ALIVE, "heard just now"
    # Held back, so that its silence alone leads to nothing.
    stage.silence("b")
    stage.run(0.35)
    for _ in range(3):
        stage.watch.wire("b", answered=True, now=stage.now)
        stage.run(1.0)
    stage.watch.wire("b", answered=True, now=stage.now)
    stage.settle()
    stage.effects.clear()
    stage.watch.condemn("b", now=stage.now)
    stage.settle()
    assert stage.seen(effects.AskWire)
    stage.watch.wire("b", answered=False, now=stage.now)
    stage.run(4.0)
    assert stage.seen(effects.Lost)


def test_own_sleep_is_nobodys_silence_and_all_are_asked_at_once() -> None:
    stage = Stage("b", "c")
    stage.run(0.3)
    stage.effects.clear()
    stage.now += 30.0
    stage.watch.handle_timer(now=stage.now)
    stage.settle()
    woken = stage.now
    stage.run(0.01)
    assert {item.peer for _, item in stage.effects if isinstance(item, effects.Send)} == {"b", "c"}
    stage.run(5)
    assert not stage.seen(effects.Lost) and not stage.seen(effects.AskWire)
    assert min(when for when, _ in stage.effects) == woken


def test_lost_one_is_looked_for_and_believed_only_after_it_has_spoken_for_itself() -> None:
    stage = Stage("b", "c")
    stage.word("b", tenures={VIP: Tenure(1, 0.0)})
    assert stage.watch.speakers["b"].tenures.keys() == {VIP}
    stage.silence("b")
    stage.run(2)
    assert stage.watch.status("b") is Status.LOST and "b" not in stage.watch.speakers
    assert stage.watch.bulletin("b") is not None
    stage.effects.clear()
    stage.run(2)
    assert len(stage.sent("b", Probe)) in range(7, 10)
    stage.run(70)
    stage.effects.clear()
    stage.run(4)
    assert len(stage.sent("b", Probe)) in range(7, 10)
    stage.tell("b", messages.encode_probe(Probe(1, Stamp(Edition(77, 2), NONE))))
    assert stage.seen(effects.Back) == [effects.Back("b")]
    assert "b" not in stage.watch.speakers, "it has another bulletin by now"
    stage.word("b", Edition(77, 2))
    assert stage.watch.speakers["b"].tenures == {}


def test_what_does_not_fit_is_answered_with_what_is_here() -> None:
    stage = Stage("b")
    second, third = (Edition(THEIRS.boot, number) for number in (2, 3))
    word = Bulletin(ready=True, tenures={VIP: Tenure(1, 0.0)})
    stage.word("b")
    delta = messages.encode_delta(second, THEIRS.version, word, [VIP], [], now=stage.now)
    late = messages.encode_delta(third, THEIRS.version, word, [VIP], [], now=stage.now)
    assert delta and late
    stage.effects.clear()
    for data in (delta, delta, late, *messages.encode_bulletin(second, word, now=stage.now)):
        stage.tell("b", data)
    answers = stage.sent("b", Answer)
    assert [item.stamp.seen for item in answers if isinstance(item, Answer)] == [second] * 4


def test_lost_one_that_comes_back_with_the_same_bulletin_is_believed_at_once() -> None:
    stage = Stage("b", "c")
    stage.word("b", tenures={VIP: Tenure(1, 0.0)})
    stage.silence("b")
    stage.run(2)
    stage.tell("b", messages.encode_probe(Probe(1, Stamp(THEIRS, NONE))))
    assert stage.watch.speakers["b"].tenures.keys() == {VIP}


def test_new_process_holds_nothing_of_what_the_old_one_held() -> None:
    stage = Stage("b", "c")
    stage.word("b", tenures={VIP: Tenure(1, 0.0)})
    stage.effects.clear()
    stage.tell("b", messages.encode_probe(Probe(1, Stamp(Edition(78, 1), NONE))))
    assert "b" not in stage.watch.speakers
    assert stage.seen(effects.Told) == [effects.Told("b")]


def test_bulletin_is_told_at_once_and_again_until_it_is_known() -> None:
    stage = Stage("b")
    stage.silence("b")
    stage.watch.publish(Bulletin(ready=True, tenures={VIP: Tenure(1, stage.now)}), now=stage.now)
    stage.settle()
    (told,) = stage.sent("b", Delta)
    assert isinstance(told, Delta) and told.entries == {VIP: (1, 0.0)}
    stage.run(0.2)
    repeated = stage.sent("b", Delta)
    assert 2 <= len(repeated) <= 5
    stage.tell("b", messages.encode_probe(Answer(0, Stamp(THEIRS, told.edition))))
    stage.effects.clear()
    stage.run(1)
    assert not stage.sent("b", Delta) and not stage.sent("b", Page)


def test_bulletin_of_a_peer_is_acknowledged() -> None:
    stage = Stage("b")
    stage.word("b", tenures={VIP: Tenure(1, 0.0)})
    (answer,) = stage.sent("b", Answer)
    assert isinstance(answer, Answer) and answer.number == 0 and answer.stamp.seen == THEIRS


def test_offer_is_repeated_until_it_is_withdrawn() -> None:
    stage = Stage("b")
    stage.watch.set_offers({"b": ((VIP, 3),)}, now=stage.now)
    stage.settle()
    assert stage.sent("b", Offer) == [Offer(((VIP, 3),))]
    stage.run(0.5)
    assert len(stage.sent("b", Offer)) in range(4, 12)
    stage.watch.set_offers({}, now=stage.now)
    stage.effects.clear()
    stage.run(1)
    assert not stage.sent("b", Offer)
    stage.tell("b", messages.encode_offers([(VIP, 9)])[0])
    assert stage.seen(effects.Offered) == [effects.Offered("b", ((VIP, 9),))]


def test_strangers_and_broken_messages_are_dropped_with_a_reason() -> None:
    stage = Stage("b")
    stage.tell("x", messages.encode_probe(Probe(1, Stamp(THEIRS, NONE))))
    stage.tell("b", b"LW\x02\x63")
    assert stage.seen(effects.Dropped) == [
        effects.Dropped(DropReason.UNKNOWN_PEER, "x"),
        effects.Dropped(DropReason.MALFORMED, "b"),
    ]


def test_round_trips_are_measured() -> None:
    stage = Stage("b")
    assert stage.watch.round_trip_seconds("b") == pytest.approx(0, abs=1e-6)
    assert stage.watch.round_trip_seconds("x") is None and stage.watch.status("x") is None


def test_who_is_named_no_more_is_forgotten() -> None:
    stage = Stage("b", "c")
    stage.watch.set_peers(["c"], now=stage.now)
    stage.settle()
    stage.effects.clear()
    stage.run(2)
    assert not stage.sent("b", Probe) and stage.sent("c", Probe)
    stage.watch.set_peers([], now=stage.now)
    assert stage.watch.next_timer() is None
