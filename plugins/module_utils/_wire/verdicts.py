# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One hop on the way to a Service, judged. PRIVATE to the homelab.lantern collection."""

from __future__ import annotations

import typing as t

GOOD, BAD, SKIPPED = "good", "bad", "skipped"


class Verdict(t.NamedTuple):
    """`result` is good, bad or skipped.

    A bad one has its likely causes, the likeliest first, and the command that repairs it or, where only a person can
    decide, shows what is wrong. `milliseconds` is how long the hop took, None where there is nothing to measure.
    """

    hop: str
    result: str
    text: str
    causes: t.Sequence[str] = ()
    command: str = ""
    milliseconds: float | None = None


def first_bad(verdicts: t.Sequence[Verdict]) -> Verdict | None:
    """The first broken hop: what comes after it is broken by it, or not known."""
    return next((verdict for verdict in verdicts if verdict.result == BAD), None)
