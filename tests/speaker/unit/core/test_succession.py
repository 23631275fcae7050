# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One node's part in who owns what: the other speakers are what the test says they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from lantern.core.candidates import Candidate
from lantern.core.elect import rank
from lantern.core.model import ServiceKey
from lantern.core.outcome import Outcome, Timing, Why
from lantern.core.succession import Succession, prevails
from lantern.core.vips import Vip, VipKey
from lantern.tenure import Bulletin, Tenure

TIMING = Timing()
ALL = tuple(Candidate(name, 0) for name in ("a", "b", "c"))
WORD = Bulletin(ready=True, settled=True, interfaces={"eth0": bytes(6)})


def vip(number: int, candidates: tuple[Candidate, ...] = ALL) -> Vip:
    address = ip_address(f"10.9.0.{number}")
    return Vip(address.packed, (address,), (ServiceKey("default", f"web-{number}"),), candidates)


def first_by_hash(*names: str, first: str) -> Vip:
    """A VIP for which `first` is the first of these by hash."""
    found = (vip(number) for number in range(256))
    return next(item for item in found if min(names, key=lambda name: rank(name, item.addresses[0])) == first)


class Seat:
    """Node "a", and what the others say."""

    def __init__(self, *vips: Vip, others: str = "bc", now: float = 100.0) -> None:
        self.vips = {item.key: item for item in vips}
        self.others: dict[str, Bulletin] = dict.fromkeys(others, WORD)
        self.word = WORD
        self.now = now
        self.succession = Succession("a", TIMING)

    def says(self, node: str, tenures: Mapping[Vip, tuple[int, float]], **more: Any) -> None:
        """The node announces these VIPs, each with its term and age."""
        held = {item.key: Tenure(term, self.now - age) for item, (term, age) in tenures.items()}
        self.others[node] = replace(WORD, tenures=held, **more)

    def decide(self, seconds: float = 0.0, **more: Any) -> Outcome:
        self.now += seconds
        vip_of = {address.packed: item for item in self.vips.values() for address in item.addresses}
        return self.succession.decide(self.vips, vip_of, self.others, self.word, now=self.now, **more)

    def term(self, item: Vip) -> int | None:
        tenure = self.succession.mine.get(item.key)
        return tenure.term if tenure is not None else None


def whys(changes: tuple[Any, ...]) -> list[tuple[VipKey, Why, str]]:
    return [tuple(change) for change in changes]


def test_new_vip_goes_to_whose_turn_it_is() -> None:
    mine, theirs = first_by_hash("a", "b", "c", first="a"), first_by_hash("a", "b", "c", first="b")
    seat = Seat(mine)
    assert whys(seat.decide().taken) == [(mine.key, Why.NEW, "")]
    assert seat.term(mine) == 1 and seat.succession.owners == {mine.key: "a"}
    seat = Seat(theirs)
    assert seat.decide().taken == ()


def test_next_in_line_takes_what_is_left_over() -> None:
    item = first_by_hash("a", "b", first="b")
    seat = Seat(item, others="b")
    outcome = seat.decide()
    assert outcome.wake == pytest.approx(seat.now + TIMING.step_seconds)
    assert seat.decide(0.2).taken == ()
    assert whys(seat.decide(0.05).taken) == [(item.key, Why.OVERDUE, "")]


def test_third_in_line_waits_twice_as_long() -> None:
    item = next(
        found for found in map(vip, range(256)) if max("abc", key=lambda name: rank(name, found.addresses[0])) == "a"
    )
    seat = Seat(item)
    seat.decide()
    assert seat.decide(0.3).taken == ()
    assert seat.decide(0.2).taken != ()


def test_owner_that_is_alive_keeps_its_vip() -> None:
    item = first_by_hash("a", "b", "c", first="a")
    seat = Seat(item)
    seat.says("b", {item: (3, 50.0)})
    assert seat.decide().taken == () and seat.succession.owners == {item.key: "b"}
    assert seat.decide(1000.0).taken == ()


