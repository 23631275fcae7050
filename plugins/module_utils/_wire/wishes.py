# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a DHCP server offers what it is asked for, by asking for addresses outside the pools. PRIVATE, pure.

Some servers heed no wishes (option 50, RFC 2132 section 9.1): that they do not offer a pool's address shows nothing.
Such a server may offer an address that it was asked for by chance, so one grant is not enough. The chance is one in as
many addresses as it hands out; two grants without a refusal, or three, make it small.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

MOST_WISHES = 8
_STEPS = (3, 5, 2, 7)


@dataclass
class Wish:
    """An address that the server was asked for; `granted` is None while the answer is awaited."""

    address: int
    repeated: bool
    granted: bool | None = None


@dataclass
class Wishes:
    """What one server was asked for, and what is to be asked next. Addresses are integers."""

    made: list[Wish] = field(default_factory=list)

    @property
    def heeded(self) -> bool:
        """Whether it is shown that the server offers what it is asked for."""
        granted = sum(wish.granted is True for wish in self.made)
        # That it does not offer the same address to a second client is no refusal: it may hold it back for the first.
        refused = any(wish.granted is False and not wish.repeated for wish in self.made)
        return granted >= (3 if refused else 2)

    @property
    def pending(self) -> Wish | None:
        return self.made[-1] if self.made and self.made[-1].granted is None else None

    def following(self, offers: t.Sequence[int], usable: t.Callable[[int], bool]) -> Wish | None:
        """The next wish, None when an answer is awaited or enough was asked.

        `offers`: all that the server has offered, in order. `usable`: whether an address may be asked for.
        """
        if self.heeded or self.pending is not None or not offers or len(self.made) >= MOST_WISHES:
            return None
        last = self.made[-1] if self.made else None
        if last is not None and last.granted and not last.repeated:
            # The same for another client: servers that ping before they offer answer this at once.
            return Wish(last.address, True)
        tried = {wish.address for wish in self.made}
        low, high = min(offers), max(offers)
        # None next to one that was offered, as many servers go through their range, and not the latest, as some offer
        # the same to everybody. Earlier offers come last: a server may hold them back for a while.
        beside = [value for step in _STEPS for value in (high + step, low - step) if value not in offers]
        former = [value for value in offers if abs(value - offers[-1]) > 1]
        found = next((value for value in beside + former if value not in tried and usable(value)), None)
        return None if found is None else Wish(found, False)
