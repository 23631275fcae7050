# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What answering for many addresses takes, and what a change of one of them costs: the rows about the speaker.

Its memory and what it costs while nothing happens are among the rows about addresses (`controller`).
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from homelab.shell import LabError

from . import lab, lan
from .figures import Row, quantile
from .scenario import Extent, Lab, Scenario
from .services import until
from .session import Session

LAB = Lab(name="speaker")
QUESTIONS = 3000
PAUSE_SECONDS = 0.002
FLOODS, FLOOD_SECONDS = 3, 4.0
# The smaller number of Services that a change is measured with, and how often one is changed.
FEW = 100
CHANGES = 100
CHANGE_INTERVAL = 0.2
_ANSWERED_SECONDS = 120.0
_WAIT_SECONDS = 3.0


def scenarios(extent: Extent) -> tuple[Scenario, ...]:
    """Changes among few Services first, as Services only become more."""
    sized = [scenario for size in extent.sizes for scenario in (_arp(size), _change(size))]
    return (_change(FEW), *sized) if FEW not in extent.sizes else tuple(sized)


# Answers


def _arp(size: int) -> Scenario:
    title = f"{size:,} addresses"
    one = f"{QUESTIONS:,} questions of one client, one at a time"
    kernel = "a node's own address, asked in turn with the others"
    flood = f"64 under way for {FLOOD_SECONDS:.0f} s, median of {FLOODS}; all speakers together"
    return Scenario(
        name="arp",
        rows=(
            Row(key=f"arp_p50@{size}", what=f"ARP with {title}, answer, p50", how=one, unit="µs", rival=True),
            Row(key=f"arp_p99@{size}", what="The same, p99", unit="µs", rival=True),
            Row(key=f"arp_lost@{size}", what="The same, without an answer", unit="questions", target=0),
            Row(key=f"arp_kernel_p50@{size}", what="The kernel's own answer, p50", how=kernel, unit="µs"),
            Row(key=f"arp_kernel_p99@{size}", what="The same, p99", unit="µs"),
            Row(
                key=f"arp_rate@{size}",
                what=f"ARP with {title}, answers",
                how=flood,
                unit="per second",
                target=12_000,
                greater=True,
            ),
            Row(
                key=f"arp_kernel_rate@{size}",
                what="The kernels' own answers",
                how="what the client itself can do",
                unit="per second",
                greater=True,
            ),
        ),
        measure=lambda session: _measure_arp(session, size),
        lab=LAB,
    )


def _measure_arp(session: Session, size: int) -> None:
    session.ensure(size)
    session.settle()
    addresses = [found[0] for found in session.services.watch.addresses.values()]
    until(lambda: not _silent(addresses), _ANSWERED_SECONDS, f"somebody answers for all {size} addresses", every=1)
    kernels = [node.address for node in lab.topology().nodes]
    groups = {"arp": addresses, "arp_kernel": kernels}
    found = _load(groups=groups, count=QUESTIONS, pause=PAUSE_SECONDS)
    for name in groups:
        seconds = found[name]["seconds"]
        if not seconds:
            raise LabError(f"none of {QUESTIONS} questions was answered")
        session.record(f"{name}_p50@{size}", quantile(seconds, 0.5) * 1e6)
        session.record(f"{name}_p99@{size}", quantile(seconds, 0.99) * 1e6)
    session.record(f"arp_lost@{size}", found["arp"]["lost"])
    for name, asked in groups.items():
        rates = [float(_load(addresses=asked, seconds=FLOOD_SECONDS)["answers"]) for _ in range(FLOODS)]
        session.record(f"{name}_rate@{size}", statistics.median(rates), rates)


def _silent(addresses: list[str]) -> list[str]:
    """Those that nobody answers for."""
    with lan.Asker() as asker:
        # In parts, as a node's queue for packets is not endless.
        parts = [addresses[start : start + 100] for start in range(0, len(addresses), 100)]
        return [address for part in parts for address, macs in asker.who_has(part, 0.2).items() if not macs]


def _load(**options: Any) -> dict[str, Any]:
    asker = {"interface": lan.INTERFACE, "mac": lan.ASKER_MAC, "address": lan.asker_address()}
    answered: dict[str, Any] = json.loads(lab.run_in(lan.CLIENT, "arp_load", {**asker, **options}))
    return answered


# Changes


def _change(size: int) -> Scenario:
    many = size > FEW
    rows = [
        Row(
            key=f"change_cpu@{size}",
            what=f"One of {size:,} Services changes its port: processor time of one speaker",
            how=f"/proc, mean of {CHANGES} changes and all speakers, what it takes idle taken off",
            unit="ms",
        )
    ]
    if many:
        rows.append(
            Row(
                key=f"change_growth@{size}",
                what=f"The same as a multiple of what it takes with {FEW} Services",
                how="1 would be: proportional to the change",
                unit="times",
                target=2,
            )
        )
    return Scenario(name="change", rows=tuple(rows), measure=lambda session: _measure_change(session, size), lab=LAB)


def _measure_change(session: Session, size: int) -> None:
    session.ensure(size)
    session.settle()
    length = CHANGES * CHANGE_INTERVAL
    idle = _spent(session, lambda: time.sleep(length + _WAIT_SECONDS))
    busy = _spent(session, lambda: _change_services(session))
    each = max(0.0, busy - idle) / CHANGES * 1e3
    session.record(f"change_cpu@{size}", each, [idle, busy])
    few = session.values.get(f"change_cpu@{FEW}")
    if size > FEW and few:
        session.record(f"change_growth@{size}", each / few)


def _spent(session: Session, action: Callable[[], None]) -> float:
    """Seconds of processor time that one speaker uses while something is done, mean of all."""
    before = [usage.processor for usage in session.pods.usage("speaker")]
    action()
    after = [usage.processor for usage in session.pods.usage("speaker")]
    return (sum(after) - sum(before)) / max(1, len(after))


def _change_services(session: Session) -> None:
    services, due = session.services, time.monotonic()
    names = sorted(services.watch.addresses)
    for number in range(CHANGES):
        port = {"spec": {"ports": [{"port": 1000 + number, "targetPort": 80}]}}
        services.api.merge(f"{services.path}/{names[number * len(names) // CHANGES]}", port)
        due += CHANGE_INTERVAL
        time.sleep(max(0.0, due - time.monotonic()))
    time.sleep(_WAIT_SECONDS)
