# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The visiting program against a real web server: its pace, what it takes for a page, and its end."""

from __future__ import annotations

import http.server
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.timeline import Visit

BENCH = Path(__file__).parents[1]


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.server.good else 503)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    server.good = True  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _visit(ports: dict[str, int], seconds: float, interval: float = 0.02, timeout: float = 0.3) -> list[Visit]:
    clients = [
        {"name": name, "address": "127.0.0.1", "fresh": name == "fresh", "port": port} for name, port in ports.items()
    ]
    options = {"interval": interval, "timeout": timeout, "clients": clients}
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.visits", json.dumps(options)],
        env={**os.environ, "PYTHONPATH": str(BENCH)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stdin is not None
    first = process.stdout.readline()
    time.sleep(seconds)
    process.stdin.close()
    lines = [first, *process.stdout]
    process.stdout.close()
    assert process.wait() == 0
    return [Visit(*json.loads(line)) for line in lines]


def test_each_client_gets_its_pages_at_its_pace(server: http.server.ThreadingHTTPServer) -> None:
    port = server.server_address[1]
    visits = _visit({"cached": port, "fresh": port}, seconds=0.6)
    assert all(visit.served and visit.ended >= visit.started for visit in visits)
    for client in ("cached", "fresh"):
        starts = [visit.started for visit in visits if visit.client == client]
        assert len(starts) <= (starts[-1] - starts[0]) / 0.02 + 2, "no more often than asked for"
        assert len(starts) > 10


def test_connections_reset_under_way_are_told_apart() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(100)
        listening.settimeout(5)

        def reset() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(100)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        thread = threading.Thread(target=reset)
        thread.start()
        visits = _visit({"cached": listening.getsockname()[1]}, seconds=0.2)
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert len(visits) > 3
    assert all(visit.cut and not visit.served for visit in visits)


def test_no_page_is_told_apart_from_a_page(server: http.server.ThreadingHTTPServer) -> None:
    server.good = False  # type: ignore[attr-defined]
    with socket.socket() as nobody, socket.socket() as silent:
        nobody.bind(("127.0.0.1", 0))
        silent.bind(("127.0.0.1", 0))
        silent.listen(100)
        ports = {
            "error": server.server_address[1],
            "refused": nobody.getsockname()[1],
            "silent": silent.getsockname()[1],
        }
        visits = _visit(ports, seconds=0.2)
    assert {visit.client for visit in visits} == set(ports)
    assert not any(visit.served or visit.cut for visit in visits)
    assert all(visit.ended - visit.started >= 0.3 for visit in visits if visit.client == "silent")
    assert all(visit.ended - visit.started < 0.3 for visit in visits if visit.client == "refused")
