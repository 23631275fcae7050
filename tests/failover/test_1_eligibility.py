# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each rule about who may announce an address, as it is seen from the LAN while it begins and ceases to hold.

For IPv4 and for IPv6, each with kube-proxy over iptables and over nftables.
"""

from __future__ import annotations

import time

import pytest
from home import EXCLUDE, Home
from limits import CHANGE_SECONDS, TAKEOVER_SECONDS
from series import Series, ask
from vips import ADDRESSES, SHARING, Vips
from wire import Lan

ECHO: dict[str, object] = {"selector": {"app": "echo"}}
NOBODY: dict[str, object] = {"selector": {"app": "nobody", "on": None}}

pytestmark = [pytest.mark.usefixtures("proxy_mode"), pytest.mark.parametrize("family", ["IPv4", "IPv6"])]


def moved(lan: Lan, address: str, away_from: str) -> str:
    """The one node that answers after the address has left its owner."""
    deadline = time.monotonic() + CHANGE_SECONDS
    while (owner := lan.owner(address, CHANGE_SECONDS)) == away_from:
        assert time.monotonic() < deadline, f"{address} is still announced by {away_from} after {CHANGE_SECONDS:g} s"
    return owner


def moves_to(lan: Lan, address: str, node: str) -> None:
    deadline = time.monotonic() + CHANGE_SECONDS
    while (owner := lan.owner(address, CHANGE_SECONDS)) != node:
        assert time.monotonic() < deadline, f"{address} is announced by {owner}, not by {node}"


def test_without_ready_endpoint_nobody_announces(lan: Lan, vips: Vips) -> None:
    vip = vips.make(selector={"app": "unready"})
    assert lan.answering(vip.address, 2.0) == []
    vips.change(vip, ECHO)
    lan.owner(vip.address, CHANGE_SECONDS)
    assert ask(vip.address)["node"]
    vips.change(vip, {"selector": {"app": "unready"}})
    lan.silent(vip.address, CHANGE_SECONDS)
    vips.change(vip, NOBODY)
    assert lan.answering(vip.address, 2.0) == []


def test_local_policy_follows_the_endpoint_and_shows_the_client(home: Home, lan: Lan, vips: Vips) -> None:
    first, second = home.workers
    vip, owner = vips.announced(selector={"app": "echo", "on": first}, local=True)
    assert owner == first
    assert ask(vip.address) == {"node": first, "client": home.client(vip.address)}
    vips.change(vip, {"selector": {"on": second}})
    moves_to(lan, vip.address, second)
    assert ask(vip.address) == {"node": second, "client": home.client(vip.address)}
    # Any node may announce for an endpoint elsewhere.
    vips.change(vip, {"externalTrafficPolicy": "Cluster"})
    lan.owner(vip.address, CHANGE_SECONDS)
    assert ask(vip.address)["node"] == second


def test_node_without_network_does_not_announce(home: Home, lan: Lan, vips: Vips) -> None:
    vip, owner = vips.announced()
    with home.network_unavailable(owner):
        moved(lan, vip.address, owner)
        assert ask(vip.address)["node"]
    lan.owner(vip.address, CHANGE_SECONDS)


def test_excluded_node_does_not_announce(home: Home, lan: Lan, vips: Vips) -> None:
    vip, owner = vips.announced()
    with home.labelled(owner, EXCLUDE):
        heir = moved(lan, vip.address, owner)
        with home.labelled(heir, EXCLUDE):
            last = moved(lan, vip.address, heir)
            assert last not in (owner, heir)
            with home.labelled(last, EXCLUDE):
                lan.silent(vip.address, CHANGE_SECONDS)
        lan.owner(vip.address, CHANGE_SECONDS)
    assert ask(vip.address)["node"]


def test_cordon_alone_moves_nothing(home: Home, lan: Lan, vips: Vips) -> None:
    vip, owner = vips.announced(local=True)
    with lan.watching(vip.address) as watch, Series(vip.address) as series:
        with home.cordoned(owner):
            time.sleep(CHANGE_SECONDS)
        time.sleep(1)
        assert watch.owners(vip.address) == [owner]
    series.assert_none_lost()


def test_node_selectors_of_the_advertisement(home: Home, lan: Lan, vips: Vips) -> None:
    pool = vips.pool(home.own_pool)
    vip = vips.make(annotations=pool)
    assert lan.answering(vip.address, 2.0) == [], "no L2Advertisement is about the pool"
    host = "kubernetes.io/hostname"
    name = vips.advertise(pool, nodeSelectors=[{"matchLabels": {host: home.nodes[2]}}])
    assert lan.owner(vip.address, CHANGE_SECONDS) == home.nodes[2]
    expression = {"key": host, "operator": "NotIn", "values": [home.nodes[0], home.nodes[2]]}
    vips.readvertise(name, {"nodeSelectors": [{"matchExpressions": [expression]}]})
    moves_to(lan, vip.address, home.nodes[1])
    assert ask(vip.address)["node"]
    vips.readvertise(name, {"nodeSelectors": [{"matchLabels": {host: "elsewhere"}}]})
    lan.silent(vip.address, CHANGE_SECONDS)


def test_interfaces_of_the_advertisement(home: Home, lan: Lan, vips: Vips) -> None:
    pool = vips.pool(home.own_pool)
    vip = vips.make(annotations=pool)
    name = vips.advertise(pool, interfaces=["eth7"])
    assert lan.answering(vip.address, 2.0) == [], "no node has such an interface"
    vips.readvertise(name, {"interfaces": ["eth7", "eth0"]})
    lan.owner(vip.address, CHANGE_SECONDS)
    assert ask(vip.address)["node"]
    vips.readvertise(name, {"interfaces": ["eth7"]})
    lan.silent(vip.address, CHANGE_SECONDS)


def test_service_selectors_of_the_advertisement(home: Home, lan: Lan, vips: Vips) -> None:
    pool = vips.pool(home.own_pool)
    meant = vips.make(annotations=pool, labels={"zone": "garden"})
    other = vips.make(annotations=pool, labels={"zone": "house"})
    host = "kubernetes.io/hostname"
    garden = [{"matchLabels": {"zone": "garden"}}]
    vips.advertise(pool, serviceSelectors=garden, nodeSelectors=[{"matchLabels": {host: home.nodes[1]}}])
    assert lan.owner(meant.address, CHANGE_SECONDS) == home.nodes[1]
    assert lan.answering(other.address, 2.0) == []
    vips.advertise(pool, nodeSelectors=[{"matchLabels": {host: home.nodes[2]}}])
    assert lan.owner(other.address, CHANGE_SECONDS) == home.nodes[2]
    assert lan.owner(meant.address, CHANGE_SECONDS) in home.workers


def test_preferred_nodes_announce_as_long_as_they_may(home: Home, lan: Lan, vips: Vips) -> None:
    pool = vips.pool(home.own_pool)
    best, good = home.nodes[2], home.nodes[1]
    vips.advertise(pool, preferredNodeSelectors=[_preference(best, 50), _preference(good, 20)])
    first, second = vips.make(annotations=pool), vips.make(annotations=pool)
    assert lan.owner(first.address, CHANGE_SECONDS) == best
    assert lan.owner(second.address, CHANGE_SECONDS) == best
    with home.labelled(best, EXCLUDE):
        moves_to(lan, first.address, good)
        moves_to(lan, second.address, good)
        assert ask(first.address)["node"]


def _preference(node: str, weight: int) -> dict[str, object]:
    return {"weight": weight, "preference": {"matchLabels": {"kubernetes.io/hostname": node}}}


def test_services_that_share_an_address_have_one_owner(home: Home, lan: Lan, vips: Vips) -> None:
    key = {SHARING: "one-address"}
    tcp = vips.make(annotations=key, ports=[("TCP", 53)])
    udp = vips.make(annotations=key | {ADDRESSES: tcp.address}, ports=[("UDP", 53)])
    assert udp.address == tcp.address
    owner = lan.owner(tcp.address, CHANGE_SECONDS)
    assert ask(tcp.address, protocol="TCP", port=53)["node"]
    assert ask(tcp.address, protocol="UDP", port=53)["node"]
    with home.labelled(owner, EXCLUDE):
        moved(lan, tcp.address, owner)
        assert ask(tcp.address, protocol="TCP", port=53)["node"]
        assert ask(tcp.address, protocol="UDP", port=53)["node"]


def test_services_that_share_an_address_and_endpoints_are_where_these_are(home: Home, lan: Lan, vips: Vips) -> None:
    where, key = {"app": "echo", "on": home.nodes[2]}, {SHARING: "one-address"}
    tcp = vips.make(annotations=key, ports=[("TCP", 53)], selector=where, local=True)
    udp = vips.make(annotations=key | {ADDRESSES: tcp.address}, ports=[("UDP", 53)], selector=where, local=True)
    moves_to(lan, tcp.address, home.nodes[2])
    seen = {"node": home.nodes[2], "client": home.client(tcp.address)}
    assert ask(tcp.address, protocol="TCP", port=53) == seen
    assert ask(udp.address, protocol="UDP", port=53) == seen


def test_owner_without_carrier_gives_up(home: Home, lan: Lan, vips: Vips) -> None:
    vip, owner = vips.owned_by(home.workers, local=True)
    with Series(vip.address) as series:
        time.sleep(0.5)
        with home.pulled_cable(owner):
            heir = moved(lan, vip.address, owner)
            time.sleep(1)
        back = time.monotonic()
        # When its cable is in again nobody hears two nodes for longer than it takes to hear each other.
        time.sleep(CHANGE_SECONDS)
    assert heir != owner
    lan.owner(vip.address, CHANGE_SECONDS)
    series.assert_gap_below(TAKEOVER_SECONDS)
    series.assert_none_lost(since=back + 1)
