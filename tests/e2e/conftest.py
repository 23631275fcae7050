# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A handle on the virtual homelab, and one lab that the tests of this folder share in the order of their files."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from homelab.recap import recap

PROJECT = Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Play:
    """A finished run of ansible-playbook: `recap` maps each host to Ansible's counts."""

    output: str
    returncode: int

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        return recap(self.output)

    @property
    def changed(self) -> dict[str, int]:
        """Hosts on which something changed, with how many tasks changed something."""
        return {host: counts["changed"] for host, counts in self.recap.items() if counts["changed"]}

    def task_changed(self, host: str) -> list[str]:
        """Names of the tasks that changed something on `host`."""
        names: list[str] = []
        task = ""
        for line in self.output.splitlines():
            if match := re.match(r"(?:TASK|RUNNING HANDLER) \[(.*)\]", line):
                task = match[1]
            elif line.startswith(f"changed: [{host}"):
                names.append(task)
        return names


@dataclasses.dataclass(frozen=True)
class Home:
    """A lab by its name."""

    name: str

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "LAB_NAME": self.name, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}

    def run(self, *command: str, stdin: str = "", cwd: Path = PROJECT, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, input=stdin, cwd=cwd, env={**self.environment, **env}, capture_output=True, text=True, timeout=900
        )

    def lab(self, *arguments: str, stdin: str = "", check: bool = True) -> str:
        done = self.run(str(PROJECT / "tests/lab/lab"), *arguments, stdin=stdin)
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done.stdout

    def on(self, host: str, command: str, *, stdin: str = "", check: bool = True) -> str:
        """Run a shell command on a host of the lab."""
        return self.lab("exec", host, "--", "sh", "-c", command, stdin=stdin, check=check)

    def kubectl(self, *arguments: str, stdin: str = "", check: bool = True) -> str:
        return self.lab("kubectl", *arguments, stdin=stdin, check=check)

    def get(self, *arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", "--output=json", *arguments))
        return found

    def play(self, playbook: str, *arguments: str, cwd: Path = PROJECT, **env: str) -> Play:
        done = self.run(str(PROJECT / "tests/lab/lab"), "ansible-playbook", playbook, *arguments, cwd=cwd, **env)
        output = done.stdout + done.stderr
        assert "[DEPRECATION WARNING]" not in output, output
        return Play(output, done.returncode)

    def site(self, *arguments: str) -> Play:
        return self.play("playbooks/site.yml", *arguments)

    def begin(self, *options: str, seconds: int = 90) -> None:
        """A new lab (options of `lab up`) with the demo's Service, and nothing of Lantern; `seconds` for its pods."""
        self.lab("down")
        self.lab("up", *options)
        self.kubectl("apply", f"--filename={PROJECT}/tests/lab/demo.yaml")
        self.kubectl("--namespace=demo", "rollout", "status", "deployment/web", f"--timeout={seconds}s")

    def set_up(self, *options: str) -> None:
        """The same, and Lantern in it."""
        self.begin(*options)
        done = self.site()
        assert done.returncode == 0, done.output

    def service_address(self, name: str = "web", namespace: str = "demo") -> str:
        status = self.get(f"--namespace={namespace}", "service", name)["status"]
        entries = status.get("loadBalancer", {}).get("ingress", [])
        return entries[0]["ip"] if entries else ""

    def curl(self, address: str) -> str:
        return self.on("client", f"curl --silent --max-time 3 http://{address}/", check=False)


@pytest.fixture(scope="session")
def home() -> Iterator[Home]:
    """The lab that most tests share: what `make demo` leaves behind."""
    home = Home("e2e")
    # While writing tests, a lab that is kept spares the minute it takes to come up.
    kept = os.environ.get("LANTERN_KEEP_LAB") == "1"
    if not kept:
        home.lab("down")
    yield home
    if not kept:
        home.lab("down")
