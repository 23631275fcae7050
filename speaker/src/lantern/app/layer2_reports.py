# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells the owners of Services what was found on the wire about their addresses: Events and log lines."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from lantern.adapters.kube.writer import EventRecorder
from lantern.adapters.logs import fields
from lantern.adapters.vendors import describe
from lantern.announce.layer2 import Report
from lantern.core.model import ANYWAY_ANNOTATION, Service
from lantern.l2.conflicts import ConflictSeen
from lantern.l2.probing import FoundFree, FoundInUse
from lantern.pools import Address

log = logging.getLogger("lantern.layer2")

_REMEDY = "give that host another address, or take this one out of the pools"
_OR_ELSE = f"or have it announced all the same by the Service's annotation {ANYWAY_ANNOTATION}=true"


class Layer2Reports:
    """`services_of` are the Services that have an address."""

    def __init__(self, events: EventRecorder, services_of: Callable[[Address], Iterable[Service]]) -> None:
        self._events = events
        self._services_of = services_of

    def tell(self, report: Report) -> None:
        """Record one Event on each Service concerned."""
        match report:
            case ConflictSeen():
                who = _who(report)
                message = f"another host uses {report.address} too: {who}; {_REMEDY}"
                log.warning("address conflict", extra=fields(ip=str(report.address), stranger=who))
                self._record(report.address, "Warning", "addressConflict", message)
            case FoundInUse():
                who = _who(report)
                message = f"{report.address} is not announced, for another host has it: {who}; {_REMEDY}, {_OR_ELSE}"
                log.warning("address in use elsewhere", extra=fields(ip=str(report.address), stranger=who))
                self._record(report.address, "Warning", "addressInUse", message)
            case FoundFree(address=address, was_in_use=True):
                log.info("address is free", extra=fields(ip=str(address)))
                self._record(address, "Normal", "addressFree", f"{address} is free now and announced")
            case FoundFree():
                pass

    def _record(self, address: Address, kind: str, reason: str, message: str) -> None:
        for service in self._services_of(address):
            self._events.record(service, kind, reason, message)


def _who(report: ConflictSeen | FoundInUse) -> str:
    about = describe(report.mac)
    return f"MAC address {report.mac.hex(':')}{f' ({about})' if about else ''} on {report.interface}"
