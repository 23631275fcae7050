# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""BGP communities and their names."""

from __future__ import annotations

import pytest
from lantern.core.communities import Aliases, alias_problems, parse_community


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0:0", (0, 0)),
        ("65535:65535", (65535, 65535)),
        ("064512:7", (64512, 7)),
        ("large:1:2:3", (1, 2, 3)),
        ("large:4294967295:0:4294967295", (4294967295, 0, 4294967295)),
    ],
)
def test_read(text: str, numbers: tuple[int, ...]) -> None:
    assert parse_community(text) == numbers


@pytest.mark.parametrize(
    "text",
    ["", "no-export", "1", "1:2:3", "65536:0", "0:65536", "-1:0", "+1:0", "1_0:0", "1:", ":", "large:1:2",
     "Large:1:2:3", "large:4294967296:0:0", "1:2:3:4", "large:1:2:3:4", "１:２"],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    assert parse_community(text) is None


def test_names_hold_across_all_objects() -> None:
    good = Aliases('Community "a"', (("x", "1:1"), ("y", "large:1:2:3")))
    assert alias_problems([good]) == []
    again = Aliases('Community "b"', (("x", "1:1"),))
    (problem,) = alias_problems([good, again])
    assert problem.code == "duplicate-name" and problem.where == 'Community "b"'
    assert '"x"' in problem.message and 'Community "a"' in problem.message
    (problem,) = alias_problems([Aliases('Community "c"', (("x", "1:1"), ("x", "1:2")))])
    assert "given twice" in problem.message


def test_bad_value_is_named() -> None:
    (problem,) = alias_problems([Aliases('Community "a"', (("x", "99999:1"),))])
    assert problem.code == "malformed" and '"99999:1" (named "x")' in problem.message
