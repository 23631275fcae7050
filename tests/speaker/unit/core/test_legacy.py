# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The old ConfigMap's text to records: what is accepted, and what is refused with which words."""

from __future__ import annotations

from ipaddress import ip_address
from textwrap import dedent

import pytest
from lantern.adapters.yaml_text import load
from lantern.core.durations import SECOND
from lantern.core.legacy import Legacy, LegacyPool, read_legacy
from lantern.core.legacy_bgp import LegacyAdvertisement, LegacyBfdProfile, LegacyPeer
from lantern.core.model import Operator, Requirement, Selector
from lantern.pools import Pool

WHERE = "ConfigMap metallb-system/config"
PEER = {"my-asn": "64512", "peer-asn": "64513", "peer-address": "10.0.0.1"}


def read(text: str) -> Legacy:
    documents = load(dedent(text))
    return read_legacy(documents[0] if documents else None, WHERE)


def good(text: str) -> Legacy:
    found = read(text)
    assert found.problems == ()
    return found


def peer(**more: str) -> str:
    """A configuration with one peer; underscores in names stand for dashes, and an empty value leaves a key out."""
    entry = {**PEER, **{key.replace("_", "-"): value for key, value in more.items()}}
    return "peers:\n- " + "\n  ".join(f"{key}: {value}" for key, value in entry.items() if value)


def pool(*lines: str, name: str = "home", protocol: str = "bgp", addresses: str = "[10.0.0.0/24]") -> str:
    """An entry of address-pools."""
    head = [f"- name: {name}", f"  protocol: {protocol}", f"  addresses: {addresses}"]
    return "\n".join([*head, *(f"  {line}" for line in lines)])


def pools(*entries: str) -> str:
    return "address-pools:\n" + "\n".join(entries)


def advertised(*lines: str) -> str:
    """A bgp pool with one advertisement."""
    return pools(pool("bgp-advertisements:", f"- {lines[0]}", *(f"  {line}" for line in lines[1:])))


@pytest.mark.parametrize("text", ["", "---", "# nothing yet", "address-pools:", "address-pools: []", "{}", "~"])
def test_nothing_is_a_configuration(text: str) -> None:
    assert good(text) == Legacy(where=WHERE)


def test_pool_of_the_simplest_kind() -> None:
    found = good(
        """
        address-pools:
        - name: default
          protocol: layer2
          addresses:
          - 192.168.0.230-192.168.1.250
        """
    )
    assert found.pools == (LegacyPool(name="default", protocol="layer2", addresses=("192.168.0.230-192.168.1.250",)),)
    (spec,) = found.pool_specs()
    assert (spec.pool.name, spec.pool.auto_assign, spec.pool.avoid_buggy_ips, spec.object) == (
        "default",
        True,
        False,
        None,
    )
    assert found.announced() == {"default"}


