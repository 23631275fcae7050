# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells of what this node announces, and why not the rest: log lines, Events and metrics, on change only."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping

from lantern.adapters.kube.writer import EventRecorder
from lantern.adapters.logs import fields
from lantern.core.announce import Decision, Verdict, Withheld
from lantern.core.diff import replaced
from lantern.core.model import ServiceKey
from lantern.core.requests import quoted
from lantern.metrics import SpeakerMetrics
from lantern.pools import Address
from lantern.reasons import Reason

log = logging.getLogger("lantern.speaker")

_PROTOCOL = "layer2"
# Each Service goes through these, on its owner or on each other node: nothing that somebody would want to look into.
_USUAL = frozenset({Reason.NO_ADDRESS, Reason.NOT_OWNER, Reason.PROBING})


class DecisionReports:
    """Follows the decisions of one node."""

    def __init__(self, node: str, events: EventRecorder, metrics: SpeakerMetrics) -> None:
        self._node = node
        self._events = events
        self._metrics = metrics
        self._told: Mapping[ServiceKey, Verdict] = {}
        self._withheld: Counter[Reason] = Counter()

    def tell(self, decided: Decision) -> None:
        """A decision is in force."""
        told, self._told = self._told, decided.verdicts
        for key in sorted(replaced(told, self._told)):
            before, after = told.get(key), self._told.get(key)
            self._tell_addresses(key, _addresses(before), after)
            self._tell_withheld(before, after)

    def _tell_addresses(self, key: ServiceKey, before: tuple[Address, ...], verdict: Verdict | None) -> None:
        after = _addresses(verdict)
        if before == after:
            return
        if isinstance(verdict, tuple):
            message = f'announcing from node "{self._node}" with protocol "{_PROTOCOL}"'
            self._events.record(verdict[0].service, "Normal", "nodeAssigned", message)
            log.info("announcing", extra=fields(service=str(key), ips=quoted(after), protocol=_PROTOCOL))
        else:
            log.info("withdrawn", extra=fields(service=str(key), ips=quoted(before), protocol=_PROTOCOL))
        for address in before:
            if address not in after:
                self._metrics.announced.remove(str(key), _PROTOCOL, self._node, str(address))
        for address in after:
            self._metrics.announced.labels(str(key), _PROTOCOL, self._node, str(address)).set(1)

    def _tell_withheld(self, before: Verdict | None, after: Verdict | None) -> None:
        known = before.denied if isinstance(before, Withheld) else None
        denied = after.denied if isinstance(after, Withheld) else None
        if known == denied:
            return
        if known is not None:
            self._count(known.reason, -1)
        if isinstance(after, Withheld):
            self._count(after.denied.reason, 1)
            self._explain(after)

    def _count(self, reason: Reason, more: int) -> None:
        self._withheld[reason] += more
        if self._withheld[reason]:
            self._metrics.withheld.labels(reason=reason.value).set(self._withheld[reason])
        else:
            self._metrics.withheld.remove(reason.value)

    def _explain(self, withheld: Withheld) -> None:
        service, denied = withheld.service, withheld.denied
        detail = fields(service=str(service.key), reason=denied.reason.value, why=denied.sentence)
        level = logging.DEBUG if denied.reason in _USUAL else logging.INFO
        log.log(level, "not announced from here", extra=detail)
        if denied.reason is Reason.NO_INTERFACE:
            message = f'{denied.sentence} with protocol "{_PROTOCOL}"'
            self._events.record(service, "Warning", "announceFailed", message, code=denied.reason.value)


def _addresses(verdict: Verdict | None) -> tuple[Address, ...]:
    return tuple(claim.address for claim in verdict) if isinstance(verdict, tuple) else ()
