# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One speaker's decisions put together, with the test as the rest of the cluster."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from random import Random
from typing import Any

import pytest
from fakes.records import advertisement, labelled, node, pool, service
from lantern.app import failover_effects as effects
from lantern.app.failover import Failover, Options
from lantern.app.roster import Presence
from lantern.core.announce import Claim, Decision
from lantern.core.model import EXCLUDE_LABEL, Endpoint, Snapshot
from lantern.core.outcome import Why
from lantern.core.vips import VipIndex
from lantern.gossip.timers import Clock
from lantern.reasons import Reason
from lantern.tenure import Bulletin, Tenure
from lantern.watch import effects as watched
from lantern.watch import messages
from lantern.watch.effects import Cause, DropReason
from lantern.watch.messages import Answer, Edition, Probe, Stamp

NAMES = ("a", "b")
MAC, THEIRS = b"\x02\0\0\0\0\x0a", b"\x02\0\0\0\0\x0b"
IP = ip_address("10.9.0.1")
ELSEWHERE = advertisement(node_selectors=(labelled(zone="attic"),))
IN_ATTIC = {"a": node("a"), "b": node("b", labels={"zone": "attic"})}


def snapshot(*names: str, **changes: Any) -> Snapshot:
    web = service("web", str(IP))
    base = Snapshot(
        pools=(pool("home", "10.9.0.0/24"),),
        services=(web,),
        endpoints={web.key: tuple(Endpoint(name, True) for name in names)},
        nodes={name: node(name) for name in names},
        advertisements=(advertisement(),),
    )
    return replace(base, **changes)


class Desk:
    """The speaker on node "a"; the others answer probes as long as they are in `answering`."""

    def __init__(self, state: Snapshot, **options: Any) -> None:
        self.now = 1000.0
        self.failover = Failover("a", VipIndex(), Options(**options), Random(1), Clock(0.03))
        self.effects: list[effects.Effect] = []
        self.answering: dict[str, Bulletin] = {}
        self.version = 1
        self.decision = Decision()
        self.failover.start(now=self.now)
        self.failover.set_interfaces({"eth0": MAC}, now=self.now)
        self.failover.set_snapshot(state, now=self.now)
        self.settle()

    def member(self, name: str, presence: Presence = Presence.SPEAKER, **word: Any) -> None:
        if presence is Presence.SPEAKER:
            values: dict[str, Any] = {"ready": True, "settled": True, "interfaces": {"eth0": THEIRS}, **word}
            self.answering[name] = Bulletin(**values)
        self.failover.set_members({name: presence}, now=self.now)
        self.settle()
        if presence is Presence.SPEAKER:
            self.say(name)

    def say(self, name: str) -> None:
        self.version += 1
        edition = Edition(77, self.version)
        for data in messages.encode_bulletin(edition, self.answering[name], now=self.now):
            self.failover.receive(name, data, now=self.now)
        self.settle()

    def settle(self) -> None:
        for effect in self.failover.drain():
            self.effects.append(effect)
            if isinstance(effect, effects.Apply):
                self.decision = effect.decision
            if isinstance(effect, watched.Send) and effect.peer in self.answering:
                message = messages.decode(effect.data)
                if isinstance(message, Probe):
                    stamp = Stamp(Edition(77, self.version), message.stamp.own)
                    answer = messages.encode_probe(Answer(message.number, stamp))
                    self.failover.receive(effect.peer, answer, now=self.now)
                    self.settle()

    def run(self, seconds: float) -> None:
        self.settle()
        end = self.now + seconds
        while (due := self.failover.next_timer()) is not None and due <= end:
            self.now = max(due, self.now)
            self.failover.handle_timer(now=self.now)
            self.settle()
        self.now = end

    def seen(self, kind: type[Any]) -> list[Any]:
        return [effect for effect in self.effects if isinstance(effect, kind)]

    @property
    def reason(self) -> Reason:
        (item,) = self.decision.withheld
        return item.denied.reason

    @property
    def announced(self) -> tuple[Claim, ...]:
        return self.decision.claims


