# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The half of the lab's commands that runs inside the world; `cli` starts it as `python -m homelab.inside COMMAND`."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from . import cluster, hosts, images, inventory, network, paths, rootfs
from .container import Container, Mount, exists
from .shell import LabError, stage
from .topology import Host, Topology


@dataclasses.dataclass(slots=True)
class Lab:
    """A running lab: its topology and the state of its cables, kept in a file beside the world."""

    topology: Topology
    cables: dict[str, network.Cable]

    @classmethod
    def load(cls) -> Self:
        topology = Topology.from_json((paths.state() / "topology.json").read_text())
        file = paths.state() / "cables.json"
        return cls(topology, json.loads(file.read_text()) if file.exists() else {})

    def set_cable(self, name: str, cable: network.Cable) -> None:
        self.cables[name] = cable
        (paths.state() / "cables.json").write_text(json.dumps(self.cables))
        if exists(name):
            network.set_cable(name, cable)

    def container(self, host: Host) -> Container:
        world = paths.state() / "world"
        mounts: tuple[Mount, ...] = ()
        if host.kind == "node" and self.topology.kubernetes:
            kubelet = world / "hosts" / host.name / "kubelet"
            kubelet.mkdir(parents=True, exist_ok=True)
            mounts = (
                Mount(source=Path(os.environ["LAB_KUBERNETES"]), target="/opt/kubernetes", read_only=True),
                Mount(source=paths.state() / "containerd" / host.name, target="/var/lib/containerd"),
                Mount(source=kubelet, target="/var/lib/kubelet", shared=True),
            )
        return Container(name=host.name, world=world, logs=paths.state() / "logs", rootfs=rootfs.host(), mounts=mounts)

    def power_on(self, host: Host) -> None:
        container = self.container(host)
        network.connect(host, self.cables.get(host.name, "joined"))
        container.unpack()
        container.start()

    def power_off(self, host: Host) -> None:
        network.disconnect(host.name)
        self.container(host).kill()


def up() -> None:
    lab = Lab.load()
    with stage("router"):
        network.make_switch()
        _install(lab, lab.topology.router)
        lab.power_on(lab.topology.router)
        lab.container(lab.topology.router).wait(
            "systemctl", "is-active", "--quiet", "dnsmasq", seconds=30, what="dnsmasq did not start"
        )
    others = [host for host in lab.topology.hosts if host.kind != "router"]
    with stage(f"client and {len(lab.topology.nodes)} node(s) boot and get their addresses"):
        for host in others:
            _install(lab, host)
        _each(others, lab.power_on)
        _each(others, lambda host: _wait_for_address(lab, host))
    inventory.path().write_text(
        inventory.inventory(
            lab.topology,
            key=paths.state() / "ssh" / "id_ed25519",
            known_hosts=paths.state() / "ssh" / "known_hosts",
            base_image=images.base_archive(),
        )
    )
    if lab.topology.kubernetes:
        _start_cluster(lab)
    (paths.state() / "complete").touch()


def _start_cluster(lab: Lab) -> None:
    first, *workers = (lab.container(node) for node in lab.topology.nodes)
    with stage("kubeadm init"):
        kubeconfig = paths.state() / "kubeconfig"
        kubeconfig.write_text(cluster.init(lab.topology, first))
        kubeconfig.chmod(0o600)
    if workers:
        with stage("kubeadm join"):
            cluster.join(lab.topology, workers)
    with stage("all nodes Ready"):
        deadline = time.monotonic() + 120
        while not ((ready := cluster.readiness(first)) and len(ready) == len(workers) + 1 and all(ready.values())):
            if time.monotonic() > deadline:
                raise LabError(f"nodes did not become Ready: {ready}; logs are in {first.logs}")
            time.sleep(0.3)


