# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller process: follows Services, pools and namespaces; writes addresses into Services while it leads."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from prometheus_client import CollectorRegistry, Gauge

from lantern.adapters.http import StatusServer
from lantern.adapters.kube import convert
from lantern.adapters.kube.api import KubeApi
from lantern.adapters.kube.configuration_state import Reporter, StateKeeper
from lantern.adapters.kube.lease import LeaseKeeper
from lantern.adapters.kube.memory_store import MemoryStore
from lantern.adapters.kube.pool_status import Counters, PoolStatusWriter
from lantern.adapters.kube.reflector import Store, follow, relist
from lantern.adapters.kube.writer import Background, EventRecorder
from lantern.adapters.logs import fields
from lantern.app.assigner import Assigner
from lantern.app.configuration import ConfigurationKeeper, Sources
from lantern.app.process import run_until_stopped
from lantern.app.reconcile import Reconciler
from lantern.core.allocate import plan
from lantern.core.decisions import Note, Plan, Refuse
from lantern.core.leadership import Timings
from lantern.core.memory import remember
from lantern.core.model import PoolSpec, Snapshot
from lantern.core.recall import Recall
from lantern.core.surroundings import Surroundings
from lantern.core.usage import Usage, usage
from lantern.metrics import ControllerMetrics
from lantern.settings import ControllerSettings

log = logging.getLogger("lantern.controller")

LEASE = "lantern-controller"
# One core's part that deciding may take while changes keep coming; the rest is for writing.
_SHARE = 0.5
# What is listed after the Lease was taken need not be listed again; an API server that does not answer is no reason
# to list nothing.
_LOOK_SECONDS = 1.0
# What is under way may take this long to finish; the Lease of one that gives up has to expire, which takes longer.
_DRAIN_SECONDS = 2.0
_FLUSH_SECONDS = 0.5
# A controller that stands by plans this long after something has changed.
_REHEARSE_SECONDS = 5.0


def run(settings: ControllerSettings) -> int:
    """Run the controller until a signal; returns the exit status."""

    async def main() -> None:
        await Controller(settings, KubeApi.connect()).run()

    return run_until_stopped("controller", settings, main)


