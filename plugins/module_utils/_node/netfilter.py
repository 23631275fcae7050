# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of iptables' two backends a node needs, decided from what is there. PRIVATE to the homelab.lantern collection.

Since 1.8 iptables exists twice: over the kernel's old tables (legacy) and over nf_tables. Rules of one are unseen by
the other. A cluster breaks when kube-proxy and CNI plugins write through one and the node's own programs through the
other, and where iptables' nf_tables side is too old to be right.
"""

from __future__ import annotations

import re
import typing as t

from .host import Host

LEGACY, NFT, KEEP = "legacy", "nft", "keep"
TOOLS = ("iptables", "ip6tables", "arptables", "ebtables")
# kube-proxy's and CNI plugins' own chains.
CLUSTER_CHAINS = re.compile(r"^:(KUBE-|CNI-|CILIUM_|FLANNEL-|cali-|WEAVE)", re.MULTILINE)
# iptables over nf_tables adds rules again and again or does not find them (k3s' documentation, "Old iptables versions";
# Kubernetes 1.16's documentation of kubeadm, "Ensure iptables tooling does not use the nftables backend").
BROKEN_NFT = ((1, 8, 0), (1, 8, 4))
# From here on kube-proxy's image finds out which backend the node uses (Kubernetes' change log of 1.17, #82966).
DETECTING_KUBERNETES = (1, 17)
LEGACY_TABLES = ("/proc/net/ip_tables_names", "/proc/net/ip6_tables_names")


class Alternative(t.NamedTuple):
    """One generic name: what it stands for, whether by hand, and what it could stand for."""

    current: str
    manual: bool
    choices: tuple[str, ...]


class Decision(t.NamedTuple):
    """What the generic names should stand for: LEGACY, NFT or KEEP, and why, as a sentence."""

    backend: str
    reason: str


def parse_query(text: str) -> Alternative | None:
    """From Debian's `update-alternatives --query NAME`; None if there is no such name."""
    fields = re.findall(r"^(Status|Value|Alternative): (.*)$", text, re.MULTILINE)
    values = dict(fields)
    if "Value" not in values:
        return None
    choices = tuple(value for key, value in fields if key == "Alternative")
    return Alternative(values["Value"].strip(), values.get("Status") == "manual", choices)


def parse_display(text: str) -> Alternative | None:
    """From Red Hat's `alternatives --display NAME`; None if there is no such name."""
    current = re.search(r"^\s*link currently points to (\S+)", text, re.MULTILINE)
    if not current:
        return None
    choices = tuple(re.findall(r"^(/\S+) - (?:family \S+ )?priority", text, re.MULTILINE))
    return Alternative(current[1], "status is manual" in text, choices)


def alternatives(host: Host) -> dict[str, Alternative]:
    """Those of TOOLS that the host has alternatives for."""
    found = {}
    for name in TOOLS:
        one = parse_query(host.run("update-alternatives", "--query", name).text)
        one = one or parse_display(host.run("alternatives", "--display", name).text)
        if one:
            found[name] = one
    return found


def backend_of(path: str) -> str:
    """By the program's name, as Debian and Red Hat have it: /usr/sbin/iptables-legacy, /usr/sbin/ebtables-nft."""
    name = path.rsplit("/", 1)[-1]
    return LEGACY if "legacy" in name else NFT if "nft" in name else ""


def choice(one: Alternative, backend: str) -> str:
    """The program of this backend, "" if it is not installed."""
    return next((path for path in one.choices if backend_of(path) == backend), "")


def parse_version(text: str) -> tuple[tuple[int, ...], str]:
    """((1, 8, 9), NFT) from `iptables v1.8.9 (nf_tables)`; before 1.8 there was only what is called legacy now."""
    found = re.search(r"v(\d+(?:\.\d+)*)(?: \((\w+)\))?", text)
    if not found:
        return (), ""
    return tuple(int(part) for part in found[1].split(".")), NFT if found[2] == "nf_tables" else LEGACY


