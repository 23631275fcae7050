# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything a host boots with: what all have, and what makes it a router, a client or a node. Pure text."""

from __future__ import annotations

import hashlib

from . import node, registry, router
from .settings import DOMAIN, Setup, dhcp
from .topology import Host, Topology


def setup(host: Host, topology: Topology, public_key: str) -> Setup:
    """Everything `host` boots with; `public_key` may log in as root and as homelab."""
    kind = {"router": router.setup, "client": _client, "node": node.setup}[host.kind](host, topology)
    names = "".join(f"{h.address}\t{h.name}.{DOMAIN} {h.name}\n" for h in (topology.router, *topology.nodes))
    names += f"{topology.router.address}\t{registry.NAME}\n" if topology.kubernetes else ""
    nameserver = topology.router.address
    if topology.second and host.switch == "lan2":
        nameserver = topology.second.router_address
    common = {
        "/etc/hostname": f"{host.name}\n",
        "/etc/hosts": f"127.0.0.1\tlocalhost {host.name if host.kind == 'client' else ''}\n::1\tlocalhost\n{names}",
        "/etc/machine-id": hashlib.md5(host.mac.encode(), usedforsecurity=False).hexdigest() + "\n",
        "/etc/resolv.conf": f"nameserver {nameserver}\nsearch {DOMAIN}\n",
        # Hosts that shut down wait for pods that do not listen to SIGTERM; systemd's 90 s would teach nobody anything.
        "/etc/systemd/system.conf.d/shutdown.conf": "[Manager]\nDefaultTimeoutStopSec=10s\n",
        "/root/.ssh/authorized_keys": public_key,
        "/home/homelab/.ssh/authorized_keys": public_key,
    }
    return Setup(files=common | kind.files, units=kind.units)


def _client(host: Host, topology: Topology) -> Setup:
    ipv6 = topology.ipv6 is not None and host.switch == "lan"
    return Setup(files={"/etc/systemd/network/eth0.network": dhcp(host, ipv6=ipv6)})
