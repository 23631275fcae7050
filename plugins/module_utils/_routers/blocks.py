# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of a configuration file that are replaced and can be had back from the file alone. PRIVATE, pure.

The new lines stand between two marker comments, the lines that they replace in comments beside them. For files whose
comments begin with "#" at the begin of a line: dnsmasq, Kea, ISC dhcpd.
"""

from __future__ import annotations

from typing import Callable, NamedTuple, Sequence

BEGIN = "# BEGIN LANTERN: addresses kept for LoadBalancer Services. Change the pools in the inventory, not these lines."
WAS = "# LANTERN WAS:"
END = "# END LANTERN"
_BEGIN_START = BEGIN.split(":", 1)[0]


class Edit(NamedTuple):
    """New lines for the lines `first` to `last` (from 0, both included); last = first - 1 inserts before `first`."""

    first: int
    last: int
    lines: Sequence[str]


class Syntax(NamedTuple):
    """What is needed to understand a block that somebody has edited.

    `is_ours`: whether a line inside a whole block was written by Lantern; others are kept when it is released.
    `stands_in`: whether a line can stand in for the original when the comment with it is lost.
    `made_from`: whether the second line was made from the first, an original; for a block without end.
    """

    is_ours: Callable[[str], bool]
    stands_in: Callable[[str], bool]
    made_from: Callable[[str, str], bool]


WHOLE = Syntax(lambda line: True, lambda line: True, lambda original, line: False)
"""For languages in which single lines mean nothing: all inside a block is Lantern's."""


def mark(text: str, edits: Sequence[Edit]) -> str:
    """The text with the edits, which must not overlap, each in a block of its own."""
    lines = text.split("\n")
    for edit in sorted(edits, reverse=True):
        was = [WAS + line for line in lines[edit.first : edit.last + 1]]
        lines[edit.first : edit.last + 1] = [BEGIN, *was, *edit.lines, END]
    return "\n".join(lines)


def mark_parts(text: str, parts: Sequence[tuple[int, int, str]]) -> str:
    """The text with pieces (begin, end behind it, new text) replaced, the whole lines around them being marked.

    Pieces that share a line share a block.
    """
    edits: list[Edit] = []
    group: list[tuple[int, int, str]] = []

    def close() -> None:
        if not group:
            return
        begin = text.rfind("\n", 0, group[0][0]) + 1
        end = text.find("\n", group[-1][1])
        end = len(text) if end < 0 else end
        new, at = "", begin
        for start, stop, piece in group:
            new += text[at:start] + piece
            at = stop
        new += text[at:end]
        first = text.count("\n", 0, begin)
        edits.append(Edit(first, first + text.count("\n", begin, end), new.split("\n")))

    for part in sorted(parts):
        if group and "\n" in text[group[-1][1] : part[0]]:
            close()
            group = []
        group.append(part)
    close()
    return mark(text, edits)


def append(text: str, new: Sequence[str]) -> str:
    """The text with a block of new lines at its end, which must be of a kind that stands in for nothing (Syntax)."""
    count = text.count("\n")
    at = count if text.endswith("\n") or not text else count + 1
    return mark(text, [Edit(at, at - 1, new)])


def unmark(text: str, syntax: Syntax = WHOLE) -> str:
    """The text without blocks, byte for byte as before; damaged blocks are understood as far as possible."""
    lines = text.split("\n")
    kept: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith((_BEGIN_START, WAS)):
            restored, at = _unmark_block(lines, at, syntax)
            kept += restored
        elif line.startswith(END):
            at += 1  # its beginning was deleted
        else:
            kept.append(line)
            at += 1
    return "\n".join(kept)


def _unmark_block(lines: Sequence[str], begin: int, syntax: Syntax) -> tuple[list[str], int]:
    """What the block starting at line `begin` stood for, and the number of the line behind it."""
    inside = begin + 1 if lines[begin].startswith(_BEGIN_START) else begin
    end = inside
    while end < len(lines) and not lines[end].startswith((_BEGIN_START, END)):
        end += 1
    if end < len(lines) and lines[end].startswith(END):
        body = lines[inside:end]
        originals = [line[len(WAS) :] for line in body if line.startswith(WAS)]
        ours = [line for line in body if syntax.is_ours(line) and not line.startswith(WAS)]
        foreign = [line for line in body if line and not line.startswith(WAS) and line not in ours]
        return (originals or [line for line in ours if syntax.stands_in(line)]) + foreign, end + 1
    # No end: only lines that can be recognised as made from the original may be dropped.
    if inside >= len(lines) or not lines[inside].startswith(WAS):
        return [], inside
    original = lines[inside][len(WAS) :]
    after = inside + 1
    while after < len(lines) and syntax.made_from(original, lines[after]):
        after += 1
    return [original], after
