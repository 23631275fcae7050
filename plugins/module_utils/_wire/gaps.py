# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times without answers in a series of requests. PRIVATE to the homelab.lantern collection, pure."""

from __future__ import annotations

import typing as t


class Request(t.NamedTuple):
    """One request: when it was sent (seconds since the first one), whether it was answered, and how long that took."""

    sent: float
    good: bool
    seconds: float


def find(requests: t.Sequence[Request], interval: float) -> list[dict[str, t.Any]]:
    """Each time between answered requests in which at least one was lost, in milliseconds; `interval` in seconds.

    The gap is counted from when the last answered request was sent to when the next answered one was, less the
    interval that lies between any two. Before the first and after the last answer the series itself is the limit.
    """
    found = []
    last, lost = -interval, 0
    for one in [*requests, Request(requests[-1].sent + interval, True, 0.0)] if requests else []:
        if not one.good:
            lost += 1
            continue
        if lost:
            gap = max(0.0, one.sent - last - interval)
            found.append({"after": round(max(0.0, last) * 1000, 1), "gap": round(gap * 1000, 1), "lost": lost})
        last, lost = one.sent, 0
    return found
