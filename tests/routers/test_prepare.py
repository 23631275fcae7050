# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of role prepare on a node of a test LAN: a firewall of nftables, other programs' settings, swap.

What takes a whole system, such as firewalld, ufw and boots, is in Molecule's scenario `node`.
"""

from __future__ import annotations

import configparser
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from lan import PROJECT, Host, Lan
from plays import HERE, play

ROLE = PROJECT / "roles/prepare"
PEER = "192.168.2.1"
DROPINS = "/etc/systemd/system/swap.d"
RULES = (PROJECT / "extensions/molecule/node/files/nftables.conf").read_text()
NODES = {f"node{number}": {"ansible_host": f"192.168.2.1{number}"} for number in (1, 2)}
FSTAB = """\
# /etc/fstab: static file system information.
UUID=0a1b / ext4 errors=remount-ro 0 1
/swap.img\tnone\tswap\tsw\t0\t0
# /dev/sdb1 none swap sw 0 0
  UUID=2c3d swap swap
UUID=4e5f swap swap defaults 0 0
/dev/sdc1 /srv/swap ext4 defaults 0 2
"""
# A connection attempt: refused where it arrives, as nothing listens; silence where a firewall drops it.
KNOCK = """
import socket, sys
kind, address, port = sys.argv[1:]
with socket.socket(socket.AF_INET, getattr(socket, kind)) as channel:
    channel.settimeout(1)
    try:
        channel.connect((address, int(port)))
        channel.send(b"x")
        channel.recv(1)
    except ConnectionRefusedError:
        print("arrived")
    except TimeoutError:
        print("dropped")
