# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who announces what, put together: the watch tells who lives and who has what, the succession says what follows.

Still a machine without input or output, with the verbs of all machines; `app.speaker` connects it to gossip, to the API
server's snapshots and to the announcer. See docs/failover.md for the rules.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from random import Random

from lantern.app.absences import Absences, Death
from lantern.app.failover_effects import Accuse, AnnounceAgain, Apply, AskLan, Effect, GaveUp, Left, Took
from lantern.app.hash_election import HashElection
from lantern.app.roster import Presence, Roster
from lantern.app.standing import Standing
from lantern.core.model import Snapshot
from lantern.core.outcome import Change, Outcome, Timing
from lantern.core.spread import Field, place
from lantern.core.succession import Succession
from lantern.core.vips import Vip, VipIndex, VipKey
from lantern.pools import Address
from lantern.tenure import Bulletin
from lantern.watch import effects as watched
from lantern.watch import options as watch_options
from lantern.watch.machine import LivedClock, Watch
from lantern.watch.messages import MAX_INTERFACES

_NEVER = float("inf")
_ASKED = 4
"""VIPs for which the LAN is asked whether a speaker still answers: a speaker answers for all or for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Durations in seconds."""

    by_hash: bool = False
    """Elect by MetalLB's hash even where all speakers are Lantern's."""
    hold_seconds: float = 60.0
    """A node that comes, or comes back, is given VIPs of living owners only after this."""
    start_seconds: float = 1.0
    """A starting speaker listens to the others for so long."""
    start_limit_seconds: float = 3.0
    """It does not wait longer than this for those that do not answer."""
    leave_seconds: float = 1.5
    """A speaker that stops hands over within this."""
    remember_seconds: float = 3600.0
    """A speaker that failed is looked for so long."""
    pass_seconds: float = 0.01
    """Between two passes over all VIPs."""
    watch: watch_options.Options = watch_options.Options()
    succession: Timing = Timing()


