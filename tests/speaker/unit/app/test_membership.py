# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speakers find each other on the loopback, with a key that is exchanged while they run."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from io import StringIO
from ipaddress import ip_address
from pathlib import Path

import pytest
from lantern.app import members
from lantern.app.membership import Membership, read_key
from lantern.core.model import Node
from lantern.metrics import SpeakerMetrics
from lantern.settings import GossipSettings, MembersSettings
from prometheus_client import CollectorRegistry

NODES = [Node(name=f"node{number}", addresses=(ip_address(f"127.0.71.{number}"),)) for number in (1, 2)]


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.71.1", 0))
        port: int = probe.getsockname()[1]
        return port


def speaker(
    node: Node, port: int, folder: Path, *, label: str = "", registry: CollectorRegistry | None = None
) -> Membership:
    settings = GossipSettings(
        bind_address=str(node.addresses[0]), bind_port=port, secret_folder=str(folder), label=label
    )
    metrics = SpeakerMetrics(registry or CollectorRegistry())
    made = Membership(settings, node.name, metrics, lambda event: None)
    made.look_for(NODES)
    return made


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(15):
        while not condition():
            await asyncio.sleep(0.02)


def present(one: Membership) -> set[str]:
    return {member.name for member in one.members if member.present}


def test_two_speakers_find_each_other_and_one_leaves(tmp_path: Path) -> None:
    (tmp_path / "secretkey").write_text("shared")

    async def main() -> None:
        port = free_port()
        first, second = (speaker(node, port, tmp_path) for node in NODES)
        tasks = [asyncio.create_task(one.run()) for one in (first, second)]
        await until(lambda: present(first) == present(second) == {"node1", "node2"})
        await until(lambda: any(row["round_trip_ms"] is not None for row in first.view(lambda _: None)))
        shown = {row["name"]: row for row in first.view({"node2": 0.012}.get)}
        assert shown["node2"]["state"] == "alive" and shown["node2"]["implementation"] == "lantern"
        assert (shown["node1"]["round_trip_ms"], shown["node2"]["round_trip_ms"]) == (None, 12.0)
        began = asyncio.get_running_loop().time()
        await second.leave()
        tasks[1].cancel()
        await until(lambda: present(first) == {"node1"})
        assert asyncio.get_running_loop().time() - began < 2
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())


def test_key_is_exchanged_without_losing_anybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lantern.app.membership._KEY_POLL_SECONDS", 0.05)
    monkeypatch.setattr("lantern.core.key_rotation.SPREAD_SECONDS", 1.0)
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
        (folder / "secretkey").write_text("old")

    async def main() -> None:
        port = free_port()
        first, second = (speaker(node, port, folder) for node, folder in zip(NODES, folders, strict=True))
        tasks = [asyncio.create_task(one.run()) for one in (first, second)]
        await until(lambda: present(first) == present(second) == {"node1", "node2"})
        for folder in folders:
            (folder / "secretkey").write_text("new")
            await asyncio.sleep(0.5)
        new = read_key(str(folders[0]))
        await until(lambda: first._keys.in_use == second._keys.in_use == (new,))
        # Longer than a suspicion lasts.
        await asyncio.sleep(5)
        assert present(first) == present(second) == {"node1", "node2"}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())


def test_speaker_of_another_label_is_not_listened_to_and_counted(tmp_path: Path) -> None:
    (tmp_path / "secretkey").write_text("shared")

    async def main() -> None:
        port, registry = free_port(), CollectorRegistry()
        first = speaker(NODES[0], port, tmp_path, label="home", registry=registry)
        second = speaker(NODES[1], port, tmp_path)
        tasks = [asyncio.create_task(one.run()) for one in (first, second)]
        await until(lambda: registry.get_sample_value("lantern_gossip_dropped_total", {"reason": "label"}))
        assert (present(first), present(second)) == ({"node1"}, {"node2"})
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())


def test_table_of_members() -> None:
    rows = [
        {
            "name": "node1",
            "address": "192.168.2.11",
            "port": 7946,
            "state": "alive",
            "implementation": "lantern",
            "round_trip_ms": None,
        },
        {
            "name": "node12",
            "address": "192.168.2.12",
            "port": 7946,
            "state": "suspect",
            "implementation": "other",
            "round_trip_ms": 0.5,
        },
    ]
    assert members.table(rows).splitlines() == [
        "name    address       state    implementation  round trip",
        "node1   192.168.2.11  alive    lantern         -",
        "node12  192.168.2.12  suspect  other           0.50 ms",
    ]


def test_without_a_speaker_the_command_says_so() -> None:
    err = StringIO()
    assert members.run(MembersSettings(port=free_port()), StringIO(), err) == 1
    assert "no speaker tells its members" in err.getvalue()
