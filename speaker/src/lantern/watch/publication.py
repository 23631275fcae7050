# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a speaker's bulletin equal on both sides: by difference where the other side has a recent one, else in pages.

Both sides tell in every probe and answer which edition they have; whoever is behind is sent what it lacks. So nothing
needs to arrive, and nothing is sent while nothing changes.
"""

from __future__ import annotations

from collections import OrderedDict

from lantern.tenure import Bulletin, Tenure
from lantern.watch import messages
from lantern.watch.messages import NONE, Delta, Edition, Page

_KEPT = 8
_VERSIONS = 1 << 32


class Publication:
    """This speaker's bulletins."""

    def __init__(self, boot: int) -> None:
        self.edition = Edition(boot, 0)
        self._kept: OrderedDict[int, Bulletin] = OrderedDict()

    @property
    def current(self) -> Bulletin | None:
        """None before the first."""
        return self._kept.get(self.edition.version)

    def publish(self, bulletin: Bulletin) -> bool:
        """Whether it is news."""
        if bulletin == self.current:
            return False
        self.edition = Edition(self.edition.boot, max(1, (self.edition.version + 1) % _VERSIONS))
        self._kept[self.edition.version] = bulletin
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return True

    def bring(self, seen: Edition, *, now: float) -> list[bytes]:
        """The messages for a peer that has this edition."""
        current = self.current
        if current is None or seen == self.edition:
            return []
        before = self._kept.get(seen.version) if seen.boot == self.edition.boot else None
        if before is not None:
            old, new = before.tenures, current.tenures
            gone = [key for key in old if key not in new]
            changed = [key for key, tenure in new.items() if old.get(key) != tenure]
            delta = messages.encode_delta(self.edition, seen.version, current, changed, gone, now=now)
            if delta is not None:
                return [delta]
        return messages.encode_bulletin(self.edition, current, now=now)


class Subscription:
    """A peer's bulletins."""

    def __init__(self) -> None:
        self.edition = NONE
        self.bulletin: Bulletin | None = None
        self._pages: dict[int, Page] = {}

    def take_page(self, page: Page, *, now: float) -> bool:
        """Whether the bulletin is complete and new by this page."""
        if page.edition.boot == self.edition.boot and page.edition.version <= self.edition.version:
            return False
        if any(other.edition != page.edition or other.pages != page.pages for other in self._pages.values()):
            self._pages.clear()
        self._pages[page.page] = page
        if len(self._pages) < page.pages:
            return False
        entries = {key: entry for part in self._pages.values() for key, entry in part.entries.items()}
        self._pages.clear()
        self._adopt(page.edition, page.word, entries, now=now)
        return True

    def take_delta(self, delta: Delta, *, now: float) -> bool:
        """Whether it follows the edition that is here."""
        if self.bulletin is None or (delta.edition.boot, delta.since) != self.edition:
            return False
        kept = {key: tenure for key, tenure in self.bulletin.tenures.items() if key not in delta.gone}
        kept.update(messages.tenures(delta.entries, now=now))
        self.edition, self.bulletin = delta.edition, _with(delta.word, kept)
        return True

    def _adopt(self, edition: Edition, word: Bulletin, entries: dict[bytes, tuple[int, float]], *, now: float) -> None:
        self.edition, self.bulletin = edition, _with(word, messages.tenures(entries, now=now))


def _with(word: Bulletin, tenures: dict[bytes, Tenure]) -> Bulletin:
    return Bulletin(
        ready=word.ready,
        settled=word.settled,
        leaving=word.leaving,
        interfaces=word.interfaces,
        tenures=tenures,
        in_use=word.in_use,
    )
