# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the speakers have told about a Service by Events, as far as Kubernetes keeps them: an hour."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from lantern.adapters.kube import wire
from lantern.core.explain_announcing import Sighting

_SIGHTINGS = frozenset(("addressConflict", "addressInUse", "addressFree"))
_ASSIGNED = re.compile(r'announcing from node "([^"]+)" with protocol "layer2"')


def sightings(raws: Iterable[msgspec.Raw], uid: str) -> list[Sighting]:
    """What was found in the LAN about the addresses of the Service with this uid, the oldest first."""
    return [
        Sighting(_time(event), event.source.host if event.source else "", event.reason, event.message)
        for event in _of(raws, uid)
        if event.reason in _SIGHTINGS
    ]


def assigned(raws: Iterable[msgspec.Raw], uid: str) -> str:
    """The node that announced the Service last, as far as was told; empty for none."""
    found = [_ASSIGNED.search(event.message) for event in _of(raws, uid) if event.reason == "nodeAssigned"]
    return next((match[1] for match in reversed(found) if match is not None), "")


def _of(raws: Iterable[msgspec.Raw], uid: str) -> Iterator[wire.Event]:
    """The Events about one object, the oldest first."""
    found = [event for event in map(_read, raws) if event is not None and uid and event.involvedObject.uid == uid]
    return iter(sorted(found, key=_time))


def _read(raw: msgspec.Raw) -> wire.Event | None:
    try:
        return msgspec.json.decode(raw, type=wire.Event)
    except ValueError:
        return None


def _time(event: wire.Event) -> str:
    return event.lastTimestamp or event.eventTime or ""