def test_only_node_of_a_cluster_does_not_wait() -> None:
    desk = Desk(snapshot("a"))
    assert [claim.address for claim in desk.announced] == [IP]
    (took,) = desk.seen(effects.Took)
    assert took == effects.Took((IP,), Why.NEW, "", None, None)


def test_announcing_comes_before_telling() -> None:
    desk = Desk(snapshot("a", "b"))
    desk.member("b", ready=False)
    desk.run(4)
    kinds = [type(effect) for effect in desk.effects]
    sends = [
        at for at, effect in enumerate(desk.effects) if isinstance(effect, watched.Send) and IP.packed in effect.data
    ]
    claims = next(
        at for at, effect in enumerate(desk.effects) if isinstance(effect, effects.Apply) and effect.decision.claims
    )
    assert claims < sends[0] and kinds.count(effects.Took) == 1


def test_it_waits_for_others_that_should_be_there_but_not_for_ever() -> None:
    desk = Desk(snapshot("a", "b"))
    desk.run(2.9)
    assert desk.reason is Reason.STARTING
    desk.run(0.2)
    assert desk.announced


def test_it_starts_when_it_has_listened_and_respects_what_others_have() -> None:
    desk = Desk(snapshot("a", "b"))
    desk.member("b", tenures={IP.packed: Tenure(1, 900.0)})
    desk.run(0.9)
    assert desk.reason is Reason.STARTING
    desk.run(0.2)
    assert desk.reason is Reason.NOT_OWNER
    assert '"b" owns 10.9.0.1' in desk.decision.withheld[0].denied.sentence
    assert desk.failover.owners == {IP.packed: "b"}
    vip = next(iter(desk.failover._index.vips.values()))
    assert desk.failover.heir(vip) == "a"


def started(**more: Any) -> Desk:
    """Node b owns the VIP, and node a would follow it."""
    desk = Desk(snapshot("a", "b"), **more)
    desk.member("b", tenures={IP.packed: Tenure(1, 900.0)})
    desk.run(2)
    desk.effects.clear()
    return desk


def test_dead_owner_is_followed_and_the_time_is_told() -> None:
    desk = started()
    desk.answering.clear()
    desk.run(0.4)
    (asked,) = desk.seen(effects.AskLan)
    assert asked == effects.AskLan("b", {IP: None})
    desk.failover.lan_answered("b", [], now=desk.now)
    desk.run(0.5)
    (took,) = desk.seen(effects.Took)
    assert (took.why, took.peer, took.cause) == (Why.VACANT, "b", Cause.SILENCE)
    assert 0.5 < took.gap_seconds < 0.9
    assert [claim.address for claim in desk.announced] == [IP]
    assert desk.seen(effects.Accuse) == [effects.Accuse("b")]


def test_owner_that_the_lan_still_hears_is_left_alone() -> None:
    desk = started()
    desk.answering.clear()
    desk.run(0.4)
    assert desk.failover.is_cluster_mac(THEIRS) and not desk.failover.is_cluster_mac(MAC)
    desk.failover.lan_answered("b", [MAC, THEIRS], now=desk.now)
    desk.run(0.5)
    assert not desk.announced and len(desk.seen(watched.HeldBack)) == 1


def test_who_inherits_nothing_does_not_ask_the_lan() -> None:
    desk = Desk(snapshot("a", "b"))
    desk.member("b")
    desk.run(2)
    desk.effects.clear()
    desk.answering.clear()
    desk.run(1)
    assert not desk.seen(effects.AskLan) and desk.seen(watched.Lost)


