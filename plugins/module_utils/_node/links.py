# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network interfaces of a node. PRIVATE to the homelab.lantern collection."""

from __future__ import annotations

import ipaddress
import json
import typing as t

from .host import Host

SYSTEM_FOLDER = "/sys/class/net"
# IFF_PROMISC of include/uapi/linux/if.h: set by `ip link set promisc on`, not by a program that only listens.
PROMISCUOUS_FLAG = 0x100
# What container networks make: no way to the LAN leads over them, whatever their addresses say.
CONTAINER_PREFIXES = (
    "br-", "cali", "cilium", "cni", "docker", "dummy", "flannel", "kube-", "lo", "lxc", "nodelocaldns", "podman",
    "tunl", "veth", "virbr", "vxlan", "weave", "wireguard.cali",
)  # fmt: skip


def survey(host: Host, lans: t.Sequence[str]) -> list[dict[str, t.Any]]:
    """Each interface but loopback: name, kind, driver, master, promiscuous, addresses (CIDR notation), lan.

    `lans` are networks in CIDR notation. Without any, the interface of the default route is in the LAN.
    """
    addresses = parse_addresses(host.run("ip", "-json", "address", "show").text)
    default = default_route(host.text("/proc/net/route"))
    found = []
    for name in host.names(SYSTEM_FOLDER):
        folder = f"{SYSTEM_FOLDER}/{name}"
        if name == "lo" or not host.exists(f"{folder}/flags"):
            continue
        own = addresses.get(name, [])
        in_lan = touches(own, lans) if lans else name == default
        found.append(
            {
                "name": name,
                "kind": kind(host, name),
                "driver": host.link(f"{folder}/device/driver"),
                "master": host.link(f"{folder}/master"),
                "promiscuous": is_promiscuous(host.text(f"{folder}/flags")),
                "addresses": own,
                "lan": in_lan and not name.startswith(CONTAINER_PREFIXES),
            }
        )
    return found


def kind(host: Host, name: str) -> str:
    """wifi, bridge, bond, wired (a device of its own), or virtual."""
    folder = f"{SYSTEM_FOLDER}/{name}"
    if host.exists(f"{folder}/wireless") or host.exists(f"{folder}/phy80211"):
        return "wifi"
    for special in ("bridge", "bonding"):
        if host.exists(f"{folder}/{special}"):
            return "bond" if special == "bonding" else special
    return "wired" if host.exists(f"{folder}/device") else "virtual"


def is_promiscuous(flags: str) -> bool:
    """From the hexadecimal number in an interface's file `flags`."""
    try:
        return bool(int(flags.strip() or "0", 16) & PROMISCUOUS_FLAG)
    except ValueError:
        return False


def parse_addresses(text: str) -> dict[str, list[str]]:
    """Global addresses with prefix length by interface, from `ip -json address show`."""
    try:
        rows = json.loads(text or "[]")
    except ValueError:
        return {}
    return {
        row["ifname"]: [
            f"{one['local']}/{one['prefixlen']}" for one in row.get("addr_info", []) if one.get("scope") == "global"
        ]
        for row in rows
        if row.get("ifname")
    }


def default_route(text: str) -> str:
    """The interface of the IPv4 default route, from /proc/net/route; "" without one."""
    for line in text.splitlines()[1:]:
        columns = line.split()
        if len(columns) > 7 and columns[1] == columns[7] == "00000000":
            return columns[0]
    return ""


def touches(addresses: t.Sequence[str], networks: t.Sequence[str]) -> bool:
    """Whether one of the addresses lies in one of the networks."""
    inside = [ipaddress.ip_interface(address).ip for address in addresses]
    # Membership of the other family is simply false.
    return any(ip in ipaddress.ip_network(network, strict=False) for ip in inside for network in networks)


def same_network(links: t.Sequence[dict[str, t.Any]]) -> list[str]:
    """Names of the LAN's interfaces that share an IPv4 network with another one, such as cable and WiFi of a Pi."""
    by_network: dict[str, set[str]] = {}
    for link in links:
        for address in link["addresses"] if link["lan"] else []:
            network = ipaddress.ip_interface(address).network
            if network.version == 4:
                by_network.setdefault(str(network), set()).add(link["name"])
    return sorted({name for names in by_network.values() if len(names) > 1 for name in names})
