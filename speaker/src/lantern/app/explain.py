# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`lantern explain service NAMESPACE/NAME`: why a Service has its address, or none, and who announces it, and why.

Reads the cluster once and decides as the controller and the speakers would; works in their pods and with a kubeconfig.
In the pod of a speaker it also asks that speaker, which hears the others.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Any, TextIO, TypeVar

import httpx2
import msgspec

from lantern.adapters.kube import convert
from lantern.adapters.kube.api import ApiError, KubeApi
from lantern.adapters.kube.l2_status import l2_status, l2_statuses_path
from lantern.adapters.kube.memory_store import MemoryStore
from lantern.adapters.kube.reflector import Store, relist
from lantern.adapters.kube.service_events import assigned, sightings
from lantern.adapters.kube.writer import Background
from lantern.app import announcements
from lantern.app.configuration import Sources
from lantern.app.service_endpoints import by_service
from lantern.core.config import Configuration, Inputs, adopt, adopt_part
from lantern.core.explain import explain, render
from lantern.core.explain_announcing import Evidence, explain_announcing
from lantern.core.explain_announcing_text import render_announcing
from lantern.core.model import Service, ServiceKey, Snapshot
from lantern.core.surroundings import Surroundings
from lantern.settings import ExplainSettings

T = TypeVar("T")

_ASK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """All that an explanation is made from."""

    allocated: Snapshot
    """What the controller decides on."""
    announced: Snapshot | None
    """What the speakers decide on; None when this account must not read it."""
    evidence: Evidence
    remarks: tuple[str, ...]
    """What is wrong with the configuration, and what could not be read."""


def run(settings: ExplainSettings, out: TextIO | None = None, err: TextIO | None = None) -> int:
    """Explain; returns the exit status: 1 when there is no such Service or the cluster cannot be read."""
    out, err = out or sys.stdout, err or sys.stderr

    async def main() -> Cluster:
        api = KubeApi.connect()
        try:
            return await read_cluster(settings, api)
        finally:
            await api.close()

    try:
        cluster = asyncio.run(main())
    except ApiError as error:
        print(f"lantern: {error}", file=err)
        return 1
    key = ServiceKey(*settings.service)
    for remark in cluster.remarks:
        print(f"lantern: {remark}", file=err)
    out.write(render(explain(cluster.allocated, key)))
    if cluster.announced is not None:
        announcing = explain_announcing(
            cluster.announced, key, cluster.evidence, ignore_exclude_label=settings.ignore_exclude_lb
        )
        out.write(render_announcing(announcing) if announcing is not None else "")
    return 0 if _service(cluster.allocated.services, key) is not None else 1


async def read_cluster(settings: ExplainSettings, api: KubeApi) -> Cluster:
    """The cluster as it is now. Raises ApiError; what this account must not read is left out where it can be."""
    services = Store("services", "/api/v1/services", convert.service)
    namespaces = Store("namespaces", "/api/v1/namespaces", convert.namespace)
    nodes = Store("nodes", "/api/v1/nodes", convert.node)
    slices = Store("endpointslices", "/apis/discovery.k8s.io/v1/endpointslices", convert.endpoint_slice)
    statuses = Store("servicel2statuses", l2_statuses_path(settings.namespace), l2_status)
    sources = Sources.of(settings.namespace, settings.config_map, nodes, announces=True)
    memory = MemoryStore(api, settings.namespace, Background(), may_write=lambda: False)
    key = ServiceKey(*settings.service)
    needed: tuple[Store[Any], ...] = (services, namespaces, nodes, *sources.stores)
    unread: list[str] = []
    page, events, *_ = await asyncio.gather(
        _asked(f"http://127.0.0.1:{settings.port}{announcements.PATH}/{key}"),
        _allowed(api.list(f"/api/v1/namespaces/{key.namespace}/events"), "Events", unread),
        _allowed(memory.load(), "which addresses Services had", unread),
        _allowed(relist(api, statuses), "ServiceL2Status objects", unread),
        _allowed(relist(api, slices), "EndpointSlices, so nothing is said of who announces it", unread),
        asyncio.gather(*(relist(api, store) for store in needed)),
    )
    # A faulty advertisement stops the speakers, not the controller.
    controller = _adopted(replace(sources, advertisements=None).inputs(Surroundings()))
    speaker = _adopted(sources.inputs(Surroundings()))
    allocated = Snapshot(
        pools=controller.pools or (),
        services=tuple(services.values()),
        namespaces={item.name: labels for item, labels in namespaces.items()},
        lb_class=settings.lb_class,
        memory=memory.current,
    )
    announced = replace(
        allocated,
        pools=speaker.pools or (),
        advertisements=speaker.advertisements,
        nodes={node.name: node for node in nodes.values()},
        endpoints=by_service(slices.values()),
    )
    problems = dict.fromkeys(problem.message for problem in (*controller.problems, *speaker.problems))
    service = _service(allocated.services, key)
    raws = events[1] if events is not None else []
    return Cluster(
        allocated=allocated,
        announced=announced if slices.is_synced else None,
        evidence=Evidence(
            announcers=tuple(item.announcer for item in statuses.values()),
            assigned=assigned(raws, service.uid) if service is not None else "",
            sightings=tuple(sightings(raws, service.uid)) if service is not None else (),
            told=announcements.told(page, service) if service is not None else None,
        ),
        remarks=(*(f"the configuration has a problem: {message}" for message in problems), *unread),
    )


def _adopted(inputs: Inputs) -> Configuration:
    # What a running process still uses of an older configuration is known to it alone; its usable part comes near.
    configuration = adopt(Configuration(), inputs)
    return configuration if configuration.is_loaded else adopt_part(inputs)


def _service(services: tuple[Service, ...], key: ServiceKey) -> Service | None:
    return next((service for service in services if service.key == key), None)


async def _allowed(reading: Awaitable[T], what: str, unread: list[str]) -> T | None:
    """What was read; None, and a sentence in `unread`, when this account must not or there is no such kind."""
    try:
        return await reading
    except ApiError as error:
        if error.code not in (403, 404):
            raise
        unread.append(f"without {what}: {error}")
        return None


async def _asked(url: str) -> Any:
    """What the speaker on this host says; None when there is none."""
    try:
        async with httpx2.AsyncClient(timeout=_ASK_SECONDS, trust_env=False) as client:
            answer = await client.get(url)
            answer.raise_for_status()
            return msgspec.json.decode(answer.content)
    except (httpx2.HTTPError, msgspec.DecodeError):
        return None
