# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module service_probe on a wire that a test makes up."""

from __future__ import annotations

import pytest

pytest.importorskip("scapy")

from ansible_collections.homelab.lantern.plugins.module_utils._wire import looking
from ansible_collections.homelab.lantern.plugins.module_utils._wire.facts import Answer, Reply, Route, Said, Try
from ansible_collections.homelab.lantern.plugins.module_utils._wire.probing import ProbeError
from ansible_collections.homelab.lantern.plugins.modules import service_probe
from ansible_collections.homelab.lantern.tests.unit.plugins.module_runner import run

VIP = "192.168.2.130"
NODES = [{"name": "node1", "addresses": ["192.168.2.11"]}, {"name": "node2", "addresses": ["192.168.2.12", "fd00::12"]}]
POOLS = [{"name": "lan", "addresses": ["192.168.2.128/25"], "advertised": ["layer2"]}]


class Wire:
    """Hosts by address; everything asked is written down."""

    def __init__(self):
        self.neighbours = {"192.168.2.11": ["mac:1"], "192.168.2.12": ["mac:2"], "fd00::12": ["mac:2"]}
        self.neighbours.update({VIP: ["mac:2"], "fd00::130": ["mac:2"], "10.0.0.1": ["mac:gw"]})
        self.source, self.gateway = "192.168.2.50", ""
        self.refused, self.status = set(), 200
        self.asked = []

    def route(self, address):
        return Route("eth0", self.source, self.gateway)

    def who_have(self, addresses, interface, seconds, first_only=False):
        self.asked += [("arp", address) for address in addresses]
        heard = {address: self.neighbours.get(address, []) for address in addresses}
        return {address: [Answer(mac, 0.5) for mac in macs] for address, macs in heard.items() if macs}

    def connect(self, address, port, seconds):
        self.asked.append(("tcp", address, port))
        return "connection refused" if port in self.refused else ""

    def attempt(self, address, port, interface, seconds):
        problem = self.connect(address, port.port, seconds)
        return Try(port, problem, 1.0, None, None if problem else Reply("mac:2", 63))

    def get(self, address, port, seconds):
        self.asked.append(("http", port))
        return Said("HTTP", f"GET / answers {self.status}", "", self.status, 1.0)

    def shake_hands(self, address, port, seconds):
        return Said("TLS", "TLSv1.3 is spoken")

    def listen(self, address, port, seconds):
        return Said("banner", "says: SSH-2.0-dropbear") if port == 22 else None


