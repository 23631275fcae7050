# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backend iptables needs, for the nodes that people have."""

from __future__ import annotations

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._node import netfilter
from ansible_collections.homelab.lantern.plugins.module_utils._node.netfilter import KEEP, LEGACY, NFT

QUERY = """Name: iptables
Link: /usr/sbin/iptables
Slaves:
 iptables-restore /usr/sbin/iptables-restore
Status: auto
Best: /usr/sbin/iptables-nft
Value: /usr/sbin/iptables-nft

Alternative: /usr/sbin/iptables-legacy
Priority: 10
Slaves:
 iptables-restore /usr/sbin/iptables-legacy-restore

Alternative: /usr/sbin/iptables-nft
Priority: 20
"""
DISPLAY = """iptables - status is manual.
 link currently points to /usr/sbin/iptables-legacy
/usr/sbin/iptables-nft - priority 10
 follower ip6tables: /usr/sbin/ip6tables-nft
/usr/sbin/iptables-legacy - priority 5
 follower ip6tables: /usr/sbin/ip6tables-legacy
Current `best' version is /usr/sbin/iptables-nft.
"""


def alternatives(backend, choices=(LEGACY, NFT), **others):
    return {
        name: {
            "current": f"/usr/sbin/{name}-{others.get(name, backend)}",
            "manual": False,
            "choices": tuple(f"/usr/sbin/{name}-{one}" for one in choices),
        }
        for name in netfilter.TOOLS
    }


def seen(version="1.8.9", backend=NFT, legacy=0, nft=0, nf_tables=True, tools=None):
    return {
        "version": version,
        "backend": backend,
        "alternatives": alternatives(backend) if tools is None else tools,
        "chains": {LEGACY: legacy, NFT: nft},
        "nf_tables": nf_tables,
    }


def cluster(version="v1.34.4", mode="iptables"):
    return {"version": version, "proxy_mode": mode}


def test_debians_alternatives():
    one = netfilter.parse_query(QUERY)
    assert one == ("/usr/sbin/iptables-nft", False, ("/usr/sbin/iptables-legacy", "/usr/sbin/iptables-nft"))
    assert netfilter.choice(one, LEGACY) == "/usr/sbin/iptables-legacy"
    assert netfilter.parse_query("") is None


def test_red_hats_alternatives():
    one = netfilter.parse_display(DISPLAY)
    assert one == ("/usr/sbin/iptables-legacy", True, ("/usr/sbin/iptables-nft", "/usr/sbin/iptables-legacy"))
    assert netfilter.parse_display("") is None


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("iptables v1.8.9 (nf_tables)\n", ((1, 8, 9), NFT)),
        ("iptables v1.8.2 (legacy)\n", ((1, 8, 2), LEGACY)),
        ("iptables v1.6.1\n", ((1, 6, 1), LEGACY)),
        ("", ((), "")),
    ],
)
def test_versions(text, parsed):
    assert netfilter.parse_version(text) == parsed


@pytest.mark.parametrize(
    ("node", "kubernetes", "backend", "words"),
    [
        # Raspbian 10 as people wrote about it, before and after the switch, with the old rules still in the kernel
        (seen("1.8.2", NFT, nft=30), cluster("v1.17.0"), LEGACY, "adds rules twice"),
        (seen("1.8.2", LEGACY, nft=30), cluster("v1.17.0"), LEGACY, "adds rules twice"),
        (seen("1.8.9", NFT), cluster("v1.16.3"), LEGACY, "knows only the old tables"),
        # a cluster in one backend, the node's own programs in the other
        (seen(legacy=200), cluster(), LEGACY, "200 chains are in the old tables"),
        (seen(backend=LEGACY, nft=200), cluster(), NFT, "200 chains are in nf_tables"),
        # nothing to do: before there is a cluster, in agreement with it, and in the middle of a switch
        (seen(), cluster("", ""), KEEP, "work with iptables 1.8.9 over nf_tables"),
        (seen(backend=LEGACY), cluster("", ""), KEEP, "over the old tables"),
        (seen(backend=LEGACY, legacy=20, nft=200), cluster(), KEEP, "over the old tables"),
        (seen(), cluster(mode="nftables"), KEEP, "nftables mode"),
        # kernels and programs that leave no choice
        (seen(nf_tables=False), cluster(), LEGACY, "has no nf_tables"),
        (seen("1.8.4", NFT, tools={}), cluster(), KEEP, "only iptables 1.8.4 over nf_tables is installed"),
        (seen(version=""), cluster(), KEEP, "is not installed"),
        (seen(tools=alternatives(NFT, ip6tables=LEGACY)), cluster(), NFT, "ip6tables has another backend"),
    ],
)
def test_decisions(node, kubernetes, backend, words):
    decision = netfilter.decide(node, kubernetes)
    assert decision.backend == backend
    assert words in decision.reason


def test_a_decided_node_stays_decided():
    """After the switch, with the old rules still in the kernel, nothing is switched back."""
    for node, kubernetes in ((seen("1.8.2", NFT, nft=30), cluster("v1.17.0")), (seen(legacy=9), cluster())):
        backend = netfilter.decide(node, kubernetes).backend
        after = dict(node, backend=backend, alternatives=alternatives(backend))
        assert netfilter.changes(after, netfilter.decide(after, kubernetes).backend) == {}


def test_only_what_differs_and_is_installed_is_changed():
    tools = alternatives(NFT, iptables=LEGACY)
    tools["ebtables"]["choices"] = ("/usr/sbin/ebtables-nft",)
    assert netfilter.changes(seen(tools=tools), LEGACY) == {
        "ip6tables": "/usr/sbin/ip6tables-legacy",
        "arptables": "/usr/sbin/arptables-legacy",
    }
    assert netfilter.changes(seen(tools=tools), KEEP) == {}
