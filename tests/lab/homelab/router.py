# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The home's router: DHCP, DNS and IPv6 router advertisements by dnsmasq, and a registry for container images."""

from __future__ import annotations

from . import registry
from .settings import DOMAIN, Setup
from .topology import Host, SecondLan, Topology, address6

# A home whose provider changes the prefix: the file is rewritten by `lab prefix`, the rest of the settings stays.
PREFIX_FILE = "/etc/systemd/network/eth0.network.d/prefix.conf"


def setup(host: Host, topology: Topology) -> Setup:
    files = {"/etc/systemd/network/eth0.network": _eth0(host, topology), "/etc/dnsmasq.conf": _dnsmasq(topology)}
    if topology.ipv6:
        files[PREFIX_FILE] = prefix_settings(host, topology.ipv6)
    if topology.second:
        files["/etc/systemd/network/eth1.network"] = _eth1(topology.second)
    units = ["dnsmasq.service"]
    if topology.kubernetes:
        files |= {
            "/etc/docker/registry/config.yml": registry.CONFIGURATION,
            "/etc/systemd/system/docker-registry.service.d/user.conf": "[Service]\nUser=root\n",
        }
        units.append("docker-registry.service")
    return Setup(files=files, units=tuple(units))


def _eth0(host: Host, topology: Topology) -> str:
    prefix_length = topology.prefix_length(host)
    forwarding, link_local = ("yes", "ipv6") if topology.ipv6 else ("ipv4", "no")
    return (
        "[Match]\nName=eth0\n\n"
        f"[Network]\nAddress={host.address}/{prefix_length}\nLinkLocalAddressing={link_local}\nIPv6AcceptRA=no\n"
        f"IPForward={forwarding}\n"
    )


def prefix_settings(host: Host, prefix: str) -> str:
    """The router's own address under an IPv6 prefix, which makes dnsmasq announce the prefix."""
    return f"[Network]\nAddress={address6(host, prefix)}/64\n"


def _eth1(second: SecondLan) -> str:
    length = second.lan.split("/")[1]
    return f"[Match]\nName=eth1\n\n[Network]\nAddress={second.router_address}/{length}\nLinkLocalAddressing=no\n"


def _dnsmasq(topology: Topology) -> str:
    first, last = topology.dynamic_range
    fixed = "".join(f"dhcp-host={node.mac},{node.name},{node.address}\n" for node in topology.nodes)
    text = (
        "# The home's DHCP and DNS server\n"
        "interface=eth0\n"
        f"{'interface=eth1' + chr(10) if topology.second else ''}"
        f"domain={DOMAIN}\n"
        "expand-hosts\n"
        "no-resolv\n"
        "dhcp-authoritative\n"
        "\n"
        f"dhcp-range={first},{last},12h\n"
        f"dhcp-option=option:router,{topology.router.address}\n"
        "\n"
        "# the Kubernetes nodes keep their addresses\n"
        f"{fixed}"
    )
    if second := topology.second:
        first, last = second.dynamic_range
        text += (
            "\n# the LAN behind\n"
            f"dhcp-range=set:behind,{first},{last},12h\n"
            f"dhcp-option=tag:behind,option:router,{second.gateway}\n"
        )
    if topology.ipv6:
        text += "\n# the prefix that eth0 has\nenable-ra\ndhcp-range=::,constructor:eth0,ra-stateless,64,12h\n"
    return text
