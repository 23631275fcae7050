# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running lab: what is installed on its hosts, their power, cables and addresses. Runs inside the world.

What `topology` does not know because it changes while the lab runs lies in files of the state folder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from . import hosts, images, network, node, paths, registry, rootfs, router
from .container import Container, Mount, exists
from .impairment import BadCable
from .shell import LabError
from .topology import Host, Topology, address6


@dataclasses.dataclass(frozen=True, slots=True)
class Lab:
    """A running lab by its topology; everything else is read from files and from the kernel when it is asked for."""

    topology: Topology

    @classmethod
    def load(cls) -> Self:
        return cls(Topology.from_json((paths.state() / "topology.json").read_text()))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One change at a time: hosts reboot by themselves while somebody pulls their cables."""
        with (paths.state() / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    # cables

    def cable(self, name: str) -> network.Cable:
        return self._cables().get(name, "joined")

    def _cables(self) -> dict[str, network.Cable]:
        file = paths.state() / "cables.json"
        return json.loads(file.read_text()) if file.exists() else {}

    def set_cable(self, host: Host, cable: network.Cable) -> None:
        (paths.state() / "cables.json").write_text(json.dumps({**self._cables(), host.name: cable}))
        self._wire(host)

    def _wire(self, host: Host) -> None:
        if exists(host.name):
            network.set_cable(host, self.cable(host.name), bad=self.impairment(host.name) is not None)

    def impairment(self, name: str) -> BadCable | None:
        """How bad a host's cable is, None while it is good."""
        file = _relay_file(name, "json")
        return BadCable.from_json(file.read_text()) if file.exists() else None

    def impair(self, host: Host, bad: BadCable) -> None:
        """Make a host's cable bad, or otherwise bad; frames under way are not lost by the change."""
        file, running = _relay_file(host.name, "json"), _relay_file(host.name, "pid")
        file.parent.mkdir(exist_ok=True)
        # The relay may be told to read it at any time, so it must be whole at any time.
        file.with_suffix(".partial").write_text(bad.to_json())
        file.with_suffix(".partial").rename(file)
        if running.exists():
            os.kill(int(running.read_text()), signal.SIGHUP)
            return
        running.write_text(str(_start_relay(host, file)))
        network.insert_box(host.name)
        self._wire(host)

    def repair(self, host: Host) -> None:
        """Give a host a good cable; frames under way in the bad one are lost."""
        running = _relay_file(host.name, "pid")
        if not running.exists():
            return
        _relay_file(host.name, "json").unlink()
        self._wire(host)
        network.remove_box(host.name)
        os.kill(int(running.read_text()), signal.SIGTERM)
        running.unlink()
        _until(lambda: network.relay_taps(host.name) == 0, 5, f"the relay in {host.name}'s cable does not end")

    # hosts

    def container(self, host: Host) -> Container:
        world = paths.state() / "world"
        mounts: list[Mount] = []
        if host.kind == "node" and self.topology.kubernetes:
            kubelet = world / "hosts" / host.name / "kubelet"
            kubelet.mkdir(parents=True, exist_ok=True)
            programs = Path((paths.state() / "kubernetes").read_text())
            mounts += (
                Mount(source=programs, target="/opt/kubernetes", read_only=True),
                Mount(source=paths.state() / "containerd" / host.name, target="/var/lib/containerd"),
                Mount(source=kubelet, target="/var/lib/kubelet", shared=True),
            )
        if host.kind == "router" and self.topology.kubernetes:
            mounts.append(Mount(source=paths.state() / "registry", target=registry.STORAGE))
        if host.system == "raspbian":
            mounts.append(Mount(source=_device_tree(world / "hosts" / host.name), target="/sys/firmware"))
        return Container(
            name=host.name,
            world=world,
            logs=paths.state() / "logs",
            rootfs=rootfs.host(host.system),
            mounts=tuple(mounts),
        )

    def install(self, host: Host) -> None:
        """Unpack a host and write what it boots with; done once, a power cycle keeps it."""
        container = self.container(host)
        container.unpack()
        setup = hosts.setup(host, self.topology, (paths.state() / "ssh" / "id_ed25519.pub").read_text())
        for path, text in setup.files.items():
            container.write(path, text, 0o600 if ".ssh" in path else 0o644)
        for unit in setup.units:
            container.enable(unit)
        for home, owner in (("root", 0), ("home/homelab", 1000)):
            folder = container.root / home / ".ssh"
            folder.chmod(0o700)
            for file in (folder, folder / "authorized_keys"):
                os.chown(file, owner, owner)
        if not self.topology.kubernetes:
            return
        if host.kind == "node":
            for program in ("kubeadm", "kubelet", "kubectl"):
                (container.root / "usr/bin" / program).symlink_to(f"/opt/kubernetes/{program}")
            images.copy_store(paths.state() / "containerd" / host.name)
        if host.kind == "router":
            registry.copy_store(paths.state() / "registry")

    def power_on(self, host: Host) -> None:
        container = self.container(host)
        network.connect(host, self.cable(host.name), bad=self.impairment(host.name) is not None)
        container.unpack()
        container.start()

    def power_off(self, host: Host) -> None:
        network.disconnect(host.name)
        self.container(host).kill()

    def wait_until_up(self, host: Host) -> None:
        """Wait for a host that boots: the addresses it is meant to have, and sshd."""
        self.wait_for_addresses(host, seconds=60)
        self.container(host).wait("systemctl", "is-active", "--quiet", "ssh", seconds=60, what="sshd did not start")

    # addresses

    @property
    def prefix(self) -> str | None:
        """The LAN's IPv6 network as it is now."""
        file = paths.state() / "prefix"
        return file.read_text() if file.exists() else self.topology.ipv6

    def addresses(self, host: Host) -> list[str]:
        """What a host's eth0 is meant to have, with prefix lengths."""
        wanted = [f"{host.address}/{self.topology.prefix_length(host)}"]
        if self.prefix and host.switch == "lan":
            wanted.append(f"{address6(host, self.prefix)}/64")
        return wanted

    def wait_for_addresses(self, host: Host, seconds: float) -> None:
        """Wait until a host has all addresses it is meant to have.

        Raises:
            LabError: it has not within `seconds`, or the router gave it another one.
        """
        deadline = time.monotonic() + seconds
        wanted = set(self.addresses(host))
        while not wanted <= (found := set(network.addresses(host.name))):
            other = [address for address in found - wanted if ":" not in address]
            if other:
                raise LabError(f"{host.name} was given {', '.join(other)} instead of {host.address}")
            if time.monotonic() > deadline:
                missing = ", ".join(sorted(wanted - found))
                raise LabError(f"{host.name} did not get {missing}; logs are in {paths.state() / 'logs'}")
            time.sleep(0.1)

    def renumber(self, prefix: str) -> None:
        """Give the LAN another IPv6 prefix; its router announces it and says that the old one is of the past.

        Raises:
            LabError: a LAN without IPv6, or a router without power.
        """
        old, host = self.prefix, self.topology.router
        if old is None:
            raise LabError("this lab has no IPv6; start it with: lab up --ipv6")
        if not exists(host.name):
            raise LabError("the router has no power; give it back first: lab power router on")
        container = self.container(host)
        container.write(router.PREFIX_FILE, router.prefix_settings(host, prefix))
        if old != prefix:
            container.exec("ip", "address", "add", f"{address6(host, prefix)}/64", "dev", "eth0")
            container.exec("ip", "address", "delete", f"{address6(host, old)}/64", "dev", "eth0")
        (paths.state() / "prefix").write_text(prefix)

    def renumber_kubelet(self, host: Host) -> None:
        """Have a node's kubelet report its address under the prefix of now."""
        assert self.prefix, "only a LAN with IPv6 is renumbered"
        container = self.container(host)
        container.write(node.KUBELET_DEFAULTS, node.kubelet_defaults(host, self.prefix))
        if exists(host.name):
            container.exec("systemctl", "try-restart", "kubelet")


def _relay_file(name: str, suffix: str) -> Path:
    return paths.state() / "relays" / f"{name}.{suffix}"


def _start_relay(host: Host, file: Path) -> int:
    """Start the process inside a bad cable; returns its PID when its TAPs are there."""
    log = paths.state() / "logs" / f"{host.name}.cable.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "homelab.relay", host.name, str(file)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    _until(lambda: network.relay_taps(host.name) == 2, 10, f"the relay in its cable does not start; see {log}")
    return process.pid


def _until(condition: Callable[[], bool], seconds: float, failure: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(failure)
        time.sleep(0.01)


def _device_tree(folder: Path) -> Path:
    """A folder laid out as /sys/firmware of a Raspberry Pi."""
    base = folder / "firmware" / "devicetree" / "base"
    base.mkdir(parents=True, exist_ok=True)
    # Strings in a device tree end with a zero byte.
    (base / "model").write_text(node.RASPBIAN_MODEL + "\0")
    return folder / "firmware"
