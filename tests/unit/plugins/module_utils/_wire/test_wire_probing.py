# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""TCP and HTTP against real servers on the loopback interface; ARP with scapy's answers put in."""

from __future__ import annotations

import http.server
import socket
import threading

import pytest

pytest.importorskip("scapy")

from ansible_collections.homelab.lantern.plugins.module_utils._wire import probing
from scapy.layers.l2 import ARP, Ether


@pytest.fixture
def web_port():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_arguments):
            """Keep the test's output clean."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def listener():
    """A port that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return port


def test_connect(listener, closed_port):
    wire = probing.Wire()
    assert wire.connect("127.0.0.1", listener, 2) == ""
    assert wire.connect("127.0.0.1", closed_port, 2) == "connection refused"


def test_get(web_port, listener, closed_port):
    wire = probing.Wire()
    assert wire.get("127.0.0.1", web_port, 2) == (404, "")
    assert wire.get("127.0.0.1", listener, 0.2) == (0, "no answer within 0.2 seconds")
    status, problem = wire.get("127.0.0.1", closed_port, 2)
    assert status == 0 and "refused" in problem


def answered(*pairs):
    """What srp returns for (MAC, claimed address) pairs."""
    asked = Ether() / ARP(pdst="192.168.2.130")
    return [(asked, Ether() / ARP(op="is-at", hwsrc=mac, psrc=address)) for mac, address in pairs], []


def test_who_has_keeps_the_order_and_drops_repetitions_and_strangers(monkeypatch):
    options = {}

    def srp(question, **given):
        options.update(given, pdst=question[ARP].pdst)
        return answered(
            ("52:54:00:00:00:02", "192.168.2.130"),
            ("52:54:00:00:00:0A", "192.168.2.130"),
            ("52:54:00:00:00:02", "192.168.2.130"),
            ("52:54:00:00:00:03", "192.168.2.99"),
        )

    monkeypatch.setattr(probing, "srp", srp)
    assert probing.Wire().who_has("192.168.2.130", "eth0", 1.5) == ["52:54:00:00:00:02", "52:54:00:00:00:0a"]
    assert options == {"pdst": "192.168.2.130", "iface": "eth0", "timeout": 1.5, "multi": True, "verbose": False}
    probing.Wire().who_has("192.168.2.130", "eth0", 1.5, first_only=True)
    assert options["multi"] is False


def test_without_raw_sockets_the_remedy_is_told(monkeypatch):
    def srp(*_arguments, **_options):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(probing, "srp", srp)
    with pytest.raises(probing.ProbeError, match="verify_become: true"):
        probing.Wire().who_has("192.168.2.130", "eth0", 1)


@pytest.mark.parametrize(
    "routed, expected",
    [
        (("eth0", "192.168.2.50", "0.0.0.0"), probing.Route("eth0", "192.168.2.50", "")),
        (("eth0", "10.0.0.5", "10.0.0.1"), probing.Route("eth0", "10.0.0.5", "10.0.0.1")),
    ],
)
def test_route(monkeypatch, routed, expected):
    monkeypatch.setattr(probing.settings.route, "route", lambda _address: routed)
    assert probing.Wire().route("192.168.2.130") == expected


def test_no_route_is_told_with_the_remedy(monkeypatch):
    monkeypatch.setattr(probing.settings.route, "route", lambda _address: ("lo", "0.0.0.0", "0.0.0.0"))
    with pytest.raises(probing.ProbeError, match="no route to 192.168.2.130.*group probe"):
        probing.Wire().route("192.168.2.130")
