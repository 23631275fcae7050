# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A LAN in network namespaces: a switch, hosts with /etc and /var of their own, real DHCP servers and clients.

Nothing reaches the machine itself: a host's files are an overlay that goes with it, and its network has no way out.
Services are started by a script in the place of a service manager, as these hosts have none.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
DHCP_CLIENT = Path(__file__).with_name("dhcp_client.sh")
COLLECTION = "ansible_collections.homelab.lantern.plugins.modules"
NETWORK = "192.168.2.0/24"
ROUTER = "192.168.2.1"

_HOLDER = """
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
for folder in /etc /var; do
    own=/mnt$folder
    mkdir -p $own/upper $own/work
    mount -t overlay overlay -o lowerdir=$folder,upperdir=$own/upper,workdir=$own/work $folder
done
mount -t tmpfs tmpfs /run
# Read-only, as in a container: networkd takes that as "there is no udev to wait for".
mount -t sysfs -o ro sysfs /sys
ip link set lo up
echo ready
exec sleep 3600
"""


class Host:
    """One host; `folder` is its place for files outside the overlay."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-ec", _HOLDER], stdout=subprocess.PIPE, text=True
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "ready\n":
            raise RuntimeError(f"host {name} could not be made")
        self.processes: list[subprocess.Popen[bytes]] = []

    @property
    def pid(self) -> int:
        return self._holder.pid

    @property
    def _enter(self) -> list[str]:
        return ["nsenter", f"--target={self.pid}", "--net", "--mount"]

    @property
    def environment(self) -> dict[str, str]:
        """Programs in `folder`/bin come first: the place of the service manager."""
        return {**os.environ, "PATH": f"{self.folder}/bin:{os.environ['PATH']}:/usr/sbin:/sbin", "LC_ALL": "C"}

    def run(self, *command: str, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*self._enter, *command], capture_output=True, text=True, timeout=180, env=self.environment, **options
        )
        assert done.returncode == 0 or not check, f"{command}: {done.stdout}{done.stderr}"
        return done

    def start(self, *command: str, log: str) -> subprocess.Popen[bytes]:
        """A program that stays; its output goes to a file in `folder`."""
        with open(self.folder / log, "ab") as output:
            process = subprocess.Popen(
                [*self._enter, *command], stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=self.environment
            )
        self.processes.append(process)
        return process

    def write(self, path: str, text: str) -> None:
        self.run("sh", "-c", 'mkdir -p "$(dirname "$1")" && cat >"$1"', "sh", path, input=text)

    def read(self, path: str) -> str:
        return self.run("cat", path).stdout

    def script(self, name: str, text: str) -> None:
        """A program of this host only."""
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def module(self, name: str, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        """The result of a module of the collection, run on this host; `failed` is always in it."""
        given = {"ANSIBLE_MODULE_ARGS": dict(arguments, _ansible_check_mode=check, _ansible_diff=True)}
        file = self.folder / "arguments.json"
        file.write_text(json.dumps(given))
        done = subprocess.run(
            [*self._enter, sys.executable, "-m", f"{COLLECTION}.{name}", str(file)],
            capture_output=True, text=True, timeout=180,
            env={**self.environment, "PYTHONPATH": str(PROJECT / "playbooks/collections")},
        )  # fmt: skip
        assert done.stdout.strip().startswith("{"), done.stdout + done.stderr
        return {"failed": False, **json.loads(done.stdout)}

    def link(self, *command: str) -> None:
        self.run("ip", *command)

    def lease(self, mac: str, ask_for: str = "", seconds: int = 8) -> str:
        """The address that a real DHCP client with this MAC is given at eth0, "" for none."""
        return self.run("sh", str(DHCP_CLIENT), "eth0", mac, ask_for, str(seconds)).stdout.strip()

    def close(self) -> None:
        """End what was started in it; its namespaces go with the last process."""
        for pid in self._processes_inside():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        for process in self.processes:
            process.wait()
        self._holder.kill()
        self._holder.communicate()

    def _processes_inside(self) -> list[int]:
        own = os.stat(f"/proc/{self.pid}/ns/net").st_ino
        found = []
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                if name.isdigit() and int(name) != self.pid and os.stat(f"/proc/{name}/ns/net").st_ino == own:
                    found.append(int(name))
        return found


class Lan:
    """Hosts on a switch, called by name; `router` has 192.168.2.1/24 at eth0, others what they are given.

    The switch may have further LANs, which do not reach each other.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.hosts: dict[str, Host] = {}
        self.switch = Host("switch", folder / "switch")
        self._ports = 0
        self.add("lan")
        self.router = self.host("router", f"{ROUTER}/24")
        self.client = self.host("client")

    def add(self, lan: str) -> None:
        """A LAN of the switch."""
        self.switch.link("link", "add", lan, "type", "bridge", "forward_delay", "0", "stp_state", "0")
        self.switch.link("link", "set", lan, "up")

    def host(self, name: str, address: str = "", lan: str = "lan") -> Host:
        made = self.hosts[name] = Host(name, self._folder / name)
        self.plug(made, "eth0", address, lan)
        return made

    def plug(self, host: Host, interface: str, address: str, lan: str) -> None:
        """An interface of a host in a LAN, with an address or without one."""
        self._ports += 1
        port = f"p{self._ports}"
        self.switch.link("link", "add", port, "type", "veth", "peer", "name", interface, "netns", str(host.pid))
        self.switch.link("link", "set", port, "master", lan, "up")
        host.link("link", "set", interface, "up")
        if address:
            host.link("address", "add", address, "dev", interface)

    def prove(self, pools: list[str], **options: Any) -> dict[str, Any]:
        """The proof from a host that has an address in the LAN, as a node or the controller has."""
        prober = self.hosts.get("prober") or self.host("prober", "192.168.2.250/24")
        result = prober.module("reservation_proof", pools=pools, network=NETWORK, **options)
        assert not result["failed"], result
        return result

    def close(self) -> None:
        for host in [*self.hosts.values(), self.switch]:
            host.close()


@contextlib.contextmanager
def lan(folder: Path) -> Iterator[Lan]:
    made = Lan(folder)
    try:
        yield made
    finally:
        made.close()


def eventually(look: Any, seconds: float = 10) -> Any:
    """What `look` returns as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)
    return seen