"""


@pytest.fixture
def node(lan: Lan) -> Host:
    return lan.host("node1", "192.168.2.11/24")


def run(node: Host, folder: Path, tasks: list[dict[str, Any]], **variables: Any) -> subprocess.CompletedProcess[str]:
    """Tasks on the first of two nodes, which is where Ansible runs."""
    file = folder / "play.json"
    file.write_text(json.dumps([{"hosts": "node1", "gather_facts": False, "tasks": tasks}]))
    home = {"all": {"vars": {**HERE, **variables}, "children": {"nodes": {"hosts": NODES}}}}
    done = play(folder, str(file), home, on=node)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def part(name: str) -> dict[str, Any]:
    return {"ansible.builtin.include_role": {"name": "homelab.lantern.prepare", "tasks_from": name}}


def knock(host: Host, kind: str, port: int) -> str:
    return host.run("python3", "-c", KNOCK, f"SOCK_{kind}", "192.168.2.11", str(port)).stdout.strip()


def test_the_ports_that_nodes_and_routers_need(lan: Lan, node: Host, tmp_path: Path) -> None:
    node.write("/etc/nftables.conf", RULES)
    node.run("nft", "--file", "/etc/nftables.conf")
    before = node.run("nft", "list", "ruleset").stdout
    other, client = lan.host("node2", "192.168.2.12/24"), lan.host("client2", "192.168.2.99/24")
    assert knock(other, "STREAM", 7946) == "dropped"

    assert " changed=1 " in run(node, tmp_path, [part("firewall")]).stdout
    for kind, port in (("STREAM", 7946), ("DGRAM", 7946), ("STREAM", 17472)):
        assert [knock(host, kind, port) for host in (other, client)] == ["arrived", "dropped"], (kind, port)
    # BGP only where it is used, and only from those routers.
    assert [knock(host, "STREAM", 179) for host in (lan.router, other)] == ["dropped", "dropped"]
    assert " changed=0 " in run(node, tmp_path, [part("firewall")]).stdout
    assert " changed=1 " in run(node, tmp_path, [part("firewall")], prepare_bgp_peers=[PEER]).stdout
    assert [knock(host, "STREAM", 179) for host in (lan.router, other)] == ["arrived", "dropped"]

    # As at boot.
    node.run("nft", "--file", "/etc/nftables.conf")
    assert [knock(other, "STREAM", 7946), knock(lan.router, "STREAM", 179)] == ["arrived", "arrived"]
    assert " changed=0 " in run(node, tmp_path, [part("firewall")], prepare_bgp_peers=[PEER]).stdout
    assert node.module("firewall_openings", state="absent")["changed"]
    assert node.run("nft", "list", "ruleset").stdout == before
    assert node.read("/etc/nftables.conf") == RULES
    assert node.run("ls", "/etc/nftables-lantern.nft", check=False).returncode != 0


def test_other_programs_keep_out_of_the_way(node: Host, tmp_path: Path) -> None:
    node.run("mkdir", "-p", "/etc/NetworkManager/conf.d", "/etc/cloud/cloud.cfg.d")
    node.script("systemctl", f'#!/bin/sh\necho "$*" >>{node.folder}/systemctl.log\n')
    there = {"links": [], "network_manager": True, "cloud_init": True}
    options: dict[str, Any] = {"prepare_node_info": {"node": there}}
    assert " changed=3 " in run(node, tmp_path, [part("interfaces")], **options).stdout
    # NetworkManager is told once, and only when there is something new.
    assert " changed=0 " in run(node, tmp_path, [part("interfaces")], **options).stdout
    told = (node.folder / "systemctl.log").read_text()
    assert told == "try-reload-or-restart NetworkManager.service\n"

    manager = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    manager.read_string(node.read("/etc/NetworkManager/conf.d/60-lantern.conf"))
    # "+=": what others have put on the list stays there.
    unmanaged = manager["keyfile"]["unmanaged-devices+"].split(";")
    assert {"interface-name:cni*", "interface-name:cali*", "interface-name:kube-ipvs0"} <= set(unmanaged)
    assert all(item.startswith("interface-name:") for item in unmanaged)
    radio = manager["connection-lantern"]
    assert (radio["match-device"], radio["wifi.powersave"]) == ("type:wifi", "2")
    cloud = yaml.safe_load(node.read("/etc/cloud/cloud.cfg.d/99-lantern.cfg"))
    assert cloud == {"preserve_hostname": True, "manage_etc_hosts": False, "network": {"config": "disabled"}}


@pytest.mark.parametrize("missing", [{"there": False}, {"wanted": False}])
def test_settings_only_for_what_is_there_and_wanted(node: Host, tmp_path: Path, missing: dict[str, bool]) -> None:
    there, wanted = missing.get("there", True), missing.get("wanted", True)
    seen = {"links": [], "network_manager": there, "cloud_init": there}
    options: dict[str, Any] = {"prepare_node_info": {"node": seen}}
    options |= {"prepare_network_manager": wanted, "prepare_cloud_init": wanted}
    assert " changed=0 " in run(node, tmp_path, [part("interfaces")], **options).stdout


def test_swap_stays_off_after_a_boot_until_it_is_undone(node: Host, tmp_path: Path) -> None:
    node.write("/etc/fstab", FSTAB)
    looked = part("swap")
    looked["ansible.builtin.include_role"]["apply"] = {"check_mode": True}
    in_use = {"prepare_node_info": {"node": {"swap": ["/swap.img"]}}}
    assert " changed=4 " in run(node, tmp_path, [looked], **in_use).stdout
    assert (
        node.read("/etc/fstab") == FSTAB and not node.run("find", "/etc/systemd/system", "-path", f"{DROPINS}*").stdout
    )
    # Nothing is in use here: swap is the whole machine's.
    options: dict[str, Any] = {"prepare_node_info": {"node": {"swap": []}}}
    assert " changed=3 " in run(node, tmp_path, [part("swap")], **options).stdout
    before, after = FSTAB.splitlines(), node.read("/etc/fstab").splitlines()
    off = [f"# switched off by Lantern: {line}" if number in (2, 4, 5) else line for number, line in enumerate(before)]
    assert after == off and "\nConditionPathExists=!/\n" in node.read(f"{DROPINS}/60-lantern.conf")
    assert " changed=0 " in run(node, tmp_path, [part("swap")], **options).stdout

    tasks = yaml.safe_load((ROLE / "tasks/reset.yml").read_text())
    undo = [task for task in tasks if "swap" in str(task)]
    assert len(undo) == 3
    run(node, tmp_path, undo, **yaml.safe_load((ROLE / "vars/main.yml").read_text()))
    assert (
        node.read("/etc/fstab") == FSTAB and not node.run("find", "/etc/systemd/system", "-path", f"{DROPINS}*").stdout
    )


def test_node_without_an_fstab_is_kept_from_swap_all_the_same(node: Host, tmp_path: Path) -> None:
    node.run("rm", "-f", "/etc/fstab")
    assert " changed=2 " in run(node, tmp_path, [part("swap")], prepare_node_info={"node": {"swap": []}}).stdout
    assert node.read(f"{DROPINS}/60-lantern.conf")
