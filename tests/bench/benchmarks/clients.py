# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What candidates for the Kubernetes client and the JSON decoder cost, so that the choice is made by measurement.

Every candidate has a virtual environment of its own in the cache, and every figure comes from a process of its own.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from homelab.shell import logged, stage

from . import lab

SERVICES = 1_000
_PROBE = Path(__file__).parent.parent / "probes" / "cost.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A library. `packages` are installed; `imports` is what a controller with it would import at least."""

    name: str
    packages: tuple[str, ...]
    imports: str


# What a program needs that lists and watches Services and writes their status, for each client.
CLIENTS = (
    Candidate(name="json + http.client", packages=(), imports="import http.client, json, ssl"),
    Candidate(
        name="msgspec + httpx2", packages=("msgspec==0.22.0", "httpx2==2.16.2"), imports="import httpx2, msgspec, ssl"
    ),
    Candidate(
        name="msgspec + httpx2 + lightkube's configuration",
        packages=("msgspec==0.22.0", "httpx2==2.16.2", "lightkube==1.0.1"),
        imports="import httpx2, msgspec, ssl\nfrom lightkube.config.client_adapter import user_auth\n"
        "from lightkube.config.kubeconfig import KubeConfig",
    ),
    Candidate(
        name="lightkube",
        packages=("lightkube==1.0.1",),
        imports="from lightkube import AsyncClient\nfrom lightkube.resources.core_v1 import Event, Service",
    ),
    Candidate(
        name="kr8s",
        packages=("kr8s==0.20.15",),
        imports="import kr8s.asyncio\nfrom kr8s.asyncio.objects import Service",
    ),
    Candidate(
        name="kubernetes", packages=("kubernetes==37.0.2",), imports="from kubernetes import client, config, watch"
    ),
    Candidate(
        name="kubernetes_asyncio",
        packages=("kubernetes_asyncio==36.1.0",),
        imports="from kubernetes_asyncio import client, config, watch",
    ),
)
# Decoding a list of Services to the fields that a controller reads.
DECODERS = (
    Candidate(name="json", packages=(), imports="json"),
    Candidate(name="orjson", packages=("orjson==3.13.0",), imports="orjson"),
    Candidate(name="msgspec, untyped", packages=("msgspec==0.22.0",), imports="msgspec"),
    Candidate(name="msgspec, typed", packages=("msgspec==0.22.0",), imports="msgspec_typed"),
    Candidate(name="lightkube", packages=("lightkube==1.0.1",), imports="lightkube"),
)


def _python(candidate: Candidate) -> str:
    """The interpreter of the candidate's environment, made when missing."""
    if not candidate.packages:
        return sys.executable
    name = "-".join(package.replace("==", "-") for package in candidate.packages)
    folder = lab.folder() / "clients" / name
    program = folder / "bin" / "python"
    if not (folder / "complete").exists():
        log = lab.folder() / "clients.log"
        with stage(f"installing {', '.join(candidate.packages)}"):
            logged([sys.executable, "-m", "venv", "--clear", str(folder)], log)
            logged([str(program), "-m", "pip", "install", "--quiet", *candidate.packages], log)
            (folder / "complete").touch()
    return str(program)


def _probe(candidate: Candidate, what: str, runs: int) -> dict[str, float]:
    """Medians over `runs` processes of what tests/bench/probes/cost.py prints."""
    command = [_python(candidate), str(_PROBE), what, candidate.imports, str(SERVICES)]
    results = []
    for _ in range(runs + 1):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        results.append(json.loads(done.stdout))
    del results[0]  # compiles what is imported and fills the page cache
    return {key: statistics.median(result[key] for result in results) for key in results[0]}


def measure(runs: int = 5) -> dict[str, dict[str, dict[str, float]]]:
    """For each client: import seconds, resident MiB, modules; for each decoder: seconds, resident MiB."""
    return {
        "clients": {candidate.name: _probe(candidate, "import", runs) for candidate in CLIENTS},
        "decoders": {candidate.name: _probe(candidate, "decode", runs) for candidate in DECODERS},
    }
