# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told about the configuration, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from fakes.kube import FakeKube, raw
from lantern.adapters.kube import convert
from lantern.adapters.kube.configuration_state import Reporter, StateKeeper
from lantern.adapters.kube.reflector import Store
from lantern.adapters.kube.writer import EventRecorder
from lantern.app.configuration import ConfigurationKeeper, Sources
from lantern.core.surroundings import Surroundings
from lantern.metrics import ControllerMetrics, SpeakerMetrics
from prometheus_client import CollectorRegistry

NAMESPACE = "metallb-system"
STATES = f"/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}/configurationstates"
LAN = "192.168.2.0/24"


def meta(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}", **more}


def pool(name: str, *addresses: str, **more: Any) -> dict[str, Any]:
    return {"metadata": meta(name, **more), "spec": {"addresses": list(addresses)}}


def config_map(*addresses: str) -> dict[str, Any]:
    text = f"address-pools: [{{name: old, protocol: layer2, addresses: [{', '.join(addresses)}]}}]"
    return {"metadata": meta("config"), "data": {"config": text}}


def node(name: str, address: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"addresses": [{"type": "InternalIP", "address": address}]}}


class World:
    """A keeper, the stores it reads, and what came of it."""

    def __init__(self, *, announces: bool = False, leads: bool = True) -> None:
        self.kube = FakeKube()
        self.registry = CollectorRegistry()
        nodes = Store("nodes", "/api/v1/nodes", convert.node)
        self.sources = Sources.of(NAMESPACE, "config", nodes, announces)
        self.leads = leads
        reporter = Reporter.speaker("node1") if announces else Reporter.controller()
        self.state = StateKeeper(self.kube, NAMESPACE, reporter)
        self.events = EventRecorder(self.kube, "metallb-controller")
        metrics = SpeakerMetrics(self.registry) if announces else ControllerMetrics(self.registry)
        self.keeper = ConfigurationKeeper(
            metrics,
            self.sources,
            self.state,
            around=Surroundings((LAN,), "192.168.2.1"),
            events=None if announces else self.events,
            may_tell=lambda: self.leads,
            goes_on_in_part=announces,
        )

    def pools(self, *objects: dict[str, Any]) -> None:
        self.sources.pools.replace(map(raw, objects))

    def names(self) -> list[str]:
        return [spec.pool.name for spec in self.keeper.refresh().pools or ()]

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    async def told(self, number: int) -> list[tuple[str, str, str]]:
        """The Events so far, when there are this many: object, reason, message."""
        while len(self.kube.events) < number:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)
        found = [
            (f"{event['involvedObject']['kind']} {event['involvedObject']['uid']}", event["reason"], event["message"])
            for event in self.kube.events
        ]
        assert len(found) == number
        return found


def run(scenario: Callable[[World], Awaitable[None]], **more: Any) -> None:
    async def main() -> None:
        world = World(**more)
        tasks = [asyncio.create_task(world.events.run()), asyncio.create_task(world.state.run())]
        try:
            async with asyncio.timeout(10):
                await scenario(world)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())


def test_bad_pool_is_told_once_everywhere_and_the_last_good_one_stays() -> None:
    async def scenario(world: World) -> None:
        world.pools(pool("home", "192.168.2.128-192.168.2.200"))
        assert world.names() == ["home"]
        assert world.metric("metallb_k8s_client_config_loaded_bool") == 1
        world.pools(pool("home", "192.168.2.128-192.168.2.200"), pool("bad", "192.168.2.200-192.168.2.210"))
        for _ in range(3):
            assert world.names() == ["home"]
        ((target, reason, message),) = await world.told(1)
        assert (target, reason) == ("IPAddressPool uid-bad", "ConfigurationError")
        assert "192.168.2.200-192.168.2.210" in message and 'pool "home"' in message
        assert world.metric("metallb_k8s_client_config_stale_bool") == 1
        assert world.keeper.not_ready(NAMESPACE) is None
        assert str(world.keeper.stale()).split("\n") == [
            "the newest configuration is refused, the last valid one is in force:",
            'pool "bad", spec.addresses[0] (192.168.2.200-192.168.2.210) overlaps pool "home", spec.addresses[0] '
            "(192.168.2.128-192.168.2.200). Change one of them so that no address is in both.",
        ]
        assert world.kube.objects[STATES]["controller"]["status"]["result"] == "Invalid"
        world.pools(pool("home", "192.168.2.128-192.168.2.200"))
        assert world.names() == ["home"]
        assert world.metric("metallb_k8s_client_config_stale_bool") == 0
        assert world.keeper.stale() is None

    run(scenario)


