# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which VIPs this node owns from now on, given what all speakers say: who continues, who follows, who hands over.

An owner keeps a VIP as long as it lives and is a candidate. Only a VIP that nobody owns is taken, with a greater term
than it ever had; only its owner moves it. When two claim one VIP the greater term wins, with equal terms the one who
has it longer, else the first by hash; the loser gives it up at once.

Everybody computes the same from the same facts, but facts travel. So that a VIP is not left over when two nodes each
believe that the other one will take it, the next in line takes it after `step_seconds`, and so on.

Call `decide` whenever a fact changes, and at the time it asks for. It does no input or output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from lantern.core.elect import rank
from lantern.core.outcome import Change, Outcome, Timing, Why
from lantern.core.spread import Field, balance, can, place
from lantern.core.vips import Vip, VipKey
from lantern.tenure import Bulletin, Tenure

_SENIORITY_SECONDS = 1.0
"""Tenures that began closer together than this count as equally old: speakers' clocks and messages are not exact."""
_YOUNG_SECONDS = 2.0
"""For so long a tenure may be part of an election that this node has not finished yet."""

_REMEMBERED = 1000
"""Terms kept of VIPs that are gone: one that comes back goes on counting."""


class _Past(NamedTuple):
    """The latest known tenure of a VIP, whether it lasts or not."""

    term: int
    node: str


class _Offer(NamedTuple):
    to: str
    deadline: float
    must_go: bool
    """This node cannot keep the VIP."""


@dataclass(slots=True)
class _Pass:
    """What one call of `decide` works out."""

    now: float
    vips: Mapping[VipKey, Vip]
    speakers: Mapping[str, Bulletin]
    nodes: Field
    holders: dict[VipKey, tuple[str, Tenure]]
    taken: list[Change] = field(default_factory=list)
    given_up: list[Change] = field(default_factory=list)
    again: set[VipKey] = field(default_factory=set)
    deposed: bool = False
    wake: float | None = None

    def at(self, when: float) -> None:
        self.wake = when if self.wake is None else min(self.wake, when)


