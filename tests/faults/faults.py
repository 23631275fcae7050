# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults, and what must hold after every one of them."""

from __future__ import annotations

import contextlib
import http.client
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from benchmarks import lab, processes
from benchmarks.api import ClusterApi, RefusedError
from benchmarks.pods import SYSTEM, Pods
from benchmarks.services import CLIENTS, Services, until

POOLS = f"/apis/metallb.io/v1beta1/namespaces/{SYSTEM}/ipaddresspools"
POOL_ANNOTATION = "metallb.io/address-pool"
ADDRESS_ANNOTATION = "metallb.io/loadBalancerIPs"
SHARING_ANNOTATION = "metallb.io/allow-shared-ip"
_MANIFESTS = "/etc/kubernetes/manifests"
_BACK_SECONDS = 120.0
_EXPLAINED_SECONDS = 30.0
_TURNS = frozenset({"ClearAssignment", "AllocationFailed"})
"""Events of a Service that lost its address, in the order in which they are written. Others may be written late."""


@dataclass(slots=True)
class Scene:
    """A namespace with Services, one of them a pair that shares its address, and pools made for a test."""

    api: ClusterApi
    pods: Pods
    services: Services
    _pools: list[str] = field(default_factory=list)

    @classmethod
    def begin(cls, api: ClusterApi, pods: Pods, name: str) -> Scene:
        services = Services.begin(api, f"{name}-{secrets.token_hex(2)}")
        key = {SHARING_ANNOTATION: services.namespace}
        services.create("shared-80", key, 80)
        services.wait(["shared-80"], 60)
        services.create("shared-443", key | {ADDRESS_ANNOTATION: services.watch.addresses["shared-80"][0]}, 443)
        services.wait(["shared-443"], 60)
        return cls(api, pods, services)

    def end(self) -> None:
        """Remove what was made."""
        self.services.watch.stop()
        for pool in self._pools:
            self.api.delete(f"{POOLS}/{pool}")
        self.api.delete(f"/api/v1/namespaces/{self.services.namespace}")

    def pool(self, name: str, addresses: list[str]) -> dict[str, str]:
        """Make a pool that only Services with the returned annotation use."""
        name = f"{name}-{secrets.token_hex(2)}"
        body = {
            "apiVersion": "metallb.io/v1beta1",
            "kind": "IPAddressPool",
            "metadata": {"name": name, "namespace": SYSTEM},
            "spec": {"addresses": addresses, "autoAssign": False},
        }
        self.api.create(POOLS, body)
        self._pools.append(name)
        return {POOL_ANNOTATION: name}

    def resize(self, annotation: dict[str, str], addresses: list[str]) -> None:
        self.api.merge(f"{POOLS}/{annotation[POOL_ANNOTATION]}", {"spec": {"addresses": addresses}})

    @contextlib.contextmanager
    def burst(self, count: int, annotations: dict[str, str] | None = None) -> Iterator[list[str]]:
        """Services are being made while the body runs, by clients that do not give up; leaves when all are made."""
        names = self.services.names("burst", count)
        with ThreadPoolExecutor(CLIENTS) as clients:
            made: list[Future[None]] = [clients.submit(self._insist, name, annotations) for name in names]
            yield names
            for future in made:
                future.result()

    def _insist(self, name: str, annotations: dict[str, str] | None) -> None:
        deadline = time.monotonic() + 2 * _BACK_SECONDS
        while True:
            try:
                self.services.create(name, annotations)
                return
            except (OSError, http.client.HTTPException, RefusedError) as error:
                if isinstance(error, RefusedError) and error.status == 409:
                    return  # it was made, but the answer did not arrive
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def addressed(self, names: list[str], count: int, seconds: float = 60) -> None:
        """Wait until at least `count` of the named Services have addresses."""
        watch = self.services.watch
        assert watch.wait_for(lambda: sum(name in watch.addresses for name in names) >= count, seconds), (
            f"only {sum(name in watch.addresses for name in names)} of {count} Services have addresses"
        )

    def present(self) -> dict[str, dict[str, Any]]:
        """All Services of the namespace as they are now, by name."""
        return {item["metadata"]["name"]: item for item in self.api.get(self.services.path)["items"]}

    def check(self, *, moved: frozenset[str] = frozenset()) -> None:
        """What must hold after every fault. `moved`: Services whose address was taken from their pool."""
        watch = self.services.watch
        assert not watch.clashes, "an address was at two Services:\n" + "\n".join(watch.clashes[:10])
        lost = {name: before for name, before in watch.losses.items() if name not in moved}
        assert not lost, f"Services lost addresses that were still theirs: {dict(list(lost.items())[:5])}"
        shared = {watch.addresses.get(name) for name in ("shared-80", "shared-443")}
        assert len(shared) == 1, f"two Services that share an address do not any more: {shared}"
        self.check_pending()
        self._check_cluster()

    def check_pending(self) -> None:
        """Whoever has no address now has been told why since it had one last."""
        pending = {name: item["metadata"]["uid"] for name, item in self.present().items() if not _ips(item)}
        what = f"Events that say why {sorted(pending)[:5]} have no address"
        until(lambda: set(pending.values()) <= self._explained(), _EXPLAINED_SECONDS, what)

    def _explained(self) -> set[str]:
        """The uids of Services of which the last that happened is a refusal with its reason."""
        last: dict[str, tuple[int, bool]] = {}
        for event in self.api.get(f"/api/v1/namespaces/{self.services.namespace}/events")["items"]:
            about, reason = event["involvedObject"], event["reason"]
            if event["source"].get("component") != "metallb-controller" or reason not in _TURNS:
                continue
            told = f'Failed to allocate IP for "{about["namespace"]}/{about["name"]}": '
            says_why = event["message"].startswith(told) and len(event["message"]) > len(told)
            found = (int(event["metadata"]["resourceVersion"]), reason == "AllocationFailed" and says_why)
            last[about["uid"]] = max(found, last.get(about["uid"], found))
        return {uid for uid, (_version, is_refusal) in last.items() if is_refusal}

    def _check_cluster(self) -> None:
        """No address at two Services of different namespaces either, and none of a pool counted that nobody has."""
        keys: dict[str, list[str]] = {}
        for item in self.api.get("/api/v1/services")["items"]:
            for ip in _ips(item):
                keys.setdefault(ip, []).append(item["metadata"].get("annotations", {}).get(SHARING_ANNOTATION, ""))
        doubled = {ip for ip, found in keys.items() if len(found) > 1 and ("" in found or len(set(found)) > 1)}
        assert not doubled, f"addresses at two Services: {sorted(doubled)[:5]}"
        until(self._is_counted, _EXPLAINED_SECONDS, "pools count the addresses that Services have")

    def _is_counted(self) -> bool:
        pools = self.api.get(POOLS)["items"]
        counted: int = sum(pool.get("status", {}).get(f"assignedIPv{family}", 0) for pool in pools for family in (4, 6))
        services = self.api.get("/api/v1/services")["items"]
        return counted == len({ip for item in services for ip in _ips(item)})

    def kill_leader(self) -> None:
        processes.kill(self.pods.leader().container)

    @contextlib.contextmanager
    def frozen_leader(self) -> Iterator[None]:
        """Stop the leading controller by SIGSTOP for the length of the body, then let it go on."""
        with processes.frozen(processes.of_container(self.pods.leader().container)):
            yield


