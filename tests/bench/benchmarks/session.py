# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One contender in one fresh lab: its Services, its pods, and the figures recorded so far."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from . import machine
from .api import ClusterApi
from .audit import AuditLog
from .contenders import Contender
from .pods import Pods
from .services import ASSIGN_SECONDS, Services, until

NAMESPACE = "bench"
QUIET_SECONDS = 10.0
_WORKLOAD_SECONDS = 120.0
_WORKLOAD = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": NAMESPACE},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "localhost/web:1", "ports": [{"containerPort": 80}]}]},
        },
    },
}


@dataclass(slots=True)
class Session:
    """The measurements of one contender in one lab. `values` holds a figure, or None for a failure, for each key."""

    contender: Contender
    services: Services
    pods: Pods
    audit: AuditLog
    values: dict[str, float | None] = field(default_factory=dict)
    samples: dict[str, list[float]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    writes: dict[str, dict[str, int]] = field(default_factory=dict)
    curve: list[tuple[float, float]] = field(default_factory=list)
    """Of the first burst: for each Service when it was created and had its address, in seconds from the start."""

    @classmethod
    def begin(cls, contender: Contender, api: ClusterApi, audit: AuditLog) -> Session:
        """Make the namespace, and two pods that answer for all Services, so that speakers have something to do."""
        services = Services.begin(api, NAMESPACE)
        workloads = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
        api.create(workloads, _WORKLOAD)
        until(
            lambda: api.get(f"{workloads}/web")["status"].get("readyReplicas") == 2, _WORKLOAD_SECONDS, "the web pods"
        )
        return cls(contender, services, Pods(api, contender.lease), audit)

    @property
    def count(self) -> int:
        """How many Services have addresses now."""
        return len(self.services.watch.addresses)

    def ensure(self, count: int) -> None:
        """Have at least `count` Services with addresses, and a cluster that is done with them."""
        missing = count - self.count
        if missing > 0:
            names = self.services.names("fill", missing)
            self.services.create_many(names)
            self.services.wait(names)
            self.settle()

    def settle(self) -> None:
        """Wait until every Service has its endpoints, the load balancer has stopped writing and the machine rests.

        Raises:
            TimeoutError: that does not come about.
        """
        until(self._has_endpoints, ASSIGN_SECONDS, "the endpoints of all Services", every=2)
        position, since = self.audit.position(), time.monotonic()
        deadline = since + ASSIGN_SECONDS
        while time.monotonic() - since < QUIET_SECONDS:
            time.sleep(0.5)
            marked, position = position, self.audit.position()
            if any(kind.resource != "leases" for kind in self.audit.since(marked)):
                since = time.monotonic()
            if since > deadline:
                raise TimeoutError(f"the load balancer still writes after {ASSIGN_SECONDS:.0f} s")
        # kube-proxy writes its rules for long after that; all nodes share this machine's processors.
        machine.wait_for_rest()

    def _has_endpoints(self) -> bool:
        slices = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"
        return sum(1 for item in self.services.api.get(slices)["items"] if item.get("endpoints")) >= self.count

    def record(self, key: str, value: float | None, samples: Iterable[float] = ()) -> None:
        self.values[key] = value
        if kept := [round(sample, 6) for sample in samples]:
            self.samples[key] = kept

    def fail(self, key: str, why: str) -> None:
        """What was measured under `key` does not count."""
        self.values[key] = None
        self.failures[key] = why

    def fail_on_clash(self, key: str) -> None:
        """No figure is worth anything when two Services were given one address."""
        if clashes := self.services.watch.clashes:
            self.fail(key, f"{len(clashes)} address(es) given twice: {clashes[0]}")

    def report(self) -> dict[str, Any]:
        """Everything measured, as JSON has it."""
        return {
            "contender": self.contender.name,
            "values": self.values,
            "samples": self.samples,
            "failures": self.failures,
            "writes": self.writes,
            "curve": [[round(start, 4), round(got, 4)] for start, got in self.curve],
        }


def load() -> float:
    """How busy this machine was in the last minute, in processes that wanted to run."""
    return os.getloadavg()[0]