@pytest.fixture
def wire(monkeypatch):
    fake = Wire()
    monkeypatch.setattr(service_probe.probing, "Wire", lambda: fake)
    monkeypatch.setattr(service_probe, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(looking.strangers, "names", lambda addresses: {VIP: "printer.home"})
    monkeypatch.setattr(looking.strangers, "vendor", lambda mac: "Epson")
    return fake


def described(address=VIP, ports=None, **service):
    return {
        "name": "default/web",
        "addresses": [address],
        "ports": ports or [{"port": 80}],
        "pool": "lan",
        "owners": {VIP: ["node2"], "fd00::130": ["node2"]},
        **service,
    }


def probe_all(monkeypatch, *services, timeout=0, nodes=None, http_ports=None):
    more = {} if http_ports is None else {"http_ports": http_ports}
    nodes = NODES if nodes is None else nodes
    return run(service_probe, monkeypatch, services=list(services), nodes=nodes, pools=POOLS, timeout=timeout, **more)


def probe(monkeypatch, timeout=0, http_ports=None, **service):
    """What is said of the only address."""
    result = probe_all(monkeypatch, described(**service), timeout=timeout, http_ports=http_ports)
    assert result["changed"] is False
    (seen,) = result["probes"]
    return seen


def hops(result):
    return [(verdict["hop"], verdict["result"]) for verdict in result["verdicts"]][4:]


def test_all_good(wire, monkeypatch):
    ports = [{"port": 80}, {"port": 443}, {"port": 22}, {"port": 9}, {"port": 53, "protocol": "UDP"}]
    result = probe(monkeypatch, ports=ports)
    assert [verdict["hop"] for verdict in result["verdicts"]][:4] == ["Service", "pool", "endpoints", "owner"]
    assert hops(result) == [
        ("ARP", "good"),
        ("TCP 80", "good"),
        ("HTTP 80", "good"),
        ("TCP 443", "good"),
        ("TLS 443", "good"),
        ("TCP 22", "good"),
        ("banner 22", "good"),
        ("TCP 9", "good"),
        ("UDP 53", "skipped"),
        ("way back", "good"),
    ]
    assert (result["good"], result["node"], result["macs"]) == (True, "node2", ["mac:2"])
    assert (result["service"], result["address"], result["broken"]) == ("default/web", VIP, "")
    assert (result["source"], result["gateway"]) == ("192.168.2.50", "")


def test_a_port_named_http_is_asked_for_a_page(wire, monkeypatch):
    result = probe(monkeypatch, ports=[{"port": 3000, "name": "http-ui"}], http_ports=[])
    assert ("HTTP 3000", "good") in hops(result)


def test_a_stranger_is_described(wire, monkeypatch):
    wire.neighbours[VIP] = ["mac:9"]
    result = probe(monkeypatch)
    assert result["broken"] == "ARP"
    assert "printer.home, Epson" in result["verdicts"][4]["text"]


def test_nobody_answers_and_the_ports_are_left_alone(wire, monkeypatch):
    del wire.neighbours[VIP]
    result = probe(monkeypatch)
    assert hops(result) == [("ARP", "bad")] and not any(asked[0] == "tcp" for asked in wire.asked)


def test_a_silent_owner(wire, monkeypatch):
    del wire.neighbours[VIP], wire.neighbours["192.168.2.12"]
    result = probe(monkeypatch)
    assert result["broken"] == "owner" and "cable" in result["verdicts"][3]["causes"][0]


def test_a_refused_port_is_looked_at_more_closely(wire, monkeypatch):
    wire.refused = {80, 10256}
    result = probe(monkeypatch, ports=[{"port": 80, "node_port": 30080}])
    assert hops(result) == [("ARP", "good"), ("TCP 80", "bad")]
    assert "kube-proxy does not run on node2" in result["verdicts"][-1]["causes"][0]
    assert ("tcp", "192.168.2.12", 10250) in wire.asked and ("tcp", "192.168.2.11", 30080) in wire.asked


def test_behind_a_router_arp_is_skipped(wire, monkeypatch):
    wire.gateway = "10.0.0.1"
    result = probe(monkeypatch)
    assert hops(result)[:2] == [("gateway", "good"), ("ARP", "skipped")]
    assert result["good"] and ("arp", VIP) not in wire.asked


def test_behind_a_router_that_is_not_there_nothing_is_tried(wire, monkeypatch):
    wire.gateway = "10.0.0.9"
    result = probe(monkeypatch)
    assert result["broken"] == "gateway" and hops(result) == [("gateway", "bad"), ("ARP", "skipped")]


def test_on_a_node_the_ports_prove_nothing(wire, monkeypatch):
    wire.source = "192.168.2.11"
    result = probe(monkeypatch)
    assert hops(result) == [("ARP", "good"), ("TCP 80", "skipped"), ("HTTP 80", "good")]
    assert result["own_node"] == "node1"


def test_ipv6_goes_by_neighbour_discovery(wire, monkeypatch):
    result = probe(monkeypatch, address="fd00::130")
    assert hops(result)[0] == ("NDP", "good") and result["node"] == "node2"
    assert ("arp", "192.168.2.12") not in wire.asked


def test_it_tries_again_until_all_is_good(wire, monkeypatch):
    attempts = []
    connect = wire.connect

    def slow_start(address, port, seconds):
        attempts.append(port)
        return "connection refused" if len(attempts) < 3 else connect(address, port, seconds)

    monkeypatch.setattr(wire, "connect", slow_start)
    assert probe(monkeypatch, timeout=30)["good"]
    assert len(attempts) == 3


def test_what_the_cluster_says_is_bad_is_not_tried_again(wire, monkeypatch):
    slept = []
    monkeypatch.setattr(service_probe.time, "sleep", slept.append)
    assert probe(monkeypatch, timeout=30, endpoints=0)["broken"] == "endpoints"
    assert slept == []


def test_all_addresses_are_looked_at_together_and_only_bad_ones_again(wire, monkeypatch):
    """One that is bad costs the others nothing, and what comes out is in the order of what went in."""
    other = "192.168.2.131"
    wire.neighbours[other] = ["mac:1"]
    rounds = []
    who_have = wire.who_have

    def count(addresses, interface, seconds, first_only=False):
        if not first_only:
            rounds.append(list(addresses))
            if len(rounds) == 3:
                wire.refused.clear()
        return who_have(addresses, interface, seconds, first_only)

    monkeypatch.setattr(wire, "who_have", count)
    wire.refused = {8080}
    result = probe_all(
        monkeypatch,
        described(name="default/slow", ports=[{"port": 8080}]),
        described(name="default/shared"),
        described(name="default/web", addresses=[other, "fd00::130"], owners={other: ["node1"]}),
        timeout=30,
    )
    assert rounds == [[VIP, other, "fd00::130"], [VIP], [VIP]]
    told = [(seen["service"], seen["address"], seen["node"], seen["good"]) for seen in result["probes"]]
    assert told == [
        ("default/slow", VIP, "node2", True),
        ("default/shared", VIP, "node2", True),
        ("default/web", other, "node1", True),
        ("default/web", "fd00::130", "node2", True),
    ]
    assert wire.asked.count(("arp", "192.168.2.11")) == 1


def test_without_a_route_the_others_are_tried_all_the_same(wire, monkeypatch):
    route = wire.route
    monkeypatch.setattr(wire, "route", lambda address: None if ":" in address else route(address))
    result = probe_all(monkeypatch, described(addresses=["fd00::130", VIP]))
    lost, served = result["probes"]
    assert (lost["broken"], lost["source"], lost["node_macs"], served["good"]) == ("route", "", {}, True)
    assert "no route to fd00::130" in lost["verdicts"][-1]["text"]


def test_a_host_that_cannot_probe_is_an_error(wire, monkeypatch):
    def who_have(*_arguments):
        raise ProbeError("Asking by ARP needs a raw socket")

    monkeypatch.setattr(wire, "who_have", who_have)
    result = probe_all(monkeypatch, described())
    assert result["failed"] and result["msg"] == "Asking by ARP needs a raw socket"


def test_a_missing_library_is_told(wire, monkeypatch):
    monkeypatch.setattr(service_probe.probing, "LIBRARY_PROBLEM", "Traceback")
    result = probe_all(monkeypatch, described())
    assert result["failed"] and "scapy" in result["msg"]
