# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a piece of configuration, as a value. PRIVATE to the collection."""

from __future__ import annotations

from typing import NamedTuple


class Problem(NamedTuple):
    """One thing that is wrong: `code` for programs, `where` names the thing, `message` is for people.

    The message is whole sentences and stands alone: it names the thing, the value, and what to do about it.
    """

    code: str
    where: str
    message: str

    def __str__(self) -> str:
        return self.message
