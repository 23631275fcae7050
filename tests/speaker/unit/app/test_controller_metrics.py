# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""MetalLB's series of the controller, read from the exposition: their names, types, labels and numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fakes.kube import FakeKube
from lantern.adapters.kube.api import ApiError
from lantern.app.controller import Controller
from lantern.settings import ControllerSettings
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

SERVICES = "/api/v1/services"
POOLS = "/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools"
HUGE = float(2**63 - 1)
EMPTY = {"ipv4_addresses_total": 0, "ipv6_addresses_total": 0, "addresses_in_use_total": 0,
         "ipv4_addresses_in_use_total": 0, "ipv6_addresses_in_use_total": 0, "services_allocated_total": 0}  # fmt: skip

Samples = dict[str, dict[str, float]]
"""By name without "metallb_", then by pool; "" where there is none."""


def pool(name: str, *addresses: str, **spec: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "metallb-system", "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"metadata": meta, "spec": {"addresses": list(addresses), **spec}}


def service(name: str, wants: str, port: int = 80, key: str = "", families: tuple[str, ...] = ("IPv4",)) -> Any:
    annotations = {"metallb.io/address-pool": wants} | ({"metallb.io/allow-shared-ip": key} if key else {})
    return {
        "metadata": {"name": name, "namespace": "default", "uid": name, "annotations": annotations},
        "spec": {
            "type": "LoadBalancer",
            "clusterIPs": ["10.0.0.1", "fd01::1"][: len(families)],
            "ipFamilies": list(families),
            "ipFamilyPolicy": "RequireDualStack" if len(families) > 1 else "SingleStack",
            "ports": [{"protocol": "TCP", "port": port}],
        },
    }


def read(controller: Controller) -> tuple[Samples, dict[str, str]]:
    """The values, and the type of each name."""
    values: Samples = {}
    types: dict[str, str] = {}
    for family in text_string_to_metric_families(generate_latest(controller._registry).decode()):
        for sample in family.samples:
            if (name := sample.name.removeprefix("metallb_")) != sample.name:
                types[name] = family.type
                assert set(sample.labels) <= {"pool"}
                values.setdefault(name, {})[sample.labels.get("pool", "")] = sample.value
    return values, types


def allocator(values: Samples, name: str) -> dict[str, float]:
    """What is told about one pool."""
    prefix = "allocator_"
    return {key.removeprefix(prefix): of[name] for key, of in values.items() if key.startswith(prefix) and name in of}


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def test_series_tell_names_types_labels_and_numbers() -> None:
    async def main() -> None:
        kube = FakeKube()
        kube.put(POOLS, pool("home", "192.168.2.0/24", "192.168.3.8-192.168.3.15", avoidBuggyIPs=True))
        kube.put(POOLS, pool("both", "192.168.4.128/30", "fd00::/64"))
        kube.put(POOLS, pool("small", "192.168.5.128/32"))
        for one in (
            service("a", "home"),
            service("shares1", "home", 80, "k"),
            service("shares2", "home", 81, "k"),
            service("dual", "both", families=("IPv4", "IPv6")),
            service("got it", "small"),
            service("refused", "small"),
        ):
            kube.put(SERVICES, one)
        settings = ControllerSettings(namespace="metallb-system", health_probe_port=0, health_probe_host="127.0.0.1")
        controller = Controller(settings, kube)  # type: ignore[arg-type]
        task = asyncio.create_task(controller.run())

        def of(name: str, where: str = "") -> float | None:
            return read(controller)[0].get(name, {}).get(where)

        async with asyncio.timeout(10):
            await until(lambda: of("allocator_services_allocated_total", "small") == 1)
            values, types = read(controller)
            assert allocator(values, "home") == EMPTY | {
                "addresses_total": 256 - 2 + 8,
                "ipv4_addresses_total": 256 - 2 + 8,
                "addresses_in_use_total": 2,
                "ipv4_addresses_in_use_total": 2,
                "services_allocated_total": 3,
            }
            assert allocator(values, "both") == {
                "addresses_total": HUGE,
                "ipv4_addresses_total": 4,
                "ipv6_addresses_total": HUGE,
                "addresses_in_use_total": 2,
                "ipv4_addresses_in_use_total": 1,
                "ipv6_addresses_in_use_total": 1,
                "services_allocated_total": 1,
            }
            assert allocator(values, "small") == EMPTY | {
                "addresses_total": 1,
                "ipv4_addresses_total": 1,
                "addresses_in_use_total": 1,
                "ipv4_addresses_in_use_total": 1,
                "services_allocated_total": 1,
            }
            assert types == {f"allocator_{name}": "gauge" for name in allocator(values, "home")} | {
                "k8s_client_updates_total": "counter",
                "k8s_client_update_errors_total": "counter",
                "k8s_client_config_loaded_bool": "gauge",
                "k8s_client_config_stale_bool": "gauge",
            }
            loaded, stale = values["k8s_client_config_loaded_bool"], values["k8s_client_config_stale_bool"]
            assert (loaded, stale) == ({"": 1}, {"": 0})

            kube.put(POOLS, pool("bad", "192.168.5.128/31"))
            await until(lambda: of("k8s_client_config_stale_bool") == 1)
            assert of("k8s_client_config_loaded_bool") == 1
            kube.delete(POOLS, "bad")
            await until(lambda: of("k8s_client_config_stale_bool") == 0)

            # A pool that goes takes its series with it; a Service that goes is counted no more.
            updates = of("k8s_client_updates_total") or 0
            kube.delete(POOLS, "small")
            kube.delete(SERVICES, "shares1")
            kube.delete(SERVICES, "dual")
            await until(lambda: of("allocator_services_allocated_total", "both") == 0)
            values, _types = read(controller)
            assert allocator(values, "small") == {}
            assert allocator(values, "both") == EMPTY | {
                "addresses_total": HUGE,
                "ipv4_addresses_total": 4,
                "ipv6_addresses_total": HUGE,
            }
            assert (
                of("allocator_services_allocated_total", "home"),
                of("allocator_addresses_in_use_total", "home"),
            ) == (2, 2)
            assert (of("k8s_client_updates_total") or 0) >= updates + 1
            assert of("k8s_client_update_errors_total") == 0

            kube.refuse_writes["/api/v1/namespaces/default/services/late/status"] = ApiError("no", 500)
            kube.put(SERVICES, service("late", "home"))
            await until(lambda: of("k8s_client_update_errors_total") == 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