def test_heir_follows_a_dead_owner_with_the_next_term() -> None:
    item = first_by_hash("a", "c", first="a")
    seat = Seat(item)
    seat.says("b", {item: (3, 50.0)})
    seat.decide()
    assert seat.succession.inheritance("b", seat.vips, {**seat.others, "a": WORD}) == {item.key: "a"}
    del seat.others["b"]
    assert whys(seat.decide(1.0).taken) == [(item.key, Why.VACANT, "b")]
    assert seat.term(item) == 4


def test_heir_in_a_minority_does_not_count_on() -> None:
    """When the parts meet again the owner before is older, and goes on."""
    item = vip(1)
    seat = Seat(item)
    seat.says("b", {item: (3, 50.0)})
    seat.decide()
    seat.others.clear()
    seat.decide(1.0, majority=False)
    assert seat.term(item) == 3
    seat.says("b", {item: (3, 51.0)})
    assert whys(seat.decide(9.0).given_up) == [(item.key, Why.OUTRANKED, "b")]


def test_heirs_share_what_a_dead_owner_leaves() -> None:
    vips = [vip(number) for number in range(1, 11)]
    seat = Seat(*vips)
    seat.says("b", {item: (1, 50.0) for item in vips})
    seat.decide()
    del seat.others["b"]
    assert len(seat.decide(1.0).taken) == 5


def test_faster_heir_is_taken_for_part_of_the_same_election() -> None:
    vips = [vip(number) for number in range(1, 21)]
    facts = Seat(*vips)
    facts.says("b", {item: (1, 50.0) for item in vips})
    facts.decide()
    shares = facts.succession.inheritance("b", facts.vips, {**facts.others, "a": WORD})
    by_key = facts.vips
    theirs = [key for key, node in shares.items() if node == "c"]
    del facts.others["b"]
    # Only a part of what the other heir has taken has arrived.
    facts.says("c", {by_key[key]: (2, 0.001) for key in theirs[:3]})
    taken = {change.key for change in facts.decide(0.01).taken}
    assert taken == {key for key, node in shares.items() if node == "a"}


def test_greater_term_wins_and_the_loser_gives_up_at_once() -> None:
    item = first_by_hash("a", "b", "c", first="a")
    seat = Seat(item)
    seat.decide()
    seat.says("b", {item: (2, 0.0)})
    outcome = seat.decide(100.0)
    assert whys(outcome.given_up) == [(item.key, Why.OUTRANKED, "b")]
    assert outcome.deposed and outcome.again == ()


def test_winner_insists_and_tells_the_lan_again_also_after_the_contest() -> None:
    item = first_by_hash("a", "b", "c", first="a")
    seat = Seat(item)
    seat.decide()
    seat.says("b", {item: (1, 0.0)})
    outcome = seat.decide(100.0)
    assert outcome.again == (item.key,) and outcome.given_up == ()
    assert seat.term(item) == 2
    assert seat.decide(0.1).again == ()
    seat.says("b", {})
    assert seat.decide(0.1).again == (item.key,)


@pytest.mark.parametrize(
    ("ours", "theirs", "wins"),
    [
        ((2, 0.0), (1, 50.0), True),
        ((1, 50.0), (2, 0.0), False),
        ((1, 50.0), (1, 10.0), True),
        ((1, 10.0), (1, 50.0), False),
    ],
)
def test_better_claim(ours: tuple[int, float], theirs: tuple[int, float], wins: bool) -> None:
    item = vip(1)
    mine, other = Tenure(ours[0], 100 - ours[1]), Tenure(theirs[0], 100 - theirs[1])
    assert prevails(item, "a", mine, "b", other) is wins
    assert prevails(item, "b", other, "a", mine) is not wins


def test_equally_old_claims_are_decided_by_hash() -> None:
    item = first_by_hash("a", "b", first="a")
    assert prevails(item, "a", Tenure(1, 10.9), "b", Tenure(1, 10.0))
    assert not prevails(item, "b", Tenure(1, 10.0), "a", Tenure(1, 10.9))


def test_owner_that_may_not_announce_any_more_asks_its_successor_and_waits_for_it() -> None:
    item = first_by_hash("a", "b", "c", first="a")
    seat = Seat(item)
    seat.decide()
    seat.vips = {item.key: replace(item, candidates=ALL[1:])}
    outcome = seat.decide(1.0)
    ((successor, offered),) = outcome.offers.items()
    assert offered == ((item.key, 1),) and successor in "bc"
    assert seat.term(item) == 1
    seat.says(successor, {item: (2, 0.0)})
    outcome = seat.decide(0.1)
    assert whys(outcome.given_up) == [(item.key, Why.OUTRANKED, successor)] and not outcome.deposed


