# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenWrt's files, with the real dnsmasq behind a stand-in for its init script; no Python is used on the router."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lan import NETWORK, PROJECT, ROUTER, Host, Lan, eventually
from servers import OPENWRT

POOL = ["192.168.2.150-192.168.2.159"]
INSIDE = "192.168.2.155"
DHCP = OPENWRT["/etc/config/dhcp"]


class OpenWrt:
    def __init__(self, host: Host) -> None:
        self.host = host
        standin = (Path(__file__).parent / "openwrt_standin.py").read_text()
        host.script("uci", standin)
        host.run("mkdir", "-p", "/var/lib/misc")
        host.write("/etc/init.d/dnsmasq", standin)
        host.run("chmod", "755", "/etc/init.d/dnsmasq")
        host.script("pidof", '#!/bin/sh\nkill -0 "$(cat /run/$1.pid)" 2>/dev/null\n')
        for path, text in OPENWRT.items():
            host.write(path, text)
        host.run("/etc/init.d/dnsmasq", "restart")
        eventually(lambda: ":67 " in host.run("busybox", "netstat", "-lnu").stdout)

    @property
    def settings(self) -> str:
        return self.host.read("/etc/config/dhcp")

    def reserve(self, *, check: bool = False, **options: Any) -> dict[str, Any]:
        """The task's result, run by Ansible with this host's shell as its connection."""
        options = {"timeout": 3, **options}
        done = subprocess.run(
            [
                "nsenter", f"--target={self.host.pid}", "--net", "--mount",
                sys.executable, "-m", "ansible", "adhoc", "localhost", "--connection=local", "--diff",
                "--module-name=homelab.lantern.openwrt_reservation", f"--args={json.dumps(options)}",
                *(["--check"] if check else []),
            ],
            capture_output=True, text=True, timeout=120, cwd=self.host.folder,
            env={
                **{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")},
                "PATH": self.host.environment["PATH"],
                "HOME": str(self.host.folder),
                "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "playbooks/collections"),
                "ANSIBLE_LOCALHOST_WARNING": "False",
                "ANSIBLE_NOCOLOR": "1",
            },
        )  # fmt: skip
        status, arrow, text = done.stdout.partition(" => ")
        assert arrow, done.stdout + done.stderr
        result, _end = json.JSONDecoder().raw_decode(text)
        return {"msg": "", "shown": done.stdout, **result, "failed": "FAILED" in status}


@pytest.fixture
def openwrt(lan: Lan) -> OpenWrt:
    return OpenWrt(lan.router)


def test_reserve_proof_undo(lan: Lan, openwrt: OpenWrt) -> None:
    assert lan.client.lease("02:00:00:00:00:21", INSIDE) == INSIDE
    refused = openwrt.reserve(ranges=POOL, network=NETWORK)
    assert refused["failed"] and INSIDE in refused["msg"] and "02:00:00:00:00:21" in refused["msg"]
    assert openwrt.settings == DHCP
    planned = openwrt.reserve(check=True, ranges=POOL, network=NETWORK, active_leases="ignore")
    assert planned["changed"] and openwrt.settings == DHCP
    assert "+\toption limit '50'" in planned["shown"]

    names = [{"name": "web", "addresses": ["192.168.2.150"]}]
    done = openwrt.reserve(ranges=POOL, network=NETWORK, active_leases="ignore", names=names)
    assert done["changed"] and not done["failed"], done["msg"]
    assert done["handed_out"] == ["192.168.2.100-192.168.2.149", "192.168.2.160-192.168.2.200"]
    again = openwrt.reserve(ranges=POOL, network=NETWORK, active_leases="ignore", names=names)
    assert not again["failed"] and not again["changed"]
    assert lan.prove(POOL, servers=[ROUTER])["verdict"] == "proven"
    given = lan.client.lease("02:00:00:00:00:21", INSIDE)
    assert given and given not in [f"192.168.2.{number}" for number in range(150, 160)]
    answer = lan.hosts["prober"].run("busybox", "nslookup", "-type=a", "web", ROUTER).stdout
    assert "192.168.2.150" in answer
    assert openwrt.host.read("/etc/lantern/dhcp") == DHCP

    assert openwrt.reserve(state="absent")["changed"]
    assert openwrt.settings == DHCP
    assert openwrt.host.run("ls", "/etc/lantern", check=False).returncode != 0
    assert not openwrt.reserve(state="absent")["changed"]


def test_what_the_web_interface_rewrote_is_still_undone(openwrt: OpenWrt) -> None:
    """uci commit writes every option in its own way and drops comments."""
    assert openwrt.reserve(ranges=POOL, network=NETWORK)["changed"]
    openwrt.host.write("/etc/config/dhcp", openwrt.settings.replace("option start '100'", "option  start\t100"))
    assert openwrt.reserve(state="absent")["changed"]
    assert openwrt.settings.replace("option  start\t100", "option start '100'") == DHCP


def test_settings_that_wait_to_be_saved_are_refused(openwrt: OpenWrt) -> None:
    openwrt.host.write("/run/uncommitted", "dhcp.lan.start='50'")
    refused = openwrt.reserve(ranges=POOL, network=NETWORK)
    assert refused["failed"] and "dhcp.lan.start='50'" in refused["msg"] and "uci commit dhcp" in refused["msg"]
    assert openwrt.settings == DHCP


def test_a_server_that_does_not_start_again_gets_its_former_settings(openwrt: OpenWrt) -> None:
    openwrt.host.write("/run/broken", "no more memory")
    refused = openwrt.reserve(ranges=POOL, network=NETWORK, timeout=1)
    assert refused["failed"] and "former settings were put back" in refused["msg"]
    assert "no more memory" in refused["msg"]
    assert openwrt.settings == DHCP


def test_a_server_that_has_stopped_is_part_of_what_is_put_in_order(openwrt: OpenWrt) -> None:
    options = {"ranges": POOL, "network": NETWORK}
    assert openwrt.reserve(**options)["changed"]
    openwrt.host.run(
        "sh", "-c", "p=$(cat /run/dnsmasq.pid); kill $p; while kill -0 $p 2>/dev/null; do sleep 0.05; done"
    )
    assert openwrt.reserve(check=True, **options)["changed"]
    assert openwrt.reserve(**options)["changed"]
    assert ":67 " in openwrt.host.run("busybox", "netstat", "-lnu").stdout
    assert not openwrt.reserve(**options)["changed"]


def test_settings_that_uci_cannot_read_change_nothing(openwrt: OpenWrt) -> None:
    openwrt.host.write("/etc/config/dhcp", DHCP + "rubbish\n")
    refused = openwrt.reserve(ranges=POOL, network=NETWORK)
    assert refused["failed"] and "Parse error" in refused["msg"]
    assert openwrt.settings == DHCP + "rubbish\n"
