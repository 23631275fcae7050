# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which firewall is in charge of a node, and its rules for ports. PRIVATE to the homelab.lantern collection.

Each firewall has its own words for the same thing: these hosts may reach this port. Rules are texts, so that what a
firewall lists can be compared with what it should have.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import typing as t

from .host import Host

FIREWALLD, UFW, NFTABLES, IPTABLES, NONE = "firewalld", "ufw", "nftables", "iptables", "none"
# Tables in nf_tables that belong to programs of their own, which neither need nor keep rules of others.
OWNED_TABLES = (
    "firewalld",
    "kube-proxy",
    "calico",
    "cilium",
    "podman",
    "netavark",
    "docker-bridges",
    "libvirt_network",
)
OUR_COMMENT = "Lantern"


class Opening(t.NamedTuple):
    """Hosts of `sources` (addresses or networks) may reach `port` by `protocol` (tcp, udp)."""

    port: int
    protocol: str
    sources: tuple[str, ...]
    purpose: str


class Chain(t.NamedTuple):
    """A chain of nf_tables that judges what comes in."""

    family: str
    table: str
    name: str


def survey(host: Host, running: t.Collection[str]) -> dict[str, t.Any]:
    """manager (one of the names above) and chains (those of nf_tables that turn packets away)."""
    if "firewalld" in running and host.run("firewall-cmd", "--state").status == 0:
        return {"manager": FIREWALLD, "chains": []}
    if re.search(r"^\s*ENABLED=yes", host.text("/etc/ufw/ufw.conf"), re.MULTILINE | re.IGNORECASE):
        return {"manager": UFW, "chains": []}
    chains = [
        chain for chain in input_chains(_json(host.run("nft", "-j", "list", "chains").text)) if _closed(host, chain)
    ]
    if chains:
        return {"manager": NFTABLES, "chains": [chain._asdict() for chain in chains]}
    if turns_away(host.run("iptables", "-S", "INPUT").text):
        return {"manager": IPTABLES, "chains": []}
    return {"manager": NONE, "chains": []}


def turns_away(rules: str) -> bool:
    """Whether a chain, as `iptables -S CHAIN` prints it, ends in a no."""
    return bool(re.search(r"^(-P INPUT DROP|-A INPUT -j (DROP|REJECT).*)$", rules, re.MULTILINE))


# -- nf_tables -----------------------------------------------------------------------------------------------------


def input_chains(listing: list[dict[str, t.Any]]) -> list[Chain]:
    """Chains at hook input that people made, from `nft -j list chains`."""
    found = []
    for row in (item["chain"] for item in listing if "chain" in item):
        by_iptables = row["family"] in ("ip", "ip6") and row["name"] == "INPUT"
        owned = by_iptables or row["table"].startswith(OWNED_TABLES)
        if row.get("hook") == "input" and row.get("type") == "filter" and not owned:
            found.append(Chain(row["family"], row["table"], row["name"]))
    return found


def _closed(host: Host, chain: Chain) -> bool:
    listing = _json(host.run("nft", "-j", "list", "chain", *chain).text)
    if any(item["chain"].get("policy") == "drop" for item in listing if "chain" in item):
        return True
    rules = [item["rule"]["expr"] for item in listing if "rule" in item]
    return bool(rules) and any("drop" in part or "reject" in part for part in rules[-1])


def nft_rules(chains: t.Iterable[Chain], openings: t.Iterable[Opening]) -> dict[str, str]:
    """Commands that put each opening before all other rules, by the comment that tells them again."""
    rules = {}
    for chain in chains:
        for opening in openings:
            for word, version in (("ip", 4), ("ip6", 6)):
                sources = [source for source in opening.sources if _version(source) == version]
                if not sources or chain.family not in ("inet", word):
                    continue
                rule = f"{word} saddr {{ {', '.join(sources)} }} {opening.protocol} dport {opening.port} accept"
                digest = hashlib.sha256(f"{chain} {rule}".encode()).hexdigest()[:8]
                comment = f"{OUR_COMMENT} {opening.purpose} {digest}"
                target = f"{chain.family} {chain.table} {chain.name}"
                rules[comment] = f'insert rule {target} {rule} comment "{comment}"'
    return rules


def nft_present(host: Host, chains: t.Iterable[Chain]) -> dict[str, tuple[Chain, int]]:
    """Our rules in these chains: chain and handle by comment."""
    present = {}
    for chain in chains:
        for item in _json(host.run("nft", "-j", "-a", "list", "chain", *chain).text):
            comment = item.get("rule", {}).get("comment", "")
            if comment.startswith(f"{OUR_COMMENT} "):
                present[comment] = (chain, item["rule"]["handle"])
    return present


def _json(text: str) -> list[dict[str, t.Any]]:
    try:
        return json.loads(text)["nftables"]
    except (ValueError, KeyError):
        return []


# -- firewalld -----------------------------------------------------------------------------------------------------


def rich_rules(openings: t.Iterable[Opening]) -> list[str]:
    """As `firewall-cmd --list-rich-rules` prints them."""
    return [
        f'rule family="ipv{_version(source)}" source address="{source}" '
        f'port port="{opening.port}" protocol="{opening.protocol}" accept'
        for opening in openings
        for source in opening.sources
    ]


def zone(active: str, default: str, interface: str, address: str) -> str:
    """The zone that judges packets of the LAN, from `firewall-cmd --get-active-zones` and `--get-default-zone`.

    A zone with a matching source goes before that of the interface (firewalld.zones(5)).
    """
    by_interface = default.strip()
    name = ""
    for line in active.splitlines():
        words = line.split()
        if line[:1].strip():
            name = words[0]
        elif words[:1] == ["sources:"] and any(_holds(source, address) for source in words[1:]):
            return name
        elif words[:1] == ["interfaces:"] and interface in words[1:]:
            by_interface = name
    return by_interface


def _holds(network: str, address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:  # a source may also be a MAC address or the name of a set
        return False


# -- ufw -----------------------------------------------------------------------------------------------------------


def ufw_rules(openings: t.Iterable[Opening]) -> list[str]:
    """As `ufw show added` prints them, without the comment."""
    return [
        f"allow from {source} to any port {opening.port} proto {opening.protocol}"
        for opening in openings
        for source in opening.sources
    ]


def ufw_added(text: str) -> list[str]:
    """Rules from `ufw show added`."""
    return [
        re.sub(r" comment '.*'$", "", line[len("ufw ") :].strip())
        for line in text.splitlines()
        if line.startswith("ufw ")
    ]


def _version(source: str) -> int:
    return ipaddress.ip_network(source, strict=False).version


def normal(source: str) -> str:
    """An address or network as firewalls list it: a network of one host is its address. ValueError for neither."""
    try:
        network = ipaddress.ip_network(source, strict=False)
    except ValueError:
        raise ValueError(f"{source!r} is no address and no network: correct the sources of that opening.") from None
    return str(network.network_address if network.num_addresses == 1 else network)