def test_everything_that_can_be_written() -> None:
    found = good(
        """
        peers:
        - my-asn: 64512
          peer-asn: 64513
          peer-address: 10.0.0.1
          peer-port: 1179
          source-address: 10.0.0.9
          hold-time: 180s
          keepalive-time: 1m
          router-id: 10.0.0.9
          password: 0123
          bfd-profile: fast
          ebgp-multihop: yes
          node-selectors:
          - match-labels: {rack: a}
            match-expressions:
            - {key: kubernetes.io/hostname, operator: NotIn, values: [node1, node2]}
          - match-expressions:
            - {key: router, operator: Exists}
        bgp-communities:
          no-export: 65535:65281
        address-pools:
        - name: routed
          protocol: bgp
          addresses: [10.20.0.0/16, fd00::/112]
          avoid-buggy-ips: on
          auto-assign: false
          bgp-advertisements:
          - aggregation-length: 24
            aggregation-length-v6: 120
            localpref: 100
            communities: [no-export, 64512:1]
          - localpref: 50
        - name: lan
          protocol: layer2
          addresses: [192.168.2.128/25]
        bfd-profiles:
        - name: fast
          receive-interval: 50
          transmit-interval: 50
          detect-multiplier: 3
          echo-interval: 60
          echo-mode: false
          passive-mode: true
          minimum-ttl: 254
        """
    )
    hosts = Requirement("kubernetes.io/hostname", Operator.NOT_IN, ("node1", "node2"))
    assert found.peers == (
        LegacyPeer(
            my_asn=64512,
            peer_asn=64513,
            peer_address=ip_address("10.0.0.1"),
            peer_port=1179,
            source_address=ip_address("10.0.0.9"),
            hold_time=180 * SECOND,
            keepalive_time=60 * SECOND,
            router_id=ip_address("10.0.0.9"),
            password="0123",
            bfd_profile="fast",
            ebgp_multihop=True,
            node_selectors=(
                Selector((Requirement("rack", Operator.IN, ("a",)), hosts)),
                Selector((Requirement("router", Operator.EXISTS),)),
            ),
        ),
    )
    assert found.communities == {"no-export": "65535:65281"}
    assert found.pools[0] == LegacyPool(
        name="routed",
        protocol="bgp",
        addresses=("10.20.0.0/16", "fd00::/112"),
        auto_assign=False,
        avoid_buggy_ips=True,
        advertisements=(
            LegacyAdvertisement(
                aggregation_length=24,
                aggregation_length_v6=120,
                local_pref=100,
                communities=("no-export", "64512:1"),
            ),
            LegacyAdvertisement(local_pref=50),
        ),
    )
    assert found.announced() == {"lan"}
    assert found.bfd_profiles == (
        LegacyBfdProfile(
            name="fast",
            receive_interval=50,
            transmit_interval=50,
            detect_multiplier=3,
            echo_interval=60,
            echo_mode=False,
            passive_mode=True,
            minimum_ttl=254,
        ),
    )


@pytest.mark.parametrize(
    "text",
    [
        peer(),
        peer(hold_time="0s"),
        peer(hold_time="3s"),
        peer(hold_time="3.9s", keepalive_time="3.9s"),
        peer(peer_asn="64512"),
        peer(peer_address="fd00::1"),
        peer(node_selectors="[]"),
        peer(node_selectors="[{}]"),
        peer() + peer(peer_port="180").removeprefix("peers:"),
        pools(pool()),
        pools(pool(name="My_Pool")),
        pools(pool(addresses="[10.0.0.0/24, 10.0.1.0-10.0.1.9]"), pool(name="b", addresses="[10.0.2.0/24]")),
        advertised("aggregation-length: 32"),
        advertised("aggregation-length: 24"),
        advertised("communities: [64512:1]"),
        pools(pool("bgp-advertisements: []", protocol="layer2")),
        # What only one of MetalLB's ways to do BGP refused is for whoever does BGP to refuse.
        peer() + peer(my_asn="64514", router_id="10.0.0.8").removeprefix("peers:"),
        peer(keepalive_time="30s", peer_port="0"),
        pools(pool(addresses="['fd00::/112']")),
        "bgp-communities: {wide: 'large:64512:1:2'}",
    ],
)
def test_accepted(text: str) -> None:
    good(text)


