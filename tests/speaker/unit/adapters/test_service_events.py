# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Events tell of a Service."""

from __future__ import annotations

import msgspec
from fakes.kube import raw
from lantern.adapters.kube.service_events import assigned, sightings
from lantern.core.explain_announcing import Sighting


def event(reason: str, message: str, at: str, uid: str = "u", host: str = "node1", **more: object) -> msgspec.Raw:
    return raw(
        {
            "metadata": {"name": f"web.{at}"},
            "involvedObject": {"kind": "Service", "name": "web", "uid": uid},
            "reason": reason,
            "message": message,
            "lastTimestamp": at,
            "source": {"component": "metallb-speaker", "host": host},
            **more,
        }
    )


def announcing(node: str, at: str, protocol: str = "layer2", **more: object) -> msgspec.Raw:
    return event("nodeAssigned", f'announcing from node "{node}" with protocol "{protocol}"', at, **more)  # type: ignore[arg-type]


def test_the_newest_assignment_by_layer_2_counts() -> None:
    raws = [
        announcing("node2", "2026-01-01T00:00:02Z"),
        announcing("node1", "2026-01-01T00:00:01Z"),
        announcing("node3", "2026-01-01T00:00:03Z", "bgp"),
        announcing("node4", "2026-01-01T00:00:04Z", uid="former"),
        event("nodeAssigned", "something else", "2026-01-01T00:00:05Z"),
    ]
    assert assigned(raws, "u") == "node2"
    assert assigned(raws, "none") == "" and assigned(raws, "") == ""


def test_sightings_are_in_order_and_odd_events_are_skipped() -> None:
    raws = [
        event("addressFree", "free", "2026-01-01T00:00:03Z"),
        event("addressConflict", "02:00", "", host="node2", lastTimestamp=None, eventTime="2026-01-01T00:00:01.5Z"),
        raw({"metadata": {"name": "x"}, "involvedObject": 5}),
        event("IPAllocated", "x", "2026-01-01T00:00:02Z"),
        event("addressInUse", "used", "2026-01-01T00:00:02Z", source=None),
    ]
    assert sightings(raws, "u") == [
        Sighting("2026-01-01T00:00:01.5Z", "node2", "addressConflict", "02:00"),
        Sighting("2026-01-01T00:00:02Z", "", "addressInUse", "used"),
        Sighting("2026-01-01T00:00:03Z", "node1", "addressFree", "free"),
    ]