def survey(host: Host) -> dict[str, t.Any]:
    """version ("" without iptables), backend, alternatives by name, chains of the cluster by backend, nf_tables."""
    version, backend = parse_version(host.run("iptables", "--version").text)
    nft = [host.run(f"{tool}-nft-save", "-t", "nat") for tool in TOOLS[:2]]
    # Asking the old programs makes the kernel bring up the old tables, so they are only asked where these exist.
    legacy = [
        host.run(f"{tool}-legacy-save", "-t", "nat")
        for tool, names in zip(TOOLS[:2], LEGACY_TABLES)
        if "nat" in host.text(names).split()
    ]
    if not version:
        nft = legacy = []
    return {
        "version": ".".join(map(str, version)),
        "backend": backend,
        "alternatives": {name: one._asdict() for name, one in alternatives(host).items()},
        "chains": {
            LEGACY: sum(len(CLUSTER_CHAINS.findall(one.text)) for one in legacy),
            NFT: sum(len(CLUSTER_CHAINS.findall(one.text)) for one in nft),
        },
        "nf_tables": all(one.status == 0 for one in nft[:1]),
    }


def decide(seen: dict[str, t.Any], kubernetes: dict[str, t.Any]) -> Decision:
    """From survey() and the survey's `kubernetes` (version, proxy_mode)."""
    if not seen["version"]:
        return Decision(KEEP, "iptables is not installed")
    current, chains = seen["backend"], seen["chains"]
    shown = f"iptables {seen['version']} over {'nf_tables' if current == NFT else 'the old tables'}"
    backend, reason = KEEP, f"kube-proxy and CNI plugins work with {shown}"
    unfit = _nft_unfit(seen, kubernetes)
    if unfit:
        backend, reason = LEGACY, unfit
    elif chains[LEGACY] and not chains[NFT]:
        backend, reason = LEGACY, f"the cluster's {chains[LEGACY]} chains are in the old tables"
    elif chains[NFT] and not chains[LEGACY]:
        backend, reason = NFT, f"the cluster's {chains[NFT]} chains are in nf_tables"
    elif kubernetes["proxy_mode"] == "nftables":
        reason = "kube-proxy runs in nftables mode and does without iptables"
    elif _differs(seen, "ip6tables", current):
        backend, reason = current, "ip6tables has another backend than iptables"
    if backend not in (KEEP, current) and not _possible(seen, backend):
        return Decision(KEEP, f"{reason}, but only {shown} is installed: install iptables' other programs")
    return Decision(backend, reason)


def _nft_unfit(seen: dict[str, t.Any], kubernetes: dict[str, t.Any]) -> str:
    """Why iptables over nf_tables cannot be used on this node, "" if it can."""
    if not seen["nf_tables"]:
        return "this kernel has no nf_tables"
    version = _numbers(seen["version"])
    if BROKEN_NFT[0] <= version <= BROKEN_NFT[1]:
        return f"iptables {seen['version']} over nf_tables adds rules twice and misses others (right from 1.8.5 on)"
    known = _numbers(kubernetes["version"])[:2]
    if known and known < DETECTING_KUBERNETES:
        return f"kube-proxy {kubernetes['version']} knows only the old tables"
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    """(1, 34, 4) from v1.34.4+k3s1."""
    found = re.match(r"v?(\d+(?:\.\d+)*)", version)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def _differs(seen: dict[str, t.Any], name: str, backend: str) -> bool:
    one = seen["alternatives"].get(name)
    return bool(one) and backend_of(one["current"]) not in ("", backend)


def _possible(seen: dict[str, t.Any], backend: str) -> bool:
    one = seen["alternatives"].get("iptables")
    return bool(one) and bool(choice(Alternative(**one), backend))


def changes(seen: dict[str, t.Any], backend: str) -> dict[str, str]:
    """Which program each generic name has to stand for, where it does not yet and where that program is installed."""
    wanted = {}
    for name, fields in seen["alternatives"].items():
        one = Alternative(**fields)
        path = choice(one, backend)
        if backend != KEEP and path and path != one.current:
            wanted[name] = path
    return wanted
