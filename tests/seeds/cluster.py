# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody's cluster: a lab, its owner's inventory and manifests, and what can be seen of it from the LAN."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from e2e.conftest import PROJECT, Home, Play

MANIFESTS = Path(__file__).with_name("manifests")
SYSTEM = "--namespace=metallb-system"
# As on the owner's own machine: kubectl is the administrator's, files lie where one is.
CONSOLE = "set -e; export KUBECONFIG=/etc/kubernetes/admin.conf; cd /root\n"
DHCP_CLIENT = PROJECT / "tests/routers/dhcp_client.sh"
# A device beside the client on the same cable.
DEVICE = "ip link show device >/dev/null 2>&1 || ip link add link eth0 name device type macvlan mode bridge\n"
T = TypeVar("T")


@dataclass(frozen=True)
class Cluster:
    """A running lab whose plays use `inventory`."""

    home: Home
    inventory: Path

    @classmethod
    def start(cls, name: str, folder: Path, arguments: Sequence[str], variables: Mapping[str, object]) -> Cluster:
        """A new lab in the place of the one of that name; `variables` replace those that the lab would have."""
        home = Home(name)
        home.lab("down")
        home.lab("up", *arguments)
        # Downloads happen outside the LAN, with the settings of the lab.
        fetched = home.run("python", "-c", "from homelab import demo; demo.fetch()")
        assert fetched.returncode == 0, fetched.stdout + fetched.stderr
        known = yaml.safe_load(Path(home.lab("inventory").strip()).read_text())
        known["all"]["vars"] |= variables
        inventory = folder / "inventory.yml"
        inventory.write_text(yaml.safe_dump(known, sort_keys=False))
        return cls(home, inventory)

    def play(self, playbook: str, *arguments: str) -> Play:
        """A run of a playbook that succeeds."""
        played = self.home.play(f"playbooks/{playbook}.yml", *arguments, ANSIBLE_INVENTORY=str(self.inventory))
        assert played.returncode == 0, played.output
        return played

    def put(self, manifest: str, path: str) -> None:
        """A file of the write-up, where its commands expect it."""
        self.console(f'mkdir -p "$(dirname {path})"; cat > {path}', stdin=(MANIFESTS / manifest).read_text())

    def console(self, commands: str, *, stdin: str = "") -> str:
        """Run shell commands as they are typed at the control plane; the first that fails ends it."""
        return self.home.on("node1", CONSOLE + commands, stdin=stdin)

    def apply(self, manifest: str, command: str = "kubectl apply -f -") -> str:
        return self.console(command, stdin=(MANIFESTS / manifest).read_text())

    def rolled_out(self, deployment: str, namespace: str = "default") -> None:
        self.home.kubectl(f"--namespace={namespace}", "rollout", "status", f"deployment/{deployment}", "--timeout=120s")

    def address(self, service: str, namespace: str = "default") -> str:
        """A Service's address, waited for."""
        return until(lambda: self.home.service_address(service, namespace))

    def page(self, url: str) -> str:
        """What curl prints on the LAN's client, waited for."""
        return until(lambda: self.home.on("client", f"curl --silent --max-time 3 {url}", check=False))

    def lease(self, mac: str, wanted: str = "") -> str:
        """The address that the router gives to a new device, which may ask for one; "" for none."""
        script = (
            DEVICE + f"cat > /run/dhcp_client.sh && chmod 755 /run/dhcp_client.sh\n/run/dhcp_client.sh device {mac}"
        )
        return self.home.on("client", f"{script} {wanted}", stdin=DHCP_CLIENT.read_text()).strip()

    def verified(self) -> list[str]:
        """The Services that stage verify finds good; it finds no bad one."""
        self.play("verify")
        report = json.loads((self.inventory.parent / "lantern-report/verify.json").read_text())
        assert not report["broken"], report["broken"]
        # Some rows are about the cluster as a whole.
        return sorted({row["subject"] for row in report["rows"] if "/" in row["subject"]})

    def configuration(self) -> set[str]:
        """What controller and speakers say of the configuration: "Valid", or why it is not."""
        # Time enough to have read the newest.
        time.sleep(3)
        states = [item.get("status", {}) for item in self.items("configurationstates", SYSTEM)]
        return {state.get("errorSummary") or state.get("result", "not told yet") for state in states}

    def items(self, *arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.home.get(*arguments)["items"]
        return found

    def boots(self) -> dict[str, str]:
        """The boot id of each node."""
        nodes = [item["metadata"]["name"] for item in self.items("nodes")]
        return {node: self.home.on(node, "cat /proc/sys/kernel/random/boot_id") for node in nodes}


def until(look: Callable[[], T], seconds: float = 30) -> T:
    """What `look` returns as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.3)
    return found


def unchanged(again: Play) -> None:
    assert again.changed == {}, {host: again.task_changed(host) for host in again.changed}
