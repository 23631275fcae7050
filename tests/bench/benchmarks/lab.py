# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab that the measurements use: brought up for one contender, taken down after it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from homelab import paths, world
from homelab.shell import LabError, logged
from homelab.topology import Topology
from pyroute2 import netns

PROJECT = Path(__file__).resolve().parents[3]
LAB = str(PROJECT / "tests/lab/lab")
# Its upper half, the pool of both contenders, holds 8,192 addresses.
LAN = "192.168.64.0/18"
NODES = 3


def use(name: str) -> None:
    """Make `name` the lab of this process and of all that it starts."""
    os.environ["LAB_NAME"] = name


def folder() -> Path:
    """Where logs, raw results and what is built for a benchmark are kept."""
    path = paths.cache().parent / "bench"
    path.mkdir(parents=True, exist_ok=True)
    return path


def up(*, lan: str = LAN, nodes: int = NODES) -> None:
    """Start a new lab; one that was left over is ended first."""
    down()
    logged([LAB, "up", "--nodes", str(nodes), "--lan", lan], folder() / "lab.log")


def is_up() -> bool:
    return world.find() is not None and (paths.state() / "complete").exists()


def down() -> None:
    world.destroy()


def run(*arguments: str, stdin: str = "") -> str:
    """Run a command of the lab and return what it printed.

    Raises:
        LabError: it failed, with what it said.
    """
    done = subprocess.run([LAB, *arguments], input=stdin, capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"lab {' '.join(arguments)}: {(done.stderr or done.stdout).strip()[-1500:]}")
    return done.stdout


def on(host: str, command: str, *, stdin: str = "") -> str:
    """Run a shell command on a host of the lab."""
    return run("exec", host, "--", "sh", "-c", command, stdin=stdin)


def kubectl(*arguments: str, stdin: str = "") -> str:
    return run("kubectl", *arguments, stdin=stdin)


def root(host: str) -> Path:
    """A host's root folder as this machine can read it."""
    return Path(f"/proc/{world.require()}/root{paths.state()}/world/hosts/{host}/root")


def topology() -> Topology:
    """The hosts of the lab that is up."""
    return Topology.from_json((paths.state() / "topology.json").read_text())


def network(host: str) -> Path:
    """The network namespace of a host, as a file."""
    return Path(f"/proc/{world.require()}/root/run/netns/{host}")


@contextlib.contextmanager
def sockets_in(network: Path) -> Iterator[None]:
    """Sockets that this thread makes meanwhile belong to another network; it stays theirs afterwards."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        netns.setns(str(network), flags=0)
        try:
            yield
        finally:
            netns.setns(own, flags=0)
    finally:
        os.close(own)


def start(host: str, module: str, options: object) -> subprocess.Popen[bytes]:
    """Start a program of this package in the network of a host; `options` is what it is told, as JSON."""
    command = [sys.executable, "-m", f"{__package__}.{module}", json.dumps(options)]
    found = os.pathsep.join([str(PROJECT / "tests/bench"), str(PROJECT / "tests/lab")])
    return subprocess.Popen(
        world.enter(command, network_only=host),
        env={**os.environ, "PYTHONPATH": found},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run_in(host: str, module: str, options: object) -> str:
    """Run such a program to its end; returns what it printed.

    Raises:
        LabError: it failed, with what it said.
    """
    process = start(host, module, options)
    out, err = process.communicate()
    if process.returncode:
        raise LabError(f"{module} in the network of {host}: {err.decode(errors='replace').strip()[-1500:]}")
    return out.decode()