def _install(lab: Lab, host: Host) -> None:
    """Unpack a host and write what it boots with; done once, a power cycle keeps it."""
    container = lab.container(host)
    container.unpack()
    setup = hosts.setup(host, lab.topology, (paths.state() / "ssh" / "id_ed25519.pub").read_text())
    for path, text in setup.files.items():
        container.write(path, text, 0o600 if ".ssh" in path else 0o644)
    for unit in setup.units:
        container.enable(unit)
    for home, owner in (("root", 0), ("home/homelab", 1000)):
        folder = container.root / home / ".ssh"
        folder.chmod(0o700)
        for file in (folder, folder / "authorized_keys"):
            os.chown(file, owner, owner)
    if host.kind == "node" and lab.topology.kubernetes:
        for program in ("kubeadm", "kubelet", "kubectl"):
            link = container.root / "usr/bin" / program
            link.symlink_to(f"/opt/kubernetes/{program}")
        images.copy_store(paths.state() / "containerd" / host.name)


def _wait_for_address(lab: Lab, host: Host) -> None:
    deadline = time.monotonic() + 60
    while not (found := network.addresses(host.name)):
        if time.monotonic() > deadline:
            raise LabError(f"{host.name} got no address from the router; logs are in {paths.state() / 'logs'}")
        time.sleep(0.1)
    if f"{host.address}/{lab.topology.prefix_length}" not in found:
        raise LabError(f"{host.name} was given {', '.join(found)} instead of {host.address}")
    lab.container(host).wait("systemctl", "is-active", "--quiet", "ssh", seconds=60, what="sshd did not start")


def _each(items: list[Host], action: Callable[[Host], None]) -> None:
    with concurrent.futures.ThreadPoolExecutor(max(1, len(items))) as pool:
        for done in [pool.submit(action, item) for item in items]:
            done.result()


def cable(name: str, state: str) -> None:
    lab = Lab.load()
    lab.topology.host(name)
    states: dict[str, network.Cable] = {"cut": "cut", "join": "joined", "dead-port": "dead port"}
    lab.set_cable(name, states[state])


def power(name: str, action: str) -> None:
    lab = Lab.load()
    host = lab.topology.host(name)
    if action in ("off", "reset"):
        lab.power_off(host)
    if action in ("on", "reset") and not exists(name):
        lab.power_on(host)


def status() -> None:
    """Print the lab's state as JSON."""
    lab = Lab.load()
    rows: list[dict[str, Any]] = []
    for host in lab.topology.hosts:
        on = exists(host.name)
        rows.append(
            {
                "name": host.name,
                "kind": host.kind,
                "mac": host.mac,
                "power": "on" if on else "off",
                "cable": lab.cables.get(host.name, "joined"),
                "addresses": network.addresses(host.name) if on else [],
            }
        )
    first = lab.topology.nodes[0]
    known = lab.topology.kubernetes and exists(first.name)
    ready = cluster.readiness(lab.container(first)) if known else {}
    report = {
        "name": paths.lab_name(),
        "lan": lab.topology.lan,
        "complete": (paths.state() / "complete").exists(),
        "hosts": rows,
        "kubernetes": {"enabled": lab.topology.kubernetes, "nodes_ready": ready},
    }
    print(json.dumps(report, indent=2))


def image_load(*files: str) -> None:
    lab = Lab.load()
    if not lab.topology.kubernetes:
        raise LabError("this lab was made with --no-kubernetes: its nodes have no container runtime to load into")
    for file in files:
        for node in lab.topology.nodes:
            command = ["runc", "--root", str(paths.state() / "world/runc"), "exec", node.name]
            with open(file, "rb") as archive:
                done = subprocess.run([*command, "ctr", "-n", "k8s.io", "images", "import", "-"], stdin=archive)
            if done.returncode:
                raise LabError(f"{node.name} refused {file}: give an OCI or docker archive")


COMMANDS: dict[str, Callable[..., None]] = {
    "up": up,
    "cable": cable,
    "power": power,
    "status": status,
    "image-load": image_load,
}


def main() -> int:
    try:
        COMMANDS[sys.argv[1]](*sys.argv[2:])
    except (LabError, ValueError, OSError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
