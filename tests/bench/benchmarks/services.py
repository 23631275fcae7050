# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of one namespace: made by several clients at once, and watched."""

from __future__ import annotations

import concurrent.futures
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .api import ClusterApi, RefusedError
from .watch import AddressWatch

CLIENTS = 8
ASSIGN_SECONDS = 600.0


@dataclass(slots=True)
class Services:
    """The Services of a namespace that was made for them."""

    api: ClusterApi
    namespace: str
    watch: AddressWatch
    _serial: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @classmethod
    def begin(cls, api: ClusterApi, namespace: str) -> Services:
        """Make the namespace and start to watch."""
        api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        return cls(api, namespace, AddressWatch.start(api, namespace))

    @property
    def path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/services"

    def name(self, prefix: str) -> str:
        """A name for a Service that nobody had yet."""
        return f"{prefix}-{next(self._serial)}"

    def names(self, prefix: str, count: int) -> list[str]:
        return [self.name(prefix) for _ in range(count)]

    def create(self, name: str, annotations: dict[str, str] | None = None, port: int = 80, app: str = "web") -> float:
        """Create a Service of the pods labelled `app`; returns when that began (monotonic seconds)."""
        started = time.monotonic()
        self.api.create(self.path, service(name, annotations or {}, port, app))
        return started

    def delete(self, name: str) -> None:
        self.api.delete(f"{self.path}/{name}")

    def create_many(self, names: list[str], annotations: dict[str, str] | None = None) -> dict[str, float]:
        """Create Services by CLIENTS clients at once; returns when each creation began."""
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
            return dict(zip(names, clients.map(lambda name: self.create(name, annotations), names), strict=True))

    def wait(self, names: Iterable[str], seconds: float = ASSIGN_SECONDS) -> None:
        """Wait until all named Services have had addresses.

        Raises:
            TimeoutError: some did not get one in time.
        """
        missing = self.watch.wait(names, seconds)
        if missing:
            some = ", ".join(sorted(missing)[:3])
            raise TimeoutError(f"{len(missing)} Service(s) without an address after {seconds:.0f} s, such as {some}")


def service(name: str, annotations: dict[str, str], port: int, app: str) -> dict[str, Any]:
    """A Service that asks for an address."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {
            "type": "LoadBalancer",
            # A cluster has fewer node ports than a large pool has addresses.
            "allocateLoadBalancerNodePorts": False,
            "selector": {"app": app},
            "ports": [{"port": port}],
        },
    }


def until(condition: Callable[[], bool], seconds: float, what: str, every: float = 0.2) -> None:
    """Ask again and again until `condition` holds; while the API server refuses or is away, it does not.

    Raises:
        TimeoutError: it does not in time.
    """
    deadline = time.monotonic() + seconds
    trouble = ""
    while True:
        try:
            if condition():
                return
        except (RefusedError, OSError) as error:
            trouble = f" ({error})"
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s{trouble}")
        time.sleep(every)