def test_owner_that_may_not_announce_any_more_does_not_wait_for_ever() -> None:
    item = first_by_hash("a", "b", "c", first="a")
    seat = Seat(item)
    seat.decide()
    seat.vips = {item.key: replace(item, candidates=ALL[1:])}
    outcome = seat.decide(1.0)
    assert outcome.wake == pytest.approx(seat.now + TIMING.handover_seconds)
    assert [change.why for change in seat.decide(1.01).given_up] == [Why.NOT_CANDIDATE]


def test_other_successor_is_asked_when_the_first_one_is_gone() -> None:
    item = first_by_hash("a", "b", "c", first="a")
    seat = Seat(item)
    seat.decide()
    seat.word = replace(WORD, leaving=True)
    (first,) = seat.decide().offers
    del seat.others[first]
    (second,) = seat.decide(0.1).offers
    assert {first, second} == {"b", "c"}


@pytest.mark.parametrize("others", ["", "b"])
def test_owner_without_successor_gives_up_at_once(others: str) -> None:
    item = vip(1, (Candidate("a", 0),))
    seat = Seat(item, others=others)
    seat.decide()
    seat.word = replace(WORD, leaving=True)
    outcome = seat.decide()
    assert whys(outcome.given_up) == [(item.key, Why.NOT_CANDIDATE, "")] and outcome.offers == {}


def test_owner_without_carrier_gives_up_at_once() -> None:
    item = first_by_hash("a", "b", "c", first="a")
    seat = Seat(item)
    seat.decide()
    seat.word = replace(WORD, interfaces={})
    assert [change.why for change in seat.decide().given_up] == [Why.NOT_CANDIDATE]


def test_owner_whose_cable_is_back_before_anybody_followed_goes_on() -> None:
    item = first_by_hash("b", "a", "c", first="b")
    seat = Seat(item)
    seat.succession.invite("c", ((item.key, 1),), now=seat.now)
    seat.decide()
    assert seat.term(item) == 2
    seat.word = replace(WORD, interfaces={})
    seat.decide(0.1)
    seat.word = WORD
    seat.decide(0.1)
    assert seat.term(item) == 3


def test_invited_it_follows_a_living_owner() -> None:
    item = first_by_hash("b", "a", "c", first="b")
    seat = Seat(item)
    seat.says("b", {item: (5, 50.0)})
    seat.succession.invite("b", ((item.key, 5),), now=seat.now)
    assert whys(seat.decide().taken) == [(item.key, Why.HANDOVER, "b")]
    assert seat.term(item) == 6


@pytest.mark.parametrize("says_goodbye", [False, True])
def test_who_follows_a_living_owner_tells_the_lan_again_when_that_one_is_silent(says_goodbye: bool) -> None:
    """The one that hands over may announce the VIP a last time after the one that follows did."""
    item = first_by_hash("b", "a", "c", first="b")
    seat = Seat(item)
    seat.says("b", {item: (5, 50.0)})
    seat.succession.invite("b", ((item.key, 5),), now=seat.now)
    assert seat.decide().taken != () and seat.decide(0.01).again == ()
    if says_goodbye:
        del seat.others["b"]
    else:
        seat.says("b", {})
    assert seat.decide(0.01).again == (item.key,)
    assert seat.decide(0.01).again == ()


def test_invitation_is_void_for_a_stranger_to_the_vip_or_when_the_vip_went_on() -> None:
    item, foreign = vip(1), vip(2, ALL[1:])
    seat = Seat(item, foreign)
    seat.says("c", {item: (9, 50.0)})
    seat.decide()
    seat.succession.invite("b", ((item.key, 5), (foreign.key, 1)), now=seat.now)
    assert seat.decide().taken == ()