def test_member_that_gossip_holds_for_dead_is_looked_for_as_long_as_it_may_come_back() -> None:
    desk = started(remember_seconds=100.0)
    desk.answering.clear()
    desk.member("b", Presence.FAILED)
    desk.failover.set_members({}, now=desk.now)
    desk.run(50)
    desk.effects.clear()
    desk.run(1)
    assert desk.seen(watched.Send)
    desk.run(60)
    desk.failover.set_members({}, now=desk.now)
    desk.settle()
    desk.effects.clear()
    desk.run(2)
    assert not desk.seen(watched.Send)


def test_member_that_has_left_is_forgotten_at_once_and_followed() -> None:
    desk = started()
    desk.answering.clear()
    desk.failover.set_members({}, now=desk.now)
    desk.settle()
    assert desk.announced
    desk.failover.receive("b", messages.encode_report("b", heard=True), now=desk.now)
    desk.settle()
    assert desk.seen(watched.Dropped) == [watched.Dropped(DropReason.UNKNOWN_PEER, "b")]


def test_reasons_for_not_announcing() -> None:
    desk = Desk(snapshot("a"))
    desk.failover.set_interfaces({}, present=["eth0"], now=desk.now)
    desk.run(0.1)
    assert desk.reason is Reason.NO_CARRIER
    desk.failover.set_interfaces({"eth0": MAC}, addressed=False, now=desk.now)
    desk.run(0.1)
    assert desk.reason is Reason.NODE_ADDRESS_LOST
    desk.failover.set_interfaces({}, now=desk.now)
    desk.run(1.5)
    assert desk.reason is Reason.NO_INTERFACE
    desk.failover.set_interfaces({"eth0": MAC}, now=desk.now)
    desk.run(0.5)
    assert desk.announced
    for change, reason in (
        ({"advertisements": (advertisement(interfaces=("wlan0",)),)}, Reason.NO_INTERFACE),
        ({"advertisements": (advertisement(node_selectors=(labelled(edge="yes"),)),)}, Reason.NODE_NOT_SELECTED),
        ({"nodes": {"a": node("a", labels={EXCLUDE_LABEL: ""})}}, Reason.NODE_EXCLUDED),
        ({"endpoints": {}}, Reason.NO_SERVING_ENDPOINT),
        ({"services": (service("web"),)}, Reason.NO_ADDRESS),
    ):
        desk.failover.set_snapshot(snapshot("a", **change), now=desk.now)
        desk.run(0.5)
        assert desk.reason is reason
    desk.failover.leave(now=desk.now)
    desk.failover.set_snapshot(snapshot("a"), now=desk.now)
    desk.run(0.5)
    assert desk.reason is Reason.LEAVING
    assert len(desk.seen(effects.Left)) == 1


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (snapshot("b"), Reason.NODE_NOT_READY),
        (snapshot("a", "b", nodes=IN_ATTIC, advertisements=(ELSEWHERE,)), Reason.NODE_NOT_SELECTED),
        (
            snapshot("a", "b", nodes=IN_ATTIC, advertisements=(replace(ELSEWHERE, interfaces=("eth0",)),)),
            Reason.NODE_NOT_SELECTED,
        ),
    ],
)
def test_owner_that_may_not_announce_any_more_does_so_until_it_is_followed(state: Snapshot, reason: Reason) -> None:
    desk = Desk(snapshot("a", "b"))
    desk.member("b")
    desk.run(5)
    assert desk.announced
    desk.failover.set_snapshot(state, now=desk.now)
    desk.run(0.1)
    assert desk.announced and not desk.seen(effects.GaveUp)
    desk.answering["b"] = replace(desk.answering["b"], tenures={IP.packed: Tenure(9, desk.now)})
    desk.say("b")
    desk.run(0.1)
    assert desk.reason is reason


