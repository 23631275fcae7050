# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gaps in a series of requests, and the module that makes the series, against a server on the loopback interface."""

from __future__ import annotations

import http.server
import threading
import time

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._wire.gaps import Request, find
from ansible_collections.homelab.lantern.plugins.modules import request_series
from ansible_collections.homelab.lantern.tests.unit.plugins.module_runner import run


def series(pattern):
    """A request every 10 ms; x is a lost one."""
    return [Request(number / 100, letter != "x", 0.001) for number, letter in enumerate(pattern)]


@pytest.mark.parametrize(
    ("pattern", "gaps"),
    [
        ("", []),
        ("....", []),
        ("..xxx..", [(10.0, 30.0, 3)]),
        (".x..xx.", [(0.0, 10.0, 1), (30.0, 20.0, 2)]),
        ("xx..", [(0.0, 20.0, 2)]),
        ("..xx", [(10.0, 20.0, 2)]),
        ("xxx", [(0.0, 30.0, 3)]),
    ],
)
def test_gaps(pattern, gaps):
    found = [(one["after"], one["gap"], one["lost"]) for one in find(series(pattern), 0.01)]
    assert found == gaps


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers 503 while `ill`."""

    ill = False

    def do_GET(self):
        self.send_response(503 if Handler.ill else 200)
        self.end_headers()

    def log_message(self, *_arguments):
        """Keep the test's output clean."""


@pytest.fixture
def web_port():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_time_of_illness_is_measured(web_port, monkeypatch, tmp_path):
    asking = tmp_path / "asking"
    asking.touch()

    def fall_ill():
        time.sleep(0.5)
        Handler.ill = True
        time.sleep(0.5)
        Handler.ill = False
        time.sleep(0.5)
        asking.unlink()

    thread = threading.Thread(target=fall_ill)
    thread.start()
    result = run(
        request_series, monkeypatch, address="127.0.0.1", port=web_port, rate=50, while_exists=str(asking), timeout=20
    )
    thread.join()
    assert 300 < result["longest_gap"] < 1500
    assert 0 < result["lost"] < result["requests"]
    assert not result["changed"]


def test_nobody_there_is_one_gap_and_check_mode_asks_once(monkeypatch, tmp_path):
    options = {"address": "127.0.0.1", "port": 9, "while_exists": str(tmp_path / "none"), "rate": 20}
    assert run(request_series, monkeypatch, check=True, **options)["requests"] == 1
    result = run(request_series, monkeypatch, **options)
    assert result["lost"] == result["requests"] > 1 and len(result["gaps"]) == 1
    options["rate"] = 0
    assert run(request_series, monkeypatch, **options)["failed"]
