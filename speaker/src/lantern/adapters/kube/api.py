# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to the Kubernetes API server.

lightkube reads kubeconfigs (`kubeconfig`), but its watch is not used: it splits the stream by Unicode lines, so that
one Service annotation holding a NEL character (U+0085) breaks the stream for good, and it waits for ever on a
connection that died silently.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2
import msgspec

from lantern.adapters.kube import service_account
from lantern.adapters.kube.service_account import Access
from lantern.adapters.kube.wire import ListPage, Status, WatchLine

MERGE_PATCH = "application/merge-patch+json"
_JSON = "application/json"
_METADATA = f"{_JSON};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
# Each page costs a round trip; this many Services are 3 MB.
_PAGE_SIZE = 2000
_WATCH_SECONDS = 290
_TIMEOUT = httpx2.Timeout(15.0, connect=5.0)
# The server sends a bookmark about every minute; a connection silent for longer is dead, whatever the kernel thinks.
_WATCH_TIMEOUT = httpx2.Timeout(15.0, connect=5.0, read=90.0)
# A peer that vanished without a word (power cut, pulled cable) is noticed within 12 s, on idle and on busy connections,
# and one that has started anew within 3 s: until then nothing is heard of new Services.
_SOCKET_OPTIONS: list[tuple[int, int, int] | tuple[int, int, bytes | bytearray]] = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 3),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 3),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 12_000),
    # Closing drops what was not delivered. A write that was given up must not reach the server later, when another
    # controller may have decided otherwise.
    (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)),
]


