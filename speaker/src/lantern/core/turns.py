# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order a plan is written: an address has left one Service in the cluster before it is written into another.

What fails leaves those that wait for it to a later plan. Services that swap addresses wait for each other; one of them
is emptied first.
"""

from __future__ import annotations

from dataclasses import replace

from lantern.core.decisions import Assign, Plan, Release
from lantern.core.model import ServiceKey
from lantern.core.requests import Denied
from lantern.pools import Address
from lantern.reasons import Reason


class Turns:
    """The writes of one plan."""

    __slots__ = ("_leaving", "_open", "_under_way")

    def __init__(self, plan: Plan) -> None:
        self._open: list[Assign | Release] = [*plan.release, *plan.assign]
        self._under_way: set[ServiceKey] = set()
        """What was handed out and has not been written."""
        self._leaving: dict[Address, set[ServiceKey]] = {}
        for item in self._open:
            for address in _given_up(item):
                self._leaving.setdefault(address, set()).add(item.service.key)

    def next(self) -> list[Assign | Release]:
        """What can be written now; nothing when all is, or when the rest waits for what was not written."""
        ready = [item for item in self._open if not self._awaited(item)]
        if ready:
            self._open = [item for item in self._open if self._awaited(item)]
        elif self._open and not self._under_way:
            ready = [self._emptied_first()]
        self._under_way.update(item.service.key for item in ready)
        return ready

    def _emptied_first(self) -> Release:
        """Everybody waits for somebody: one of those that wait in a circle."""
        waiting = {item.service.key: item for item in self._open}
        seen: list[ServiceKey] = []
        key = next(iter(waiting))
        while key not in seen:
            seen.append(key)
            key = min(self._awaited(waiting[key]))
        found = waiting[key]
        lost = found.lost or Denied(Reason.OTHER_ADDRESS_REQUESTED, "it swaps its address with another Service")
        return Release(service=found.service, lost=lost)

    def wrote(self, item: Assign | Release, version: str) -> None:
        """It was written; the Service has this version now."""
        key = item.service.key
        self._under_way.discard(key)
        for address in _given_up(item):
            self._leaving[address].discard(key)
        if isinstance(item, Release):
            emptied = replace(item.service, addresses=(), resource_version=version)
            self._open = [
                replace(one, service=emptied, lost=None) if isinstance(one, Assign) and one.service.key == key else one
                for one in self._open
            ]

    def _awaited(self, item: Assign | Release) -> set[ServiceKey]:
        """Who has yet to give up an address that this one gets."""
        if not self._leaving or isinstance(item, Release):
            return set()
        found = set().union(*(self._leaving.get(address, ()) for address in item.addresses))
        return found - {item.service.key}


def _given_up(item: Assign | Release) -> set[Address]:
    return set(item.service.addresses).difference(item.addresses if isinstance(item, Assign) else ())
