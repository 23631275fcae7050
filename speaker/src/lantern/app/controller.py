# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller process: follows Services, pools and namespaces; writes addresses into Services."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from prometheus_client import CollectorRegistry

from lantern.adapters.http import StatusServer
from lantern.adapters.kube import convert
from lantern.adapters.kube.api import ApiError, KubeApi
from lantern.adapters.kube.reflector import Store, follow
from lantern.adapters.kube.writer import EventRecorder, write_status
from lantern.adapters.logs import fields
from lantern.app.configuration import ConfigurationKeeper
from lantern.app.process import run_until_stopped
from lantern.app.reconcile import Reconciler
from lantern.core.allocate import Assign, Plan, Refuse, Release, plan
from lantern.core.diff import difference
from lantern.core.model import PoolSpec, Service, ServiceKey, Snapshot
from lantern.core.requests import Denied, quoted
from lantern.metrics import ControllerMetrics
from lantern.pools import pool_ranges
from lantern.reasons import Reason
from lantern.settings import ControllerSettings

log = logging.getLogger("lantern.controller")

_PARALLEL_WRITES = 8
# The cluster's configuration took the address away; a Service that asked for another one knows by itself.
_TAKEN_AWAY = frozenset((Reason.NOT_IN_POOLS, Reason.POOL_NOT_COMPATIBLE, Reason.ADDRESS_IN_USE))


def run(settings: ControllerSettings) -> int:
    """Run the controller until a signal; returns the exit status."""

    async def main() -> None:
        await Controller(settings, KubeApi.connect()).run()

    return run_until_stopped("controller", settings, main)


def detail(service: Service, **values: object) -> dict[str, Any]:
    """Log fields about a Service."""
    return fields(service=str(service.key), **values)