class Failover:
    """One node's whole decision about what it announces. Call `start` first."""

    def __init__(self, me: str, index: VipIndex, options: Options, rng: Random, clock: LivedClock) -> None:
        self._me = me
        self._index = index
        self._options = options
        self._clock = clock
        self._watch = Watch(me, options.watch, rng, clock)
        self._succession = Succession(me, options.succession)
        self._standing = Standing(me, index)
        self._members = Roster(options.remember_seconds)
        self._snapshot: Snapshot | None = None
        self._current = False
        self._interfaces: Mapping[str, bytes] = {}
        self._in_use: frozenset[bytes] = frozenset()
        self._awaited: frozenset[bytes] = frozenset()
        self._started = 0.0
        self._ready = False
        self._settled_at = _NEVER
        self._leave_at: float | None = None
        self._left = False
        self._dirty = True
        self._passed = -_NEVER
        self._wake: float | None = None
        self._absences = Absences(options.hold_seconds)
        self._remind = False
        self._hash = HashElection(me, index)
        self._effects: list[Effect] = []

    # What the application tells.

    def start(self, *, now: float) -> None:
        """Begin to listen to the others."""
        self._started = self._clock.lived(now, None)
        self._settled_at = self._started + self._options.hold_seconds

    def set_members(self, members: Mapping[str, Presence], *, now: float) -> None:
        """What gossip knows of all nodes but this one."""
        others = {name: presence for name, presence in members.items() if name != self._me}
        lived = self._clock.lived(now, None)
        self._members.update(others, lived)
        self._watch.set_peers(self._members.speakers(), now=now)
        for name in self._members.failed:
            self._watch.condemn(name, now=now)
        self._touch(now)

    def set_snapshot(self, snapshot: Snapshot, *, current: bool = True, now: float) -> None:
        """The cluster by the API server; `current`: the connection to it stands."""
        if self._snapshot is None:
            # Whom to listen to is known only from now on: where the others are is in the snapshot, too.
            self._started = self._clock.lived(now, None)
        known, was_current = self._snapshot, self._current
        self._snapshot, self._current = snapshot, current
        if self._index.update(snapshot):
            self._hash.forget()
        elif known is not None and known.nodes == snapshot.nodes and was_current == current:
            return
        self._touch(now)

    def set_interfaces(
        self, usable: Mapping[str, bytes], *, present: Collection[str] = (), addressed: bool = True, now: float
    ) -> None:
        """MAC addresses of the interfaces that can announce and have a carrier; names of all there are.

        `addressed`: whether this node has the address by which the others reach it. Without it packets for a Service
        may still come in, but lead nowhere, and nobody hears this speaker: no interface is of use then.
        """
        if not addressed:
            usable, present = {}, (*usable, *present)
        if usable and not self._interfaces and self._ready:
            # Back on the LAN: others have followed meanwhile, and are to be heard before anything is announced.
            self._ready, self._started = False, self._clock.lived(now, None)
        # What the others are not told of they do not count with.
        self._interfaces = dict(sorted(usable.items())[:MAX_INTERFACES])
        self._standing.present = frozenset((*usable, *present))
        self._standing.addressed = addressed
        self._touch(now)

    def set_in_use(self, addresses: Iterable[Address], *, now: float) -> None:
        """Those that this node owns but does not announce, as a host outside the cluster has them."""
        in_use = frozenset(address.packed for address in addresses)
        if in_use != self._in_use:
            self._in_use = in_use
            self._touch(now)

    def receive(self, peer: str, data: bytes, *, now: float) -> None:
        """What a node has sent to this one."""
        self._watch.receive(peer, data, now=now)
        self._follow_up(now)

    def lan_answered(self, peer: str, macs: Collection[bytes], *, linked: bool | None = None, now: float) -> None:
        """Who answered to AskLan.

        `linked`: whether anybody at all was heard (None: nobody who must be there was asked).
        """
        self._watch.wire(peer, answered=bool(self._macs_of(peer) & set(macs)), linked=linked, now=now)
        self._follow_up(now)

    def leave(self, *, now: float) -> None:
        """Hand everything over; `Left` tells when that is done."""
        if self._leave_at is None:
            self._leave_at = self._clock.lived(now, None) + self._options.leave_seconds
            if self._snapshot is None:
                # It has never announced anything.
                self._left = True
                self._effects.append(Left())
            self._touch(now)

    # What the application may look at.

    @property
    def owners(self) -> Mapping[VipKey, str]:
        """Who owns each VIP, as far as this node knows."""
        return self._succession.owners

    @property
    def in_use(self) -> frozenset[Address]:
        """What the owners of now do not announce, or those of before did not: a host outside the cluster has it."""
        return frozenset(map(ip_address, self._awaited))

    @property
    def speakers(self) -> dict[str, Bulletin]:
        """All speakers that are alive, this one included."""
        return {**self._watch.speakers, self._me: self._word()}

    def heir(self, vip: Vip) -> str | None:
        """Who would follow if the VIP's owner died now."""
        living = {name: word for name, word in self.speakers.items() if name != self.owners.get(vip.key)}
        counts: dict[str, int] = {}
        for node in self.owners.values():
            counts[node] = counts.get(node, 0) + 1
        return place([vip], Field(living), counts).get(vip.key)

    def round_trip_seconds(self, peer: str) -> float | None:
        """To a speaker and back; None when it was not measured."""
        return self._watch.round_trip_seconds(peer)

    def is_cluster_mac(self, mac: bytes) -> bool:
        """Whether another speaker announces with this MAC address."""
        return any(mac in self._macs_of(name) for name in self._members.speakers())

    @property
    def addressed(self) -> bool:
        """Whether this node has the address by which the others reach it."""
        return self._standing.addressed

    @property
    def by_hash(self) -> bool:
        """Whether MetalLB's election is in force."""
        # Other programs may be in the same gossip cluster; only nodes can be candidates.
        nodes = self._snapshot.nodes if self._snapshot is not None else {}
        return self._options.by_hash or any(name in nodes for name in self._members.foreign())

    # The verbs of the machine.

    def handle_timer(self, *, now: float) -> None:
        """Do what is due."""
        self._watch.handle_timer(now=now)
        self._follow_up(now)

    def next_timer(self) -> float | None:
        """When `handle_timer` is to be called next."""
        due = self._watch.next_timer()
        if self._wake is not None:
            wake = self._clock.outside(self._wake)
            due = wake if due is None else min(due, wake)
        return due

    def drain(self) -> list[Effect]:
        """The queued effects, once; to be carried out in this order."""
        effects, self._effects = self._effects, []
        return effects

    # Inside: from here on, `now` is time lived.

    def _touch(self, now: float) -> None:
        self._dirty = True
        self._follow_up(now)

    def _follow_up(self, now: float) -> None:
        """See what the watch has learned, and decide anew if there is a reason."""
        lived = self._clock.lived(now, None)
        self._collect(now, lived)
        if self._wake is not None and self._wake <= lived + 1e-6:
            self._dirty = True
        if not self._dirty or self._snapshot is None:
            return
        # A pass takes the longer the more VIPs there are.
        pause = self._options.pass_seconds * (1 + len(self._index.vips) / 300)
        if lived - self._passed < pause - 1e-6:
            self._wake = self._passed + pause
            return
        self._passed, self._dirty, self._wake = lived, False, None
        self._decide(now, lived)
        self._collect(now, lived)

    def _collect(self, now: float, lived: float) -> None:
        for effect in self._watch.drain():
            match effect:
                case watched.Told():
                    self._dirty = True
                case watched.Offered(peer, vips):
                    self._succession.invite(peer, vips, now=lived)
                    self._dirty = True
                case watched.AskWire(peer):
                    self._ask_lan(peer, now)
                case watched.Lost(peer, cause, silent_seconds):
                    self._absences.lost(peer, Death(cause, lived - silent_seconds), majority=self._has_majority)
                    self._dirty = True
                    self._effects += (effect, Accuse(peer))
                case watched.Back(peer):
                    self._absences.back(peer, lived)
                    # It may have told the LAN that it has what is announced here, and withdrawn without a trace.
                    self._remind = self._dirty = True
                    self._effects.append(effect)
                case _:
                    self._effects.append(effect)

    def _decide(self, now: float, lived: float) -> None:
        """One pass: what this node owns, announces and tells from now on."""
        assert self._snapshot is not None, "decided on what is known"
        self._become_ready(self._snapshot, lived)
        self._follow_in_use()
        others = self._others(lived)
        if by_hash := self.by_hash:
            alive = {name for name in self._members.present if name not in self._absences.gone}
            can_own = self._ready and bool(self._interfaces)
            said = {**{name: self._watch.bulletin(name) for name in self._absences.gone}, **others}
            wanted = self._hash.owned(
                alive, said, self._succession.mine if can_own else None, leaving=self._leave_at is not None
            )
            outcome = self._succession.follow(wanted, now=lived)
        else:
            outcome = self._succession.decide(
                self._index.vips,
                self._index.vip_of,
                others,
                self._word(),
                current=self._current,
                majority=self._has_majority,
                now=lived,
            )
        if outcome.deposed:
            self._settled_at = lived + self._options.hold_seconds
        self._tell(outcome, lived)
        word = self._word()
        decision = self._standing.decision(word, self._hash.owners() if by_hash else self._succession.owners)
        if decision is not None:
            self._effects.append(Apply(decision))
        contested = self._succession.mine if self._remind else outcome.again
        self._remind = False
        vips = (self._index.vips[key] for key in contested if key in self._index.vips)
        if again := tuple(address for vip in vips for address in vip.addresses):
            self._effects.append(AnnounceAgain(again))
        self._watch.publish(word, now=now)
        self._watch.set_offers(outcome.offers, now=now)
        self._plan_next(outcome, lived)

    def _follow_in_use(self) -> None:
        """Remember beyond their owners' deaths which addresses a stranger has, until one of us announces them."""
        if self._in_use or self._awaited or any(word.in_use for word in self._watch.speakers.values()):
            words = tuple(self.speakers.values())
            suspects = self._awaited.union(*(word.in_use for word in words))
            self._awaited = frozenset(packed for packed in suspects if self._is_awaited(packed, words))

    def _is_awaited(self, packed: bytes, words: Iterable[Bulletin]) -> bool:
        vip = self._index.vip_of.get(packed)
        if vip is None:
            return False
        owners = [word for word in words if vip.key in word.tenures]
        return not owners or packed in max(owners, key=lambda word: word.tenures[vip.key].term).in_use

    def _tell(self, outcome: Outcome, lived: float) -> None:
        for change in outcome.taken:
            death = self._absences.gone.get(change.peer)
            cause, gap = (death.cause, lived - death.heard) if death is not None else (None, None)
            self._effects.append(Took(self._addresses(change), change.why, change.peer, cause, gap))
        for change in outcome.given_up:
            self._effects.append(GaveUp(self._addresses(change), change.why, change.peer))

    def _addresses(self, change: Change) -> tuple[Address, ...]:
        vip = self._index.vips.get(change.key)
        return vip.addresses if vip is not None else ()

    def _plan_next(self, outcome: Outcome, lived: float) -> None:
        times = [outcome.wake] if outcome.wake is not None else []
        if not self._ready:
            times.append(lived + 0.05)
        elif lived < self._settled_at:
            times.append(self._settled_at)
        times += self._absences.changes()
        if self._leave_at is not None and not self._left:
            # MetalLB's speakers follow only after the goodbye.
            waiting = self._succession.mine.keys() - (self._hash.owned_by(self._members.foreign()))
            if not waiting or lived >= self._leave_at:
                self._left = True
                self._effects.append(Left())
            else:
                times.append(self._leave_at)
        self._wake = max(min(times), lived + self._options.pass_seconds) if times else None

    def _others(self, lived: float) -> dict[str, Bulletin]:
        """What the others say that are alive. One that was away does not know it, perhaps, and is not settled."""
        self._absences.forget(lived)
        return {
            name: replace(word, settled=False) if name in self._absences.returned else word
            for name, word in self._watch.speakers.items()
        }

    def _become_ready(self, snapshot: Snapshot, lived: float) -> None:
        """A speaker that has just started first hears what the others have."""
        if self._ready:
            return
        waited = lived - self._started
        alone = len(snapshot.nodes) < 2
        known = self._members.present
        heard = bool(known) and all(
            name in self._watch.speakers for name, item in known.items() if item is Presence.SPEAKER
        )
        self._ready = (
            alone
            or (heard and (waited >= self._options.start_seconds or self.by_hash))
            or waited >= self._options.start_limit_seconds
        )

    @property
    def _has_majority(self) -> bool:
        """Whether at least half of the speakers that were there lately are heard."""
        return 2 * (self._watch.hears + 1) >= len(self._members.speakers()) + 1

    def _word(self) -> Bulletin:
        return Bulletin(
            ready=self._ready,
            settled=self._passed >= self._settled_at and not self._absences.was_away(self._watch.speakers),
            leaving=self._leave_at is not None,
            interfaces=self._interfaces,
            tenures=dict(self._succession.mine),
            in_use=self._in_use,
        )

    # Who is asked before a speaker is held for dead.

    def _ask_lan(self, peer: str, now: float) -> None:
        """Ask for some of the peer's VIPs that this node may have, first for those that it would inherit.

        Who inherits nothing asks too: its verdict makes it the next in line for what the heirs, who have heard the
        peer, leave alone.
        """
        word = self._watch.bulletin(peer)
        asked: dict[Address, frozenset[str] | None] = {}
        for key in self._inherited_first(peer, word) if word is not None else ():
            vip = self._index.vips.get(key)
            fit = self._index.fit(vip.services[0]) if vip is not None else None
            if vip is not None and fit is not None and all(item.node != self._me for item in fit.candidates):
                continue
            if vip is not None and fit is not None and len(asked) < _ASKED:
                interfaces = self._index.candidacy.interfaces(self._me, fit)
                asked.update((address, interfaces) for address in vip.addresses)
        if asked:
            self._effects.append(AskLan(peer, asked))
        else:
            self._watch.wire(peer, answered=False, now=now)

    def _inherited_first(self, peer: str, word: Bulletin) -> list[VipKey]:
        heirs = {} if self.by_hash else self._succession.inheritance(peer, self._index.vips, self.speakers)
        return sorted(word.tenures, key=lambda key: heirs.get(key) != self._me)

    def _macs_of(self, peer: str) -> set[bytes]:
        word = self._watch.bulletin(peer)
        return set(word.interfaces.values()) if word is not None else set()
