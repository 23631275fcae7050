# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where to look for members that are missing.

memberlist forgets a dead node and never looks for it again, so that two halves of a cluster that were apart for long
stay apart for ever. Here the addresses of those that died are remembered, beside the seeds given from outside.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from lantern.gossip.endpoint import Endpoint

_CAPACITY = 4096


class Seeds:
    """Seeds given from outside, and members that died."""

    def __init__(self, remember_seconds: float) -> None:
        self._remember_seconds = remember_seconds
        self._given: tuple[Endpoint, ...] = ()
        self._died: dict[str, tuple[Endpoint, float]] = {}

    def give(self, seeds: Iterable[Endpoint]) -> None:
        """Replace the seeds given before."""
        self._given = tuple(dict.fromkeys(seeds))

    def remember(self, name: str, where: Endpoint, *, now: float) -> None:
        """A member died there. With too many the one that died first is given up."""
        self._died.pop(name, None)
        self._died[name] = (where, now)
        if len(self._died) > _CAPACITY:
            del self._died[next(iter(self._died))]

    def forget(self, name: str) -> None:
        """The member is back, or has said goodbye."""
        self._died.pop(name, None)

    def missing(self, found: Collection[Endpoint], *, now: float) -> list[Endpoint]:
        """Where nobody has been found."""
        for name, (_, since) in list(self._died.items()):
            if now - since > self._remember_seconds:
                del self._died[name]
        wanted = dict.fromkeys((*self._given, *(where for where, _ in self._died.values())))
        return [where for where in wanted if where not in found]
