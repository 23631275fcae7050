# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets what nobody has, and what moves so that all carry alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from ipaddress import ip_address

import pytest
from lantern.core.candidates import Candidate
from lantern.core.elect import owner
from lantern.core.model import ServiceKey
from lantern.core.spread import Field, balance, can, place
from lantern.core.vips import Vip, VipKey
from lantern.tenure import Bulletin

ALL = tuple(Candidate(name, 0) for name in ("a", "b", "c"))


def vip(number: int, candidates: tuple[Candidate, ...] = ALL) -> Vip:
    address = ip_address(f"10.9.0.{number}")
    return Vip(address.packed, (address,), (ServiceKey("default", f"web-{number}"),), candidates)


def word(**more: object) -> Bulletin:
    values: dict[str, object] = {"ready": True, "settled": True, "interfaces": {"eth0": bytes(6)}, **more}
    return Bulletin(**values)  # type: ignore[arg-type]


def field(names: Iterable[str] = "abc", **special: Bulletin) -> Field:
    return Field({**{name: word() for name in names}, **special})


def carried(owners: Mapping[VipKey, str]) -> dict[str, int]:
    return dict(Counter(owners.values()))


def moved(owners: Mapping[VipKey, str], vips: list[Vip], ground: Field) -> dict[VipKey, str]:
    moves = balance(vips, owners, ground)
    assert len({move.key for move in moves}) == len(moves)
    return {**owners, **{move.key: move.to for move in moves}}


def test_all_get_alike_and_the_order_does_not_matter() -> None:
    vips = [vip(number) for number in range(10)]
    placed = place(vips, field(), {})
    assert sorted(carried(placed).values()) == [3, 3, 4]
    assert place(reversed(vips), field("cba"), {}) == placed


def test_those_who_carry_less_get_more() -> None:
    placed = place([vip(number) for number in range(6)], field(), {"a": 5, "b": 1})
    assert carried(placed) == {"b": 3, "c": 3} or carried(placed) == {"b": 2, "c": 4}


def test_hash_decides_between_equals() -> None:
    assert place([vip(1)], field(), {}) == {vip(1).key: owner(vip(1).addresses[0], "abc")}


def test_preferred_nodes_get_all() -> None:
    preferred = (Candidate("a", 1), Candidate("b", 10), Candidate("c", 10))
    placed = place([vip(number, preferred) for number in range(4)], field(), {"b": 100})
    assert carried(placed) == {"c": 4}
    assert carried(place([vip(1, preferred)], field("a"), {})) == {"a": 1}


@pytest.mark.parametrize(
    "unable",
    [word(ready=False), word(leaving=True), word(interfaces={}), None],
)
def test_who_cannot_gets_nothing(unable: Bulletin | None) -> None:
    ground = field("bc", a=unable) if unable is not None else field("bc")
    only_a = (Candidate("a", 0),)
    assert place([vip(1, only_a)], ground, {}) == {}
    assert "a" not in place([vip(number) for number in range(9)], ground, {}).values()


def test_a_node_needs_one_interface_of_each_set() -> None:
    needs = Candidate("a", 0, (frozenset({"eth0", "eth1"}), frozenset({"wlan0"})))
    assert not can(needs, word(interfaces={"eth0": bytes(6)}))
    assert can(needs, word(interfaces={"eth1": bytes(6), "wlan0": bytes(6)}))


def test_newcomer_gets_nothing_as_long_as_others_can() -> None:
    ground = field("bc", a=word(settled=False))
    assert "a" not in place([vip(number) for number in range(9)], ground, {}).values()
    assert place([vip(1)], Field({"a": word(settled=False)}), {}) == {vip(1).key: "a"}


def test_while_all_are_new_nobody_is_a_newcomer() -> None:
    ground = Field({name: word(settled=False) for name in "abc"})
    assert sorted(carried(place([vip(number) for number in range(9)], ground, {})).values()) == [3, 3, 3]
    owners = {vip(number).key: "a" for number in range(3)}
    assert sorted(carried(moved(owners, [vip(number) for number in range(3)], ground)).values()) == [1, 1, 1]


def test_balance_moves_only_what_must_move() -> None:
    vips = [vip(number) for number in range(9)]
    owners = {item.key: "ab"[number % 2] for number, item in enumerate(vips)}
    after = moved(owners, vips, field())
    assert sorted(carried(after).values()) == [3, 3, 3]
    assert sum(after[key] != owners[key] for key in owners) == 3
    assert balance(vips, after, field()) == []


def test_within_one_nothing_moves() -> None:
    vips = [vip(number) for number in range(5)]
    owners = dict(zip([item.key for item in vips], "aabbc", strict=True))
    assert balance(vips, owners, field()) == []


def test_newcomer_waits_for_its_turn_and_may_keep_what_it_has() -> None:
    vips = [vip(number) for number in range(9)]
    owners = {item.key: "b" for item in vips[1:]} | {vips[0].key: "a"}
    after = moved(owners, vips, field("bc", a=word(settled=False)))
    assert carried(after) == {"a": 1, "b": 4, "c": 4} and after[vips[0].key] == "a"


def test_what_a_less_preferred_node_has_moves() -> None:
    preferred = (Candidate("a", 0), Candidate("b", 10))
    owners = {vip(1).key: "a"}
    assert moved(owners, [vip(1, preferred)], field()) == {vip(1).key: "b"}
    assert moved(owners, [vip(1, preferred)], field("a", b=word(settled=False))) == owners


def test_vips_bound_to_a_node_count_for_it() -> None:
    bound = [vip(number, (Candidate("a", 0),)) for number in range(4)]
    free = [vip(number) for number in range(10, 18)]
    owners = {item.key: "a" for item in (*bound, *free)}
    assert carried(moved(owners, [*bound, *free], field())) == {"a": 4, "b": 4, "c": 4}


def test_vips_without_an_owner_or_without_a_place_stay_as_they_are() -> None:
    assert balance([vip(1)], {}, field()) == []
    assert balance([vip(1, (Candidate("x", 0),))], {vip(1).key: "a"}, field()) == []
