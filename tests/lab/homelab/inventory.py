# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible inventory of the running lab: what a user would have written for this home."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import yaml

from . import paths
from .artifacts import architecture
from .rootfs import SUITE
from .topology import Host, Topology


def path() -> Path:
    """Where the running lab's inventory lies."""
    return paths.state() / "inventory.yml"


def inventory(topology: Topology, *, key: Path, known_hosts: Path, base_image: Path) -> str:
    """The inventory as YAML text.

    The pool is the upper half of the LAN, the way people divide a home's /24. Hosts are logged in to as a user with
    sudo. Nothing of the play may need the Internet, so the base image and packages come from files.
    """
    upper_half = list(ipaddress.IPv4Network(topology.lan).subnets(prefixlen_diff=1))[1]
    ssh = f"-o IdentityFile={key} -o IdentitiesOnly=yes -o UserKnownHostsFile={known_hosts}"
    variables: dict[str, Any] = {
        "ansible_user": "homelab",
        "ansible_ssh_common_args": f"{ssh} -o StrictHostKeyChecking=accept-new -o ConnectTimeout=5",
        "ansible_python_interpreter": "/usr/bin/python3",
        "lantern_lan": topology.lan,
        "lantern_router": {"type": "dnsmasq", "address": topology.router.address},
        "lantern_pools": [{"name": "default", "addresses": [str(upper_half)]}],
        "lantern_cache_dir": str(paths.cache().parent),
        "deploy_architectures": [architecture()],
        "deploy_base_image": "localhost/lantern-base:1",
        "deploy_base_image_archive": str(base_image),
        "prepare_packages_offline": True,
        "prepare_fetch_targets": [
            {"family": "Debian", "distribution": "debian", "release": SUITE, "architecture": architecture()}
        ],
    }
    nodes = {node.name: _node(node) for node in topology.nodes}
    first = topology.nodes[0].name
    return yaml.safe_dump(
        {
            "all": {
                "vars": variables,
                "children": {
                    "router": {"hosts": {"home-router": {"ansible_host": topology.router.address}}},
                    "nodes": {
                        "children": {"control_plane": {"hosts": {first: nodes.pop(first)}}},
                        "hosts": nodes,
                    },
                },
            }
        },
        sort_keys=False,
    )


def _node(node: Host) -> dict[str, Any]:
    # The packages of an EL host come from a repository on itself, which the machine that runs Ansible does not have.
    own_packages = {"prepare_packages_offline": False} if node.system == "el" else {}
    return {"ansible_host": node.address, **own_packages}
