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
from ansible_collections.homelab.lantern.plugins.module_utils._wire.facts import Port, Route
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, IPv6
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
    assert wire.get("127.0.0.1", web_port, 2)[1:4] == ("GET / answers 404", "", 404)
    assert wire.get("127.0.0.1", listener, 0.2).problem == "no answer within 0.2 seconds"
    refused = wire.get("127.0.0.1", closed_port, 2)
    assert refused.status == 0 and "refused" in refused.problem


@pytest.fixture
def greeter():
    """A port that says something unasked, as SSH servers do."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet():
            channel, _peer = server.accept()
            with channel:
                channel.sendall(b"SSH-2.0-dropbear\x07_2022\r\nmore")

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(5)


def test_listen(greeter, listener, closed_port):
    wire = probing.Wire()
    assert wire.listen("127.0.0.1", greeter, 2).text == "says: SSH-2.0-dropbear._2022"
    assert wire.listen("127.0.0.1", listener, 0.2) is None
    assert wire.listen("127.0.0.1", closed_port, 2) is None


def test_shake_hands_with_what_speaks_no_tls(web_port, closed_port):
    wire = probing.Wire()
    assert wire.shake_hands("127.0.0.1", web_port, 2).problem
    assert "refused" in wire.shake_hands("127.0.0.1", closed_port, 2).problem


def test_attempt_hears_the_reply(listener, closed_port):
    """On the loopback interface; without the right to listen there is no reply, but the same outcome."""
    wire = probing.Wire()
    made = wire.attempt("127.0.0.1", Port(listener), "lo", 2)
    assert made.problem == "" and made.milliseconds > 0
    assert made.reply is None or made.reply.hops_left == 64
    assert wire.attempt("127.0.0.1", Port(closed_port), "lo", 2).problem == "connection refused"


def answered(*pairs):
    """What srp returns for (MAC, claimed address) pairs."""
    asked = Ether() / ARP(pdst="192.168.2.130")
    asked.sent_time = 100.0
    answers = []
    for mac, address in pairs:
        answer = Ether() / ARP(op="is-at", hwsrc=mac, psrc=address)
        answer.time = 100.002
        answers.append((asked, answer))
    return answers, []


def test_who_have_keeps_the_order_and_drops_repetitions_and_strangers(monkeypatch):
    options = {}

    def srp(questions, **given):
        options.update(given, pdst=[question[ARP].pdst for question in questions])
        return answered(
            ("52:54:00:00:00:02", "192.168.2.130"),
            ("52:54:00:00:00:0A", "192.168.2.130"),
            ("52:54:00:00:00:02", "192.168.2.130"),
            ("52:54:00:00:00:03", "192.168.2.99"),
        )

    monkeypatch.setattr(probing, "srp", srp)
    both = ["192.168.2.130", "192.168.2.131"]
    found = probing.Wire().who_have(both, "eth0", 1.5)
    assert list(found) == ["192.168.2.130"]
    told = found["192.168.2.130"]
    assert [answer.mac for answer in told] == ["52:54:00:00:00:02", "52:54:00:00:00:0a"]
    assert round(told[0].milliseconds) == 2
    assert options == {"pdst": both, "iface": "eth0", "timeout": 1.5, "multi": True, "verbose": False}
    probing.Wire().who_have(both, "eth0", 1.5, first_only=True)
    assert options["multi"] is False


def test_without_raw_sockets_the_remedy_is_told(monkeypatch):
    def srp(*_arguments, **_options):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(probing, "srp", srp)
    with pytest.raises(probing.ProbeError, match="verify_become: true"):
        probing.Wire().who_have(["192.168.2.130"], "eth0", 1)


@pytest.mark.parametrize(
    "routed, expected",
    [
        (("eth0", "192.168.2.50", "0.0.0.0"), Route("eth0", "192.168.2.50", "")),
        (("eth0", "10.0.0.5", "10.0.0.1"), Route("eth0", "10.0.0.5", "10.0.0.1")),
    ],
)
def test_route(monkeypatch, routed, expected):
    monkeypatch.setattr(probing.settings.route, "route", lambda _address: routed)
    assert probing.Wire().route("192.168.2.130") == expected


def test_no_route(monkeypatch):
    monkeypatch.setattr(probing.settings.route, "route", lambda _address: ("lo", "0.0.0.0", "0.0.0.0"))
    assert probing.Wire().route("192.168.2.130") is None


def test_many_are_asked_for_in_parts(monkeypatch):
    parts = []

    def srp(questions, **_given):
        parts.append(len(questions))
        return answered(*(("52:54:00:00:00:02", question[ARP].pdst) for question in questions))

    monkeypatch.setattr(probing, "srp", srp)
    wanted = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(600)]
    assert list(probing.Wire().who_have(wanted, "eth0", 1)) == wanted
    assert parts == [256, 256, 88]


def test_neighbours_of_ipv6_are_asked_by_solicitation(monkeypatch):
    questions = []

    def srp(asked, **_given):
        (question,) = asked
        questions.append(question)
        question.sent_time = 100.0
        answer = Ether(src="52:54:00:00:00:02") / IPv6(src="fd00::130") / ICMPv6ND_NA(tgt="fd00::130")
        other = Ether(src="52:54:00:00:00:03") / IPv6() / ICMPv6ND_NA(tgt="fd00::131")
        answer.time = other.time = 100.001
        return [(question, answer), (question, other)], []

    monkeypatch.setattr(probing, "srp", srp)
    monkeypatch.setattr(probing.settings.route6, "route", lambda _address: ("eth0", "fd00::50", "::"))
    monkeypatch.setattr(probing.layer2, "get_if_hwaddr", lambda _interface: "52:54:00:00:00:50")
    found = probing.Wire().who_have(["fd00::0130"], "eth0", 1)
    assert [answer.mac for answer in found["fd00::0130"]] == ["52:54:00:00:00:02"]
    (question,) = questions
    assert question.dst == "33:33:ff:00:01:30" and question[IPv6].hlim == 255
    assert question[ICMPv6ND_NS].tgt == "fd00::130"


def test_route_of_ipv6(monkeypatch):
    monkeypatch.setattr(probing.settings.route6, "route", lambda _address: ("eth0", "fd00::50", "::"))
    assert probing.Wire().route("fd00::130") == Route("eth0", "fd00::50", "")
    monkeypatch.setattr(probing.settings.route6, "route", lambda _address: ("lo", "::1", "::"))
    assert probing.Wire().route("fd00::130") is None
