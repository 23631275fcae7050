# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services whose backend is on a node that nothing is done to, so that only their announcement can fail."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from homelab.shell import LabError

from . import lan, pods
from .api import RefusedError
from .pods import Pod
from .services import until
from .session import NAMESPACE, Session

# The control plane: kubeadm excludes it from announcing, and the API server must stay.
BACKEND_NODE = "node1"
# By all of two nodes, or more, one announces at least two of these.
COUNT = 4
APP = "front"
# Gossip of both contenders takes a while to trust a node again.
RETURN_SECONDS = 30.0
_READY_SECONDS = 240.0
_QUIET_SECONDS = 3.0
_WORKLOAD = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": APP, "namespace": NAMESPACE},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": APP}},
        "template": {
            "metadata": {"labels": {"app": APP}},
            "spec": {
                "nodeSelector": {"kubernetes.io/hostname": BACKEND_NODE},
                # Without a process for each request, which would take the processor from what is measured; and with a
                # request, for its own waiting behind what ends and starts there must not be taken for a gap.
                "containers": [
                    {
                        "name": "web",
                        "image": "nginx",
                        "imagePullPolicy": "IfNotPresent",
                        "resources": {"requests": {"cpu": "500m"}},
                    }
                ],
            },
        },
    },
}

Figure = TypeVar("Figure")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two addresses of one owner, a node that may be taken away."""

    owner: str
    addresses: tuple[str, str]

    def clients(self) -> dict[str, lan.Client]:
        """One who knows its neighbour, and one who does not."""
        cached, fresh = self.addresses
        return {"cached": lan.Client(cached), "fresh": lan.Client(fresh, fresh=True)}


@dataclass(frozen=True, slots=True)
class Front:
    """COUNT Services, their addresses, and who answers for them. Use `front` to make one."""

    session: Session
    addresses: tuple[str, ...]
    asker: lan.Asker

    def owners(self) -> dict[str, str]:
        """The node that answers for each address.

        Raises:
            LabError: none, several, or a stranger.
        """
        names = lan.node_names()
        owners = {}
        for address, macs in self.asker.who_has(self.addresses).items():
            found = sorted(names.get(mac, mac) for mac in macs)
            if len(found) != 1:
                raise LabError(f"{address} is answered for by {', '.join(found) or 'nobody'} instead of by one node")
            owners[address] = found[0]
        return owners

    def pair(self) -> Pair:
        """Two addresses that one node other than the backend's owns.

        Raises:
            LabError: there are none.
        """
        held: dict[str, list[str]] = defaultdict(list)
        for address, node in self.owners().items():
            held[node].append(address)
        held.pop(BACKEND_NODE, None)
        node = max(held, key=lambda name: len(held[name]), default="")
        if not node or len(held[node]) < 2:
            raise LabError(f"no node but {BACKEND_NODE} announces two of {', '.join(self.addresses)}")
        first, second, *_ = held[node]
        return Pair(node, (first, second))

    def speaker(self, node: str) -> Pod:
        """The speaker of a node.

        Raises:
            LabError: it has none.
        """
        for pod in self.session.pods.of("speaker"):
            if pod.node == node:
                return pod
        raise LabError(f"no speaker runs on {node}")

    def settle(self, seconds: float = RETURN_SECONDS) -> None:
        """Wait until all nodes and speakers are there, for `seconds`, and each address is answered for by one node.

        Raises:
            TimeoutError: that does not come about.
        """
        until(self._is_complete, _READY_SECONDS, "all nodes, their speakers and kube-proxies are back", every=1)
        time.sleep(seconds)
        until(self._is_quiet, _READY_SECONDS, "one node answers for each address and pages come from it", every=1)

    def _is_complete(self) -> bool:
        api = self.session.services.api
        nodes = api.get("/api/v1/nodes")["items"]
        proxies = pods.listed(api, "/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-proxy")
        running = [pod for pod in (*self.session.pods.of("speaker"), *proxies) if pod.runs]
        return all(_is_ready(node) for node in nodes) and len(running) == 2 * len(nodes)

    def _is_quiet(self) -> bool:
        before: dict[str, str] = {}
        ends = time.monotonic() + _QUIET_SECONDS
        while time.monotonic() < ends:
            try:
                owners = self.owners()
            except LabError:
                return False
            if before and owners != before or not all(lan.serves(address) for address in self.addresses):
                return False
            before = owners
        return True


@contextlib.contextmanager
def front(session: Session) -> Iterator[Front]:
    """The Services of this session, made when there are none yet, complete and quiet."""
    services = session.services
    names = [f"{APP}-{number}" for number in range(1, COUNT + 1)]
    if names[0] not in services.watch.since:
        services.api.create(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments", _WORKLOAD)
        for name in names:
            services.create(name, app=APP)
        services.wait(names)
    addresses = tuple(services.watch.addresses[name][0] for name in names)
    with lan.Asker() as asker:
        made = Front(session, addresses, asker)
        made.settle(0)
        yield made


def repeated(
    session: Session, key: str, count: int, measure: Callable[[Front], Figure], rest: float = RETURN_SECONDS
) -> list[Figure]:
    """Measure `count` times, with `rest` seconds for the cluster to recover after each.

    When something goes wrong, what was measured until then is kept, and row `key` tells of the failure.

    Raises:
        TimeoutError, LabError, RefusedError, OSError: nothing was measured.
    """
    found: list[Figure] = []
    with front(session) as scene:
        try:
            for _ in range(count):
                found.append(measure(scene))
                scene.settle(rest)
        except (TimeoutError, LabError, RefusedError, OSError) as error:
            if not found:
                raise
            session.failures[key] = f"ended after {len(found)} of {count}: {error}"
    return found


def _is_ready(node: dict[str, object]) -> bool:
    conditions = node["status"]["conditions"]  # type: ignore[index]
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