class ApiError(Exception):
    """The API server could not be reached (code 0), or refused (its HTTP status code).

    `retry_after` is the pause in seconds that the server asks for, None when it asks for none.
    """

    def __init__(self, message: str, code: int = 0, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after

    @property
    def is_gone(self) -> bool:
        """The history asked for is no longer kept: list again."""
        return self.code == 410

    @property
    def is_outdated(self) -> bool:
        """The object changed or vanished since it was read; its watch tells, so nothing is to be done here."""
        return self.code in (404, 409)

    @property
    def is_temporary(self) -> bool:
        """The server is out of reach, overloaded or fails: the same request may do later, or has done already."""
        return self.code in (0, 429) or self.code >= 500


class KubeApi:
    """An authenticated connection pool. Paths begin with "/api" or "/apis"."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    @classmethod
    def connect(cls) -> KubeApi:
        """From the pod's service account, else from the file that KUBECONFIG names.

        Nothing is sent yet. Raises ApiError when neither is there or usable.
        """
        try:
            found = service_account.access() or _outside()
        except (OSError, ValueError) as error:
            raise ApiError(f"no way to reach the Kubernetes API is configured: {error}") from error
        transport = httpx2.AsyncHTTPTransport(verify=found.tls, socket_options=_SOCKET_OPTIONS)
        return cls(
            httpx2.AsyncClient(
                base_url=found.server,
                auth=found.auth,
                transport=transport,
                timeout=_TIMEOUT,
                trust_env=False,
                # To compress its lists costs the API server more than to send them across a LAN.
                headers={"User-Agent": "lantern", "Accept": _JSON, "Accept-Encoding": "identity"},
            )
        )

    async def list(self, path: str, only: str = "", metadata_only: bool = False) -> tuple[str, list[msgspec.Raw]]:
        """All objects of a collection (or the one named `only`), and the resource version they were read at.

        With `metadata_only` the objects have nothing but their metadata, for a third of the effort on both sides.
        """
        items: list[msgspec.Raw] = []
        query = {"limit": str(_PAGE_SIZE), **_selection(only)}
        accept = _METADATA if metadata_only else _JSON
        while True:
            try:
                body = await self._request("GET", path, query, accept=accept)
            except ApiError as error:
                if error.code == 404:
                    unknown = f"the Kubernetes API does not know {path}: is its CustomResourceDefinition installed?"
                    raise ApiError(unknown, error.code) from error
                raise
            page = msgspec.json.decode(body, type=ListPage)
            items += page.items or []
            if not page.metadata.continue_:
                return page.metadata.resourceVersion, items
            query["continue"] = page.metadata.continue_

    async def watch(self, path: str, resource_version: str, only: str = "") -> AsyncIterator[WatchLine | None]:
        """What happened to a collection (or the object named `only`) after `resource_version`.

        First comes None: the server has accepted, and may have nothing to tell for long. Ends when the server ends the
        stream (in 5 minutes).
        """
        query = {
            "watch": "true",
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
            **_selection(only),
        }
        try:
            async with self._client.stream("GET", path, params=query, timeout=_WATCH_TIMEOUT) as response:
                if response.is_error:
                    raise _refusal(response.status_code, await response.aread(), response.headers)
                yield None
                rest = b""
                async for chunk in response.aiter_bytes():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        yield msgspec.json.decode(line, type=WatchLine)
        except (httpx2.HTTPError, httpx2.StreamError, msgspec.DecodeError, OSError) as error:
            raise _failure(error) from error

    async def get(self, path: str) -> msgspec.Raw:
        """One object. Raises ApiError with code 404 when there is none."""
        return msgspec.Raw(await self._request("GET", path, {}))

    async def patch(self, path: str, body: Mapping[str, Any], seconds: float | None = None) -> msgspec.Raw:
        """Merge-patch an object; returns it as it is afterwards. Given up after `seconds`, if given."""
        try:
            async with asyncio.timeout(seconds):
                return msgspec.Raw(await self._request("PATCH", path, {}, body, MERGE_PATCH))
        except TimeoutError as error:
            raise ApiError(f"the Kubernetes API did not answer within {seconds:.1f} s") from error

    async def create(self, path: str, body: Mapping[str, Any]) -> msgspec.Raw:
        """Create an object in the collection `path`; returns it."""
        return msgspec.Raw(await self._request("POST", path, {}, body, _JSON))

    async def remove(self, path: str, resource_version: str) -> None:
        """Delete an object if it is still of this version. Raises ApiError: is_outdated when it is not, or is gone."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"resourceVersion": resource_version}}
        await self._request("DELETE", path, {}, body, _JSON)

    async def close(self) -> None:
        await self._client.aclose()

    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
        content_type: str = _JSON,
        accept: str = _JSON,
    ) -> bytes:
        content = None if body is None else msgspec.json.encode(body)
        headers = {"Accept": accept} if body is None else {"Accept": accept, "Content-Type": content_type}
        try:
            response = await self._client.request(method, path, params=query, content=content, headers=headers)
        except (httpx2.HTTPError, OSError) as error:
            raise _failure(error) from error
        if response.is_error:
            raise _refusal(response.status_code, response.content, response.headers)
        return response.content


def stream_error(line: WatchLine) -> ApiError:
    """The error that a watch line of type ERROR carries."""
    return _refusal(0, bytes(line.object), {})


def _selection(only: str) -> dict[str, str]:
    return {"fieldSelector": f"metadata.name={only}"} if only else {}


def _refusal(code: int, body: bytes, headers: Mapping[str, str]) -> ApiError:
    wait = headers.get("Retry-After", "")
    retry_after = float(wait) if wait.isdecimal() else None
    try:
        status = msgspec.json.decode(body, type=Status)
    except msgspec.DecodeError:
        message = f"the Kubernetes API answered {code}: {body[:200].decode(errors='replace')}"
        return ApiError(message, code, retry_after)
    message = f"the Kubernetes API refused: {status.message or status.reason or code}"
    return ApiError(message, code or status.code, retry_after)


def _failure(error: Exception) -> ApiError:
    return ApiError(f"the Kubernetes API cannot be reached: {str(error) or type(error).__name__}")


def _outside() -> Access:
    # Not at the top: nothing of it is needed, nor paid for in memory, in a pod.
    from lantern.adapters.kube import kubeconfig

    return kubeconfig.access()
