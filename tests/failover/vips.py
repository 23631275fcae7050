# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services made for a test, and the pods behind them: on every node one that says where it is and whom it sees."""

from __future__ import annotations

import contextlib
import functools
import itertools
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.api import ClusterApi
from benchmarks.pods import SYSTEM
from benchmarks.services import until
from wire import Lan

NAMESPACE = "failover"
PORT = 8080
ASSIGN_SECONDS = 20.0
ANNOUNCE_SECONDS = 10.0
# After the API server was away kube-proxy comes back to it in its own time: after a minute at most.
PROXY_SECONDS = 120.0
SHARING = "metallb.io/allow-shared-ip"
ADDRESSES = "metallb.io/loadBalancerIPs"
POOL = "metallb.io/address-pool"
_MANY = 24
_CONFIGURATION = f"/apis/metallb.io/v1beta1/namespaces/{SYSTEM}"

# HTTP and UDP on one port, both IP families: answers with its node and the address that it is asked from.
SERVER = f"""
import json, os, socket, socketserver

def answer(address):
    return json.dumps({{"node": os.environ["NODE"], "client": address[0].removeprefix("::ffff:")}}).encode()

class Tcp(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(4096)
        head = b"HTTP/1.0 200 OK\\r\\nContent-Type: application/json\\r\\n\\r\\n"
        self.request.sendall(head + answer(self.client_address))

class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        self.request[1].sendto(answer(self.client_address), self.client_address)

class TcpServer(socketserver.ThreadingTCPServer):
    address_family, request_queue_size, daemon_threads = socket.AF_INET6, 512, True

class UdpServer(socketserver.UDPServer):
    address_family = socket.AF_INET6

import threading
threading.Thread(target=UdpServer(("::", {PORT}), Udp).serve_forever, daemon=True).start()
TcpServer(("::", {PORT}), Tcp).serve_forever()
"""


def backends(nodes: Sequence[str]) -> Iterator[dict[str, Any]]:
    """A Deployment for each node, its pod labelled `app: echo`, `on: NODE`; and `app: unready`, whose pod never is."""
    for node in nodes:
        serves = {"tcpSocket": {"port": PORT}, "periodSeconds": 2}
        yield _deployment(f"echo-{node}", {"app": "echo", "on": node}, node, serves)
    never = {"exec": {"command": ["false"]}, "periodSeconds": 10}
    yield _deployment("unready", {"app": "unready"}, nodes[-1], never)


