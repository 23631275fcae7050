# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is gone, who is back, and whether they were away or this node was.

A node that was away has missed what the others have decided meanwhile, so it counts as not settled for a while. All
have to agree on who that was, or two follow the next owner that dies: whoever loses most others at once holds itself
for cut off, and them for those that went on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from lantern.tenure import Bulletin
from lantern.watch.effects import Cause


@dataclass(slots=True)
class Death:
    """Since when a speaker is gone, in time lived, and who says so."""

    cause: Cause
    heard: float
    cut_off: bool = False
    """Most others are gone with it: rather this node is cut off from them."""


class Absences:
    """All times are seconds lived."""

    def __init__(self, hold_seconds: float) -> None:
        """Who is back counts as such for `hold_seconds`."""
        self._hold_seconds = hold_seconds
        self._gone: dict[str, Death] = {}
        self._returned: dict[str, float] = {}
        self._met_again: dict[str, float] = {}

    @property
    def gone(self) -> Mapping[str, Death]:
        """Speakers that are lost, and not back."""
        return self._gone

    @property
    def returned(self) -> Set[str]:
        """Speakers that were away while this node and most others were not."""
        return self._returned.keys()

    def lost(self, peer: str, death: Death, *, majority: bool) -> None:
        """A speaker is gone; `majority`: this node still hears at least half of all."""
        self._gone[peer] = death
        if not majority:
            for other in self._gone.values():
                other.cut_off = True

    def back(self, peer: str, now: float) -> None:
        """A lost speaker is heard again."""
        death = self._gone.pop(peer, None)
        (self._met_again if death is not None and death.cut_off else self._returned)[peer] = now

    def was_away(self, speakers: Mapping[str, Bulletin]) -> bool:
        """Whether those from whom this node was cut off have gone on meanwhile: then it is the one that is back.

        Had they been switched off they would not be settled.
        """
        return any((word := speakers.get(peer)) is not None and word.settled for peer in self._met_again)

    def forget(self, now: float) -> None:
        """Nobody who has been back for long is told apart from the others any more."""
        for back in (self._returned, self._met_again):
            for peer in [peer for peer, since in back.items() if now - since >= self._hold_seconds]:
                del back[peer]

    def changes(self) -> Iterable[float]:
        """When there will be something to forget."""
        return (since + self._hold_seconds for back in (self._returned, self._met_again) for since in back.values())