def test_what_is_no_news_about_the_cluster_makes_no_pass() -> None:
    desk = Desk(snapshot("a", "b"))
    desk.member("b")
    desk.run(70)
    known, passes = snapshot("a", "b"), 0
    decide = desk.failover._decide

    def counted(now: float, lived: float) -> None:
        nonlocal passes
        passes += 1
        decide(now, lived)

    desk.failover._decide = counted  # type: ignore[method-assign]
    (web,) = known.services
    for state, current, expected in (
        (known, True, 0),
        (replace(known, endpoints={web.key: (Endpoint("b", True),)}), True, 0),
        (replace(known, endpoints={web.key: ()}), True, 1),
        (known, True, 1),
        (known, False, 1),
        (replace(known, services=()), False, 1),
        (replace(known, services=(), nodes={"a": node("a")}), False, 1),
    ):
        passes = 0
        desk.failover.set_snapshot(state, current=current, now=desk.now)
        assert passes == expected
        desk.run(0.1)


def test_nothing_new_is_not_told_again() -> None:
    desk = Desk(snapshot("a"))
    desk.effects.clear()
    desk.failover.set_snapshot(snapshot("a"), now=desk.now + 1)
    desk.run(5)
    assert desk.effects == []


def test_contest_is_won_and_the_lan_told_again() -> None:
    desk = Desk(snapshot("a", "b"))
    desk.run(60)
    assert desk.announced
    desk.member("b", tenures={IP.packed: Tenure(1, desk.now)})
    desk.run(0.1)
    assert desk.seen(effects.AnnounceAgain) == [effects.AnnounceAgain((IP,))]
    desk.answering["b"] = replace(desk.answering["b"], tenures={IP.packed: Tenure(9, desk.now)})
    desk.say("b")
    desk.run(0.1)
    assert desk.seen(effects.GaveUp)[0] == effects.GaveUp((IP,), Why.OUTRANKED, "b")
    assert not desk.announced


def test_speaker_that_comes_back_makes_the_owner_tell_the_lan_again() -> None:
    """What it announced while it was cut off, and withdrew unseen, is still in the clients' caches."""
    desk = Desk(snapshot("a", "b"))
    desk.member("b")
    desk.run(5)
    word = desk.answering.pop("b")
    desk.run(5)
    assert desk.announced and desk.seen(watched.Lost)
    desk.effects.clear()
    desk.answering["b"] = word
    desk.say("b")
    desk.run(0.1)
    assert desk.seen(effects.AnnounceAgain) == [effects.AnnounceAgain((IP,))]


def test_node_that_has_lost_its_address_withdraws_at_once_and_is_of_no_use_to_others() -> None:
    desk = Desk(snapshot("a", "b"))
    desk.run(5)
    assert desk.announced and desk.failover.addressed
    desk.failover.set_interfaces({"eth0": MAC}, addressed=False, now=desk.now)
    desk.run(0.02)
    assert not desk.announced and desk.reason is Reason.NODE_ADDRESS_LOST
    assert desk.failover.speakers["a"].interfaces == {} and not desk.failover.addressed
    desk.failover.set_interfaces({"eth0": MAC}, now=desk.now)
    desk.run(4)
    assert desk.announced


def test_node_whose_cable_was_plugged_listens_before_it_announces() -> None:
    desk = Desk(snapshot("a", "b"))
    desk.run(5)
    assert desk.announced
    desk.failover.set_interfaces({}, present=("eth0",), now=desk.now)
    desk.run(5)
    assert not desk.announced
    desk.failover.set_interfaces({"eth0": MAC}, now=desk.now)
    desk.run(0.9)
    assert desk.reason is Reason.STARTING
    desk.run(3)
    assert desk.announced


def test_speaker_listens_from_when_it_knows_the_cluster() -> None:
    """An API server that answers late must not make it think that it has listened long enough."""
    failover = Failover("a", VipIndex(), Options(), Random(1), Clock(0.03))
    failover.start(now=0)
    failover.set_interfaces({"eth0": MAC}, now=0)
    failover.set_snapshot(snapshot("a", "b"), now=60)
    failover.handle_timer(now=60.01)
    assert not [effect for effect in failover.drain() if isinstance(effect, effects.Took)]


