# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The speaker process: follows what announcing depends on, and announces from this node what it owns.

With gossip the speakers elect owners among themselves (`OwnerElection`); without it each decides alone, by the Nodes'
Ready conditions.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import closing
from ipaddress import ip_address
from typing import Any

from prometheus_client import CollectorRegistry

from lantern.adapters.exclusions import InterfaceExclusions
from lantern.adapters.http import StatusServer
from lantern.adapters.kube import convert
from lantern.adapters.kube.api import KubeApi
from lantern.adapters.kube.configuration_state import Reporter, StateKeeper
from lantern.adapters.kube.l2_status import L2StatusKeeper, Writer
from lantern.adapters.kube.reflector import Store, follow
from lantern.adapters.kube.writer import Background, EventRecorder
from lantern.adapters.links import Link, scan
from lantern.adapters.rtnetlink import LinkEvents, is_local
from lantern.announce.layer2 import Layer2Announcer, Report
from lantern.app import announcements
from lantern.app.cluster_macs import ClusterMacs
from lantern.app.configuration import ConfigurationKeeper, Sources
from lantern.app.decision_reports import DecisionReports
from lantern.app.failover import Options
from lantern.app.layer2_reports import Layer2Reports
from lantern.app.membership import Membership
from lantern.app.owner_election import OwnerElection
from lantern.app.process import run_until_stopped
from lantern.app.reconcile import Reconciler
from lantern.app.service_endpoints import ServiceEndpoints
from lantern.core.announce import Decision, Vantage, claims_by_address, decide, in_force
from lantern.core.announced import announced
from lantern.core.freshness import FreshAddresses
from lantern.core.model import L2Advertisement, PoolSpec, Service, Snapshot
from lantern.core.vips import VipIndex
from lantern.gossip.effects import Event, MemberEvent, UserMessage
from lantern.gossip.members import MemberState
from lantern.metrics import SpeakerMetrics
from lantern.pools import Address
from lantern.settings import SpeakerSettings

_SCAN_SECONDS = 2.0
# Every node has a speaker, so that a burst of changes must not take the cluster's processors.
_SHARE = 0.05
# A new Service is soon followed by its address and its endpoints.
_LULL_SECONDS = 0.05
_HANDOVER_SECONDS = 0.5


def run(settings: SpeakerSettings) -> int:
    """Run the speaker until a signal; returns the exit status."""

    async def main() -> None:
        await Speaker(settings, KubeApi.connect()).run()

    return run_until_stopped("speaker", settings, main)