class Controller:
    """One controller. Only one may run at a time: two could give one address to two Services."""

    def __init__(self, settings: ControllerSettings, api: KubeApi) -> None:
        self._settings = settings
        self._api = api
        self._registry = CollectorRegistry()
        self._metrics = ControllerMetrics(self._registry)
        pools_path = f"/apis/metallb.io/v1beta1/namespaces/{settings.namespace}/ipaddresspools"
        self._services = Store("services", "/api/v1/services", convert.service)
        self._namespaces = Store("namespaces", "/api/v1/namespaces", convert.namespace)
        self._pools = Store("ipaddresspools", pools_path, convert.pool)
        self._configuration = ConfigurationKeeper(self._metrics, self._pools)
        self._reconciler = Reconciler(self._one_pass, self._metrics)
        self._events = EventRecorder(api, "metallb-controller")
        self._refused: dict[ServiceKey, Denied] = {}

    async def run(self) -> None:
        """For ever, or until cancelled."""
        status = StatusServer(self._registry, self.not_ready)
        await status.start(self._settings.health_probe_host, self._settings.health_probe_port)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(follow(self._api, self._services, self._reconciler.notify))
                tasks.create_task(follow(self._api, self._namespaces, self._reconciler.notify))
                tasks.create_task(follow(self._api, self._pools, self._reconciler.notify))
                tasks.create_task(self._events.run())
                tasks.create_task(self._reconciler.run())
        finally:
            status.close()
            await self._api.close()

    def not_ready(self) -> str | None:
        """Why no Service can get an address yet; None when they can."""
        if waiting := self._unsynced():
            return f"waiting for the Kubernetes API to list {', '.join(waiting)}"
        pools = self._configuration.current.pools
        if pools:
            return None
        if problems := self._configuration.current.problems:
            return f"no configuration: {problems[0].message}"
        return f"no configuration: there is no IPAddressPool in namespace {self._settings.namespace}"

    def _unsynced(self) -> list[str]:
        return [store.plural for store in (self._services, self._namespaces, self._pools) if not store.is_synced]

    async def _one_pass(self) -> None:
        # Deciding on half of the picture could hand out an address that a Service not listed yet has.
        if self._unsynced():
            return
        pools = self._configuration.refresh().pools
        if pools is None:
            return
        snapshot = Snapshot(
            pools=pools,
            services=tuple(self._services.values()),
            namespaces={key.name: labels for key, labels in self._namespaces.items()},
            lb_class=self._settings.lb_class,
        )
        decided = plan(snapshot)
        self._tell_refusals(decided.refuse)
        self._count(pools, decided)
        await self._apply(decided)

    async def _apply(self, decided: Plan) -> None:
        """Write all of a plan. One Service that cannot be written holds up no other; the first error is raised last."""
        # Releases come first: an address is free in the cluster before it is written into another Service.
        for batch in (decided.release, decided.assign):
            gate = asyncio.Semaphore(_PARALLEL_WRITES)
            errors = await asyncio.gather(*(self._write(gate, item) for item in batch))
            for error in errors:
                if error is not None:
                    raise error

    async def _write(self, gate: asyncio.Semaphore, item: Assign | Release) -> ApiError | None:
        addresses, pool = (item.addresses, item.pool) if isinstance(item, Assign) else ((), None)
        async with gate:
            try:
                self._services.wrote(await write_status(self._api, item.service, addresses, pool))
            except ApiError as error:
                if error.is_outdated:
                    log.debug("Service changed meanwhile", extra=detail(item.service, error=str(error)))
                    return None
                log.error("Service not written", extra=detail(item.service, error=str(error)))
                return error
        self._tell_written(item)
        return None

    def _tell_written(self, item: Assign | Release) -> None:
        service = item.service
        if item.lost is not None and item.lost.reason in _TAKEN_AWAY:
            self._tell_lost(service, item.lost)
        if isinstance(item, Release):
            released = quoted(service.addresses)
            why = {"reason": item.lost.reason.value, "why": item.lost.sentence}
            log.info("address released", extra=detail(service, ips=released, **why))
        elif item.is_new:
            assigned = quoted(item.addresses)
            self._events.record(service, "Normal", "IPAllocated", f"Assigned IP {assigned}")
            log.info("address assigned", extra=detail(service, ips=assigned, pool=item.pool))

    def _tell_lost(self, service: Service, lost: Denied) -> None:
        message = (
            f'current IP for "{service.key}" not allowed by config, will attempt for new IP assignment: {lost.sentence}'
        )
        self._events.record(service, "Normal", "ClearAssignment", message)

    def _tell_refusals(self, refuse: tuple[Refuse, ...]) -> None:
        """Log and Event for refusals that are new or have another cause than before."""
        now = {item.service.key: item.denied for item in refuse}
        news = difference(self._refused, now)
        self._refused = now
        for item in refuse:
            service, denied = item.service, item.denied
            if service.key not in news.gained and service.key not in news.changed:
                continue
            log.warning("Service refused", extra=detail(service, reason=denied.reason.value, why=denied.sentence))
            if denied.reason is Reason.BAD_REQUEST:
                message = f"invalid requested loadbalancer IPs: {denied.sentence}"
                self._events.record(service, "Warning", "LoadBalancerFailed", message)
            else:
                message = f'Failed to allocate IP for "{service.key}": {denied.sentence}'
                self._events.record(service, "Warning", "AllocationFailed", message)

    def _count(self, pools: tuple[PoolSpec, ...], decided: Plan) -> None:
        """Set the gauges to what the plan makes true."""
        held = [(item.pool, item.service.addresses) for item in decided.keep]
        held += [(item.pool, item.addresses) for item in decided.assign]
        for family, gauge in self._metrics.total.items():
            used = self._metrics.in_use[family]
            gauge.clear()
            used.clear()
            for spec in pools:
                name = spec.pool.name
                sizes = [item.size for item in pool_ranges(spec.pool)[0] if family in (0, item.version)]
                gauge.labels(pool=name).set(sum(sizes))
                taken = [1 for pool, ips in held if pool == name for ip in ips if family in (0, ip.version)]
                used.labels(pool=name).set(len(taken))
        self._metrics.refused.clear()
        for item in decided.refuse:
            self._metrics.refused.labels(reason=item.denied.reason.value).inc()
