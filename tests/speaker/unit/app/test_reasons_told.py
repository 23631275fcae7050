# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reason under its one name wherever people or programs look: Events, log, metrics, `lantern explain`."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import pytest
from fakes.kube import FakeKube
from fakes.plans import decide
from fakes.records import service
from fakes.refusals import CASES
from lantern.adapters.kube.lease import LeaseKeeper
from lantern.adapters.kube.writer import EventRecorder
from lantern.app.controller import Controller
from lantern.app.decision_reports import DecisionReports
from lantern.core.announce import Decision, Withheld
from lantern.core.explain import explain, render
from lantern.core.explain_announcing import Announcing, Row
from lantern.core.explain_announcing_text import render_announcing
from lantern.core.model import PoolSpec, Service, Snapshot
from lantern.core.requests import Denied
from lantern.core.usage import usage
from lantern.metrics import SpeakerMetrics
from lantern.reasons import Reason
from lantern.settings import ControllerSettings
from prometheus_client import CollectorRegistry

SERVICES = "/api/v1/services"
EVENT, LOG, METRIC, EXPLAIN = "event", "log", "metric", "explain"
EVERYWHERE = {EVENT, LOG, METRIC, EXPLAIN}

# Its owner has just changed the Service's type: nothing that an Event would have to tell.
OF_THE_OWNER = {Reason.NOT_LOAD_BALANCER}
# Why one pool is not used though no Service has to go without: explained when somebody asks.
OF_POOLS = {Reason.POOL_NOT_AUTOMATIC, Reason.POOL_NOT_NEEDED}
OF_ALLOCATION = {case[0] for case in CASES}

Told = dict[str, set[str]]


@pytest.fixture(autouse=True)
def leads_and_hurries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LeaseKeeper, "may_write", lambda self: True)
    monkeypatch.setattr("lantern.adapters.kube.writer._QUIET_SECONDS", 0.0)


async def on_events(kube: FakeKube, recorder: EventRecorder) -> set[str]:
    task = asyncio.create_task(recorder.run())
    while not recorder._queue.empty():
        await asyncio.sleep(0)
    task.cancel()
    annotations = [event["metadata"].get("annotations", {}) for event in kube.events]
    return {found["lantern.homelab/reason"] for found in annotations if found}


def in_log(caplog: pytest.LogCaptureFixture) -> set[str]:
    details = [getattr(record, "lantern_fields", {}) for record in caplog.records]
    return {found["reason"] for found in details if "reason" in found}


def in_metrics(registry: CollectorRegistry) -> set[str]:
    samples = [sample for metric in registry.collect() for sample in metric.samples if sample.value > 0]
    return {sample.labels["reason"] for sample in samples if "reason" in sample.labels}


def places(told: Told, reason: Reason) -> set[str]:
    return {place for place, codes in told.items() if reason.value in codes}


def by_a_controller(services: list[Service], pools: list[PoolSpec], caplog: pytest.LogCaptureFixture) -> Told:
    async def main() -> Told:
        kube = FakeKube()
        here = []
        for item in services:
            kube.put(SERVICES, {"metadata": {"name": item.key.name, "namespace": item.key.namespace}})
            stored = kube.objects[SERVICES][item.key.name]["metadata"]
            here.append(replace(item, resource_version=stored["resourceVersion"]))
        controller = Controller(ControllerSettings(namespace="metallb-system"), kube)  # type: ignore[arg-type]
        decided = decide(here, *pools)
        await controller._assigner.apply(decided)
        controller._count(tuple(pools), usage(pools, decided), decided)
        controller._assigner.tell(decided)
        snapshot = Snapshot(pools=tuple(pools), services=tuple(here))
        text = " ".join(render(explain(snapshot, item.key)) for item in here)
        return {
            EVENT: await on_events(kube, controller._events),
            LOG: in_log(caplog),
            METRIC: in_metrics(controller._registry),
            EXPLAIN: set(re.findall(r"\w+", text)),
        }

    caplog.set_level("DEBUG", "lantern")
    return asyncio.run(main())


@pytest.mark.parametrize(("reason", "services", "pools"), CASES, ids=[case[0].name for case in CASES])
def test_reason_of_allocation(
    reason: Reason, services: list[Service], pools: list[PoolSpec], caplog: pytest.LogCaptureFixture
) -> None:
    expected = {EXPLAIN} if reason in OF_POOLS else EVERYWHERE - ({EVENT} if reason in OF_THE_OWNER else set())
    assert places(by_a_controller(services, pools, caplog), reason) == expected


def by_a_speaker(reason: Reason, caplog: pytest.LogCaptureFixture) -> Told:
    async def main() -> Told:
        kube, registry, denied = FakeKube(), CollectorRegistry(), Denied(reason, "a sentence")
        recorder = EventRecorder(kube, "metallb-speaker")
        item = service("a", "1.2.3.0")
        DecisionReports("node1", recorder, SpeakerMetrics(registry)).tell(
            Decision({item.key: Withheld(service=item, denied=denied)})
        )
        text = render_announcing(Announcing(state="", nodes=(Row("node1", "does not announce it", denied),)))
        return {
            EVENT: await on_events(kube, recorder),
            LOG: in_log(caplog),
            METRIC: in_metrics(registry),
            EXPLAIN: set(re.findall(r"\w+", text)),
        }

    caplog.set_level("DEBUG", "lantern")
    return asyncio.run(main())


@pytest.mark.parametrize("reason", [one for one in Reason if one not in OF_ALLOCATION], ids=lambda one: one.name)
def test_reason_of_announcing(reason: Reason, caplog: pytest.LogCaptureFixture) -> None:
    # Each node but one has such a reason for each Service; MetalLB has an Event for this one.
    expected = EVERYWHERE if reason is Reason.NO_INTERFACE else EVERYWHERE - {EVENT}
    assert places(by_a_speaker(reason, caplog), reason) == expected
