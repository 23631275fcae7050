# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which firewall is in charge, and its words."""

from __future__ import annotations

import json

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._node import filtering
from ansible_collections.homelab.lantern.plugins.module_utils._node.filtering import Chain, Opening
from ansible_collections.homelab.lantern.plugins.module_utils._node.host import NOT_FOUND, Host, Output

GOSSIP = Opening(7946, "udp", ("192.168.2.12", "fd00::12"), "gossip")
HOME = Chain("inet", "home", "incoming")
ACTIVE = """public
  interfaces: eth0
home
  sources: 192.168.2.0/24 00:11:22:33:44:55
trusted
  interfaces: cni0
"""


def chain(family, table, name, hook="input", policy="accept"):
    return {"chain": {"family": family, "table": table, "name": name, "type": "filter", "hook": hook, "policy": policy}}


def host(tmp_path, answers=None):
    """A host whose programs answer what the table says."""

    def run(command):
        return (answers or {}).get(" ".join(command), Output(NOT_FOUND, "", "not installed"))

    return Host(run, root=str(tmp_path))


def nft(*items):
    return Output(0, json.dumps({"nftables": [{"metainfo": {}}, *items]}), "")


def test_a_host_without_firewall(tmp_path):
    assert filtering.survey(host(tmp_path), set()) == {"manager": "none", "chains": []}


def test_ufw_only_where_it_is_switched_on(tmp_path):
    folder = tmp_path / "etc" / "ufw"
    folder.mkdir(parents=True)
    (folder / "ufw.conf").write_text("# /etc/ufw/ufw.conf\nENABLED=no\nLOGLEVEL=low\n")
    assert filtering.survey(host(tmp_path), set())["manager"] == "none"
    (folder / "ufw.conf").write_text("ENABLED=yes\n")
    assert filtering.survey(host(tmp_path), set())["manager"] == "ufw"


def test_firewalld_only_where_it_runs(tmp_path):
    answers = {"firewall-cmd --state": Output(0, "running\n", "")}
    assert filtering.survey(host(tmp_path, answers), {"firewalld"})["manager"] == "firewalld"
    assert filtering.survey(host(tmp_path, answers), set())["manager"] == "none"


def test_peoples_own_chains_and_nobody_elses(tmp_path):
    chains = [
        chain("inet", "home", "incoming", policy="drop"),
        chain("inet", "home", "passing", hook="forward", policy="drop"),
        chain("inet", "open", "incoming"),
        chain("inet", "firewalld", "filter_INPUT"),
        chain("ip", "filter", "INPUT", policy="drop"),
        chain("ip", "kube-proxy", "filter-input"),
    ]
    answers = {"nft -j list chains": nft(*chains)}
    answers["nft -j list chain inet home incoming"] = nft(chains[0])
    answers["nft -j list chain inet open incoming"] = nft(chains[2], {"rule": {"expr": [{"accept": None}]}})
    assert filtering.survey(host(tmp_path, answers), set()) == {"manager": "nftables", "chains": [HOME._asdict()]}


def test_a_chain_may_also_end_in_a_no(tmp_path):
    open_chain = chain("inet", "home", "incoming")
    answers = {"nft -j list chains": nft(open_chain)}
    answers["nft -j list chain inet home incoming"] = nft(open_chain, {"rule": {"expr": [{"reject": {}}]}})
    assert filtering.survey(host(tmp_path, answers), set())["manager"] == "nftables"


@pytest.mark.parametrize(
    ("rules", "closed"),
    [
        ("-P INPUT ACCEPT\n-A INPUT -j KUBE-FIREWALL\n", False),
        ("-P INPUT DROP\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n", True),
        ("-P INPUT ACCEPT\n-A INPUT -j REJECT --reject-with icmp-host-prohibited\n", True),
        ("-P INPUT ACCEPT\n-A INPUT -s 10.0.0.1/32 -j DROP\n", False),
    ],
)
def test_rules_of_iptables(rules, closed):
    assert filtering.turns_away(rules) is closed


def test_words_for_nftables():
    rules = filtering.nft_rules([HOME, Chain("ip", "old", "input")], [GOSSIP])
    texts = [rule.split(" comment ")[0] for rule in rules.values()]
    assert texts == [
        "insert rule inet home incoming ip saddr { 192.168.2.12 } udp dport 7946 accept",
        "insert rule inet home incoming ip6 saddr { fd00::12 } udp dport 7946 accept",
        "insert rule ip old input ip saddr { 192.168.2.12 } udp dport 7946 accept",
    ]
    assert len(set(rules)) == 3
    assert all(f'comment "{comment}"' in rule for comment, rule in rules.items())


def test_words_for_firewalld():
    assert filtering.rich_rules([GOSSIP])[1] == (
        'rule family="ipv6" source address="fd00::12" port port="7946" protocol="udp" accept'
    )


@pytest.mark.parametrize(
    ("interface", "address", "zone"),
    [("eth0", "192.168.2.11", "home"), ("eth0", "10.0.0.1", "public"), ("eth9", "10.0.0.1", "default-zone")],
)
def test_firewallds_zone(interface, address, zone):
    assert filtering.zone(ACTIVE, "default-zone\n", interface, address) == zone


def test_words_for_ufw():
    added = "Added user rules (see 'ufw status' for running firewall):\nufw allow 22/tcp\n"
    rules = filtering.ufw_rules([GOSSIP])
    assert rules[0] == "allow from 192.168.2.12 to any port 7946 proto udp"
    assert filtering.ufw_added(f"{added}ufw {rules[0]} comment 'Lantern'\n") == ["allow 22/tcp", rules[0]]


def test_sources_are_written_as_firewalls_list_them():
    assert [filtering.normal(text) for text in ("192.168.2.12/32", "192.168.2.7/24", "FD00::0012")] == [
        "192.168.2.12",
        "192.168.2.0/24",
        "fd00::12",
    ]
    with pytest.raises(ValueError, match="'node2' is no address"):
        filtering.normal("node2")
