# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where members are reached, also when gossip has forgotten them."""

from __future__ import annotations

from dataclasses import replace

from lantern.gossip.directory import Directory, Entry
from lantern.gossip.members import Member, MemberState
from unit.gossip.driver import VERSIONS, address, place


def member(number: int, name: str = "") -> Member:
    return Member(
        name=name or f"n{number}",
        address=address(number),
        port=7946,
        meta=b"",
        versions=VERSIONS,
        incarnation=1,
        state=MemberState.ALIVE,
        since=0.0,
    )


def test_members_are_found_by_name_and_by_where_they_send_from() -> None:
    known = Directory(8)
    known.enter(member(2))
    assert known.find("n2") == Entry(place(2), 5)
    assert known.name_at(place(2)) == "n2"
    assert known.find("n3") is None and known.name_at(place(3)) is None


def test_one_that_moved_is_found_where_it_is_now_and_an_address_belongs_to_its_latest_user() -> None:
    known = Directory(8)
    known.enter(member(2))
    known.enter(replace(member(3), name="n2"))
    assert known.name_at(place(2)) is None and known.name_at(place(3)) == "n2"
    known.enter(member(3, "other"))
    assert known.name_at(place(3)) == "other"
    known.enter(replace(member(4), name="n2"))
    assert known.name_at(place(3)) == "other"


def test_those_entered_longest_ago_are_forgotten_first() -> None:
    known = Directory(2)
    for number in (2, 3, 4):
        known.enter(member(number))
    assert known.find("n2") is None and known.name_at(place(2)) is None
    assert known.find("n3") is not None and known.find("n4") is not None
