# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the owners of Services are told about their addresses."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from lantern.announce.layer2 import Report
from lantern.app.layer2_reports import Layer2Reports
from lantern.core.model import Service, ServiceKey
from lantern.l2.conflicts import ConflictSeen
from lantern.l2.probing import FoundFree, FoundInUse

VIP = ip_address("192.168.2.128")
MAC = bytes.fromhex("020000000066")
WEB = Service(key=ServiceKey("default", "web"), addresses=(VIP,))


class Recorder:
    def __init__(self) -> None:
        self.events: list[tuple[Service, str, str, str]] = []

    def record(self, service: Service, kind: str, reason: str, message: str) -> None:
        self.events.append((service, kind, reason, message))


@pytest.mark.parametrize(
    ("report", "kind", "reason", "words"),
    [
        (ConflictSeen(VIP, MAC, "eth0"), "Warning", "addressConflict", "02:00:00:00:00:66 (locally administered"),
        (FoundInUse(VIP, MAC, "eth0"), "Warning", "addressInUse", "is not announced"),
        (FoundFree(VIP, was_in_use=True), "Normal", "addressFree", "is free now"),
    ],
)
def test_event_names_the_address_and_the_stranger(report: Report, kind: str, reason: str, words: str) -> None:
    recorder = Recorder()
    Layer2Reports(recorder, lambda address: [WEB] if address == VIP else []).tell(report)  # type: ignore[arg-type]
    ((service, found_kind, found_reason, message),) = recorder.events
    assert (service, found_kind, found_reason) == (WEB, kind, reason)
    assert "192.168.2.128" in message and words in message


def test_address_that_was_free_all_along_is_no_news() -> None:
    recorder = Recorder()
    Layer2Reports(recorder, lambda address: [WEB]).tell(FoundFree(VIP, was_in_use=False))  # type: ignore[arg-type]
    assert recorder.events == []
