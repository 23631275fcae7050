# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads mappings that people wrote, strictly: a key that is not known is an error that names the nearest known one.

The input is a tree of mappings, lists and texts, every scalar as it was written: whether `90` is a number or a text is
decided by who asks for it, so that a password of digits stays what it is.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from lantern.pools import Problem

_TRUE = frozenset(("true", "yes", "on", "y"))
_FALSE = frozenset(("false", "no", "off", "n"))


class Section:
    """One mapping being read. Problems are appended to `found`; a value with one reads as absent.

    `where` names the place for people. Ask for every key that is allowed, then call `end`.
    """

    def __init__(self, value: object, where: str, found: list[Problem]) -> None:
        self.where = where
        self.found = found
        self._asked: list[str] = []
        self._values: Mapping[object, object] = {}
        self._is_broken = False
        if isinstance(value, Mapping):
            self._values = value
        elif value not in ("", None):
            self._is_broken = True
            self.problem("malformed", f"{_shown(value)} is given where keys with values are needed. Write KEY: VALUE.")

    def problem(self, code: str, message: str) -> None:
        """Note something that is wrong here; the message goes on after the place's name."""
        self.found.append(Problem(code, self.where, f"{self.where}: {message}"))

    def missing(self, key: str, example: str) -> None:
        """Note that this key must be there; nothing is missed in what could not be read at all."""
        if not self._is_broken:
            self.problem("missing", f"{key} is missing. Add it, such as {key}: {example}")

    def text(self, key: str) -> str | None:
        """A single value as written; None when absent or empty."""
        value = self._take(key)
        if value in ("", None):
            return None
        if isinstance(value, str):
            return value
        self.problem("malformed", f"{key} is {_shown(value)}, but one value is needed.")
        return None

    def needed(self, key: str, example: str) -> str:
        """A single value that must be there; "" (and a problem) when it is not."""
        before = len(self.found)
        value = self.text(key)
        if value is None and len(self.found) == before:
            self.missing(key, example)
        return value or ""

    def number(self, key: str, low: int, high: int) -> int | None:
        """A whole number from `low` to `high`; None when absent."""
        value = self.text(key)
        if value is None:
            return None
        digits = value.removeprefix("+")
        # More digits than any allowed number has would only cost time.
        if digits.isdecimal() and digits.isascii() and len(digits) <= 20 and low <= int(digits) <= high:
            return int(digits)
        self.problem("malformed", f'{key} is "{value}", but a whole number from {low} to {high} is needed.')
        return None

    def flag(self, key: str) -> bool | None:
        """true or false; None when absent."""
        value = self.text(key)
        if value is None or value.lower() in _TRUE | _FALSE:
            return None if value is None else value.lower() in _TRUE
        self.problem("malformed", f'{key} is "{value}", but true or false is needed.')
        return None

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of single values."""
        values = self._list(key)
        wrong = [item for item in values if not isinstance(item, str)]
        for item in wrong:
            self.problem("malformed", f"{key} holds {_shown(item)}, but single values are needed.")
        return tuple(item for item in values if isinstance(item, str))

    def sections(self, key: str, of: str) -> list[Section]:
        """A list of mappings; `of` is what one of them is called."""
        made = []
        for number, item in enumerate(self._list(key), start=1):
            name = item.get("name") if isinstance(item, Mapping) else None
            label = f'{of} "{name}"' if isinstance(name, str) and name else f"{of} number {number}"
            made.append(Section(item, f"{self.where}, {label}", self.found))
        return made

    def mapping(self, key: str) -> dict[str, str]:
        """A mapping from names to single values."""
        value = self._take(key)
        if value in ("", None):
            return {}
        if not isinstance(value, Mapping):
            self.problem("malformed", f"{key} is {_shown(value)}, but names with values are needed.")
            return {}
        for name, item in value.items():
            if not isinstance(item, str):
                self.problem("malformed", f"{key}: {name} is {_shown(item)}, but one value is needed.")
        return {str(name): item for name, item in value.items() if isinstance(item, str)}

    def end(self) -> None:
        """Nothing else is allowed here."""
        for key in self._values:
            if key in self._asked:
                continue
            near = difflib.get_close_matches(str(key).lower().replace("_", "-"), self._asked, n=1, cutoff=0.5)
            remedy = f'Did you mean "{near[0]}"?' if near else f"Known here: {', '.join(self._asked)}."
            self.problem("unknown-key", f'"{key}" is not known here. {remedy}')

    def _list(self, key: str) -> Sequence[object]:
        value = self._take(key)
        if value in ("", None):
            return ()
        if isinstance(value, list):
            return value
        self.problem("malformed", f'{key} is {_shown(value)}, but a list is needed: begin each line of it with "- ".')
        return ()

    def _take(self, key: str) -> object:
        self._asked.append(key)
        return self._values.get(key)


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list) else f'"{value}"'
