# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof of a home with two LANs, each with a DHCP server and a pool of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from lan import NETWORK, ROUTER, Host, Lan
from plays import HERE, play
from servers import SERVERS, serve

GUESTS = "192.168.3.0/24"
GUESTS_ROUTER = "192.168.3.1"
POOLS = ["192.168.2.150-192.168.2.159", "192.168.3.150-192.168.3.159"]
ASIDE = "{0}.100,{0}.149"
INTO = "{0}.150,{0}.180"

pytestmark = pytest.mark.skipif(bool(SERVERS["dnsmasq"].missing), reason="needs the program dnsmasq")


def home(probes: dict[str, Any], **router: Any) -> dict[str, Any]:
    """The inventory of a home with two LANs; `probes` are the hosts of group probe."""
    variables = {
        **HERE,
        "lantern_lan": [NETWORK, GUESTS],
        "lantern_router": {"type": "manual", "address": ROUTER, **router},
        "lantern_pools": [{"name": "default", "addresses": POOLS}],
    }
    nodes = {"hosts": {"node1": {"ansible_host": "192.168.2.11"}}}
    return {"all": {"vars": variables, "children": {"nodes": nodes, "probe": {"hosts": probes}}}}


def elsewhere(host: Host) -> dict[str, str]:
    """Variables of a host of the inventory that is not the one Ansible runs on."""
    enter = f"nsenter --target={host.pid} --net --mount"
    host.script("python-there", f'#!/bin/sh\nexec {enter} {sys.executable} "$@"\n')
    return {"ansible_python_interpreter": f"{host.folder}/bin/python-there"}


def with_guests(lan: Lan, ranges: str) -> Host:
    """A server in each LAN, that of the guests with these ranges."""
    lan.add("guests")
    serve(lan.router, [ASIDE.format("192.168.2")], "no-ping")
    router = lan.host("guests-router", f"{GUESTS_ROUTER}/24", "guests")
    serve(router, [ranges.format("192.168.3")], "no-ping")
    return router


def proof(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "lantern-report/proof.json").read_text())
    return told


def test_each_lan_is_asked_from_a_host_that_is_in_it(lan: Lan, tmp_path: Path) -> None:
    with_guests(lan, ASIDE)
    desktop = lan.host("desktop", "192.168.2.250/24")
    tablet = lan.host("tablet", "192.168.3.250/24", "guests")

    alone = play(tmp_path, "reserve.yml", home({"desktop": {}}), on=desktop)
    assert alone.returncode != 0 and "It is not known whether" in alone.stdout, alone.stdout
    assert "The router has to be set by hand" not in alone.stdout
    told = proof(tmp_path)
    assert told["lans"] == [
        {"network": NETWORK, "host": "desktop", "verdict": "proven"},
        {"network": GUESTS, "host": "", "verdict": "unknown"},
    ]
    (problem,) = told["problems"]
    assert told["verdict"] == "unknown" and problem.startswith(f"LAN {GUESTS}: This host has no address in the LAN")
    assert "group probe" in problem and problem in " ".join(alone.stdout.split())
    assert [server["server"] for server in told["servers"]] == [ROUTER]

    # The play runs on the first of the group.
    both = play(tmp_path, "reserve.yml", home({"tablet": elsewhere(tablet), "desktop": {}}), on=desktop)
    assert both.returncode == 0 and "changed=0" in both.stdout, both.stdout + both.stderr
    told = proof(tmp_path)
    assert told["verdict"] == "proven" and told["problems"] == told["warnings_found"] == []
    assert {lan["network"]: lan["host"] for lan in told["lans"]} == {NETWORK: "desktop", GUESTS: "tablet"}
    assert {server["server"] for server in told["servers"]} == {ROUTER, GUESTS_ROUTER}
    assert {"192.168.2.150", "192.168.3.150", "192.168.3.159"} <= set(told["asked"])


def test_one_host_in_both_lans_asks_in_both(lan: Lan, tmp_path: Path) -> None:
    with_guests(lan, INTO)
    prober = lan.host("prober", "192.168.2.250/24")
    lan.plug(prober, "eth1", "192.168.3.250/24", "guests")
    # A second host is asked for nothing that the first one could tell.
    probes = {"prober": {}, "nowhere": {"ansible_connection": "ssh", "ansible_host": "192.168.2.99"}}

    refused = play(tmp_path, "reserve.yml", home(probes), on=prober)
    assert refused.returncode != 0 and "in the reach of others" in refused.stdout, refused.stdout
    told = proof(tmp_path)
    assert told["verdict"] == "failed"
    assert [lan["verdict"] for lan in told["lans"]] == ["proven", "failed"]
    (problem,) = told["problems"]
    assert problem.startswith(f"LAN {GUESTS}: The DHCP server {GUESTS_ROUTER} offers 192.168.3.15")
    assert "start 192.168.3." in refused.stdout and "start 192.168.2." not in refused.stdout
    # The router's address among the guests is not known, so nobody there is foreign.
    assert told["warnings_found"] == []

    other = home(probes, addresses=["192.168.3.254"])
    warned = play(tmp_path, "reserve.yml", other, "--extra-vars=reserve_proof=warn", on=prober)
    assert warned.returncode == 0 and f"WARNING: LAN {GUESTS}: The DHCP server {GUESTS_ROUTER} offers" in warned.stdout
    (warning,) = proof(tmp_path)["warnings_found"]
    assert warning.startswith(f"LAN {GUESTS}: The DHCP server {GUESTS_ROUTER} (") and "not the router" in warning


def test_hosts_that_cannot_ask_say_why(lan: Lan, tmp_path: Path) -> None:
    with_guests(lan, ASIDE)
    desktop = lan.host("desktop", "192.168.2.250/24")
    off = {"ansible_connection": "ssh", "ansible_host": "192.168.2.99", "ansible_ssh_timeout": 3}

    refused = play(tmp_path, "reserve.yml", home({"desktop": {}, "tablet": off}), on=desktop)
    assert refused.returncode != 0 and "so nothing is announced" in refused.stdout, refused.stdout
    first, second = proof(tmp_path)["problems"]
    assert first.startswith(f"LAN {GUESTS}, from desktop: This host has no address")
    assert second.startswith(f"LAN {GUESTS}, from tablet: ")