class Controller:
    """One controller. Any number may run; the one that holds the Lease writes. Make it inside a running event loop."""

    def __init__(self, settings: ControllerSettings, api: KubeApi) -> None:
        self._settings = settings
        self._api = api
        self._registry = CollectorRegistry()
        self._metrics = ControllerMetrics(self._registry)
        self._services = Store("services", "/api/v1/services", convert.service)
        self._namespaces = Store("namespaces", "/api/v1/namespaces", convert.namespace)
        nodes = Store("nodes", "/api/v1/nodes", convert.node)
        sources = Sources.of(settings.namespace, settings.config_map, nodes, announces=False)
        self._stores: tuple[Store[Any], ...] = (self._services, self._namespaces, nodes, *sources.stores)
        self._reconciler = Reconciler(self._one_pass, self._metrics, share=_SHARE)
        background = Background()
        self._events = EventRecorder(api, "metallb-controller", background=background)
        timings = Timings(duration=settings.lease_duration, renew=settings.lease_renew)
        # Outside a cluster there is no pod; the name only has to differ from that of any other controller.
        self._identity = settings.pod_name or f"{os.uname().nodename}-{secrets.token_hex(4)}"
        self._lease = LeaseKeeper(api, settings.namespace, LEASE, self._identity, timings, self._lead_or_follow)
        reporter = Reporter.controller(settings.pod_name, settings.pod_uid)
        self._state = StateKeeper(api, settings.namespace, reporter, self._lease.may_write)
        self._configuration = ConfigurationKeeper(
            self._metrics,
            sources,
            self._state,
            Surroundings(settings.lans, settings.router),
            self._events,
            self._lease.may_write,
        )
        self._recall = Recall()
        self._rehearsal: asyncio.TimerHandle | None = None
        # A term lasts from one change of leadership to the next; the state was read anew in the one that began then.
        self._term_began = 0.0
        self._read_in_term: float | None = None
        self._assigner = Assigner(api, self._services, self._events, background, self._metrics, self._lease.may_write)
        self._pool_status = PoolStatusWriter(api, sources.pools, background, self._lease.may_write)
        self._memory = MemoryStore(api, settings.namespace, background, self._lease.may_write)

    async def run(self) -> None:
        """For ever, or until cancelled; then what is under way is finished and the Lease given back."""
        status = StatusServer(self._registry, self.not_ready, but=self._configuration.stale)
        await status.start(self._settings.health_probe_host, self._settings.health_probe_port)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._lease.run())
                tasks.create_task(self._state.run())
                tasks.create_task(self._events.run())
                tasks.create_task(self._pool_status.run())
                tasks.create_task(self._memory.run())
                tasks.create_task(self._reconciler.run())
                await self._lease.looked_at(_LOOK_SECONDS)
                for store in self._stores:
                    tasks.create_task(follow(self._api, store, self._reconciler.notify))
        finally:
            await self._hand_over()
            status.close()
            await self._api.close()

    async def _hand_over(self) -> None:
        """Give the Lease back when nothing is under way any more; else it has to expire."""
        if await self._assigner.drain(_DRAIN_SECONDS):
            with suppress(TimeoutError):
                async with asyncio.timeout(_FLUSH_SECONDS):
                    await self._memory.flush()
            await self._lease.release()

    def not_ready(self) -> str | None:
        """Why no Service can get an address yet; None when they can. A controller that stands by is ready, too."""
        if waiting := self._unsynced():
            return f"waiting for the Kubernetes API to list {', '.join(waiting)}"
        return self._configuration.not_ready(self._settings.namespace)

    def _unsynced(self) -> list[str]:
        return [store.plural for store in self._stores if not store.is_synced]

    def _lead_or_follow(self) -> None:
        self._metrics.leader.set(self._lease.may_write())
        # What was known before is not what to decide on: another controller may have written meanwhile.
        self._term_began = asyncio.get_running_loop().time()
        self._reconciler.notify()

    async def _one_pass(self) -> None:
        # Deciding on half of the picture could hand out an address that a Service not listed yet has.
        if self._unsynced():
            return
        pools = self._configuration.refresh().pools
        if pools is None:
            return
        if not self._lease.may_write():
            if self._rehearsal is None:
                self._rehearsal = asyncio.get_running_loop().call_later(_REHEARSE_SECONDS, self._rehearse)
            return
        if self._read_in_term != self._term_began:
            await self._take_over()
            pools = self._configuration.refresh().pools or pools
        began = time.perf_counter()
        decided = plan(self._snapshot(pools), self._recall)
        self._metrics.plan_seconds.observe(time.perf_counter() - began)
        try:
            # First of all: somebody waits for it.
            await self._assigner.apply(decided)
        finally:
            self._count(pools, usage(pools, decided), decided)
            self._memory.want(remember(self._memory.current, decided, self._settings.memory_size))
        self._assigner.tell(decided)

    def _rehearse(self) -> None:
        """Plan as the leader does, so that the first plan of a term knows already who simply keeps what it has.

        The machine may be busy just then: whoever has to compute for 60 ms waits for a second.
        """
        self._rehearsal = None
        pools = self._configuration.current.pools
        if pools is not None and not self._unsynced() and not self._lease.may_write():
            plan(self._snapshot(pools), self._recall)

    async def _take_over(self) -> None:
        """Begin to lead: see the cluster as it is now, whatever the one before has done."""
        term = self._term_began
        readings = [relist(self._api, store) for store in self._stores if store.listed_at < term]
        for done in await asyncio.gather(self._memory.load(), *readings, return_exceptions=True):
            if isinstance(done, BaseException):
                raise done
        pools = self._configuration.refresh().pools
        if self._lease.by_force and pools is not None:
            await self._assigner.fence(plan(self._snapshot(pools)), self._identity)
            await relist(self._api, self._services)
        self._assigner.begin_term()
        self._read_in_term = term
        log.info("state read anew", extra=fields(services=sum(1 for _ in self._services.values())))

    def _snapshot(self, pools: tuple[PoolSpec, ...]) -> Snapshot:
        return Snapshot(
            pools=pools,
            services=tuple(self._services.values()),
            namespaces={key.name: labels for key, labels in self._namespaces.items()},
            lb_class=self._settings.lb_class,
            memory=self._memory.current,
        )

    def _count(self, pools: tuple[PoolSpec, ...], used: Mapping[str, Usage], decided: Plan) -> None:
        """Gauges and the pools' status: what the plan makes true."""
        for family in (0, 4, 6):
            self._metrics.total[family].clear()
            self._metrics.in_use[family].clear()
        self._metrics.allocated.clear()
        for name, one in used.items():
            self._metrics.allocated.labels(pool=name).set(one.services)
            for family in (0, 4, 6):
                self._metrics.total[family].labels(pool=name).set(one.total(family))
                self._metrics.in_use[family].labels(pool=name).set(one.assigned(family))
        told: tuple[tuple[Gauge, Iterable[Refuse | Note]], ...] = (
            (self._metrics.refused, decided.refuse),
            (self._metrics.noted, decided.notes),
        )
        for gauge, items in told:
            gauge.clear()
            for reason, number in Counter(item.denied.reason.value for item in items).items():
                gauge.labels(reason=reason).set(number)
        objects = [spec for spec in pools if spec.object is not None]
        self._pool_status.want({spec.pool.name: _counters(used[spec.pool.name]) for spec in objects})


def _counters(one: Usage) -> Counters:
    return Counters(one.assigned(4), one.assigned(6), one.available(4), one.available(6))
