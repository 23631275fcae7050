# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two speakers on two hosts of a LAN, with a real API server: what each counts and tells when the other is in trouble.

How they decide is tested in virtual time (sim); here metrics are read by value, and explanations beside the speaker.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from lablib.kube import NAMESPACE, ApiServer
from lablib.netns import CLIENT_ADDRESS, NODE_ADDRESS, Bridge, Lan, inside
from lablib.objects import (
    VIP,
    give_address,
    make_advertisement,
    make_endpoints,
    make_node,
    make_pool,
    make_service,
)
from lablib.process import SOURCES, Lantern, Start, eventually
from prometheus_client.parser import text_string_to_metric_families

GOSSIP_PORT = 7946
WAYS = ("input", "output")


@dataclass(frozen=True)
class Speaker:
    """One of the two, as it runs in its namespace."""

    name: str
    address: str
    namespace: str
    kubeconfig: Path
    process: Lantern

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the series with this name and these labels, 0 if there is none yet."""
        families = text_string_to_metric_families(self.process.get("/metrics")[1])
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    def owner(self) -> str | None:
        """Who announces, by what this speaker knows."""
        page = json.loads(self.process.get("/announcements")[1])
        owner: str | None = page["services"].get("default/web", {}).get("owner")
        return owner

    def ready(self) -> set[str]:
        """Who has listened long enough to own anything, by what this speaker hears."""
        speakers = json.loads(self.process.get("/announcements")[1])["speakers"]
        return {name for name, word in speakers.items() if word["ready"]}

    def explain(self) -> str:
        """`lantern explain` as `kubectl exec` runs it in the speaker's pod."""
        program = [sys.executable, "-m", "lantern", "explain", "service", "default/web", f"--namespace={NAMESPACE}"]
        command = ["ip", "netns", "exec", self.namespace, *program, f"--health-probe-port={self.process.port}"]
        environ = {**os.environ, "PYTHONPATH": str(SOURCES), "KUBECONFIG": str(self.kubeconfig)}
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=True).stdout


@pytest.fixture
def speakers(kube: ApiServer, lan: Lan, start: Start, tmp_path: Path) -> Iterator[tuple[Speaker, Speaker]]:
    """Who announces the VIP, and the other one, which would follow."""
    make_pool(kube)
    make_advertisement(kube)
    places = {"node1": (NODE_ADDRESS, lan.node), "node2": (CLIENT_ADDRESS, lan.client)}
    for name, (address, _) in places.items():
        make_node(kube, name)
        kube.patch(
            f"/api/v1/nodes/{name}/status", {"status": {"addresses": [{"type": "InternalIP", "address": address}]}}
        )
    make_service(kube)
    make_endpoints(kube, *places)
    give_address(kube)
    made, bridges = [], []
    for name, (address, namespace) in places.items():
        bridges.append(Bridge(namespace, kube.port))
        kubeconfig = tmp_path / f"kubeconfig-{name}"
        kube.write_kubeconfig(kubeconfig, bridges[-1].port)
        arguments = ("speaker", f"--node-name={name}", f"--ml-bindaddr={address}")
        process = start(*arguments, kubeconfig=kubeconfig, namespace=namespace)
        made.append(Speaker(name, address, namespace, kubeconfig, process))
        # The first one has the VIP when the second one comes, and keeps it.
        eventually(lambda: process.get("/readyz")[0] == 200, 15, "ready")  # noqa: B023 (called in this round)
        eventually(lambda: {one.owner() for one in made} == {"node1"}, 15, "all know the owner")
    eventually(lambda: all(one.ready() == places.keys() for one in made), 15, "both hear both")
    yield made[0], made[1]
    for bridge in bridges:
        bridge.close()


def test_takeover_is_counted_by_its_cause_and_timed(speakers: tuple[Speaker, Speaker]) -> None:
    owner, heir = speakers
    assert heir.metric("lantern_takeovers_total") == heir.metric("lantern_takeover_seconds_count") == 0
    owner.process.stop(signal.SIGKILL)
    eventually(lambda: heir.owner() == heir.name, 3, "taken over")
    assert heir.metric("lantern_takeovers_total") == heir.metric("lantern_takeovers_total", cause="silence") == 1
    assert heir.metric("lantern_takeover_seconds_count") == 1
    assert 0.1 < heir.metric("lantern_takeover_seconds_sum") < 2
    assert heir.metric("lantern_speakers_lost_total", cause="silence") == 1
    assert heir.metric("lantern_failovers_held_back_total") == 0
    assert heir.metric("lantern_l2_probes_sent_total") >= 1, "the LAN was asked first"


def test_handover_is_counted_as_such(speakers: tuple[Speaker, Speaker]) -> None:
    owner, heir = speakers
    owner.process.stop()
    eventually(lambda: heir.owner() == heir.name, 3, "taken over")
    assert heir.metric("lantern_takeovers_total") == heir.metric("lantern_takeovers_total", cause="handover") == 1
    assert heir.metric("lantern_takeover_seconds_count") == heir.metric("lantern_speakers_lost_total") == 0


def test_silent_owner_that_the_lan_hears_is_held_back_from_and_counted(speakers: tuple[Speaker, Speaker]) -> None:
    owner, heir = speakers
    # The heir's packet filter lets nothing through that speakers tell each other.
    chains = (f"chain {way} {{ type filter hook {way} priority 0; udp dport {GOSSIP_PORT} drop; }};" for way in WAYS)
    rules = f"table ip filter {{ {' '.join(chains)} }}"
    subprocess.run(["ip", "netns", "exec", heir.namespace, "nft", rules], check=True, timeout=10)
    eventually(lambda: heir.metric("lantern_failovers_held_back_total", witness="wire"), 5, "held back")
    assert heir.metric("lantern_takeovers_total") == heir.metric("lantern_speakers_lost_total") == 0
    assert heir.metric("lantern_l2_probes_sent_total") >= 1
    assert heir.owner() == owner.name


def test_what_others_send_in_vain_is_counted_by_the_reason(speakers: tuple[Speaker, Speaker]) -> None:
    owner, other = speakers
    before = other.metric("lantern_gossip_dropped_total")

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(3):
                sender.sendto(b"\xff nonsense", (other.address, GOSSIP_PORT))

    inside(owner.namespace, send)
    eventually(lambda: other.metric("lantern_gossip_dropped_total", reason="unknownType") == 3, 2, "dropped")
    assert other.metric("lantern_gossip_dropped_total") == before + 3


def test_explanation_in_the_pod_has_what_only_its_speaker_knows(speakers: tuple[Speaker, Speaker]) -> None:
    owner, heir = speakers
    for asked in speakers:
        said = asked.explain()
        assert f"{owner.name} announces {VIP}" in said
        assert f"the speaker of {asked.name}, which hears the others (term " in said
        assert f"  next      {heir.name}" in said
