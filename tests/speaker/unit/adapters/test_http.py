# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health, readiness and metrics."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import pytest
from lantern.adapters.http import StatusServer
from prometheus_client import CollectorRegistry, Gauge


def server(reason: str | None = None) -> StatusServer:
    registry = CollectorRegistry()
    Gauge("a_gauge", "A gauge.", registry=registry).set(5)
    return StatusServer(registry, lambda: reason)


def test_alive_whatever_the_readiness() -> None:
    assert server("not yet").respond("GET", "/healthz")[0] is HTTPStatus.OK


def test_readiness_says_why_not() -> None:
    assert server("no configuration").respond("GET", "/readyz")[::2] == (
        HTTPStatus.SERVICE_UNAVAILABLE,
        b"no configuration\n",
    )
    assert server().respond("GET", "/readyz")[::2] == (HTTPStatus.OK, b"ok\n")
    but = StatusServer(CollectorRegistry(), lambda: None, but=lambda: "stale")
    assert but.respond("GET", "/readyz")[::2] == (HTTPStatus.OK, b"ok, but stale\n")


def test_metrics() -> None:
    status, kind, body = server().respond("GET", "/metrics")
    assert status is HTTPStatus.OK and kind.startswith("text/plain") and b"a_gauge 5.0" in body


@pytest.mark.parametrize(("method", "path", "status"), [("POST", "/healthz", 405), ("GET", "/", 404)])
def test_other_requests_are_refused(method: str, path: str, status: int) -> None:
    assert server().respond(method, path)[0] == status


def test_pages_and_folders_are_json() -> None:
    known = {"default/web": {"owner": "node1"}}
    served = StatusServer(CollectorRegistry(), lambda: None, {"/all": lambda: known}, {"/all": known.get})
    assert served.respond("GET", "/all") == (HTTPStatus.OK, "application/json", b'{"default/web": {"owner": "node1"}}')
    assert served.respond("GET", "/all/default/web")[::2] == (HTTPStatus.OK, b'{"owner": "node1"}')
    for path in ("/all/default/other", "/all/", "/allow"):
        assert served.respond("GET", path)[0] is HTTPStatus.NOT_FOUND


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        (b"GET /readyz?verbose HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 503 Service Unavailable"),
        (b"nonsense\r\n\r\n", b"HTTP/1.1 405"),
        (b"GET /healthz HTTP/1.1\r\n" + b"x" * 9000, b""),
    ],
)
def test_over_a_connection(sent: bytes, received: bytes) -> None:
    async def main() -> bytes:
        served = server("not yet")
        port = await served.start("127.0.0.1", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        try:
            answer = await reader.read()
        except ConnectionResetError:
            answer = b""
        writer.close()
        served.close()
        return answer

    assert asyncio.run(main()).startswith(received)
