# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The members a node knows, and what a fact about one does to it (memberlist state.go:940-1337).

Facts come in any order and more than once, so that what is newer wins: a greater incarnation, which only the member
itself makes; with equal ones the worse state. Two rules go beyond memberlist, so that the same facts in any order end
alike: a death with a greater incarnation than the one already known counts, and so does a goodbye after a death.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from random import Random

from lantern.gossip.endpoint import Endpoint, endpoint
from lantern.gossip.wire import Alive, Dead, RemoteMember, Suspect


class MemberState(IntEnum):
    """As numbered in push/pulls."""

    ALIVE = 0
    SUSPECT = 1
    DEAD = 2
    LEFT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member as this node knows it. `address` is kept as it came: peers compare it byte by byte."""

    name: str
    address: bytes
    port: int
    meta: bytes
    versions: bytes
    incarnation: int
    state: MemberState
    since: float
    """When the state was entered, in the node's own time; good for differences only."""

    @property
    def endpoint(self) -> Endpoint:
        return endpoint(self.address, self.port)

    @property
    def present(self) -> bool:
        """Not declared dead and not gone."""
        return self.state <= MemberState.SUSPECT

    @property
    def newest_protocol(self) -> int:
        return self.versions[1]

    def as_alive(self) -> Alive:
        return Alive(self.incarnation, self.name, self.address, self.port, self.meta, self.versions)

    def as_remote(self) -> RemoteMember:
        return RemoteMember(
            self.name, self.address, self.port, self.meta, self.incarnation, int(self.state), self.versions
        )


class ConflictError(Exception):
    """The name is in use at another address."""


def after_alive(known: Member | None, fact: Alive, *, now: float, reclaim_seconds: float) -> Member | None:
    """The member after an alive fact; None when the fact is old news. Raises ConflictError."""
    moved = known is not None and (known.address, known.port) != (fact.address, fact.port)
    if known is not None:
        reclaimed = known.state is MemberState.LEFT or (
            known.state is MemberState.DEAD and 0 < reclaim_seconds < now - known.since
        )
        if moved and not reclaimed:
            raise ConflictError
        if fact.incarnation <= known.incarnation and not moved:
            return None
    was_alive = known is not None and known.state is MemberState.ALIVE
    return Member(
        name=fact.node,
        address=fact.address,
        port=fact.port,
        meta=fact.meta,
        versions=fact.versions,
        incarnation=fact.incarnation,
        state=MemberState.ALIVE,
        since=known.since if known is not None and was_alive else now,
    )


def after_suspect(known: Member | None, fact: Suspect, *, now: float) -> Member | None:
    """The member after an accusation; None when it is unknown, gone, or the accusation is old news."""
    if known is None or not known.present or fact.incarnation < known.incarnation:
        return None
    if known.state is MemberState.SUSPECT and fact.incarnation == known.incarnation:
        return None
    return replace(known, incarnation=fact.incarnation, state=MemberState.SUSPECT, since=now)


def after_dead(known: Member | None, fact: Dead, *, now: float) -> Member | None:
    """The member after a death or goodbye; None when it is unknown, or the fact is old news."""
    if known is None or fact.incarnation < known.incarnation:
        return None
    state = MemberState.LEFT if fact.accuser == fact.node else MemberState.DEAD
    if known.present:
        return replace(known, incarnation=fact.incarnation, state=state, since=now)
    worse = MemberState(max(known.state, state)) if fact.incarnation == known.incarnation else state
    if (worse, fact.incarnation) == (known.state, known.incarnation):
        return None
    return replace(known, incarnation=fact.incarnation, state=worse)


class MemberTable:
    """Members by name, this node included."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def get(self, name: str) -> Member | None:
        return self._members.get(name)

    def names(self) -> set[str]:
        return set(self._members)

    def put(self, member: Member) -> None:
        self._members[member.name] = member

    def remove(self, name: str) -> None:
        del self._members[name]

    def present(self) -> list[Member]:
        return [member for member in self._members.values() if member.present]

    def sample(self, rng: Random, count: int, eligible: Callable[[Member], bool]) -> list[Member]:
        """Up to `count` different eligible members, each with the same chance."""
        found = [member for member in self._members.values() if eligible(member)]
        return rng.sample(found, min(count, len(found)))
