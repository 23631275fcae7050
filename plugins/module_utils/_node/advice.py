# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel settings that only some nodes need. PRIVATE to the homelab.lantern collection.

Only what stays is judged (interfaces, networks, kube-proxy's mode), never a setting's present value: a setting that is
right already has to be advised again, or the next run would take it back.
"""

from __future__ import annotations

import typing as t

from .links import same_network

CALICO_PREFIXES = ("cali", "tunl", "vxlan.calico", "wireguard.cali")


class Advice(t.NamedTuple):
    """A kernel setting, its value, and why."""

    name: str
    value: str
    reason: str


def settings(seen: dict[str, t.Any], ipv6: bool) -> list[Advice]:
    """In the order in which they have to be set. `ipv6`: Services have IPv6 addresses."""
    lan = [link["name"] for link in seen["links"] if link["lan"]]
    return [*_arp(seen), *_reverse_path(seen, lan), *(_ipv6(seen, lan) if ipv6 else [])]


def _arp(seen: dict[str, t.Any]) -> list[Advice]:
    doubled = same_network(seen["links"])
    if seen["kubernetes"]["proxy_mode"] == "ipvs":
        why = "kube-proxy in ipvs mode puts every Service's address onto every node, and all would answer for it"
    elif doubled:
        why = f"{' and '.join(doubled)} are in the same network, and each would answer for the other's address"
    else:
        return []
    return [Advice("net.ipv4.conf.all.arp_ignore", "1", why), Advice("net.ipv4.conf.all.arp_announce", "2", why)]


def _reverse_path(seen: dict[str, t.Any], lan: list[str]) -> list[Advice]:
    # Calico's Felix ends itself where the check is loose (its option IgnoreLooseRPF), and does without it on its own.
    if len(lan) < 2 or any(link["name"].startswith(CALICO_PREFIXES) for link in seen["links"]):
        return []
    why = f"with {' and '.join(lan)} in home networks, answers may leave by another interface than requests came in"
    return [Advice(f"net.ipv4.conf.{name.replace('.', '/')}.rp_filter", "2", why) for name in lan]


def _ipv6(seen: dict[str, t.Any], lan: list[str]) -> list[Advice]:
    # First the interfaces: when forwarding is switched on, the kernel forgets its default route where accept_ra is 1.
    keep = "the node's own IPv6 address and default route come from the router's advertisements"
    listening = [name for name in lan if seen["accept_ra"].get(name) in ("1", "2")]
    return [
        *(Advice(f"net.ipv6.conf.{name.replace('.', '/')}.accept_ra", "2", keep) for name in listening),
        Advice("net.ipv6.conf.all.forwarding", "1", "Services with IPv6 addresses are passed on to pods"),
    ]
