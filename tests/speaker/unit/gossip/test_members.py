# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What facts do to a member, one by one."""

from __future__ import annotations

from random import Random

import pytest
from lantern.gossip.members import (
    ConflictError,
    Member,
    MemberState,
    MemberTable,
    after_alive,
    after_dead,
    after_suspect,
)
from lantern.gossip.wire import Alive, Dead, Suspect

HERE, THERE = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
VERSIONS = bytes((1, 5, 2, 0, 0, 0))
A, S, D, L = MemberState


def member(state: MemberState = A, incarnation: int = 5) -> Member:
    return Member(
        name="x",
        address=HERE,
        port=7946,
        meta=b"m",
        versions=VERSIONS,
        incarnation=incarnation,
        state=state,
        since=100.0,
    )


def alive(incarnation: int, address: bytes = HERE, meta: bytes = b"m") -> Alive:
    return Alive(incarnation, "x", address, 7946, meta, VERSIONS)


def outcome(after: Member | None) -> tuple[MemberState, int, float] | None:
    return None if after is None else (after.state, after.incarnation, after.since)


@pytest.mark.parametrize(
    ("known", "incarnation", "expected"),
    [
        (None, 0, (A, 0, 200.0)),
        (member(A), 4, None),
        (member(A), 5, None),
        (member(A), 6, (A, 6, 100.0)),
        (member(S), 5, None),
        (member(S), 6, (A, 6, 200.0)),
        (member(D), 5, None),
        (member(D), 6, (A, 6, 200.0)),
        (member(L), 5, None),
        (member(L), 6, (A, 6, 200.0)),
    ],
)
def test_alive(known: Member | None, incarnation: int, expected: object) -> None:
    assert outcome(after_alive(known, alive(incarnation), now=200.0, reclaim_seconds=0)) == expected


@pytest.mark.parametrize(
    ("known", "reclaim", "taken"),
    [
        (member(A), 0, False),
        (member(S), 0, False),
        (member(D), 0, False),
        (member(D), 100, False),
        (member(D), 99, True),
        (member(L), 0, True),
    ],
)
def test_other_address(known: Member, reclaim: float, taken: bool) -> None:
    """A name moves only when its node has left, or is dead for long enough; then whatever the incarnation."""
    fact = alive(1, THERE, b"new")
    if not taken:
        with pytest.raises(ConflictError):
            after_alive(known, fact, now=200.0, reclaim_seconds=reclaim)
        return
    after = after_alive(known, fact, now=200.0, reclaim_seconds=reclaim)
    assert after is not None
    assert (after.address, after.meta, after.incarnation, after.state) == (THERE, b"new", 1, A)


def test_same_address_in_another_form_is_another_address() -> None:
    with pytest.raises(ConflictError):
        after_alive(member(), alive(9, bytes(10) + b"\xff\xff" + HERE), now=0.0, reclaim_seconds=0)


@pytest.mark.parametrize(
    ("known", "incarnation", "expected"),
    [
        (None, 5, None),
        (member(A), 4, None),
        (member(A), 5, (S, 5, 200.0)),
        (member(A), 7, (S, 7, 200.0)),
        (member(S), 5, None),
        (member(S), 6, (S, 6, 200.0)),
        (member(D), 6, None),
        (member(L), 6, None),
    ],
)
def test_suspect(known: Member | None, incarnation: int, expected: object) -> None:
    assert outcome(after_suspect(known, Suspect(incarnation, "x", "y"), now=200.0)) == expected


@pytest.mark.parametrize(
    ("known", "incarnation", "accuser", "expected"),
    [
        (None, 5, "y", None),
        (member(A), 4, "y", None),
        (member(A), 5, "y", (D, 5, 200.0)),
        (member(A), 5, "x", (L, 5, 200.0)),
        (member(S), 6, "y", (D, 6, 200.0)),
        (member(D), 5, "y", None),
        (member(D), 6, "y", (D, 6, 100.0)),
        (member(D), 5, "x", (L, 5, 100.0)),
        (member(L), 5, "y", None),
        (member(L), 5, "x", None),
        (member(L), 6, "y", (D, 6, 100.0)),
    ],
)
def test_dead(known: Member | None, incarnation: int, accuser: str, expected: object) -> None:
    assert outcome(after_dead(known, Dead(incarnation, "x", accuser), now=200.0)) == expected


def test_sample_takes_eligible_ones_without_repetition() -> None:
    table = MemberTable()
    for number in range(10):
        table.put(Member(name=str(number), address=HERE, port=1, meta=b"", versions=VERSIONS,
                         incarnation=1, state=A if number < 5 else D, since=0.0))  # fmt: skip
    rng = Random(1)
    seen = set()
    for _ in range(50):
        names = [found.name for found in table.sample(rng, 3, lambda found: found.present)]
        assert len(set(names)) == 3
        seen |= set(names)
    assert seen == set("01234")
    assert len(table.sample(rng, 30, lambda found: True)) == 10
    assert table.names() == set("0123456789")
