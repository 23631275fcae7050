# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's API server as its LAN client reaches it.

The standard library's HTTP client, because a busier one would take the processor from what is measured.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from homelab import paths

from . import lab

REQUEST_SECONDS = 60.0
MERGE_PATCH = "application/merge-patch+json"


class RefusedError(Exception):
    """The API server answered with an error; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class ClusterApi:
    """Requests to one cluster as its administrator, from any number of threads; idle connections are used again."""

    def __init__(self, kubeconfig: Path, network: Path) -> None:
        """`network` is the network namespace (a file) out of which the connections are made."""
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        server = urlsplit(cluster["server"])
        self._address = (str(server.hostname), server.port or 443)
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._tls = ssl.create_default_context(cadata=authority)
        with tempfile.NamedTemporaryFile("wb", suffix=".pem") as file:  # ssl reads certificates only from files
            file.write(base64.b64decode(user["client-certificate-data"]) + b"\n")
            file.write(base64.b64decode(user["client-key-data"]))
            file.flush()
            self._tls.load_cert_chain(file.name)
        self._network = network
        self._idle: list[http.client.HTTPConnection] = []  # append and pop are atomic

    @classmethod
    def of_lab(cls) -> ClusterApi:
        """The cluster of the lab that LAB_NAME names, reached from the LAN client."""
        return cls(paths.state() / "kubeconfig", lab.network("client"))

    def _connect(self, seconds: float | None) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(*self._address, timeout=seconds)
        with lab.sockets_in(self._network):
            plain = socket.create_connection(self._address, timeout=REQUEST_SECONDS if seconds is None else seconds)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sock = self._tls.wrap_socket(plain, server_hostname=self._address[0])
        connection.sock.settimeout(seconds)
        return connection

    def _take(self) -> http.client.HTTPConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def close(self) -> None:
        """Close the connections that are idle now."""
        while connection := self._take():
            connection.close()

    def request(
        self, method: str, path: str, body: object = None, content: str = "application/json", seconds: float = 0
    ) -> Any:
        """One request; returns the decoded answer.

        Raises:
            RefusedError: the server answered with an error.
            OSError, http.client.HTTPException: the server is not there, or went away (after one more try, as the
                connection may merely have been idle for too long).
        """
        for attempt in (1, 2):
            # Where one idle connection has been closed by the server, so have the others.
            connection = self._take() if attempt == 1 else None
            try:
                connection = connection or self._connect(seconds or REQUEST_SECONDS)
                data = None if body is None else json.dumps(body)
                connection.request(method, path, data, {"Content-Type": content, "Accept": "application/json"})
                answer = connection.getresponse()
                payload = answer.read()
                self._idle.append(connection)
                break
            except (OSError, http.client.HTTPException):
                if connection is not None:
                    connection.close()
                if attempt == 2:
                    raise
        if answer.status >= 400:
            raise RefusedError(answer.status, _message(payload))
        try:
            return json.loads(payload)
        except ValueError:
            return payload.decode(errors="replace")

    def get(self, path: str) -> Any:
        return self.request("GET", path)

    def create(self, path: str, body: object) -> Any:
        return self.request("POST", path, body)

    def delete(self, path: str) -> Any:
        return self.request("DELETE", path)

    def merge(self, path: str, body: object) -> Any:
        """A JSON merge patch."""
        return self.request("PATCH", path, body, MERGE_PATCH)

    def answers(self) -> bool:
        """Whether the API server says that it is ready."""
        try:
            self.request("GET", "/readyz", seconds=5)
        except (OSError, http.client.HTTPException, RefusedError):
            return False
        return True

    def stream(self, path: str) -> Stream:
        """An answer that does not end, such as a watch's.

        Raises:
            RefusedError, OSError, http.client.HTTPException: as `request`.
        """
        connection = self._connect(None)
        try:
            connection.request("GET", path, headers={"Accept": "application/json"})
            answer = connection.getresponse()
            if answer.status >= 400:
                raise RefusedError(answer.status, _message(answer.read()))
        except BaseException:
            connection.close()
            raise
        return Stream(connection, answer)


@dataclass(frozen=True, slots=True)
class Stream:
    """The lines of an answer as they come. `close` may be called by another thread: the lines then end."""

    connection: http.client.HTTPConnection
    answer: http.client.HTTPResponse

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self.answer
        finally:
            self.answer.close()
            self.connection.close()

    def close(self) -> None:
        if self.connection.sock is not None:
            with contextlib.suppress(OSError):
                self.connection.sock.shutdown(socket.SHUT_RDWR)


def _message(payload: bytes) -> str:
    try:
        return str(json.loads(payload)["message"])
    except (ValueError, KeyError, TypeError):
        return payload.decode(errors="replace")[:300]
