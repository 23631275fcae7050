# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The half of the lab's commands that runs inside the world; `cli` starts it as `python -m homelab.inside COMMAND`."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from . import cluster, images, inventory, network, paths
from .container import exists
from .impairment import DIRECTIONS, BadCable, Impairment
from .running import Lab
from .shell import LabError, stage
from .topology import Host, ipv6_prefix


def up() -> None:
    lab = Lab.load()
    with stage("router"):
        network.make_switches(lab.topology)
        lab.install(lab.topology.router)
        lab.power_on(lab.topology.router)
        lab.container(lab.topology.router).wait(
            "systemctl", "is-active", "--quiet", "dnsmasq", seconds=30, what="dnsmasq did not start"
        )
    others = [host for host in lab.topology.hosts if host.kind != "router"]
    with stage(f"client and {len(lab.topology.nodes)} node(s) boot and get their addresses"):
        for host in others:
            lab.install(host)
        _each(others, lab.power_on)
        _each(others, lab.wait_until_up)
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


def _each(items: list[Host], action: Callable[[Host], None]) -> None:
    with concurrent.futures.ThreadPoolExecutor(max(1, len(items))) as pool:
        for done in [pool.submit(action, item) for item in items]:
            done.result()


def cable(name: str, state: str) -> None:
    lab = Lab.load()
    states: dict[str, network.Cable] = {"cut": "cut", "join": "joined", "dead-port": "dead port"}
    with lab.locked():
        lab.set_cable(lab.topology.host(name), states[state])


def impair(name: str, directions: str, rules: str) -> None:
    """`directions` is a comma separated list, `rules` an Impairment as JSON."""
    lab = Lab.load()
    host = lab.topology.host(name)
    wanted = tuple(direction for direction in DIRECTIONS if direction in directions.split(","))
    with lab.locked():
        lab.impair(host, (lab.impairment(name) or BadCable()).changed(wanted, Impairment(**json.loads(rules))))


def clear(name: str) -> None:
    lab = Lab.load()
    with lab.locked():
        lab.repair(lab.topology.host(name))


def power(name: str, action: str) -> None:
    lab = Lab.load()
    host = lab.topology.host(name)
    with lab.locked():
        if action in ("off", "reset"):
            lab.power_off(host)
        if action in ("on", "reset") and not exists(name):
            lab.power_on(host)


def rebooted(name: str) -> None:
    """Started by the world when a host has shut itself down in order to boot again."""
    _after_shutdown(name, again=True)


def switched_off(name: str) -> None:
    """Started by the world when a host has switched itself off."""
    _after_shutdown(name, again=False)


def _after_shutdown(name: str, *, again: bool) -> None:
    lab = Lab.load()
    host = lab.topology.host(name)
    with lab.locked():
        # Somebody may have cut or given back its power meanwhile.
        if exists(name) and not lab.container(host).running():
            lab.power_off(host)
            if again:
                lab.power_on(host)


def prefix(new: str) -> None:
    """Renumber the LAN's IPv6 network; the nodes' kubelets are told their new addresses, as their owner would do."""
    lab = Lab.load()
    new = ipv6_prefix(new)
    with lab.locked():
        lab.renumber(new)
    present = [node for node in lab.topology.nodes if exists(node.name)]
    with stage(f"{len(present)} node(s) take addresses from {new}"):
        _each(present, lambda node: lab.wait_for_addresses(node, seconds=60))
    if lab.topology.kubernetes:
        with stage("kubelet reports them"):
            _each(list(lab.topology.nodes), lab.renumber_kubelet)


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
                "cable": lab.cable(host.name),
                "impairment": (bad := lab.impairment(host.name)) and dataclasses.asdict(bad),
                "addresses": network.addresses(host.name) if on else [],
            }
        )
    first = lab.topology.nodes[0]
    known = lab.topology.kubernetes and exists(first.name)
    ready = cluster.readiness(lab.container(first)) if known else {}
    report = {
        "name": paths.lab_name(),
        "lan": lab.topology.lan,
        "ipv6": lab.prefix,
        "second_lan": lab.topology.second and lab.topology.second.lan,
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
    "impair": impair,
    "clear": clear,
    "power": power,
    "rebooted": rebooted,
    "switched-off": switched_off,
    "prefix": prefix,
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