def test_owner_that_is_no_candidate_is_given_time_to_hand_over() -> None:
    item = replace(first_by_hash("a", "c", first="a"), candidates=(ALL[0], ALL[2]))
    seat = Seat(item)
    seat.says("b", {item: (1, 50.0)})
    outcome = seat.decide()
    assert outcome.taken == () and outcome.wake == pytest.approx(seat.now + TIMING.grace_seconds)
    assert whys(seat.decide(2.0).taken) == [(item.key, Why.OVERDUE, "b")]


def test_old_facts_do_not_speak_against_a_living_owner() -> None:
    item = replace(first_by_hash("a", "c", first="a"), candidates=(ALL[0], ALL[2]))
    seat = Seat(item)
    seat.says("b", {item: (1, 50.0)})
    for _ in range(10):
        assert seat.decide(1.0, current=False).taken == ()


def test_where_opinions_differ_the_pauses_grow() -> None:
    item = replace(first_by_hash("a", "c", first="a"), candidates=(ALL[0], ALL[2]))
    seat = Seat(item)
    seat.says("b", {item: (1, 0.1)})
    taken: list[float] = []
    while len(taken) < 8:
        if seat.decide(0.05).taken:
            taken.append(seat.now)
            seat.says("b", {item: (2 * len(taken) + 1, 0.1)})
    pauses = [later - earlier for earlier, later in zip(taken, taken[1:], strict=False)]
    assert pauses == pytest.approx([4, 8, 16, 32, 64, 64, 64], abs=0.2)


def test_living_owner_gives_its_surplus_away_and_keeps_it_when_nobody_takes_it() -> None:
    vips = [vip(number) for number in range(1, 5)]
    seat = Seat(*vips, others="b")
    seat.others["b"] = replace(WORD, settled=False)
    seat.word = replace(WORD, settled=True)
    assert len(seat.decide().taken) == 4
    seat.others["b"] = WORD
    outcome = seat.decide(5.0)
    assert len(outcome.offers["b"]) == 2
    outcome = seat.decide(1.0)
    assert outcome.given_up == () and len(seat.succession.mine) == 4


def test_only_so_many_move_at_a_time() -> None:
    vips = [vip(number) for number in range(200)]
    seat = Seat(*vips, others="b")
    seat.others["b"] = replace(WORD, settled=False)
    seat.decide()
    seat.others["b"] = WORD
    assert len(seat.decide(5.0).offers["b"]) == TIMING.moves


def test_nothing_is_taken_before_it_is_ready_or_after_it_leaves() -> None:
    item = vip(1)
    for word in (replace(WORD, ready=False), replace(WORD, leaving=True)):
        seat = Seat(item, others="")
        seat.word = word
        assert seat.decide().taken == ()


def test_vip_that_gets_another_first_address_stays_with_its_owner() -> None:
    item = first_by_hash("a", "b", "c", first="a")
    seat = Seat(item)
    seat.decide()
    lower = ip_address("10.8.0.1")
    wider = replace(item, key=lower.packed, addresses=(lower, *item.addresses))
    seat.vips = {wider.key: wider}
    outcome = seat.decide(1.0)
    assert outcome.taken == outcome.given_up == () and seat.succession.mine.keys() == {wider.key}
    other = Seat(wider)
    other.says("b", {item: (1, 5.0)})
    other.decide()
    assert other.succession.owners == {wider.key: "b"}


def test_vip_that_is_gone_is_dropped_and_its_term_remembered() -> None:
    item = first_by_hash("a", "b", "c", first="a")
    seat = Seat(item)
    seat.decide()
    seat.vips = {}
    seat.decide(1.0)
    assert not seat.succession.mine
    seat.vips = {item.key: item}
    seat.decide(1.0)
    assert seat.term(item) == 2


def test_by_another_election_it_owns_exactly_what_that_says() -> None:
    seat = Seat(vip(1), vip(2))
    outcome = seat.succession.follow({vip(1).key: "b", vip(2).key: ""}, now=1.0)
    assert whys(outcome.taken) == [(vip(1).key, Why.VACANT, "b"), (vip(2).key, Why.NEW, "")]
    outcome = seat.succession.follow({vip(1).key: ""}, now=2.0)
    assert outcome.taken == () and whys(outcome.given_up) == [(vip(2).key, Why.OUTRANKED, "")]
