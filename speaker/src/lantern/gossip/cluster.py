# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applies facts about members, spreads those that are news, and objects to wrong ones about this node itself."""

from __future__ import annotations

from lantern.gossip import effects, members, wire
from lantern.gossip.awareness import Awareness
from lantern.gossip.config import GossipConfig
from lantern.gossip.directory import Directory
from lantern.gossip.endpoint import endpoint, reachable
from lantern.gossip.faults import DropReason, PeerError
from lantern.gossip.members import ConflictError, Member, MemberState, MemberTable
from lantern.gossip.outbox import Outbox
from lantern.gossip.seeds import Seeds
from lantern.gossip.suspicion import Suspicion
from lantern.gossip.timers import SuspicionTimeout, Timers
from lantern.gossip.wire import Alive, Dead, Suspect

# Incarnations count a node's objections since it started. One so great is no count, but an attempt to name a number
# that the accused cannot exceed; memberlist's own would start at 0 again.
_GREATEST_INCARNATION = 1 << 31


class Cluster:
    """The members and the suspicions about them."""

    def __init__(self, config: GossipConfig, timers: Timers, outbox: Outbox) -> None:
        self.table = MemberTable()
        self.directory = Directory(config.limits.members)
        self.awareness = Awareness(config.timing.awareness_max)
        self.seeds = Seeds(config.timing.remember_seconds)
        self.leaving = False
        self.lost = False
        """A member was declared dead since this was last looked at."""
        self._config = config
        self._timers = timers
        self._outbox = outbox
        self._suspicions: dict[str, Suspicion] = {}
        self._incapable: set[str] = set()

    @property
    def me(self) -> Member:
        member = self.table.get(self._config.name)
        assert member is not None, "the node has been started"
        return member

    def start(self, *, now: float) -> None:
        """Enter this node's own name, with incarnation 1 as memberlist does, and spread it."""
        me = Member(
            name=self._config.name,
            address=self._config.address,
            port=self._config.port,
            meta=self._config.meta,
            versions=self._config.versions,
            incarnation=1,
            state=MemberState.ALIVE,
            since=now,
        )
        self._put(me)
        self._broadcast(me.as_alive())

    def set_meta(self, meta: bytes) -> None:
        """Let all members know another meta of this node."""
        me = self.me
        self._announce(me, incarnation=me.incarnation + 1, meta=meta)

    def alive(self, fact: Alive, *, now: float) -> None:
        """Raises PeerError for a fact that cannot be."""
        fact = self._checked(fact)
        known = self.table.get(fact.node)
        if known is None and len(self.table) >= self._config.limits.members:
            raise PeerError(DropReason.TOO_MANY_MEMBERS)
        if fact.node == self._config.name:
            self._alive_about_me(fact)
            return
        try:
            member = members.after_alive(known, fact, now=now, reclaim_seconds=self._config.timing.reclaim_seconds)
        except ConflictError:
            assert known is not None
            raise self._conflict(known, fact) from None
        if member is None:
            return
        self._suspicions.pop(fact.node, None)
        self._put(member)
        self._broadcast(fact)
        self.seeds.forget(fact.node)
        if known is None or not known.present:
            self._outbox.emit(effects.MemberJoined(member))
            return
        if known.state is MemberState.SUSPECT:
            self._outbox.emit(effects.MemberRestored(member))
        if known.meta != member.meta:
            self._outbox.emit(effects.MemberUpdated(member))

    def suspect(self, fact: Suspect, *, now: float) -> None:
        """Raises PeerError for a fact that cannot be."""
        _plausible(fact.incarnation + 1)
        known = self.table.get(fact.node)
        if known is None or fact.incarnation < known.incarnation:
            return
        if fact.node == self._config.name:
            if known.present:
                self._refute(fact.incarnation)
            return
        member = members.after_suspect(known, fact, now=now)
        suspicion = self._suspicions.get(fact.node)
        if member is not None:
            self._put(member)
            # The present only, where memberlist counts the dead too and then waits for confirmations of theirs.
            present = len(self.table.present())
            suspicion = Suspicion(fact.accuser, self._config.timing, members=present, now=now)
            self._suspicions[fact.node] = suspicion
            if known.state is MemberState.ALIVE:
                self._outbox.emit(effects.MemberSuspected(member))
        elif suspicion is None or not suspicion.confirm(fact.accuser):
            return
        self._timers.set(suspicion.due, SuspicionTimeout(fact.node))
        self._broadcast(fact)

    def dead(self, fact: Dead, *, now: float) -> None:
        """Raises PeerError for a fact that cannot be."""
        _plausible(fact.incarnation + 1)
        known = self.table.get(fact.node)
        if known is None or fact.incarnation < known.incarnation:
            return
        if fact.node == self._config.name and not self.leaving:
            self._refute(fact.incarnation)
            return
        member = members.after_dead(known, fact, now=now)
        if member is None:
            return
        self._suspicions.pop(fact.node, None)
        self._put(member)
        self._broadcast(fact)
        self._gone(known, member, now=now)

    def accuse(self, name: str, *, now: float) -> None:
        """Spread that this node gets no answer from a member."""
        member = self.table.get(name)
        if member is not None:
            self.suspect(Suspect(member.incarnation, name, self._config.name), now=now)

    def suspicion_timeout(self, timer: SuspicionTimeout, *, now: float) -> None:
        suspicion = self._suspicions.get(timer.name)
        member = self.table.get(timer.name)
        # One that is due later is not the one that this timer was set for.
        if suspicion is None or member is None or suspicion.due > now:
            return
        self.dead(Dead(member.incarnation, member.name, self._config.name), now=now)

    def merge(self, remote: tuple[wire.RemoteMember, ...], *, now: float) -> list[DropReason]:
        """Apply another node's list; why some entries were not taken.

        A member it holds for dead is only suspected here, so that it can object.
        """
        refused = []
        for entry in remote:
            try:
                match entry.state:
                    case MemberState.ALIVE:
                        self.alive(
                            Alive(entry.incarnation, entry.name, entry.address, entry.port, entry.meta, entry.versions),
                            now=now,
                        )
                    case MemberState.SUSPECT | MemberState.DEAD:
                        self.suspect(Suspect(entry.incarnation, entry.name, self._config.name), now=now)
                    case MemberState.LEFT:
                        self.dead(Dead(entry.incarnation, entry.name, entry.name), now=now)
                    case _:
                        raise PeerError(DropReason.MALFORMED, f"member state {entry.state}")
            except PeerError as error:
                refused.append(error.reason)
        return refused

    def reap(self, *, now: float) -> None:
        """Forget members that are gone for long."""
        for member in list(self.table):
            gone = not member.present and member.name != self._config.name
            if gone and now - member.since > self._config.timing.gossip_to_dead_seconds:
                self.table.remove(member.name)
                self._outbox.emit(effects.MemberForgotten(member))
        self._outbox.members = len(self.table)

    def _alive_about_me(self, fact: Alive) -> None:
        me = self.me
        if self.leaving:
            return
        if (fact.address, fact.port) != (me.address, me.port):
            raise self._conflict(me, fact)
        if fact.incarnation < me.incarnation:
            return
        if fact.incarnation == me.incarnation and (fact.meta, fact.versions) == (me.meta, me.versions):
            return
        # What this node said in an earlier life, or what somebody made up.
        self._refute(fact.incarnation)

    def _refute(self, accused: int) -> None:
        self.awareness.change(1)
        me = self.me
        self._announce(me, incarnation=min(max(me.incarnation, accused) + 1, _GREATEST_INCARNATION), meta=me.meta)

    def _announce(self, me: Member, *, incarnation: int, meta: bytes) -> None:
        renewed = Member(
            name=me.name,
            address=me.address,
            port=me.port,
            meta=meta,
            versions=me.versions,
            incarnation=incarnation,
            state=me.state,
            since=me.since,
        )
        self._put(renewed)
        self._broadcast(renewed.as_alive())

    def _gone(self, before: Member, after: Member, *, now: float) -> None:
        if after.state is MemberState.LEFT:
            self.seeds.forget(after.name)
            event: effects.MemberLeft | effects.MemberFailed = effects.MemberLeft(after)
        else:
            self.seeds.remember(after.name, after.endpoint, now=now)
            self.lost = True
            event = effects.MemberFailed(after)
        if before.present and after.name != self._config.name:
            self._outbox.emit(event)

    def _checked(self, fact: Alive) -> Alive:
        _plausible(fact.incarnation)
        if len(fact.versions) != 6 or not 0 < fact.versions[0] <= fact.versions[1]:
            raise PeerError(DropReason.VERSION, f"versions {fact.versions.hex()}")
        if not reachable(fact.address):
            raise PeerError(DropReason.BAD_ADDRESS, fact.address.hex())
        if fact.port:
            return fact
        return Alive(fact.incarnation, fact.node, fact.address, self._config.port, fact.meta, fact.versions)

    def _conflict(self, known: Member, fact: Alive) -> PeerError:
        theirs = endpoint(fact.address, fact.port)
        self._outbox.emit(effects.NameConflict(known.name, known.endpoint, theirs))
        return PeerError(DropReason.NAME_CONFLICT, known.name)

    def _put(self, member: Member) -> None:
        self.table.put(member)
        if member.present:
            self.directory.enter(member)
        self._outbox.members = len(self.table)
        if member.present and not self.capable(member.meta):
            self._incapable.add(member.name)
        else:
            self._incapable.discard(member.name)
        self._outbox.payloads_allowed = not self._incapable

    def capable(self, meta: bytes) -> bool:
        """Whether a member with this meta understands our user messages."""
        return self._config.capability is None or meta.startswith(self._config.capability)

    def _broadcast(self, fact: Alive | Suspect | Dead) -> None:
        self._outbox.facts.put(fact.node, wire.encode(fact))


def _plausible(incarnation: int) -> None:
    if incarnation > _GREATEST_INCARNATION:
        raise PeerError(DropReason.IMPLAUSIBLE_INCARNATION, str(incarnation))
