# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of writes: nobody gets an address that another Service still has in the cluster."""

from __future__ import annotations

from ipaddress import ip_address

from fakes.records import service
from lantern.core.decisions import Assign, Plan, Release
from lantern.core.requests import Denied
from lantern.core.turns import Turns
from lantern.reasons import Reason

LOST = Denied(Reason.NOT_IN_POOLS, "gone")


def gets(name: str, new: str, *old: str) -> Assign:
    found = service(name, *old)
    return Assign(service=found, addresses=(ip_address(new),), pool="p", lost=LOST if old else None)


def release(name: str, old: str) -> Release:
    return Release(service=service(name, old), lost=LOST)


def written(turns: Turns, *fail: str) -> list[list[str]]:
    """Carry it out; a release of one that also gets something is shown as -NAME."""
    rounds = []
    while batch := turns.next():
        rounds.append([("-" if isinstance(item, Release) else "") + item.service.key.name for item in batch])
        for item in batch:
            if item.service.key.name not in fail:
                turns.wrote(item, "7")
    return rounds


def test_who_waits_for_nobody_is_written_at_once() -> None:
    plan = Plan(release=(release("a", "1.0.0.0"),), assign=(gets("b", "1.0.0.1"), gets("c", "1.0.0.2", "1.0.0.3")))
    assert written(Turns(plan)) == [["-a", "b", "c"]]


def test_an_address_is_released_before_another_gets_it() -> None:
    plan = Plan(release=(release("a", "1.0.0.0"),), assign=(gets("b", "1.0.0.0"), gets("c", "1.0.0.1")))
    assert written(Turns(plan)) == [["-a", "c"], ["b"]]


def test_a_chain_of_movers_is_written_from_its_end() -> None:
    chain = (gets("a", "1.0.0.1"), gets("b", "1.0.0.2", "1.0.0.1"), gets("c", "1.0.0.3", "1.0.0.2"))
    assert written(Turns(Plan(assign=chain))) == [["c"], ["b"], ["a"]]


def test_what_fails_holds_up_only_those_that_wait_for_it() -> None:
    chain = (
        gets("a", "1.0.0.1"),
        gets("b", "1.0.0.2", "1.0.0.1"),
        gets("c", "1.0.0.3", "1.0.0.2"),
        gets("d", "1.0.0.9"),
    )
    assert written(Turns(Plan(assign=chain)), "b") == [["c", "d"], ["b"]]
    assert written(Turns(Plan(assign=chain)), "c") == [["c", "d"]]


def test_of_those_that_swap_one_is_emptied_first_and_written_on_its_new_version() -> None:
    circle = (gets("b", "1.0.0.2", "1.0.0.1"), gets("c", "1.0.0.3", "1.0.0.2"), gets("d", "1.0.0.1", "1.0.0.3"))
    # It shares an address with one of them, and so only waits.
    turns = Turns(Plan(assign=(gets("a", "1.0.0.1"), *circle)))
    (emptied,) = turns.next()
    assert isinstance(emptied, Release) and emptied.service.key.name == "b" and emptied.lost == LOST
    turns.wrote(emptied, "7")
    assert [item.service.key.name for item in turns.next()] == ["a", "d"]
    turns.wrote(circle[2], "8")
    assert turns.next() == [circle[1]]
    turns.wrote(circle[1], "9")
    (last,) = turns.next()
    assert isinstance(last, Assign) and (last.service.resource_version, last.service.addresses) == ("7", ())
    assert last.addresses == circle[0].addresses and last.lost is None


def test_a_swap_that_cannot_begin_is_left_as_it_is() -> None:
    swap = (gets("a", "1.0.0.2", "1.0.0.1"), gets("b", "1.0.0.1", "1.0.0.2"))
    assert written(Turns(Plan(assign=swap)), "a") == [["-a"]]
    assert written(Turns(Plan(assign=swap)), "b") == [["-a"], ["b"]]
    assert written(Turns(Plan(assign=swap))) == [["-a"], ["b"], ["a"]]