def _ips(item: dict[str, Any]) -> list[str]:
    return [entry["ip"] for entry in item["status"].get("loadBalancer", {}).get("ingress", []) if "ip" in entry]


@contextlib.contextmanager
def stopped_api_server(api: ClusterApi) -> Iterator[None]:
    """No API server for the length of the body; leaves when it answers again."""
    manifest = f"{_MANIFESTS}/kube-apiserver.yaml"
    lab.on("node1", f"mv {manifest} /etc/kubernetes/stopped.yaml; pkill -KILL -x kube-apiserver || true")
    until(lambda: not api.answers(), 30, "the API server is gone")
    try:
        yield
    finally:
        lab.on("node1", f"mv /etc/kubernetes/stopped.yaml {manifest}")
        until(api.answers, _BACK_SECONDS, "the API server is back")


def kill_etcd(api: ClusterApi) -> None:
    """End etcd without warning; returns when the API server answers out of the one that kubelet started instead."""
    before = lab.on("node1", "pgrep -x etcd").split()
    lab.on("node1", f"kill -KILL {' '.join(before)}")
    until(lambda: not set(before) & set(_pids("etcd")) and bool(_pids("etcd")), _BACK_SECONDS, "another etcd runs")
    until(api.answers, _BACK_SECONDS, "the API server has etcd back")


def _pids(program: str) -> list[str]:
    return lab.on("node1", f"pgrep -x {program} || true").split()
