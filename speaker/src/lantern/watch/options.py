# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How closely speakers are watched."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How closely to watch, in seconds where not said otherwise."""

    interval_seconds: float = 0.25
    """Between probes of a speaker that this node watches closely. Half of it finds a dead one 0.1 s sooner, and
    costs an idle speaker of three twice as many wake-ups, of half a millisecond each."""
    watchers: int = 2
    """So many nodes watch a speaker closely, and it watches them; the others make sure from time to time."""
    slow_seconds: float = 1.0
    """Between probes of the others; longer in clusters of more than ten."""
    step_seconds: float = 0.03
    """Between probes once an answer is overdue."""
    inquiry_seconds: float = 0.4
    """For so long witnesses may speak for a silent speaker, and it may be heard itself: as long as a way that was good
    a moment ago may hold back all frames at once. With half of it every second cluster of three on a clean LAN that
    suddenly delays frames by up to 0.4 s takes somebody for dead."""
    wire_seconds: float = 0.6
    """For so long the answer of the LAN is awaited."""
    isolation_seconds: float = 2.0
    """For so long a node that hears nobody at all holds itself for cut off."""
    hold_back_seconds: float = 1.0
    """Until a speaker that a witness spoke for is suspected again; doubles up to 8 times this."""
    asleep_seconds: float = 0.25
    """After a sleep of this length everybody is asked at once what has happened."""
    seek_seconds: float = 60.0
    """A lost speaker is probed at the fast pace for so long."""