def test_speaker_that_has_not_begun_leaves_at_once() -> None:
    failover = Failover("a", VipIndex(), Options(), Random(1), Clock(0.03))
    failover.start(now=0)
    failover.leave(now=1)
    assert effects.Left() in failover.drain()


@pytest.mark.parametrize("foreign", [True, False])
def test_with_other_speakers_the_hash_decides_and_other_members_do_not_count(foreign: bool) -> None:
    names = ("a", "b") if foreign else ("a",)
    desk = Desk(snapshot(*names))
    desk.failover.set_members({"b": Presence.FOREIGN}, now=desk.now)
    desk.settle()
    desk.run(4)
    assert desk.failover.by_hash is foreign
    # By sha256, "b#10.9.0.1" is before "a#10.9.0.1".
    assert bool(desk.announced) is not foreign
    if foreign:
        desk.failover.set_members({"b": Presence.FAILED}, now=desk.now)
        desk.run(1)
        assert desk.announced


def test_hash_can_be_asked_for() -> None:
    desk = Desk(snapshot("a"), by_hash=True)
    assert desk.failover.by_hash
    desk.run(4)
    assert desk.announced
    desk.failover.leave(now=desk.now)
    desk.run(2)
    assert desk.seen(effects.Left)


def waits(desk: Desk) -> bool:
    return IP in desk.failover.in_use


def follow(desk: Desk) -> None:
    """Until this node has followed the owner, and no longer."""
    desk.settle()
    for _ in range(200):
        if desk.announced:
            return
        desk.run(0.01)
    raise AssertionError("it has not followed")


@pytest.mark.parametrize("farewell", [True, False])
def test_what_a_stranger_has_is_known_beyond_its_owner(farewell: bool) -> None:
    desk = Desk(snapshot("a", "b"))
    desk.member("b", tenures={IP.packed: Tenure(1, 900.0)}, in_use=frozenset({IP.packed}))
    desk.run(2)
    assert waits(desk) and not desk.announced
    desk.answering.clear()
    if farewell:
        desk.failover.set_members({}, now=desk.now)
    else:
        desk.member("b", Presence.FAILED)
    follow(desk)
    assert desk.announced and waits(desk), "whoever follows has to ask first"
    desk.failover.set_in_use([IP], now=desk.now)
    desk.run(0.1)
    (bulletin,) = [word for name, word in desk.failover.speakers.items() if name == "a"]
    assert bulletin.in_use == {IP.packed} and waits(desk)
    desk.failover.set_in_use([], now=desk.now)
    desk.run(0.1)
    assert not waits(desk)


def test_what_is_announced_at_last_is_not_in_use_any_more() -> None:
    desk = Desk(snapshot("a", "b"))
    desk.member("b", tenures={IP.packed: Tenure(1, 900.0)}, in_use=frozenset({IP.packed}))
    desk.run(2)
    desk.answering["b"] = replace(desk.answering["b"], in_use=frozenset())
    desk.say("b")
    desk.run(0.1)
    assert not waits(desk)
    desk.answering["b"] = replace(desk.answering["b"], in_use=frozenset({IP.packed}))
    desk.say("b")
    desk.run(0.1)
    assert waits(desk)
    desk.failover.set_snapshot(snapshot("a", "b", services=()), now=desk.now)
    desk.run(0.1)
    assert not waits(desk), "nobody has that address now"


def test_the_latest_owner_knows_whether_a_stranger_has_an_address() -> None:
    desk = Desk(snapshot("a", "b"))
    desk.member("b", tenures={IP.packed: Tenure(1, 900.0)}, in_use=frozenset({IP.packed}))
    desk.run(2)
    desk.answering.clear()
    desk.member("b", Presence.FAILED)
    follow(desk)
    desk.run(0.1)
    # Back, and still saying what was true before it was away.
    desk.member("b", tenures={IP.packed: Tenure(1, 900.0)}, in_use=frozenset({IP.packed}))
    desk.run(0.1)
    assert desk.announced and not waits(desk)
