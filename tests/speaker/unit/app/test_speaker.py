# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The speaker over an API server in memory, without any network interface."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

import pytest
from fakes.kube import FakeKube
from lantern.app.speaker import Speaker
from lantern.pools import Address
from lantern.settings import SpeakerSettings

SERVICES = "/api/v1/services"
NODES = "/api/v1/nodes"
SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
POOLS = "/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools"
ADVERTISEMENTS = "/apis/metallb.io/v1beta1/namespaces/metallb-system/l2advertisements"

Applied = list[dict[str, frozenset[str] | None]]


def cluster() -> FakeKube:
    """One node, one Service with an address and an endpoint, announced everywhere."""
    kube = FakeKube()
    kube.put(NODES, {"metadata": {"name": "node1"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
    kube.put(
        SERVICES,
        {
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {"type": "LoadBalancer", "clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"]},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.168.2.128"}]}},
        },
    )
    labels = {"kubernetes.io/service-name": "web"}
    endpoints = [{"nodeName": "node1", "conditions": {"ready": True}}]
    kube.put(SLICES, {"metadata": {"name": "web-1", "namespace": "default", "labels": labels}, "endpoints": endpoints})
    kube.put(POOLS, {"metadata": {"name": "home"}, "spec": {"addresses": ["192.168.2.128/25"]}})
    kube.put(ADVERTISEMENTS, {"metadata": {"name": "all"}, "spec": {}})
    return kube


def run(kube: Callable[[], FakeKube], scenario: Callable[[FakeKube, Speaker, Applied], Awaitable[None]]) -> None:
    async def main() -> None:
        served = kube()
        settings = SpeakerSettings(namespace="metallb-system", node_name="node1", health_probe_port=0)
        speaker = Speaker(settings, served)  # type: ignore[arg-type]
        applied: Applied = []
        apply = speaker._announcer.apply

        def record(claims: Mapping[Address, frozenset[str] | None], **more: Collection[Address]) -> None:
            applied.append({str(address): interfaces for address, interfaces in claims.items()})
            apply(claims, **more)

        speaker._announcer.apply = record  # type: ignore[method-assign]
        task = asyncio.create_task(speaker.run())
        try:
            async with asyncio.timeout(10):
                await scenario(served, speaker, applied)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


@pytest.fixture(autouse=True)
def no_interfaces(monkeypatch: pytest.MonkeyPatch) -> None:
    def scan(_excluded: Any) -> dict[str, Any]:
        return {}

    monkeypatch.setattr("lantern.app.speaker.scan", scan)


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def announced(speaker: Speaker, ip: str) -> bool:
    """By the metrics."""
    labels = {"service": "default/web", "protocol": "layer2", "node": "node1", "ip": ip}
    return speaker._registry.get_sample_value("metallb_speaker_announced", labels) == 1


def withheld(speaker: Speaker, reason: str) -> bool:
    """By the metrics."""
    return speaker._registry.get_sample_value("lantern_services_withheld", {"reason": reason}) == 1


@pytest.mark.parametrize("late", [NODES, SERVICES, SLICES, POOLS, ADVERTISEMENTS])
def test_nothing_is_decided_before_everything_is_listed(late: str) -> None:
    def kube() -> FakeKube:
        made = cluster()
        made.withheld_lists.add(late)
        return made

    async def scenario(kube: FakeKube, speaker: Speaker, applied: Applied) -> None:
        await until(lambda: str(speaker.not_ready()).endswith(f"to list {late.rpartition('/')[2]}"))
        await asyncio.sleep(0.1)
        assert applied == []
        kube.withheld_lists.clear()
        await until(lambda: applied)
        assert applied == [{"192.168.2.128": None}]

    run(kube, scenario)


def test_event_once_and_again_after_the_address_was_lost() -> None:
    async def scenario(kube: FakeKube, speaker: Speaker, applied: Applied) -> None:
        await until(lambda: kube.events)
        kube.put(NODES, {"metadata": {"name": "other"}})
        await until(lambda: len(speaker._nodes.objects) > 1)
        await asyncio.sleep(0.05)
        ready = kube.objects[NODES]["node1"]
        kube.put(NODES, {"metadata": {"name": "node1"}})
        await until(lambda: applied[-1] == {})
        assert [event["reason"] for event in kube.events] == ["nodeAssigned"]
        kube.put(NODES, ready)
        await until(lambda: len(kube.events) == 2)
        assert kube.events[1]["message"] == 'announcing from node "node1" with protocol "layer2"'

    run(cluster, scenario)


def test_fresh_address_is_told_of_once_nobody_is_found_to_have_it() -> None:
    old, new = "192.168.2.128", "192.168.2.129"

    async def scenario(kube: FakeKube, speaker: Speaker, applied: Applied) -> None:
        await until(lambda: kube.events)
        web = kube.objects[SERVICES]["web"]
        kube.put(SERVICES, {**web, "status": {"loadBalancer": {"ingress": [{"ip": new}]}}})
        await until(lambda: withheld(speaker, "probing"))
        assert not announced(speaker, old) and not announced(speaker, new)
        kube.events.clear()
        await until(lambda: kube.events or announced(speaker, new))
        assert not speaker._announcer.probing and not withheld(speaker, "probing")
        await until(lambda: kube.events)
        assert [event["reason"] for event in kube.events] == ["nodeAssigned"]

    run(cluster, scenario)


def test_metrics_tell_what_is_announced_and_why_not() -> None:
    async def scenario(kube: FakeKube, speaker: Speaker, applied: Applied) -> None:
        await until(lambda: announced(speaker, "192.168.2.128"))
        kube.delete(SLICES, "web-1")
        await until(lambda: withheld(speaker, "noServingEndpoint"))
        assert not announced(speaker, "192.168.2.128")

    run(cluster, scenario)


def test_change_that_announcing_does_not_depend_on_leads_to_nothing() -> None:
    async def scenario(kube: FakeKube, speaker: Speaker, applied: Applied) -> None:
        def updates() -> float | None:
            return speaker._registry.get_sample_value("metallb_k8s_client_updates_total")

        await until(lambda: applied)
        await asyncio.sleep(0.05)
        before = updates()
        web = kube.objects[SERVICES]["web"]
        more = {"ports": [{"port": 8080}], "selector": {"app": "new"}}
        kube.put(SERVICES, {**web, "spec": {**web["spec"], **more}})
        await asyncio.sleep(0.1)
        assert updates() == before
        kube.put(SERVICES, {**web, "status": {"loadBalancer": {"ingress": [{"ip": "192.168.2.129"}]}}})
        await until(lambda: applied[-1] == {"192.168.2.129": None})

    run(cluster, scenario)


def test_advertisement_that_cannot_be_read_keeps_what_is_announced() -> None:
    async def scenario(kube: FakeKube, speaker: Speaker, applied: Applied) -> None:
        await until(lambda: applied)
        kube.put(ADVERTISEMENTS, {"metadata": {"name": "all"}, "spec": {"interfaces": 5}})
        await until(lambda: speaker._configuration.current.is_stale)
        await asyncio.sleep(0.1)
        assert applied[-1] == {"192.168.2.128": None}

    run(cluster, scenario)
