# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is to own the VIPs that nobody owns, and which ones move so that the nodes carry alike.

A VIP's nodes are those of the greatest weight among its candidates that can take it. Among them those that are settled
come first, then the one that carries least, then the order of the hash: the same facts, the same answer everywhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from lantern.core.candidates import Candidate
from lantern.core.elect import rank
from lantern.core.vips import Vip, VipKey
from lantern.tenure import Bulletin


class Move(NamedTuple):
    """A VIP goes from one node to another."""

    key: VipKey
    to: str


class Field:
    """Which nodes can take VIPs at the moment, by what their speakers say. Worked out once for equal candidates."""

    def __init__(self, speakers: Mapping[str, Bulletin]) -> None:
        """`speakers` are alive."""
        self._speakers = speakers
        # While a whole cluster is starting nobody is settled, and nothing is lost by moving what has just begun.
        anybody = any(word.settled for word in speakers.values())
        self._settled = {name for name, word in speakers.items() if word.settled or not anybody}
        self._able: dict[int, tuple[Candidate, ...]] = {}
        self._names: dict[int, frozenset[str]] = {}
        self._best: dict[tuple[int, bool], tuple[str, ...]] = {}

    def able(self, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
        """Those of a VIP's candidates that can announce it now."""
        key = id(candidates)
        if key not in self._able:
            self._able[key] = tuple(
                item for item in candidates if (word := self._speakers.get(item.node)) is not None and can(item, word)
            )
        return self._able[key]

    def names(self, candidates: tuple[Candidate, ...]) -> frozenset[str]:
        """The names of those."""
        key = id(candidates)
        if key not in self._names:
            self._names[key] = frozenset(item.node for item in self.able(candidates))
        return self._names[key]

    def best(self, candidates: tuple[Candidate, ...]) -> tuple[str, ...]:
        """Those of them that the VIP should go to: of the greatest weight, and settled if any of these is."""
        return self._top(candidates, settled_only=False)

    def settled(self, candidates: tuple[Candidate, ...]) -> tuple[str, ...]:
        """Those of the greatest weight of all that are settled."""
        return self._top(candidates, settled_only=True)

    def _top(self, candidates: tuple[Candidate, ...], *, settled_only: bool) -> tuple[str, ...]:
        key = (id(candidates), settled_only)
        if key not in self._best:
            able = self.able(candidates)
            if settled_only:
                able = tuple(item for item in able if item.node in self._settled)
            greatest = max((item.weight for item in able), default=0)
            top = tuple(item.node for item in able if item.weight == greatest)
            settled = tuple(node for node in top if node in self._settled)
            self._best[key] = settled or top
        return self._best[key]


def can(candidate: Candidate, word: Bulletin) -> bool:
    """Whether the speaker can announce a VIP for which its node is a candidate."""
    if not word.ready or word.leaving or not word.interfaces:
        return False
    return all(any(name in word.interfaces for name in names) for names in candidate.interfaces)


def place(vips: Iterable[Vip], field: Field, counts: Mapping[str, int]) -> dict[VipKey, str]:
    """An owner for each of the VIPs that can have one; `counts` are the VIPs that the nodes own already."""
    load = defaultdict(int, counts)
    placed: dict[VipKey, str] = {}
    for vip in sorted(vips, key=lambda item: (len(item.key), item.key)):
        nodes = field.best(vip.candidates)
        if not nodes:
            continue
        chosen = lightest(vip, nodes, load)
        load[chosen] += 1
        placed[vip.key] = chosen
    return placed


def lightest(vip: Vip, nodes: Iterable[str], load: Mapping[str, int]) -> str:
    """The node that carries least, of several the first by hash."""
    least = min(load[node] for node in nodes)
    tied = [node for node in nodes if load[node] == least]
    return tied[0] if len(tied) == 1 else min(tied, key=lambda node: rank(node, vip.addresses[0]))


def balance(vips: Iterable[Vip], owners: Mapping[VipKey, str], field: Field) -> list[Move]:
    """The fewest moves after which no VIP could move to a settled node that carries two less, or is preferred.

    Owners that are not settled keep what they have; VIPs without an owner are not looked at.
    """
    load: defaultdict[str, int] = defaultdict(int)
    groups: defaultdict[tuple[tuple[str, ...], str], list[Vip]] = defaultdict(list)
    displaced: list[tuple[Vip, tuple[str, ...]]] = []
    for vip in vips:
        owner = owners.get(vip.key)
        if owner is None:
            continue
        load[owner] += 1
        nodes = field.settled(vip.candidates)
        if not nodes:
            continue
        if _weight(vip, owner) < _weight(vip, nodes[0]):
            displaced.append((vip, nodes))
        else:
            groups[nodes, owner].append(vip)
    for members in groups.values():
        members.sort(key=lambda vip: vip.key)
    for vip, _ in displaced:
        load[owners[vip.key]] -= 1
    moves: dict[VipKey, str] = {}
    for vip, nodes in sorted(displaced, key=lambda item: item[0].key):
        to = moves[vip.key] = lightest(vip, nodes, load)
        load[to] += 1
        groups[nodes, to].append(vip)
    _level(groups, load, moves)
    return [Move(key, to) for key, to in moves.items() if to != owners[key]]


def _level(
    groups: defaultdict[tuple[tuple[str, ...], str], list[Vip]],
    load: defaultdict[str, int],
    moves: dict[VipKey, str],
) -> None:
    """Take from the node that carries most in comparison, as long as another can have one and still carry less.

    `groups` are VIPs by the nodes they may be on and the node they are on. The last of a group goes first: there are
    those that move anyway, and now only move elsewhere.
    """
    while True:
        lightest_of = {nodes: min(nodes, key=lambda node: (load[node], node)) for nodes, _ in groups}
        best: tuple[int, str, str, tuple[str, ...]] | None = None
        for (nodes, owner), members in groups.items():
            if not members:
                continue
            to = lightest_of[nodes]
            gain = load[owner] - load[to]
            if gain >= 2 and (best is None or (-gain, owner, to, nodes) < (-best[0], *best[1:])):
                best = (gain, owner, to, nodes)
        if best is None:
            return
        _, owner, to, nodes = best
        vip = groups[nodes, owner].pop()
        moves[vip.key] = to
        load[owner] -= 1
        load[to] += 1
        groups[nodes, to].append(vip)


def _weight(vip: Vip, node: str) -> int:
    return next((item.weight for item in vip.candidates if item.node == node), -1)
