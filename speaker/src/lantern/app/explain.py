# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`lantern explain service NAMESPACE/NAME`: why a Service has its address, or none.

Reads the cluster once and decides as the controller would; works in the controller's pod and with a kubeconfig.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, TextIO

from lantern.adapters.kube import convert
from lantern.adapters.kube.api import ApiError, KubeApi
from lantern.adapters.kube.memory_store import MemoryStore
from lantern.adapters.kube.reflector import Store, relist
from lantern.adapters.kube.writer import Background
from lantern.app.configuration import Sources
from lantern.core.config import Configuration, adopt, adopt_part
from lantern.core.explain import explain, render
from lantern.core.model import ServiceKey, Snapshot
from lantern.core.surroundings import Surroundings
from lantern.settings import ExplainSettings


def run(settings: ExplainSettings, out: TextIO | None = None, err: TextIO | None = None) -> int:
    """Explain; returns the exit status: 1 when there is no such Service or the cluster cannot be read."""
    out, err = out or sys.stdout, err or sys.stderr

    async def main() -> tuple[Snapshot, Configuration]:
        api = KubeApi.connect()
        try:
            return await read_cluster(settings, api)
        finally:
            await api.close()

    try:
        snapshot, configuration = asyncio.run(main())
    except ApiError as error:
        print(f"lantern: {error}", file=err)
        return 1
    key = ServiceKey(*settings.service)
    for problem in configuration.problems:
        print(f"lantern: the configuration has a problem: {problem.message}", file=err)
    out.write(render(explain(snapshot, key)))
    return 0 if any(service.key == key for service in snapshot.services) else 1


async def read_cluster(settings: ExplainSettings, api: KubeApi) -> tuple[Snapshot, Configuration]:
    """The cluster as it is now, and its configuration. Raises ApiError."""
    services = Store("services", "/api/v1/services", convert.service)
    namespaces = Store("namespaces", "/api/v1/namespaces", convert.namespace)
    nodes = Store("nodes", "/api/v1/nodes", convert.node)
    sources = Sources.of(settings.namespace, settings.config_map, nodes, announces=False)
    stores: tuple[Store[Any], ...] = (services, namespaces, nodes, *sources.stores)
    memory = MemoryStore(api, settings.namespace, Background(), may_write=lambda: False)
    await asyncio.gather(*(relist(api, store) for store in stores), memory.load())
    inputs = sources.inputs(Surroundings())
    configuration = adopt(Configuration(), inputs)
    # What a running controller still uses of an older configuration is known to it alone; its usable part comes near.
    usable = configuration if configuration.is_loaded else adopt_part(inputs)
    snapshot = Snapshot(
        pools=usable.pools or (),
        services=tuple(services.values()),
        namespaces={key.name: labels for key, labels in namespaces.items()},
        lb_class=settings.lb_class,
        memory=memory.current,
    )
    return snapshot, configuration