def _deployment(name: str, labels: dict[str, str], node: str, readiness: dict[str, object]) -> dict[str, Any]:
    container = {
        "name": "server",
        "image": "localhost/lantern-base:1",
        "imagePullPolicy": "Never",
        "command": ["python3", "-c", SERVER],
        "env": [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "readinessProbe": readiness,
    }
    # A node that comes back finds its pod as it was.
    stays = [{"key": f"node.kubernetes.io/{what}", "operator": "Exists"} for what in ("not-ready", "unreachable")]
    pod = {
        "nodeSelector": {"kubernetes.io/hostname": node},
        "tolerations": stays,
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


@dataclass(frozen=True, slots=True)
class Vip:
    """A Service: its addresses, the first of them as `address`; protocol and number of its ports."""

    name: str
    addresses: tuple[str, ...]
    ports: tuple[tuple[str, int], ...]
    backed: tuple[str, ...]
    """The nodes that pass its packets on: with externalTrafficPolicy Local those that have a pod of it, else all."""

    @property
    def address(self) -> str:
        return self.addresses[0]


@dataclass(slots=True)
class Vips:
    """Makes Services and what concerns them, and takes all of it away at the end of a test."""

    api: ClusterApi
    lan: Lan
    nodes: tuple[str, ...]
    family: str = "IPv4"
    """Of Services that are not told another one."""
    _made: list[str] = field(default_factory=list)

    def make(
        self,
        *,
        selector: dict[str, str] | None = None,
        local: bool = False,
        ports: Sequence[tuple[str, int]] = (("TCP", 80),),
        labels: dict[str, str] | None = None,
        annotations: dict[str, str] | None = None,
        **spec: object,
    ) -> Vip:
        """A Service that has an address; `local`: externalTrafficPolicy. `ports`: protocol and number of each."""
        name = f"vip-{secrets.token_hex(3)}"
        listed = [
            {"name": f"{protocol.lower()}-{port}", "protocol": protocol, "port": port, "targetPort": PORT}
            for protocol, port in ports
        ]
        body = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "labels": labels or {}, "annotations": annotations or {}},
            "spec": {
                "type": "LoadBalancer",
                "selector": selector or {"app": "echo"},
                "externalTrafficPolicy": "Local" if local else "Cluster",
                "ports": listed,
                "ipFamilies": [self.family],
                **spec,
            },
        }
        self.api.create(_services(), body)
        self._made.append(_services(name))
        until(lambda: bool(self._addresses(name)), ASSIGN_SECONDS, f"Service {name} has an address")
        backed = (selector["on"],) if selector and "on" in selector and local else self.nodes
        return Vip(name, self._addresses(name), tuple(ports), backed)

    def _addresses(self, name: str) -> tuple[str, ...]:
        found = self.api.get(_services(name))["status"].get("loadBalancer", {}).get("ingress", [])
        return tuple(entry["ip"] for entry in found)

    def announced(self, **options: Any) -> tuple[Vip, str]:
        """As `make`; returns the Service's owner, too, when kube-proxy knows it on all nodes."""
        vip = self.make(**options)
        for node, address, (protocol, port) in itertools.product(vip.backed, vip.addresses, vip.ports):
            forwards = functools.partial(self.lan.forwards, node, address, protocol, port)
            until(forwards, PROXY_SECONDS, f"{node} passes on {protocol} for {address} port {port}")
        return vip, self.lan.owner(vip.address, ANNOUNCE_SECONDS)

    def owned_by(self, nodes: Sequence[str], **options: Any) -> tuple[Vip, str]:
        """As `announced`, but the owner is one of these: Services are made until it is so.

        Raises:
            AssertionError: nobody of them gets one.
        """
        for _ in range(_MANY):
            vip, owner = self.announced(**options)
            if owner in nodes:
                return vip, owner
        raise AssertionError(f"of {_MANY} Services {' and '.join(nodes)} announce none")

    def change(self, vip: Vip, spec: dict[str, object]) -> None:
        """Merge into a Service's spec; a key with None goes."""
        self.api.merge(_services(vip.name), {"spec": spec})

    def pool(self, addresses: Sequence[str]) -> dict[str, str]:
        """A pool that only Services with the returned annotation use, and that nothing advertises yet."""
        name = f"pool-{secrets.token_hex(3)}"
        spec = {"addresses": list(addresses), "autoAssign": False}
        self._configure("ipaddresspools", "IPAddressPool", name, spec)
        return {POOL: name}

    def advertise(self, pool: dict[str, str], **spec: object) -> str:
        """An L2Advertisement of a pool; returns its name."""
        name = f"advertisement-{secrets.token_hex(3)}"
        self._configure("l2advertisements", "L2Advertisement", name, {"ipAddressPools": [pool[POOL]], **spec})
        return name

    def readvertise(self, name: str, spec: dict[str, object]) -> None:
        """Merge into an L2Advertisement's spec; a key with None goes."""
        self.api.merge(f"{_CONFIGURATION}/l2advertisements/{name}", {"spec": spec})

    def _configure(self, plural: str, kind: str, name: str, spec: dict[str, object]) -> None:
        path = f"{_CONFIGURATION}/{plural}"
        body = {"apiVersion": "metallb.io/v1beta1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        self.api.create(path, body)
        self._made.append(f"{path}/{name}")

    @contextlib.contextmanager
    def gone_afterwards(self) -> Iterator[Vips]:
        """Everything that the body makes is removed, what was made last first."""
        try:
            yield self
        finally:
            while self._made:
                self.api.delete(self._made.pop())


def _services(name: str = "") -> str:
    return f"/api/v1/namespaces/{NAMESPACE}/services" + (f"/{name}" if name else "")
