# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a pod reaches the API server: by its service account, whose files Kubernetes mounts into every container.

The Kubernetes documentation, "Accessing the Kubernetes API from a Pod". It is all that a process in a pod needs, so
that the reader of kubeconfigs, which costs several MiB on every node, is not even loaded there.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import httpx2

FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class Access:
    """Where the API server is, whom to trust, and how to say who this is."""

    server: str
    """URL."""
    tls: ssl.SSLContext
    auth: httpx2.Auth | None


class TokenAuth(httpx2.Auth):
    """The token in a file. The kubelet writes another one there before it expires; a refusal shows that it did."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._header = ""

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Raises OSError when the file cannot be read."""
        self._header = self._header or self._read()
        request.headers["Authorization"] = self._header
        response = yield request
        if response.status_code == 401:
            self._header = self._read()
            request.headers["Authorization"] = self._header
            yield request

    def _read(self) -> str:
        return f"Bearer {self._path.read_text().strip()}"


def access(folder: Path = FOLDER) -> Access | None:
    """The access of this pod; None outside a cluster. Raises OSError for a broken CA certificate."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT")
    token = folder / "token"
    if not host or not port or not token.is_file():
        return None
    named = f"[{host}]" if ":" in host else host
    tls = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    return Access(f"https://{named}:{port}", tls, TokenAuth(token))