class Succession:
    """This node's part in who owns what."""

    def __init__(self, me: str, timing: Timing | None = None) -> None:
        self._me = me
        self._timing = timing or Timing()
        self.mine: dict[VipKey, Tenure] = {}
        self.owners: dict[VipKey, str] = {}
        """Who owns what after the latest pass, as far as this node knows."""
        self._past: dict[VipKey, _Past] = {}
        self._vacant: dict[VipKey, float] = {}
        self._unfit: dict[VipKey, float] = {}
        self._grace: dict[VipKey, float] = {}
        self._offers: dict[VipKey, _Offer] = {}
        self._invited: dict[VipKey, tuple[str, float]] = {}
        self._contested: set[VipKey] = set()
        self._balance_at = 0.0
        self._majority = True

    def invite(self, by: str, offered: Iterable[tuple[VipKey, int]], *, now: float) -> None:
        """An owner asks this node to follow it for these VIPs, each with its term."""
        for key, term in offered:
            past = self._past.get(key)
            # An offer that was under way while the VIP went on is void.
            if key not in self.mine and (past is None or past.term <= term):
                self._invited[key] = (by, now + self._timing.handover_seconds)
                self._note(key, term, by)

    def decide(
        self,
        vips: Mapping[VipKey, Vip],
        vip_of: Mapping[VipKey, Vip],
        others: Mapping[str, Bulletin],
        self_word: Bulletin,
        *,
        current: bool = True,
        majority: bool = True,
        now: float,
    ) -> Outcome:
        """What this node owns now is in `mine` afterwards.

        `others` are the speakers that are alive; `self_word` says what this node can do (its tenures are not looked
        at); `current`: the facts from the API server are not old, so that they may speak against a living owner;
        `majority`: at least half of the speakers that were there lately are alive as this node sees it.
        """
        self._majority = majority
        speakers = {**others, self._me: self_word}
        state = _Pass(now, vips, speakers, Field(speakers), self._holders(vip_of, others))
        if len(self._past) > 2 * len(vip_of) + _REMEMBERED:
            self._past = {key: past for key, past in self._past.items() if key in vip_of}
        self._rename(vip_of)
        self._settle_contests(state)
        self._leave_those_that_must_go(state)
        if self_word.ready and not self_word.leaving:
            self._fill(state, self._vacancies(state, current=current))
            self._level(state)
        self._invited = {key: item for key, item in self._invited.items() if item[1] > now}
        self.owners = {key: node for key, (node, _) in state.holders.items()} | dict.fromkeys(self.mine, self._me)
        for key, offer in self._offers.items():
            state.at(offer.deadline)
            assert key in self.mine
        return Outcome(
            taken=tuple(state.taken),
            given_up=tuple(state.given_up),
            again=tuple(key for key in state.again if key in self.mine),
            offers=self._offered(),
            deposed=state.deposed,
            wake=state.wake,
        )

    def follow(self, wanted: Mapping[VipKey, str], *, now: float) -> Outcome:
        """Own what another election says: `wanted` is everything that this node owns, with its owner before, if any."""
        taken = tuple(
            Change(key, Why.VACANT if before else Why.NEW, before)
            for key, before in wanted.items()
            if key not in self.mine
        )
        lost = [key for key in self.mine if key not in wanted]
        for key in lost:
            self._drop(key)
        for waiting in (self._offers, self._vacant, self._unfit, self._invited):
            waiting.clear()
        for change in taken:
            self._begin(change.key, now)
        return Outcome(taken, tuple(Change(key, Why.OUTRANKED, "") for key in lost), (), {}, False, None)

    def inheritance(self, of: str, vips: Mapping[VipKey, Vip], speakers: Mapping[str, Bulletin]) -> dict[VipKey, str]:
        """Who would follow a node for each VIP that it owns. `speakers` are alive, this node and `of` included."""
        left = {name: word for name, word in speakers.items() if name != of}
        counts = Counter(node for node in self.owners.values() if node != of)
        owned = [vips[key] for key, node in self.owners.items() if node == of and key in vips]
        return place(owned, Field(left), counts)

    # The steps of a pass, in this order.

    def _holders(
        self, vip_of: Mapping[VipKey, Vip], others: Mapping[str, Bulletin]
    ) -> dict[VipKey, tuple[str, Tenure]]:
        """The others' best claim to each VIP."""
        holders: dict[VipKey, tuple[str, Tenure]] = {}
        for node, word in others.items():
            for packed, tenure in word.tenures.items():
                past = self._past.get(packed)
                if past is None or past.term < tenure.term:
                    self._past[packed] = _Past(tenure.term, node)
                vip = vip_of.get(packed)
                if vip is None:
                    continue
                rival = holders.get(vip.key)
                if rival is None or prevails(vip, node, tenure, *rival):
                    holders[vip.key] = (node, tenure)
        return holders

    def _rename(self, vip_of: Mapping[VipKey, Vip]) -> None:
        """Follow VIPs whose first address has changed, and forget those that are gone."""
        for key in [key for key in self.mine if (vip := vip_of.get(key)) is None or vip.key != key]:
            vip = vip_of.get(key)
            tenure = self.mine[key]
            self._drop(key)
            if vip is not None and (vip.key not in self.mine or self.mine[vip.key].term < tenure.term):
                self.mine[vip.key] = tenure
                self._note(vip.key, tenure.term, self._me)

    def _settle_contests(self, state: _Pass) -> None:
        """Where somebody else claims what this node has: give it up, or insist."""
        for key in self._contested - state.holders.keys():
            # The loser's last frames may be younger than this node's first.
            self._contested.discard(key)
            state.again.add(key)
        for key in self.mine.keys() & state.holders.keys():
            node, theirs = state.holders[key]
            mine = self.mine[key]
            if not prevails(state.vips[key], self._me, mine, node, theirs):
                offer = self._offers.get(key)
                state.deposed = state.deposed or offer is None or offer.to != node
                self._drop(key)
                state.given_up.append(Change(key, Why.OUTRANKED, node))
                continue
            if mine.term <= theirs.term:
                # So that all others, too, see who is right, whatever they make of the ages.
                self.mine[key] = Tenure(theirs.term + 1, state.now)
                self._note(key, theirs.term + 1, self._me)
            if key not in self._contested:
                self._contested.add(key)
                state.again.add(key)
            del state.holders[key]

    def _leave_those_that_must_go(self, state: _Pass) -> None:
        """Hand over what this node may not keep; give it up where nobody can follow, or nobody does in time."""
        word = state.speakers[self._me]
        going: list[Vip] = []
        for key in list(self.mine):
            vip = state.vips[key]
            if self._me in state.nodes.names(vip.candidates):
                offer = self._offers.get(key)
                if offer is not None and (
                    offer.must_go or offer.deadline <= state.now or offer.to not in state.nodes.names(vip.candidates)
                ):
                    del self._offers[key]
                continue
            going.append(vip)
        placed = place(going, state.nodes, self._counts(state)) if going else {}
        able = replace(word, leaving=False)
        for vip in going:
            successor = placed.get(vip.key)
            offer = self._offers.get(vip.key)
            late = offer is not None and offer.must_go and offer.deadline <= state.now
            mute = any(item.node == self._me and not can(item, able) for item in vip.candidates)
            if successor is None or late or mute:
                self._drop(vip.key)
                state.given_up.append(Change(vip.key, Why.NOT_CANDIDATE, successor or ""))
            elif offer is None or not offer.must_go:
                self._offers[vip.key] = _Offer(successor, state.now + self._timing.handover_seconds, True)
            elif offer.to not in state.nodes.names(vip.candidates):
                self._offers[vip.key] = offer._replace(to=successor)

    def _vacancies(self, state: _Pass, *, current: bool) -> list[Vip]:
        """VIPs without an owner, or whose owner has outstayed its grace. Notes since when."""
        vacant: list[Vip] = []
        unfit: dict[VipKey, float] = {}
        for key, vip in state.vips.items():
            if key in self.mine:
                continue
            names = state.nodes.names(vip.candidates)
            if not names:
                continue
            holder = state.holders.get(key)
            if holder is None:
                vacant.append(vip)
            elif holder[0] not in names:
                since = unfit[key] = self._unfit.get(key, state.now)
                due = since + self._grace.get(key, self._timing.grace_seconds)
                if current and due <= state.now:
                    vacant.append(vip)
                elif current:
                    state.at(due)
        self._unfit = unfit
        self._vacant = {vip.key: self._vacant.get(vip.key, state.now) for vip in vacant}
        # Invitations count whoever has the VIP at the moment.
        vacant += [
            state.vips[key]
            for key in self._invited
            if key in state.vips and key not in self.mine and key not in self._vacant
        ]
        return vacant

    def _fill(self, state: _Pass, vacant: list[Vip]) -> None:
        """Take those vacant VIPs whose turn it is for this node."""
        if not vacant:
            return
        placed = self._placed(state, vacant)
        for vip in vacant:
            if self._me not in state.nodes.names(vip.candidates):
                continue
            if vip.key in self._invited:
                self._take(state, vip, Why.HANDOVER)
                continue
            past = self._past.get(vip.key)
            chosen = placed.get(vip.key)
            best = state.nodes.best(vip.candidates)
            if past is not None and past.node in best and state.holders.get(vip.key) is None:
                # It had to withdraw for a moment, with its cable pulled perhaps: nobody has followed, so it goes on.
                chosen = past.node
            overdue = vip.key in state.holders
            if chosen == self._me:
                self._take(state, vip, Why.OVERDUE if overdue else Why.NEW if past is None else Why.VACANT)
                continue
            # The next in line waits one step at least. Who that is takes many hashes, and can be found then.
            due = self._vacant[vip.key] + self._timing.step_seconds
            if due <= state.now:
                due = self._vacant[vip.key] + self._turn(vip, chosen, state) * self._timing.step_seconds
            if due <= state.now:
                self._take(state, vip, Why.OVERDUE)
            else:
                state.at(due)

    def _placed(self, state: _Pass, vacant: list[Vip]) -> dict[VipKey, str]:
        """The election of owners for the vacant VIPs.

        Another node that does the same may have been faster, and some of its new tenures known here already. If all
        young tenures are what this very election yields they are its result; else they are facts from before it.
        """
        counts = self._counts(state)
        young = [
            (state.vips[key], node)
            for key, (node, tenure) in state.holders.items()
            if key not in self._vacant and state.now - tenure.since < _YOUNG_SECONDS
        ]
        young += [
            (state.vips[key], self._me)
            for key, tenure in self.mine.items()
            if state.now - tenure.since < _YOUNG_SECONDS
        ]
        if young:
            before = counts.copy()
            before.subtract(node for _, node in young)
            placed = place([*vacant, *(vip for vip, _ in young)], state.nodes, before)
            if all(placed.get(vip.key) == node for vip, node in young):
                return placed
        return place(vacant, state.nodes, counts)

    def _level(self, state: _Pass) -> None:
        """Move VIPs of this node to where fewer are."""
        if any(not offer.must_go for offer in self._offers.values()) or self._vacant:
            return
        if state.now < self._balance_at:
            state.at(self._balance_at)
            return
        owners = {key: node for key, (node, _) in state.holders.items()} | dict.fromkeys(self.mine, self._me)
        moves = balance(state.vips.values(), owners, state.nodes)
        own = [move for move in moves if owners[move.key] == self._me and move.key not in self._offers]
        for move in own[: self._timing.moves]:
            self._offers[move.key] = _Offer(move.to, state.now + self._timing.handover_seconds, False)
        self._balance_at = state.now + self._timing.balance_seconds
        if own:
            state.at(self._balance_at)

    # Small things.

    def _counts(self, state: _Pass) -> Counter[str]:
        """How many VIPs each node owns, without those that are to be placed."""
        counts = Counter(node for key, (node, _) in state.holders.items() if key not in self._vacant)
        counts[self._me] += len(self.mine)
        return counts

    def _turn(self, vip: Vip, chosen: str | None, state: _Pass) -> int:
        """How many are before this node in the line for a VIP: the chosen one, then the others by hash."""
        address = vip.addresses[0]
        own = rank(self._me, address)
        line = state.nodes.names(vip.candidates) - {self._me}
        return max(1, sum(node == chosen or rank(node, address) < own for node in line))

    def _take(self, state: _Pass, vip: Vip, why: Why) -> None:
        holder = state.holders.pop(vip.key, None)
        if holder is not None:
            # Until it has withdrawn it may go on with a burst. When it has, the LAN is told again.
            self._contested.add(vip.key)
        past = self._past.get(vip.key)
        peer = holder[0] if holder is not None else past.node if past is not None else ""
        if why is Why.OVERDUE and holder is not None:
            grace = self._grace.get(vip.key, self._timing.grace_seconds)
            self._grace[vip.key] = min(2 * grace, self._timing.greatest_grace_seconds)
        # A few that follow many are more likely cut off than alone: when they meet again, the many are to go on.
        self._begin(vip.key, state.now, follows=self._majority or why is not Why.VACANT)
        state.taken.append(Change(vip.key, why, "" if peer == self._me else peer))

    def _begin(self, key: VipKey, now: float, *, follows: bool = True) -> None:
        past = self._past.get(key)
        term = past.term + follows if past is not None else 1
        self.mine[key] = Tenure(term, now)
        self._note(key, term, self._me)
        for waiting in (self._vacant, self._unfit, self._invited):
            waiting.pop(key, None)

    def _drop(self, key: VipKey) -> None:
        self.mine.pop(key, None)
        self._offers.pop(key, None)
        self._contested.discard(key)

    def _note(self, key: VipKey, term: int, node: str) -> None:
        past = self._past.get(key)
        if past is None or past.term < term:
            self._past[key] = _Past(term, node)

    def _offered(self) -> dict[str, tuple[tuple[VipKey, int], ...]]:
        offers: dict[str, list[tuple[VipKey, int]]] = {}
        for key, offer in self._offers.items():
            offers.setdefault(offer.to, []).append((key, self.mine[key].term))
        return {to: tuple(offered) for to, offered in offers.items()}


def prevails(vip: Vip, node: str, tenure: Tenure, rival: str, theirs: Tenure) -> bool:
    """Whether the node's claim to the VIP is better than its rival's."""
    if tenure.term != theirs.term:
        return tenure.term > theirs.term
    if abs(tenure.since - theirs.since) >= _SENIORITY_SECONDS:
        return tenure.since < theirs.since
    return rank(node, vip.addresses[0]) < rank(rival, vip.addresses[0])
