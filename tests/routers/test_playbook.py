# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbook reserve.yml as it is run by people, for routers that nobody logs in to: the proof decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from apis import RouterOs, served
from lan import NETWORK, ROUTER, Lan
from plays import HERE, play, play_at_a_terminal
from servers import SERVERS

POOL = "192.168.2.150-192.168.2.159"
KEA = SERVERS["kea"]


def home(router: dict[str, Any]) -> dict[str, Any]:
    """The inventory of a home with one node."""
    variables = {
        **HERE,
        "lantern_lan": NETWORK,
        "lantern_router": router,
        "lantern_pools": [{"name": "default", "addresses": [POOL]}],
    }
    return {"all": {"vars": variables, "children": {"nodes": {"hosts": {"node1": {"ansible_host": "192.168.2.11"}}}}}}


@pytest.mark.skipif(bool(KEA.missing), reason=f"needs the program {KEA.missing}")
def test_a_router_set_by_hand(lan: Lan, tmp_path: Path) -> None:
    KEA.start(lan.router)
    prober = lan.host("prober", "192.168.2.250/24")
    manual = home({"type": "manual", "address": ROUTER})

    proof = tmp_path / "lantern-report/proof.json"

    assert play(tmp_path, "reserve.yml", manual, "--check", on=prober).returncode == 0
    assert not proof.exists()
    refused = play(tmp_path, "reserve.yml", manual, on=prober)
    assert refused.returncode != 0, refused.stdout
    numbers = "start 192.168.2.2 and end 192.168.2.149"
    for words in (f"http://{ROUTER}", numbers, "offers 192.168.2.15", "in the reach of others"):
        assert words in refused.stdout, refused.stdout
    told = json.loads(proof.read_text())
    assert told["verdict"] == "failed" and "offers 192.168.2.15" in told["problems"][0]
    warned = play(tmp_path, "reserve.yml", manual, "--extra-vars=reserve_proof=warn", on=prober)
    assert warned.returncode == 0 and "WARNING: The DHCP server 192.168.2.1 offers" in warned.stdout, warned.stdout
    unmanaged = play(tmp_path, "reserve.yml", home({"type": "none", "address": ROUTER}), on=prober)
    assert unmanaged.returncode == 0 and "WARNING: The DHCP server 192.168.2.1 offers" in unmanaged.stdout

    assert KEA.reserve(lan.router, ranges=[POOL], network=NETWORK)["changed"]  # what the user does by hand
    done = play(tmp_path, "reserve.yml", manual, on=prober)
    assert done.returncode == 0 and "changed=0" in done.stdout, done.stdout + done.stderr
    assert f"    DHCP server  {ROUTER}  proven  offers what it is asked for" in done.stdout
    assert "The router has to be set by hand" not in done.stdout
    told = json.loads(proof.read_text())
    assert told["verdict"] == "proven" and told["problems"] == told["strangers"] == []
    assert [server["server"] for server in told["servers"]] == [ROUTER]
    assert {"192.168.2.150", "192.168.2.159"} <= set(told["asked"])
    off = play(tmp_path, "reserve.yml", manual, "--extra-vars=reserve_proof=off", on=prober)
    assert off.returncode == 0 and "DHCP server  " not in off.stdout
    # From a host outside the LAN nothing can be asked.
    prober.link("address", "flush", "dev", "eth0")
    warned = play(tmp_path, "reserve.yml", manual, "--extra-vars=reserve_proof=warn", on=prober)
    assert warned.returncode == 0, warned.stdout
    told = json.loads(proof.read_text())
    assert told["verdict"] == "unknown" and "no address in the LAN" in told["problems"][0]
    assert told["problems"][0] in " ".join(warned.stdout.split())


