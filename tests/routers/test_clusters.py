# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two clusters in one inventory behind one router, run by ansible-playbook: neither touches what the other needs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import plays
import pytest
from apis import RouterOs, served
from lan import NETWORK, ROUTER
from plays import HERE

POOLS = {"attic": "192.168.2.150-192.168.2.159", "cellar": "192.168.2.160-192.168.2.169"}
NODES = {"attic": "192.168.2.11", "cellar": "192.168.2.12"}

Play = Callable[..., subprocess.CompletedProcess[str]]


def inventory(pools: dict[str, str], api: dict[str, Any]) -> dict[str, Any]:
    children: dict[str, Any] = {
        "ansible_controller": {"hosts": {f"{name}-controller": {} for name in pools}},
        "nodes": {"hosts": {f"{name}-1": {"ansible_host": NODES[name]} for name in pools}},
        "control_plane": {"hosts": {f"{name}-1": {} for name in pools}},
    }
    for name, pool in pools.items():
        variables = {
            "lantern_lan": NETWORK,
            "lantern_router": {"type": "routeros", "address": ROUTER},
            "lantern_pools": [{"name": "default", "addresses": [pool]}],
        }
        children[name] = {"hosts": {f"{name}-controller": {}, f"{name}-1": {}}, "vars": variables}
    return {"all": {"vars": {**HERE, "reserve_proof": "off", **api}, "children": children}}


@pytest.fixture
def router() -> Iterator[tuple[RouterOs, str]]:
    api = RouterOs()
    with served(api) as url:
        yield api, url


@pytest.fixture
def play(tmp_path: Path, router: tuple[RouterOs, str]) -> Play:
    """Runs a playbook for one cluster, "" for none."""
    api, url = router
    access = {
        "reserve_api_url": url,
        "reserve_api_username": api.user,
        "reserve_api_password": api.password,
        "reserve_record_dir": str(tmp_path / "state"),
    }

    def run(playbook: str, cluster: str, *options: str, pools: dict[str, str] = POOLS) -> Any:
        name = [f"--extra-vars=lantern_cluster={cluster}"] if cluster else []
        return plays.play(tmp_path, playbook, inventory(pools, access), *name, *options)

    return run


def told(done: subprocess.CompletedProcess[str]) -> str:
    """Everything that was printed, with line breaks undone."""
    return " ".join((done.stdout + done.stderr).split())


def test_a_run_is_about_one_cluster(play: Play, tmp_path: Path) -> None:
    refused = play("plan.yml", "")
    assert refused.returncode != 0
    assert "has the clusters attic, cellar" in told(refused) and "lantern_cluster=attic" in told(refused)
    unknown = play("plan.yml", "garden")
    assert unknown.returncode != 0 and 'no cluster "garden"' in told(unknown)

    done = play("plan.yml", "attic")
    assert done.returncode == 0, told(done)
    assert "Cluster attic" in told(done) and f"Beside cellar: default {POOLS['cellar']}" in told(done)
    assert "cellar-1" not in done.stdout.split("PLAY RECAP")[0].split("Beside")[0]
    assert [path.name for path in (tmp_path / "lantern-report").iterdir()] == ["attic"]
    assert (tmp_path / "lantern-report/attic/plan.svg").exists()


def test_pools_of_two_clusters_may_not_overlap(play: Play) -> None:
    refused = play("plan.yml", "cellar", pools={**POOLS, "cellar": "192.168.2.155-192.168.2.169"})
    assert refused.returncode != 0
    for words in ("The plan of cluster cellar for the LAN", "attic: default", "192.168.2.155"):
        assert words in told(refused)


def test_one_router_serves_both_and_undoing_one_leaves_the_other(play: Play, router: tuple[RouterOs, str]) -> None:
    api, _url = router
    before = [dict(row) for row in api.pools]

    done = play("reserve.yml", "attic")
    assert done.returncode == 0, told(done)
    assert api.pools[0]["ranges"] == "192.168.2.100-192.168.2.149,192.168.2.170-192.168.2.200"
    again = play("reserve.yml", "cellar")
    assert again.returncode == 0 and "changed=0" in again.stdout, told(again)

    undone = play("reset.yml", "attic", "--tags=reserve")
    assert undone.returncode == 0, told(undone)
    assert api.pools[0]["ranges"] == "192.168.2.100-192.168.2.159,192.168.2.170-192.168.2.200"
    kept = play("reset.yml", "cellar", "--tags=reserve", "--extra-vars", "lantern_keep_addresses=true")
    assert kept.returncode == 0 and "changed=0" in kept.stdout, told(kept)
    assert play("reset.yml", "cellar", "--tags=reserve", pools={"cellar": POOLS["cellar"]}).returncode == 0
    assert api.pools == before
