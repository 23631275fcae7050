# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""BGP communities (RFC 1997: two 16-bit numbers; RFC 8092: "large", three 32-bit numbers) and the names given to them.

Names hold across all Community objects and the old ConfigMap, so each may be given once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lantern.core.model import ObjectRef
from lantern.pools import Problem

_LARGE = "large"
EXAMPLES = "Write two numbers up to 65535 such as 64512:100, or large:64512:1:2 with numbers up to 4294967295."


@dataclass(frozen=True, slots=True)
class Aliases:
    """Names for communities from one place: (name, community as written)."""

    where: str
    entries: tuple[tuple[str, str], ...] = ()
    object: ObjectRef | None = None


def parse_community(text: str) -> tuple[int, ...] | None:
    """Two numbers, or three for a large community; None when it is neither."""
    parts = text.split(":")
    if len(parts) == 4 and parts[0] == _LARGE:
        return _numbers(parts[1:], 0xFFFFFFFF)
    return _numbers(parts, 0xFFFF) if len(parts) == 2 else None


def _numbers(parts: list[str], highest: int) -> tuple[int, ...] | None:
    # ASCII digits only: int() also takes those of other scripts, signs and underscores.
    if not all(part.isdecimal() and part.isascii() and len(part) < 256 for part in parts):
        return None
    numbers = tuple(int(part) for part in parts)
    return numbers if max(numbers) <= highest else None


def alias_problems(places: Iterable[Aliases]) -> list[Problem]:
    """Names that are given twice, and communities that are none. Codes: duplicate-name, malformed."""
    found: list[Problem] = []
    first: dict[str, str] = {}
    for place in places:
        for name, text in place.entries:
            if parse_community(text) is None:
                message = f'{place.where}: "{text}" (named "{name}") is not a BGP community. {EXAMPLES}'
                found.append(Problem("malformed", place.where, message))
            if name in first:
                other = "twice" if first[name] == place.where else f"already by {first[name]}"
                message = f'{place.where}: the name "{name}" is given {other}. Remove or rename one of the two.'
                found.append(Problem("duplicate-name", place.where, message))
            first.setdefault(name, place.where)
    return found
