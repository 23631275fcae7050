# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbook reserve.yml as it is run by people, for routers that nobody logs in to: the proof decides."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from apis import RouterOs, served
from lan import NETWORK, PROJECT, ROUTER, Host, Lan
from servers import SERVERS

POOL = "192.168.2.150-192.168.2.159"
KEA = SERVERS["kea"]


def play(
    folder: Path, playbook: Path, router: dict[str, Any], *, on: Host | None = None, options: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """ansible-playbook with the inventory of a home with one node."""
    inventory = {
        "all": {
            "vars": {
                "ansible_connection": "local",
                "ansible_python_interpreter": "{{ ansible_playbook_python }}",
                "ansible_become": False,
                "lantern_lan": NETWORK,
                "lantern_router": router,
                "lantern_pools": [{"name": "default", "addresses": [POOL]}],
            },
            "children": {"nodes": {"hosts": {"node1": {"ansible_host": "192.168.2.11"}}}},
        }
    }
    file = folder / "inventory.json"
    file.write_text(json.dumps(inventory))
    enter = ["nsenter", f"--target={on.pid}", "--net", "--mount"] if on else []
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    return subprocess.run(
        [*enter, "ansible-playbook", f"--inventory={file}", str(playbook), *options],
        capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL, cwd=folder,
        env={
            **environment,
            "HOME": str(folder),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "playbooks/collections"),
        },
    )  # fmt: skip


@pytest.mark.skipif(bool(KEA.missing), reason=f"needs the program {KEA.missing}")
def test_a_router_set_by_hand(lan: Lan, tmp_path: Path) -> None:
    KEA.start(lan.router)
    prober = lan.host("prober", "192.168.2.250/24")
    reserve = PROJECT / "playbooks/reserve.yml"
    manual = {"type": "manual", "address": ROUTER}

    refused = play(tmp_path, reserve, manual, on=prober)
    assert refused.returncode != 0, refused.stdout
    numbers = "start 192.168.2.2 and end 192.168.2.149"
    for words in (f"http://{ROUTER}", numbers, "offers 192.168.2.15", "in the reach of others"):
        assert words in refused.stdout, refused.stdout
    warned = play(tmp_path, reserve, manual, on=prober, options=["--extra-vars", "reserve_proof=warn"])
    assert warned.returncode == 0 and "WARNING: The DHCP server 192.168.2.1 offers" in warned.stdout, warned.stdout
    unmanaged = play(tmp_path, reserve, {"type": "none", "address": ROUTER}, on=prober)
    assert unmanaged.returncode == 0 and "WARNING: The DHCP server 192.168.2.1 offers" in unmanaged.stdout

    assert KEA.reserve(lan.router, ranges=[POOL], network=NETWORK)["changed"]  # what the user does by hand
    done = play(tmp_path, reserve, manual, on=prober)
    assert done.returncode == 0 and "changed=0" in done.stdout, done.stdout + done.stderr
    assert f"    DHCP server  {ROUTER}  proven  offers what it is asked for" in done.stdout
    assert "The router has to be set by hand" not in done.stdout
    off = play(tmp_path, reserve, manual, on=prober, options=["--extra-vars", "reserve_proof=off"])
    assert off.returncode == 0 and "DHCP server  " not in off.stdout


def test_a_router_with_an_api_and_undo(tmp_path: Path) -> None:
    api = RouterOs()
    before = [dict(row) for row in api.pools]
    with served(api) as url:
        variables = {
            "reserve_api_url": url,
            "reserve_api_username": api.user,
            "reserve_api_password": api.password,
            "reserve_record_dir": str(tmp_path / "state"),
            "reserve_proof": "off",
        }
        options = ["--extra-vars", json.dumps(variables)]
        router = {"type": "routeros", "address": ROUTER}
        done = play(tmp_path, PROJECT / "playbooks/reserve.yml", router, options=options)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "DHCP hands out 192.168.2.100-192.168.2.149, 192.168.2.160-192.168.2.200" in done.stdout
        assert api.pools[0]["ranges"] == "192.168.2.100-192.168.2.149,192.168.2.160-192.168.2.200"
        again = play(tmp_path, PROJECT / "playbooks/reserve.yml", router, options=options)
        assert again.returncode == 0 and "changed=0" in again.stdout
        undone = play(tmp_path, PROJECT / "playbooks/reset.yml", router, options=[*options, "--tags=reserve"])
        assert undone.returncode == 0, undone.stdout + undone.stderr
    assert api.pools == before
