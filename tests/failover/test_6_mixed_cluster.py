# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that is not Lantern's and gossips by HashiCorp's own memberlist (serf) among the speakers.

All of them have the same key. As where some nodes still have MetalLB's speaker, the owner of an address is the one that
MetalLB's rule names, and nothing happens as long as nothing happens. The speakers are told to elect so: for a member
that is on no node they would not.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks import lab
from benchmarks.pods import SYSTEM
from benchmarks.services import until
from home import Home
from homelab import world
from lantern.gossip.keyring import metallb_key
from limits import CHANGE_SECONDS, MIXED_MINUTES
from series import Series
from vips import Vips
from wire import Lan

NAME = "stranger"
# What serf asks of the delegate versions of everybody in its cluster; MetalLB has none, and so has Lantern.
SERF_VERSIONS = (2, 5, 4)
# The speaker as it is but for these versions, and with an option more.
SPEAKER = f"""
import functools
import sys
from lantern.app import membership
membership.GossipConfig = functools.partial(membership.GossipConfig, delegate_versions={SERF_VERSIONS})
from lantern.cli import main
sys.argv.append("--election=hash")
sys.exit(main())
"""
DAEMONSET = f"/apis/apps/v1/namespaces/{SYSTEM}/daemonsets/speaker"
COMMAND = "/spec/template/spec/containers/0/command"

pytestmark = [
    pytest.mark.skipif(shutil.which("serf") is None, reason="serf is not installed"),
    pytest.mark.timeout(600 + 60 * MIXED_MINUTES),
]


@pytest.fixture
def lenient(cluster: Home) -> Iterator[Home]:
    """Speakers that serf takes into its cluster."""
    cluster.settle()
    _patch(cluster, [{"op": "add", "path": COMMAND, "value": ["python3", "-c", SPEAKER]}])
    yield cluster
    _patch(cluster, [{"op": "remove", "path": COMMAND}])


def _patch(home: Home, patch: list[dict[str, object]]) -> None:
    home.api.request("PATCH", DAEMONSET, patch, "application/json-patch+json")
    lab.kubectl(f"--namespace={SYSTEM}", "rollout", "status", "daemonset/speaker", "--timeout=180s")
    home.settle()


class Serf:
    """A serf agent in the client's network."""

    def __init__(self, home: Home, log: Path) -> None:
        secret = home.api.get(f"/api/v1/namespaces/{SYSTEM}/secrets/memberlist")["data"]["secretkey"]
        key = base64.b64encode(metallb_key(base64.b64decode(secret))).decode()
        address = home.topology.client.address
        joins = [f"-join={node.address}" for node in home.topology.nodes]
        agent = ["serf", "agent", f"-node={NAME}", f"-bind={address}:7946", f"-encrypt={key}", *joins]
        self.log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(world.enter(agent, network_only="client"), stdout=out, stderr=out)

    def members(self) -> dict[str, str]:
        """Status by name."""
        command = world.enter(["serf", "members", "-format=json"], network_only="client")
        shown = subprocess.run(command, capture_output=True, text=True).stdout
        if not shown.startswith("{"):
            return {}
        return {member["name"]: member["status"] for member in json.loads(shown)["members"]}

    def end(self) -> None:
        """Without a goodbye."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


@contextlib.contextmanager
def _serf(home: Home, log: Path) -> Iterator[Serf]:
    agent = Serf(home, log)
    try:
        yield agent
    finally:
        agent.end()


def _first_by_hash(nodes: tuple[str, ...], address: str) -> str:
    """MetalLB's choice (internal/layer2, README of the concept): the lowest SHA-256 of node and address."""
    return min(nodes, key=lambda node: hashlib.sha256(f"{node}#{address}".encode()).digest())


def test_all_stay_together_and_the_owner_is_metallb_s(lenient: Home, tmp_path: Path) -> None:
    home = lenient
    everybody = {*home.nodes, NAME}
    with _serf(home, tmp_path / "serf.log") as serf, Vips(home.api, home.lan, home.nodes).gone_afterwards() as vips:
        until(lambda: set(serf.members()) == everybody, 30, "serf knows everybody")
        until(lambda: all(home.members(node) == everybody for node in home.nodes), 30, "speakers know serf")
        _owners_are_metallb_s(home, home.lan, vips)
        _nothing_happens(home, serf, vips, everybody)


def _owners_are_metallb_s(home: Home, lan: Lan, vips: Vips) -> None:
    for _ in range(4):
        vip = vips.make()
        deadline = time.monotonic() + CHANGE_SECONDS
        while (owner := lan.owner(vip.address, CHANGE_SECONDS)) != _first_by_hash(home.nodes, vip.address):
            assert time.monotonic() < deadline, f"{vip.address} is announced by {owner}"


def _nothing_happens(home: Home, serf: Serf, vips: Vips, everybody: set[str]) -> None:
    vip, owner = vips.announced(local=True)
    deadline = time.monotonic() + 60 * MIXED_MINUTES
    with home.lan.watching(vip.address, every=0.5) as watch, Series(vip.address, rate=10) as series:
        while time.monotonic() < deadline:
            time.sleep(5)
            assert serf.members() == dict.fromkeys(everybody, "alive")
            assert [home.members(node) for node in home.nodes] == [everybody] * len(home.nodes)
        assert watch.owners(vip.address) == [owner]
    series.assert_none_lost()
    said = serf.log.read_text()
    assert "[ERR]" not in said, said
    assert "Marking" not in said and "Suspect" not in said and "Refuting" not in said, said
