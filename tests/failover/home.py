# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The home under test: its cluster, and what may happen to its nodes, cables, speakers and labels."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from benchmarks import lab, processes
from benchmarks.api import ClusterApi
from benchmarks.pods import SYSTEM
from benchmarks.pods import path as pod_path
from benchmarks.services import until
from homelab import demo, images, paths, world
from homelab.shell import LabError, logged
from homelab.topology import Topology, address6
from vips import NAMESPACE, PORT, backends
from wire import Lan

NODES = 3
SETTLE_SECONDS = 240.0
EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"
# What the tests' own pools have is not handed out to anybody else.
INVENTORY = {
    "lantern_pools": [
        {"name": "default", "addresses": ["192.168.2.128-192.168.2.223"], "ipv6_host_parts": ["::1000-::10ff"]}
    ],
    # All three nodes announce.
    "lantern_serve_from_control_plane": "true",
}
# Every speaker's --hold-time: until it is over, a node that comes, or comes back, gets nothing that a living one has.
HOLD_SECONDS = 60.0
_OWN_POOL = "192.168.2.224-192.168.2.238"
_METRICS_PORT = 17472
_PROXY_PORT = 10256
_PROXY = "/api/v1/namespaces/kube-system/configmaps/kube-proxy"


@dataclass(frozen=True, slots=True)
class Home:
    """A lab with Lantern in it. `prefix`: its LAN's IPv6 network."""

    api: ClusterApi
    topology: Topology
    prefix: str

    @classmethod
    def set_up(cls) -> Home:
        """A new lab with two IP families, Lantern put into it by its playbook, and a backend on every node."""
        lab.down()
        logged([lab.LAB, "up", "--nodes", str(NODES), "--ipv6"], _log("lab"))
        demo.fetch()
        site = [lab.LAB, "ansible-playbook", "playbooks/site.yml", "--extra-vars", json.dumps(INVENTORY)]
        logged(site, _log("site"), env={"ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}, cwd=lab.PROJECT)
        home = cls.present()
        home.add_backends()
        return home

    def add_backends(self) -> None:
        """On every node a pod that answers, out of the image that Lantern's own is built on, as it has Python."""
        lab.run("image", "load", str(images.base_archive()))
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        lab.kubectl("apply", "--filename=-", stdin=yaml.safe_dump_all([namespace, *backends(self.nodes)]))

    @classmethod
    def present(cls) -> Home:
        """The lab that is up."""
        topology = Topology.from_json((paths.state() / "topology.json").read_text())
        assert topology.ipv6, "the lab was started with --ipv6"
        return cls(ClusterApi.of_lab(), topology, lab.run("prefix").strip())

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(node.name for node in self.topology.nodes)

    @property
    def workers(self) -> tuple[str, ...]:
        """The nodes that may go without taking the API server with them."""
        return self.nodes[1:]

    @property
    def lan(self) -> Lan:
        return Lan(self.topology, self.prefix)

    @property
    def own_pool(self) -> list[str]:
        """Addresses of both families for a pool that a test makes."""
        network = ipaddress.IPv6Network(self.prefix)
        return [_OWN_POOL, f"{network[0x1100]}-{network[0x110F]}"]

    def client(self, address: str) -> str:
        """What the client asks an address from."""
        client = self.topology.client
        return address6(client, self.prefix) if ":" in address else client.address

    def others(self, *nodes: str) -> list[str]:
        return [name for name in self.nodes if name not in nodes]

    # All is well

    def settle(self, seconds: float = SETTLE_SECONDS) -> None:
        """Wait until every node, backend and speaker is ready and the speakers have found each other."""
        until(self._settled, seconds, "the cluster is complete again", every=0.5)

    def _settled(self) -> bool:
        nodes = self.api.get("/api/v1/nodes")["items"]
        if not all(_condition(node, "Ready") for node in nodes):
            return False
        pods = self.api.get(pod_path())["items"] + self.api.get(f"/api/v1/namespaces/{NAMESPACE}/pods")["items"]
        pods = [pod for pod in pods if pod["metadata"].get("labels", {}).get("app") != "unready"]
        if any("deletionTimestamp" in pod["metadata"] or not _condition(pod, "Ready") for pod in pods):
            return False
        # What the API server has of a node that has just lost its power may be old.
        backends = {pod["spec"]["nodeName"]: pod["status"]["podIP"] for pod in pods if _is_backend(pod)}
        return backends.keys() == set(self.nodes) and all(self._serves(node, backends[node]) for node in self.nodes)

    def _serves(self, node: str, backend: str) -> bool:
        """Whether kube-proxy and the backend answer on a node, and its speaker knows all others."""
        pages = (f"http://127.0.0.1:{_PROXY_PORT}/healthz", f"http://{backend}:{PORT}/")
        asked = " && ".join(f"curl --silent --fail --max-time 3 --output /dev/null {page}" for page in pages)
        return _said(node, f"{asked} && echo good") == "good\n" and self.members(node) == set(self.nodes)

    def members(self, node: str) -> set[str]:
        """The members that a node's speaker knows to be alive; empty while it does not answer."""
        try:
            return {one["name"] for one in json.loads(_page(node, "members")) if one["state"] == "alive"}
        except ValueError:
            return set()

    def metric(self, node: str, name: str) -> float:
        """The sum of those series of a node's speaker whose text begins with `name`."""
        page = _page(node, "metrics")
        assert name.partition("{")[0] in page, f"the speaker of {node} has no metric {name}"
        rows = [line.rsplit(" ", 1) for line in page.splitlines() if line.startswith(name)]
        return sum(float(value) for _, value in rows)

    # Speakers

    def _speaker_pod(self, node: str) -> dict[str, Any]:
        pods = self.api.get(f"{pod_path()}?labelSelector=component%3Dspeaker&fieldSelector=spec.nodeName%3D{node}")
        alive = [pod for pod in pods["items"] if "deletionTimestamp" not in pod["metadata"]]
        assert len(alive) == 1, f"{node} has {len(alive)} speakers"
        found: dict[str, Any] = alive[0]
        return found

    def _speaker_processes(self, node: str) -> list[int]:
        return processes.of_container(self._speaker_pod(node)["status"]["containerStatuses"][0]["containerID"])

    def kill_speaker(self, node: str) -> None:
        """End a speaker without warning; kubelet starts another one."""
        for pid in self._speaker_processes(node):
            os.kill(pid, signal.SIGKILL)

    @contextlib.contextmanager
    def frozen_speaker(self, node: str) -> Iterator[None]:
        """A speaker does not run (SIGSTOP) for the length of the body."""
        with processes.frozen(self._speaker_processes(node)):
            yield

    def delete_speaker(self, node: str) -> None:
        """Have a speaker's pod deleted, as `kubectl delete pod` does."""
        self.api.delete(pod_path(self._speaker_pod(node)["metadata"]["name"]))

    def roll_speakers(self) -> None:
        """`kubectl rollout restart`; returns when the last new speaker is ready."""
        lab.kubectl(f"--namespace={SYSTEM}", "rollout", "restart", "daemonset/speaker")
        lab.kubectl(f"--namespace={SYSTEM}", "rollout", "status", "daemonset/speaker", "--timeout=180s")

    # Nodes and cables

    @contextlib.contextmanager
    def pulled_cable(self, node: str, *, keep_carrier: bool = False) -> Iterator[None]:
        """A node's cable is out, or its switch port dead, for the length of the body."""
        lab.run("cable", node, "cut", *(["--keep-carrier"] if keep_carrier else []))
        try:
            yield
        finally:
            lab.run("cable", node, "join")

    @contextlib.contextmanager
    def no_power(self, host: str) -> Iterator[None]:
        """A host has no power for the length of the body."""
        lab.run("power", host, "off")
        try:
            yield
        finally:
            lab.run("power", host, "on")

    @contextlib.contextmanager
    def parted(self, node: str, only: str = "") -> Iterator[None]:
        """A node and the other nodes do not hear each other for the length of the body; the client hears all.

        `only` says in the words of nft what they do not hear, if it is not everything.
        The switch does it: its bridge drops what passes between their ports.
        """
        others = ", ".join(f'"{name}"' for name in self.others(node))
        rules = (
            "table bridge parted {\n"
            "  chain forward {\n"
            "    type filter hook forward priority 0\n"
            f'    iifname "{node}" oifname {{ {others} }} {only} drop\n'
            f'    iifname {{ {others} }} oifname "{node}" {only} drop\n'
            "  }\n"
            "}\n"
        )
        subprocess.run(world.enter(["nft", "--file", "-"]), input=rules, text=True, check=True)
        try:
            yield
        finally:
            subprocess.run(world.enter(["nft", "delete", "table", "bridge", "parted"]), check=True)

    @contextlib.contextmanager
    def impaired(self, *rules: str) -> Iterator[None]:
        """All nodes' cables are bad by these options of `lab cable NODE impair` for the length of the body."""
        try:
            for number, node in enumerate(self.nodes):
                lab.run("cable", node, "impair", "--seed", str(number), *rules)
            yield
        finally:
            for node in self.nodes:
                lab.run("cable", node, "clear")

    # What the API server says of a node

    @contextlib.contextmanager
    def labelled(self, node: str, label: str, value: str = "") -> Iterator[None]:
        """A node has a label for the length of the body."""
        self._label(node, label, value)
        try:
            yield
        finally:
            self._label(node, label, None)

    def _label(self, node: str, label: str, value: str | None) -> None:
        self.api.merge(f"/api/v1/nodes/{node}", {"metadata": {"labels": {label: value}}})

    @contextlib.contextmanager
    def cordoned(self, node: str) -> Iterator[None]:
        """No pod is scheduled to a node for the length of the body."""
        self.api.merge(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": True}})
        try:
            yield
        finally:
            self.api.merge(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": None}})

    @contextlib.contextmanager
    def network_unavailable(self, node: str) -> Iterator[None]:
        """A node's condition NetworkUnavailable, which its CNI plugin sets, is True for the length of the body."""
        self._network_condition(node, "True", "NoRouteCreated")
        try:
            yield
        finally:
            self._network_condition(node, "False", "RouteCreated")

    def _network_condition(self, node: str, status: str, reason: str) -> None:
        condition = {"type": "NetworkUnavailable", "status": status, "reason": reason, "message": "said by a test"}
        patch = {"status": {"conditions": [condition]}}
        merge = "application/strategic-merge-patch+json"
        self.api.request("PATCH", f"/api/v1/nodes/{node}/status", patch, merge)

    # kube-proxy

    def set_proxy_mode(self, mode: str) -> None:
        """Have kube-proxy work by iptables or nftables; returns when it does on every node."""
        settings = self.api.get(_PROXY)["data"]["config.conf"]
        loaded = yaml.safe_load(settings)
        if loaded["mode"] == mode:
            return
        loaded["mode"] = mode
        self.api.merge(_PROXY, {"data": {"config.conf": yaml.safe_dump(loaded)}})
        lab.kubectl("--namespace=kube-system", "rollout", "restart", "daemonset/kube-proxy")
        lab.kubectl("--namespace=kube-system", "rollout", "status", "daemonset/kube-proxy", "--timeout=180s")
        time.sleep(2)  # Ready is said before the first rules are in the kernel.


def _page(node: str, name: str) -> str:
    """A page of a node's speaker; empty while it does not answer."""
    return _said(node, f"curl --silent --max-time 3 http://127.0.0.1:{_METRICS_PORT}/{name}")


def _said(node: str, command: str) -> str:
    """What a command says on a node; empty while the node does not run, or when the command fails."""
    try:
        return lab.on(node, command)
    except LabError:
        return ""


def _is_backend(pod: dict[str, Any]) -> bool:
    return bool(pod["metadata"].get("labels", {}).get("app") == "echo")


def _condition(item: dict[str, Any], kind: str) -> bool:
    return any(one["type"] == kind and one["status"] == "True" for one in item["status"].get("conditions", []))


def _log(name: str) -> Any:
    folder = paths.cache().parent / "failover"
    folder.mkdir(exist_ok=True)
    return folder / f"{name}.log"
