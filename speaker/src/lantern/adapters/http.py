# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process's own HTTP port: /healthz (alive), /readyz (useful, or why not yet), /metrics, and pages of its own.

Enough of HTTP/1.1 for probes and Prometheus: one GET for each connection.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from lantern.adapters.logs import fields

log = logging.getLogger("lantern.http")

_TIMEOUT_SECONDS = 5.0
_PLAIN = "text/plain; charset=utf-8"


class StatusServer:
    """Serves until closed. `not_ready` says why the process is not ready, None when it is; `but` what is wrong then."""

    def __init__(
        self,
        registry: CollectorRegistry,
        not_ready: Callable[[], str | None],
        pages: Mapping[str, Callable[[], object]] | None = None,
        folders: Mapping[str, Callable[[str], object]] | None = None,
        but: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`pages` are served as JSON, by path; `folders` too, with what follows their path (None: nothing there)."""
        self._registry = registry
        self._not_ready = not_ready
        self._pages = pages or {}
        self._folders = folders or {}
        self._but = but
        self._server: asyncio.Server | None = None

    async def start(self, host: str | None, port: int) -> int:
        """Listen; returns the port. Raises OSError when it is taken."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=8192)
        bound: int = self._server.sockets[0].getsockname()[1]
        log.info("health and metrics are served", extra=fields(host=host or "*", port=bound))
        return bound

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    def respond(self, method: str, path: str) -> tuple[HTTPStatus, str, bytes]:
        """Status, content type and body for a request."""
        if method != "GET":
            return HTTPStatus.METHOD_NOT_ALLOWED, _PLAIN, b"only GET is served\n"
        match path:
            case "/healthz":
                return HTTPStatus.OK, _PLAIN, b"ok\n"
            case "/readyz":
                if (reason := self._not_ready()) is not None:
                    return HTTPStatus.SERVICE_UNAVAILABLE, _PLAIN, f"{reason}\n".encode()
                but = self._but()
                return HTTPStatus.OK, _PLAIN, f"{'ok' if but is None else f'ok, but {but}'}\n".encode()
            case "/metrics":
                return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self._registry)
            case _ if path in self._pages:
                return HTTPStatus.OK, "application/json", json.dumps(self._pages[path]()).encode()
            case _ if (found := self._in_folder(path)) is not None:
                return HTTPStatus.OK, "application/json", json.dumps(found).encode()
            case _:
                paths = ", ".join(("/healthz", "/readyz", "/metrics", *self._pages))
                return HTTPStatus.NOT_FOUND, _PLAIN, f"try {paths}\n".encode()

    def _in_folder(self, path: str) -> object:
        for folder, look_up in self._folders.items():
            if path.startswith(f"{folder}/"):
                return look_up(path.removeprefix(f"{folder}/"))
        return None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, _, rest = head.partition(" ")
                path = rest.partition(" ")[0].partition("?")[0]
                status, kind, body = self.respond(method, path)
                writer.write(
                    f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\n"
                    f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            log.debug("request dropped", extra=fields(error=repr(error)))
        finally:
            writer.close()
