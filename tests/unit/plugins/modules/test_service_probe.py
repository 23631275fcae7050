# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module service_probe on a wire that a test makes up."""

from __future__ import annotations

import pytest

pytest.importorskip("scapy")

from ansible_collections.homelab.lantern.plugins.module_utils._wire.probing import ProbeError, Route
from ansible_collections.homelab.lantern.plugins.modules import service_probe
from ansible_collections.homelab.lantern.tests.unit.plugins.module_runner import run

VIP = "192.168.2.130"
NODES = [{"name": "node1", "addresses": ["192.168.2.11"]}, {"name": "node2", "addresses": ["192.168.2.12", "fd00::12"]}]


class Wire:
    """Hosts by address; everything asked is written down."""

    def __init__(self):
        self.neighbours = {"192.168.2.11": ["mac:1"], "192.168.2.12": ["mac:2"], VIP: ["mac:2"]}
        self.source, self.gateway = "192.168.2.50", ""
        self.refused, self.status = set(), 200
        self.asked = []

    def route(self, address):
        self.asked.append(("route", address))
        return Route("eth0", self.source, self.gateway)

    def who_has(self, address, interface, seconds, first_only=False):
        self.asked.append(("arp", address))
        return self.neighbours.get(address, [])

    def connect(self, address, port, seconds):
        self.asked.append(("tcp", port))
        return "connection refused" if port in self.refused else ""

    def get(self, address, port, seconds):
        self.asked.append(("http", port))
        return self.status, "" if self.status else "garbage"


@pytest.fixture
def wire(monkeypatch):
    fake = Wire()
    monkeypatch.setattr(service_probe.probing, "Wire", lambda: fake)
    monkeypatch.setattr(service_probe, "PAUSE_SECONDS", 0)
    return fake


def probe(monkeypatch, **options):
    given = {"service": "default/web", "address": VIP, "ports": [{"port": 80}], "nodes": NODES, "timeout": 0}
    return run(service_probe, monkeypatch, **dict(given, **options))


def hops(result):
    return [(verdict["hop"], verdict["result"]) for verdict in result["verdicts"]]


def test_all_good(wire, monkeypatch):
    result = probe(monkeypatch, ports=[{"port": 80}, {"port": 443, "name": "https"}, {"port": 53, "protocol": "UDP"}])
    assert hops(result) == [
        ("ARP", "good"),
        ("TCP 80", "good"),
        ("HTTP 80", "good"),
        ("TCP 443", "good"),
        ("UDP 53", "skipped"),
    ]
    assert (result["good"], result["node"], result["macs"], result["changed"]) == (True, "node2", ["mac:2"], False)
    assert (result["service"], result["address"]) == ("default/web", VIP)


def test_a_port_named_http_is_asked_for_a_page(wire, monkeypatch):
    result = probe(monkeypatch, ports=[{"port": 3000, "name": "http-ui"}], http_ports=[])
    assert ("HTTP 3000", "good") in hops(result)


def test_two_answers(wire, monkeypatch):
    wire.neighbours[VIP] = ["mac:1", "mac:2"]
    result = probe(monkeypatch)
    assert hops(result)[0] == ("ARP", "bad") and not result["good"]
    assert result["node"] == "" and "node1 (mac:1) and node2 (mac:2)" in result["verdicts"][0]["text"]


def test_nobody_answers_and_later_hops_are_not_blamed(wire, monkeypatch):
    del wire.neighbours[VIP]
    result = probe(monkeypatch, obstacle="Every node is labelled.")
    assert hops(result) == [("ARP", "bad")]
    assert result["verdicts"][0]["remedy"] == "Every node is labelled."


def test_a_refused_port_is_not_asked_for_a_page(wire, monkeypatch):
    wire.refused = {80}
    assert hops(probe(monkeypatch)) == [("ARP", "good"), ("TCP 80", "bad")]


def test_behind_a_router_arp_is_skipped(wire, monkeypatch):
    wire.gateway = "10.0.0.1"
    result = probe(monkeypatch)
    assert hops(result) == [("ARP", "skipped"), ("TCP 80", "good"), ("HTTP 80", "good")]
    assert result["good"] and ("arp", VIP) not in wire.asked


def test_on_a_node_arp_is_skipped(wire, monkeypatch):
    wire.source = "192.168.2.11"
    result = probe(monkeypatch)
    assert hops(result)[0] == ("ARP", "skipped") and "node1" in result["verdicts"][0]["text"]


def test_ipv6_is_tried_by_tcp_only(wire, monkeypatch):
    result = probe(monkeypatch, address="fd00::130")
    assert hops(result) == [("NDP", "skipped"), ("TCP 80", "good"), ("HTTP 80", "good")]
    assert ("route", "fd00::130") not in wire.asked


def test_it_tries_again_until_all_is_good(wire, monkeypatch):
    attempts = []
    connect = wire.connect

    def slow_start(address, port, seconds):
        attempts.append(port)
        return "connection refused" if len(attempts) < 3 else connect(address, port, seconds)

    monkeypatch.setattr(wire, "connect", slow_start)
    assert probe(monkeypatch, timeout=30)["good"]
    assert len(attempts) == 3


def test_a_host_that_cannot_probe_is_an_error(wire, monkeypatch):
    def route(_address):
        raise ProbeError("This host has no route")

    monkeypatch.setattr(wire, "route", route)
    result = probe(monkeypatch)
    assert result["failed"] and result["msg"] == "This host has no route"


def test_a_missing_library_is_told(wire, monkeypatch):
    monkeypatch.setattr(service_probe.probing, "LIBRARY_PROBLEM", "Traceback")
    result = probe(monkeypatch)
    assert result["failed"] and "scapy" in result["msg"]