@pytest.mark.skipif(bool(KEA.missing), reason=f"needs the program {KEA.missing}")
def test_somebody_who_sets_the_router_while_the_play_waits_is_believed_by_the_proof_only(
    lan: Lan, tmp_path: Path
) -> None:
    KEA.start(lan.router)
    prober = lan.host("prober", "192.168.2.250/24")
    manual = home({"type": "manual", "address": ROUTER})
    prompt = "Press Enter when this is done"
    asked: list[str] = []

    def nothing() -> None:
        asked.append("pressed Enter, but did nothing")

    def by_hand() -> None:
        asked.append("reserved")
        assert KEA.reserve(lan.router, ranges=[POOL], network=NETWORK)["changed"]

    status, text = play_at_a_terminal(tmp_path, "reserve.yml", manual, on=prober, prompt=prompt, then=nothing)
    assert status and "in the reach of others" in text, text
    status, text = play_at_a_terminal(tmp_path, "reserve.yml", manual, on=prober, prompt=prompt, then=by_hand)
    assert status == 0, text
    assert len(asked) == 2, text
    # Before and after.
    before, after = text.split(prompt)
    assert "The router has to be set by hand" in before
    assert f"    DHCP server  {ROUTER}  proven  offers what it is asked for" in after
    assert json.loads((tmp_path / "lantern-report/proof.json").read_text())["verdict"] == "proven"


@pytest.mark.parametrize("known", [True, False])
def test_nothing_is_done_to_the_nodes_unless_it_is_proven(lan: Lan, tmp_path: Path, known: bool) -> None:
    """A server that hands out the pool, and none that answers: both stop the whole site."""
    if known and KEA.missing:
        pytest.skip(f"needs the program {KEA.missing}")
    if known:
        KEA.start(lan.router)
    prober = lan.host("prober", "192.168.2.250/24")
    site = home({"type": "manual", "address": ROUTER})
    # Nobody is there, so that a play that goes on can do nothing.
    site["all"]["children"]["nodes"]["hosts"]["node1"]["ansible_connection"] = "ssh"
    site["all"]["children"]["control_plane"] = {"hosts": {"node1": {}}}

    refused = play(tmp_path, "site.yml", site, on=prober)
    assert refused.returncode != 0
    why = "Addresses of the pools are in the reach of others" if known else "It is not known whether the pools are out"
    assert why in refused.stdout and "so nothing is announced" in refused.stdout
    assert "PLAY [Prepare the nodes]" not in refused.stdout
    told = json.loads((tmp_path / "lantern-report/proof.json").read_text())
    assert told["verdict"] == ("failed" if known else "unknown")
    if known:
        gone_on = play(tmp_path, "site.yml", site, "--extra-vars=reserve_proof=warn", on=prober)
        assert "PLAY [Prepare the nodes]" in gone_on.stdout and "cannot be reached" in gone_on.stdout


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
        options = f"--extra-vars={json.dumps(variables)}"
        router = home({"type": "routeros", "address": ROUTER})
        done = play(tmp_path, "reserve.yml", router, options)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "DHCP hands out 192.168.2.100-192.168.2.149, 192.168.2.160-192.168.2.200" in done.stdout
        assert api.pools[0]["ranges"] == "192.168.2.100-192.168.2.149,192.168.2.160-192.168.2.200"
        again = play(tmp_path, "reserve.yml", router, options)
        assert again.returncode == 0 and "changed=0" in again.stdout
        undone = play(tmp_path, "reset.yml", router, options, "--tags=reserve")
        assert undone.returncode == 0, undone.stdout + undone.stderr
    assert api.pools == before


def test_a_node_that_is_switched_off_does_not_stop_what_is_not_about_it(tmp_path: Path) -> None:
    inventory = home({"type": "none", "address": ROUTER})
    variables = inventory["all"]["vars"]
    variables["lantern_lan"] = [NETWORK, "fd00:2::/64"]
    variables["lantern_pools"].append({"name": "six", "addresses": ["fd00:2::1:0/120"]})
    # Its IPv6 address is asked for.
    away = {
        "ansible_host": "192.168.2.11",
        "ansible_connection": "ssh",
        "ansible_ssh_common_args": "-oProxyCommand=false",
    }
    inventory["all"]["children"]["nodes"]["hosts"]["node1"] = away

    done = play(tmp_path, "reserve.yml", inventory, "--extra-vars=reserve_proof=off")
    assert done.returncode == 0 and "192.168.2.150" in done.stdout, done.stdout + done.stderr
    assert "UNREACHABLE" in done.stdout and "ignored=1" in done.stdout, done.stdout