@pytest.mark.parametrize(
    ("entry", "expected", "announced"),
    [
        (pool(protocol="layer2"), Pool("home", ("10.0.0.0/24",)), True),
        (pool(protocol="bgp"), Pool("home", ("10.0.0.0/24",)), False),
        (pool("auto-assign: false", protocol="layer2"), Pool("home", ("10.0.0.0/24",), auto_assign=False), True),
        (pool("auto-assign: true", protocol="layer2"), Pool("home", ("10.0.0.0/24",)), True),
        (pool("avoid-buggy-ips: true"), Pool("home", ("10.0.0.0/24",), avoid_buggy_ips=True), False),
        (pool("avoid-buggy-ips: false"), Pool("home", ("10.0.0.0/24",)), False),
        # Names that 0.5 was the last to understand.
        (pool(protocol="arp"), Pool("home", ("10.0.0.0/24",)), True),
        (pool(protocol="ndp", addresses="['fd00::/112']"), Pool("home", ("fd00::/112",)), True),
        (pool("cidr: [10.0.1.0/24]"), Pool("home", ("10.0.0.0/24", "10.0.1.0/24")), False),
        (pool("cidr: [10.0.1.0/24]", addresses="[]", protocol="arp"), Pool("home", ("10.0.1.0/24",)), True),
        (
            pool("arp-network: 10.0.0.0/22", protocol="arp", addresses="[10.0.1.0/24]"),
            Pool("home", ("10.0.1.0/24",)),
            True,
        ),
    ],
)
def test_the_pool_that_comes_of_an_entry(entry: str, expected: Pool, announced: bool) -> None:
    found = good(pools(entry))
    assert [spec.pool for spec in found.pool_specs()] == [expected]
    assert found.announced() == ({"home"} if announced else set())


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        # The whole.
        ("adress-pools: []", "unknown-key", 'config: "adress-pools" is not known here. Did you mean "address-pools"?'),
        ("x: 1", "unknown-key", "Known here: bfd-profiles, peers, bgp-communities, address-pools."),
        ("- a", "malformed", "a list is given where keys with values are needed"),
        ("just text", "malformed", '"just text" is given where keys'),
        ("address-pools: home", "malformed", 'address-pools is "home", but a list is needed'),
        ("address-pools: [home]", "malformed", 'address pool number 1: "home" is given where keys'),
        # Peers.
        (peer(my_asn=""), "missing", "peer number 1: my-asn is missing"),
        (peer(my_asn="0"), "malformed", 'my-asn is "0", but a whole number from 1 to 4294967295'),
        (peer(my_asn="4294967296"), "malformed", 'my-asn is "4294967296"'),
        (peer(my_asn="x"), "malformed", 'my-asn is "x"'),
        (peer(my_asn="64512.0"), "malformed", 'my-asn is "64512.0"'),
        (peer(peer_asn=""), "missing", "peer-asn is missing"),
        (peer(peer_address=""), "missing", "peer-address is missing"),
        (peer(peer_address="router.lan"), "malformed", 'peer-address: "router.lan" is not an IP address'),
        (peer(peer_address="10.0.0.0/24"), "malformed", '"10.0.0.0/24" is not an IP address'),
        (peer(peer_port="65536"), "malformed", 'peer-port is "65536"'),
        (peer(source_address="x"), "malformed", 'source-address: "x"'),
        (peer(router_id="1.2.3"), "malformed", 'router-id: "1.2.3"'),
        (peer(hold_time="120"), "malformed", 'hold-time is "120", which lacks a unit or is no time. Write "120s".'),
        (peer(hold_time="soon"), "malformed", 'hold-time is "soon"'),
        (peer(hold_time="1s"), "malformed", "hold-time 1s is neither 0s nor at least 3s"),
        (peer(hold_time="2.9s"), "malformed", "hold-time 2.9s is neither"),
        (peer(hold_time="9s", keepalive_time="10s"), "malformed", "keepalive-time 10s is longer than hold-time 9s"),
        (peer(keepalive_time="91s"), "malformed", "keepalive-time 1m31s is longer than hold-time 1m30s"),
        (peer(ebgp_multihop="true", peer_asn="64512"), "malformed", "peer-asn is my-asn"),
        (peer(ebgp_multihop="maybe"), "malformed", 'ebgp-multihop is "maybe", but true or false is needed'),
        (peer(bfd_profile="fast"), "unknown", 'bfd-profile "fast" is not among the bfd-profiles'),
        (peer(myasn="1"), "unknown-key", 'Did you mean "my-asn"?'),
        (peer(node_selectors="[{match-labels: {a b: c}}]"), "malformed", '"a b" is not the name of a label'),
        (peer(node_selectors="[{match-labels: {a: [c]}}]"), "malformed", "match-labels: a is a list"),
        (peer(node_selectors="[{matchlabels: {a: c}}]"), "unknown-key", 'Did you mean "match-labels"?'),
        (peer(node_selectors="[{match-expressions: [{operator: In, values: [a]}]}]"), "missing", "key is missing"),
        (peer(node_selectors="[{match-expressions: [{key: a, values: [a]}]}]"), "missing", "operator is missing"),
        (peer(node_selectors="[{match-expressions: [{key: a, operator: Is}]}]"), "malformed", 'operator "Is" is not'),
        (peer(node_selectors="[{match-expressions: [{key: a, operator: In}]}]"), "malformed", "needs values"),
        (
            peer(node_selectors="[{match-expressions: [{key: a, operator: Exists, values: [b]}]}]"),
            "malformed",
            "takes no values",
        ),
        (peer() + peer().removeprefix("peers:"), "duplicate", "peer number 2: the same peer is listed before"),
        # Pools.
        (pools("- protocol: bgp\n  addresses: [10.0.0.0/24]"), "missing", "address pool number 1: name is missing"),
        (pools("- name: a\n  addresses: [10.0.0.0/24]"), "missing", 'pool "a": protocol is missing'),
        (pools("- name: a\n  protocol: bgp"), "missing", 'pool "a": addresses is missing. Add it, such as'),
        (pools(pool(protocol="l2")), "malformed", 'protocol is "l2", but layer2 or bgp is needed'),
        (pools(pool(protocol="babel")), "malformed", 'protocol is "babel"'),
        (pools(pool(addresses="[10.0.0.1]")), "malformed", 'address pool "home": "10.0.0.1" is a single address'),
        (pools(pool(addresses="[10.0.0.0/33]")), "malformed", '"10.0.0.0/33" is not a valid CIDR'),
        (pools(pool(addresses="[10.0.0.9-10.0.0.1]")), "reversed", "ends before it begins"),
        (pools(pool(addresses="[oops]")), "malformed", '"oops" is not a range'),
        (pools(pool(addresses="[{a: b}]")), "malformed", "addresses holds a mapping"),
        (pools(pool("auto-assign: 1")), "malformed", 'auto-assign is "1"'),
        (pools(pool("autoassign: true")), "unknown-key", 'Did you mean "auto-assign"?'),
        (pools(pool("cidr: [10.0.0.0/24]")), "overlap", "lists addresses twice"),
        (pools(pool("cidr: home")), "malformed", 'cidr is "home", but a list is needed'),
        (pools(pool("bgp-advertisements: [{localpref: 1}]", protocol="arp")), "malformed", "make no sense with"),
        (pools(pool("arp-network: 10.0.0.0", protocol="arp")), "malformed", '"10.0.0.0" is not a network'),
        (
            pools(pool("arp-network: 10.0.0.0/22", protocol="arp")),
            "malformed",
            "arp-network 10.0.0.0/22 keeps 10.0.0.0 out of the pool. Write addresses as ranges without it instead.",
        ),
        (
            pools(pool("arp-network: 10.0.0.0/22", protocol="arp", addresses="[10.0.3.128/25]")),
            "malformed",
            "keeps 10.0.3.255 out",
        ),
        (pools(pool(), pool(addresses="[10.0.1.0/24]")), "duplicate-name", 'address pool "home" is defined more than'),
        (pools(pool(), pool(name="b", addresses="[10.0.0.9/32]")), "overlap", 'address pool "b"'),
        (pools(pool(addresses="[10.0.0.0/24, 10.0.0.0/25]")), "overlap", "lists addresses twice"),
        (
            pools(pool("bgp-advertisements: [{localpref: 1}]", protocol="layer2")),
            "malformed",
            "bgp-advertisements make no sense with protocol layer2",
        ),
        # Advertisements.
        (advertised("aggregation-length: 33"), "malformed", 'aggregation-length is "33"'),
        (advertised("aggregation-length: 23"), "malformed", "reaches beyond the pool's 10.0.0.0/24. Write 24 or more."),
        (advertised("aggregation-length-v6: 129"), "malformed", 'aggregation-length-v6 is "129"'),
        (
            pools(pool("bgp-advertisements: [{aggregation-length-v6: 111}]", addresses="['fd00::/112']")),
            "malformed",
            "aggregation-length-v6 111 reaches beyond the pool's fd00::/112. Write 112 or more.",
        ),
        (advertised("localpref: 4294967296"), "malformed", 'localpref is "4294967296"'),
        (advertised("localpref: -1"), "malformed", 'localpref is "-1"'),
        (advertised("communities: [no-export]"), "malformed", '"no-export" is neither a name in bgp-communities nor'),
        (advertised("communities: [65536:1]"), "malformed", '"65536:1" is neither'),
        (advertised("communities: [1:1, 1:1]"), "duplicate", 'the community "1:1" is listed twice'),
        (advertised("comunities: []"), "unknown-key", 'Did you mean "communities"?'),
        (
            pools(pool("bgp-advertisements: [{localpref: 1}, {localpref: 1}]")),
            "duplicate",
            "advertisement number 2: the same advertisement is listed before",
        ),
        (
            pools(pool("bgp-advertisements: [{aggregation-length: 26}]", addresses="[10.0.0.1-10.0.0.3]")),
            "malformed",
            "Write 31 or more.",
        ),
        # Communities and BFD profiles.
        ("bgp-communities: {a: b}", "malformed", '"b" (named "a") is not a BGP community'),
        ("bgp-communities: [a]", "malformed", "bgp-communities is a list"),
        ("bfd-profiles: [{receive-interval: 50}]", "missing", "BFD profile number 1: name is missing"),
        ("bfd-profiles: [{name: a, receive-interval: 9}]", "malformed", 'receive-interval is "9"'),
        ("bfd-profiles: [{name: a, transmit-interval: 60001}]", "malformed", 'transmit-interval is "60001"'),
        ("bfd-profiles: [{name: a, detect-multiplier: 1}]", "malformed", 'detect-multiplier is "1"'),
        ("bfd-profiles: [{name: a, detect-multiplier: 256}]", "malformed", 'detect-multiplier is "256"'),
        ("bfd-profiles: [{name: a, echo-interval: 9}]", "malformed", 'echo-interval is "9"'),
        ("bfd-profiles: [{name: a, echo-mode: 1}]", "malformed", 'echo-mode is "1"'),
        ("bfd-profiles: [{name: a, passive-mode: both}]", "malformed", 'passive-mode is "both"'),
        ("bfd-profiles: [{name: a, minimum-ttl: 0}]", "malformed", 'minimum-ttl is "0"'),
        ("bfd-profiles: [{name: a, minimum-ttl: 255}]", "malformed", 'minimum-ttl is "255"'),
        ("bfd-profiles: [{name: a}, {name: a}]", "duplicate-name", 'BFD profile "a": there is another one'),
        ("bfd-profiles: [{name: a, echo: true}]", "unknown-key", '"echo" is not known here'),
    ],
)  # fmt: skip
def test_refused(text: str, code: str, told: str) -> None:
    found = read(text)
    assert [item.code for item in found.problems] == [code]
    assert told in found.problems[0].message
    assert found.problems[0].message.startswith(WHERE)


def test_all_that_is_wrong_is_told_at_once() -> None:
    found = read("peers: [{my-asn: 1}]\naddress-pools: [{name: a, protocol: x, addresses: [y]}]")
    assert [item.code for item in found.problems] == ["missing", "missing", "malformed", "malformed"]
