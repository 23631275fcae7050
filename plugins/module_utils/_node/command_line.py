# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The boot command line of a Raspberry Pi: one line of words in a file. PRIVATE to the homelab.lantern collection."""

from __future__ import annotations

import typing as t

from .host import Host

# The firmware reads the first; before Raspberry Pi OS 12 that partition was mounted at /boot.
FILES = ("/boot/firmware/cmdline.txt", "/boot/cmdline.txt")
# With this word the kernel limits memory by cgroup; the firmware's own default is the opposite.
MEMORY_CGROUP = "cgroup_enable=memory"
# A command line names what to start from; the file that Raspberry Pi OS leaves at the old place does not.
MARKS = ("root=", "console=", "boot=")


class Edit(t.NamedTuple):
    """What to do to a command line: words that are added, words that are taken out."""

    text: str
    added: list[str]
    removed: list[str]


def find(host: Host) -> str:
    """The file the firmware reads, "" if this host has none."""
    return next((path for path in FILES if is_command_line(host.text(path))), "")


def is_command_line(text: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip()]
    return len(lines) == 1 and any(word.startswith(MARKS) for word in lines[0].split())


def opposite(word: str) -> str:
    """`cgroup_disable=memory` for `cgroup_enable=memory`, "" where a word has no opposite."""
    name, _equals, value = word.partition("=")
    return f"{name[: -len('enable')]}disable={value}" if name.endswith("_enable") else ""


def add(text: str, words: t.Sequence[str]) -> Edit:
    """The command line with these words. What says the opposite, or gives such a name another value, goes.

    A name that may stand there several times, such as console or cgroup_enable, keeps its other values.
    """
    present = text.split()
    removed = [word for word in present if any(word == opposite(one) or _replaces(one, word) for one in words)]
    added = [word for word in words if word not in present]
    kept = [word for word in present if word not in removed]
    return Edit(" ".join(kept + added) + "\n", added, removed) if added or removed else Edit(text, [], [])


def _replaces(new: str, old: str) -> bool:
    """A number is set once: cgroup_memory=1 replaces cgroup_memory=0."""
    name, equals, value = new.partition("=")
    return bool(equals) and value.isdigit() and old.startswith(f"{name}=") and old != new


def undo(text: str, added: t.Sequence[str], removed: t.Sequence[str]) -> str:
    """The command line without what was added and with what was taken out."""
    present = [word for word in text.split() if word not in added]
    after = " ".join(present + [word for word in removed if word not in present]) + "\n"
    return text if after.split() == text.split() else after