def test_readiness_sentences() -> None:
    async def scenario(world: World) -> None:
        world.keeper.refresh()
        nothing = f"no configuration: there is no IPAddressPool in namespace {NAMESPACE}"
        assert world.keeper.not_ready(NAMESPACE) == nothing
        world.pools(pool("home", "192.168.2.5"))
        assert world.names() == []
        assert '"192.168.2.5" is a single address' in str(world.keeper.not_ready(NAMESPACE))
        assert world.metric("metallb_k8s_client_config_loaded_bool") == 1, "no pools at all was valid"
        world.sources.config_map.replace([raw(config_map("10.0.0.0/24"))])
        world.pools()
        assert world.names() == ["old"] and world.keeper.not_ready(NAMESPACE) is None

    run(scenario)


def test_problem_of_the_config_map_and_of_an_annotation_are_on_their_objects() -> None:
    async def scenario(world: World) -> None:
        world.sources.config_map.replace([raw(config_map("192.168.2.130/32"))])
        annotations = {"lantern.homelab/pinned": "nonsense"}
        world.pools(pool("home", "192.168.2.128-192.168.2.200", annotations=annotations))
        assert world.names() == []
        found = await world.told(2)
        assert [(target, reason) for target, reason, _ in found] == [
            ("IPAddressPool uid-home", "ConfigurationError"),
            ("ConfigMap uid-config", "ConfigurationError"),
        ]

    run(scenario)


def test_warnings_are_events_and_metrics_on_change_only() -> None:
    async def scenario(world: World) -> None:
        world.pools(pool("home", "192.168.2.0/25"))
        assert world.names() == ["home"] == world.names()
        found = await world.told(2)
        assert [(target, reason) for target, reason, _ in found] == [
            ("IPAddressPool uid-home", "HoldsRouter"),
            ("IPAddressPool uid-home", "HoldsNetworkAddress"),
        ]
        assert world.metric("lantern_pool_warnings", pool="home", code="holds-router") == 1
        world.sources.nodes.replace([raw(node("n1", "192.168.2.10")), raw(node("n2", "192.168.2.11"))])
        world.names()
        await world.told(4)
        assert world.metric("lantern_pool_warnings", pool="home", code="holds-node") == 2
        condition = world.kube.objects[STATES]["controller"]["status"]["conditions"][0]
        assert condition["status"] == "True" and "192.168.2.1," in condition["message"]
        world.pools(pool("home", "192.168.2.128-192.168.2.200"))
        world.names()
        assert world.metric("lantern_pool_warnings", pool="home", code="holds-node") is None

    run(scenario)


def test_standby_controller_writes_no_events_until_it_leads() -> None:
    async def scenario(world: World) -> None:
        world.pools(pool("home", "192.168.2.0/25"), pool("bad", "192.168.2.5"))
        world.names()
        assert await world.told(0) == []
        world.leads = True
        for _ in range(3):
            world.names()
        assert [target for target, _, _ in await world.told(1)] == ["IPAddressPool uid-bad"]

    run(scenario, leads=False)


def test_speaker_goes_on_with_what_is_in_order() -> None:
    async def scenario(world: World) -> None:
        world.pools(pool("home", "192.168.2.128-192.168.2.200"), pool("bad", "192.168.2.5"))
        assert world.names() == ["home"]
        assert "the part of it that is in order is in force:" in str(world.keeper.stale())
        assert world.metric("metallb_k8s_client_config_loaded_bool") == 0
        assert world.metric("metallb_k8s_client_config_stale_bool") == 1
        world.pools(pool("home", "192.168.2.128-192.168.2.200"))
        assert world.names() == ["home"]
        assert world.metric("metallb_k8s_client_config_loaded_bool") == 1
        world.pools(pool("bad", "192.168.2.5"))
        assert world.names() == ["home"], "from now on the last good one stays"

    run(scenario, announces=True)


def test_controller_that_starts_with_a_bad_one_decides_nothing() -> None:
    async def scenario(world: World) -> None:
        world.pools(pool("home", "192.168.2.128-192.168.2.200"), pool("bad", "192.168.2.5"))
        assert world.keeper.refresh().pools is None

    run(scenario)


def test_stores_to_follow() -> None:
    async def scenario(world: World) -> None:
        assert [(store.plural, store.only) for store in world.sources.stores] == [
            ("ipaddresspools", ""),
            ("communities", ""),
            ("configmaps", "config"),
            ("l2advertisements", ""),
        ]

    run(scenario, announces=True)