class Speaker:
    """One node's speaker. Make it inside a running event loop."""

    def __init__(self, settings: SpeakerSettings, api: KubeApi) -> None:
        self._settings = settings
        self._api = api
        self._registry = CollectorRegistry()
        self._metrics = SpeakerMetrics(self._registry)
        self._services = Store("services", "/api/v1/services", convert.announced_service)
        self._slices = Store("endpointslices", "/apis/discovery.k8s.io/v1/endpointslices", convert.endpoint_slice)
        self._nodes = Store("nodes", "/api/v1/nodes", convert.node)
        sources = Sources.of(settings.namespace, settings.config_map, self._nodes, announces=True)
        self._stores: tuple[Store[Any], ...] = (self._services, self._slices, self._nodes, *sources.stores)
        reporter = Reporter.speaker(settings.node_name, settings.pod_name, settings.pod_uid)
        self._state = StateKeeper(api, settings.namespace, reporter)
        self._configuration = ConfigurationKeeper(self._metrics, sources, self._state, goes_on_in_part=True)
        self._reconciler = Reconciler(self._one_pass, self._metrics, share=_SHARE, lull=_LULL_SECONDS)
        self._background = Background()
        self._events = EventRecorder(api, "metallb-speaker", settings.node_name, self._background)
        writer = Writer(settings.node_name, settings.pod_name, settings.pod_uid)
        self._l2_statuses = L2StatusKeeper(api, settings.namespace, writer, self._background)
        self._reports = Layer2Reports(self._events, self._services_of)
        self._decision_reports = DecisionReports(settings.node_name, self._events, self._metrics)
        self._macs = ClusterMacs(self._nodes.values)
        self._announcer = Layer2Announcer(
            self._metrics,
            settings.layer2,
            answer_ping=settings.answer_ping,
            is_cluster_mac=self._is_cluster_mac,
            tell=self._found,
        )
        self._membership: Membership | None = None
        self._election: OwnerElection | None = None
        if settings.gossip.bind_address:
            self._membership = Membership(settings.gossip, settings.node_name, self._metrics, self._gossiped)
            self._election = OwnerElection(
                settings.node_name,
                Options(by_hash=settings.elect_by_hash, hold_seconds=settings.hold_seconds),
                VipIndex(settings.ignore_exclude_lb),
                self._membership,
                self._announcer,
                self._metrics,
                self._announce,
            )
        self._endpoints = ServiceEndpoints()
        self._fresh = FreshAddresses()
        self._excluded = InterfaceExclusions()
        self._links: dict[str, Link] = {}
        self._addressed = True
        self._decided: Decision | None = None
        self._has_news = False

    async def run(self) -> None:
        """For ever, or until cancelled."""
        status = self._status_server()
        await status.start(self._settings.health_probe_host, self._settings.health_probe_port)
        # Outside the group: it has to hand over when all else has stopped.
        gossip = asyncio.create_task(self._membership.run()) if self._membership is not None else None
        if self._election is not None:
            self._election.start()
        try:
            async with asyncio.TaskGroup() as tasks:
                if gossip is not None:
                    tasks.create_task(_as_long_as(gossip))
                for store in self._stores:
                    tasks.create_task(follow(self._api, store, self._reconciler.notify))
                tasks.create_task(self._state.run())
                tasks.create_task(self._events.run())
                tasks.create_task(self._l2_statuses.run())
                tasks.create_task(self._watch_links())
                tasks.create_task(self._reconciler.run())
        finally:
            await self._hand_over()
            if gossip is not None:
                gossip.cancel()
            self._announcer.close()
            status.close()
            await self._api.close()

    def _status_server(self) -> StatusServer:
        membership, election, stale = self._membership, self._election, self._configuration.stale
        if membership is None or election is None:
            return StatusServer(self._registry, self.not_ready, {"/members": lambda: []}, but=stale)
        about = announcements.AnnouncementPages(
            self._settings.node_name, election.machine, election.index, lambda: membership.foreign
        )
        pages = {
            "/members": lambda: membership.view(election.machine.round_trip_seconds),
            announcements.PATH: about.overview,
        }
        return StatusServer(self._registry, self.not_ready, pages, {announcements.PATH: about.about}, stale)

    async def _hand_over(self) -> None:
        """Let others take over what this node announces, then say goodbye. MetalLB's speakers wait for that one."""
        if self._membership is None or self._election is None:
            return
        await self._election.leave()
        await self._membership.leave()
        if self._decided is not None and self._decided.claims:
            await asyncio.sleep(_HANDOVER_SECONDS)
        self._election.close()

    def not_ready(self) -> str | None:
        """Why this node cannot announce anything yet; None when it can."""
        waiting = [store.plural for store in self._stores if not store.is_synced]
        return f"waiting for the Kubernetes API to list {', '.join(waiting)}" if waiting else None

    async def _watch_links(self) -> None:
        with closing(LinkEvents()) as events:
            while True:
                links, addressed = scan(self._excluded.current()), self._is_addressed()
                if links != self._links or addressed != self._addressed:
                    names_changed = links.keys() != self._links.keys()
                    self._links, self._addressed = links, addressed
                    self._announcer.set_links(links)
                    if self._election is not None:
                        self._election.set_links(links, addressed=addressed)
                    elif names_changed:
                        self._reconciler.notify()
                await events.wait(_SCAN_SECONDS)

    def _is_addressed(self) -> bool:
        """Whether this node has the address by which the others, if there are any, reach it."""
        own = self._settings.gossip.bind_address
        alone = all(node.name == self._settings.node_name for node in self._nodes.values())
        return not own or alone or is_local(ip_address(own))

    async def _one_pass(self) -> None:
        # While the cluster is changing the API server has more urgent things to do than to keep Events.
        self._background.urgent()
        # Half of the picture (of the nodes, say) would elect another owner than the other speakers do.
        if self.not_ready() is not None:
            return
        configuration = self._configuration.refresh()
        if configuration.pools is None:
            return
        snapshot = self._snapshot(configuration.pools, configuration.advertisements)
        self._fresh.observe(snapshot.services)
        if self._membership is not None and self._election is not None:
            self._membership.look_for(self._nodes.values())
            self._election.set_snapshot(snapshot, current=all(store.is_current for store in self._stores))
            return
        vantage = Vantage(
            node=self._settings.node_name,
            interfaces=frozenset(self._links),
            ignore_exclude_label=self._settings.ignore_exclude_lb,
        )
        self._announce(decide(snapshot, vantage))

    def _announce(self, decided: Decision) -> None:
        """Put a decision into force, and tell of it."""
        if self._decided is None or self._decided.claims != decided.claims:
            machine = self._election.machine if self._election is not None else None
            fresh = self._fresh.addresses(by_hash=machine is not None and machine.by_hash)
            in_use = machine.in_use if machine is not None else frozenset()
            anyway = [claim.address for claim in decided.claims if claim.service.announced_anyway]
            self._announcer.apply(claims_by_address(decided), fresh=fresh | in_use, forced=anyway)
        self._decided = decided
        self._fresh.decided(decided, self._is_owned)
        self._tell(decided)

    def _found(self, report: Report) -> None:
        """Something was found on the wire about an address."""
        self._reports.tell(report)
        # Addresses that came together are found free together, and to tell of one costs what all of them cost.
        if not self._has_news:
            self._has_news = True
            asyncio.get_running_loop().call_soon(self._tell_news)

    def _tell_news(self) -> None:
        self._has_news = False
        if self._decided is not None:
            self._tell(self._decided)

    def _tell(self, decided: Decision) -> None:
        """Let the other speakers and the cluster know how much of a decision is carried out."""
        in_use = self._announcer.in_use
        if self._election is not None:
            self._election.set_in_use(in_use)
        told = in_force(decided, self._settings.node_name, in_use=in_use, probing=self._announcer.probing)
        self._l2_statuses.want(announced(told))
        self._decision_reports.tell(told)

    def _is_owned(self, address: Address) -> bool:
        """Whether another node announces the address that this one does not."""
        return self._election is None or self._election.owned(address)

    def _is_cluster_mac(self, mac: bytes) -> bool:
        # What the speakers have told is in memory; for the rest the kernel must be asked.
        return (self._election is not None and self._election.machine.is_cluster_mac(mac)) or mac in self._macs

    def _gossiped(self, event: Event) -> None:
        if self._membership is None or self._election is None:
            return
        if isinstance(event, UserMessage):
            if event.name is not None:
                self._election.receive(event.name, event.data)
        elif isinstance(event, MemberEvent):
            states = Counter(member.state for member in self._membership.members)
            for state in MemberState:
                self._metrics.gossip_members.labels(state=state.name.lower()).set(states[state])
            self._election.set_members(self._membership.members)

    def _services_of(self, address: Address) -> list[Service]:
        return [service for service in self._services.values() if address in service.addresses]

    def _snapshot(self, pools: tuple[PoolSpec, ...], advertisements: tuple[L2Advertisement, ...]) -> Snapshot:
        return Snapshot(
            pools=pools,
            services=self._services.objects,
            endpoints=self._endpoints.of(self._slices.objects),
            nodes={node.name: node for node in self._nodes.values()},
            advertisements=advertisements,
            lb_class=self._settings.lb_class,
        )


async def _as_long_as(task: asyncio.Task[None]) -> None:
    """Fails when the task fails; being cancelled leaves the task alone."""
    await asyncio.shield(task)
