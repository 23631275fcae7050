# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests and the watch stream, over a transport in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2
import pytest
from lantern.adapters.kube.api import ApiError, KubeApi
from lantern.adapters.kube.wire import WatchLine

Handler = Callable[[httpx2.Request], httpx2.Response]


def api(handler: Handler) -> KubeApi:
    return KubeApi(httpx2.AsyncClient(base_url="http://kube", transport=httpx2.MockTransport(handler)))


def watched(chunks: list[bytes]) -> list[WatchLine]:
    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def main() -> list[WatchLine]:
        client = api(lambda request: httpx2.Response(200, content=stream()))
        return [line async for line in client.watch("/api/v1/services", "5")]

    return asyncio.run(main())


def test_watch_lines_may_be_split_anywhere_and_hold_any_character() -> None:
    # U+0085 and U+2028 end a line for Unicode, not for JSON; the API server sends the former as it is.
    objects = [{"type": "ADDED", "object": {"n": f"{number} \x85 \u2028 é"}} for number in range(3)]
    data = b"".join(json.dumps(item, ensure_ascii=False).encode() + b"\n" for item in objects)
    for size in (1, 7, len(data)):
        lines = watched([data[at : at + size] for at in range(0, len(data), size)])
        assert [json.loads(bytes(line.object)) for line in lines] == [item["object"] for item in objects]


def test_watch_asks_for_the_right_thing() -> None:
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, content=b"")

    async def main() -> None:
        async for _ in api(handler).watch("/api/v1/services", "5"):
            pass

    asyncio.run(main())
    query = seen[0].url.params
    assert (query["watch"], query["resourceVersion"], query["allowWatchBookmarks"]) == ("true", "5", "true")


@pytest.mark.parametrize("chunk", [b"not json\n", b'{"type": 5}\n'])
def test_stream_that_is_no_watch_is_an_api_error(chunk: bytes) -> None:
    with pytest.raises(ApiError):
        watched([chunk])


def test_list_reads_all_pages() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        if "continue" not in request.url.params:
            return httpx2.Response(
                200, json={"metadata": {"resourceVersion": "9", "continue": "x"}, "items": [{"a": 1}]}
            )
        return httpx2.Response(200, json={"metadata": {"resourceVersion": "9"}, "items": None})

    version, items = asyncio.run(api(handler).list("/api/v1/services"))
    assert version == "9" and [json.loads(bytes(item)) for item in items] == [{"a": 1}]


def test_missing_crd_is_named() -> None:
    with pytest.raises(ApiError, match="ipaddresspools: is its CustomResourceDefinition installed"):
        asyncio.run(api(lambda request: httpx2.Response(404, text="404 page not found")).list("/apis/x/ipaddresspools"))


@pytest.mark.parametrize(
    ("code", "outdated", "gone"), [(409, True, False), (404, True, False), (410, False, True), (500, False, False)]
)
def test_refusals_carry_code_and_message(code: int, outdated: bool, gone: bool) -> None:
    answer = {"kind": "Status", "message": "because", "code": code}
    with pytest.raises(ApiError, match="because") as caught:
        asyncio.run(api(lambda request: httpx2.Response(code, json=answer)).patch("/x", {"a": 1}))
    assert (caught.value.code, caught.value.is_outdated, caught.value.is_gone) == (code, outdated, gone)


def test_patch_is_a_merge_patch() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        assert request.headers["content-type"] == "application/merge-patch+json"
        return httpx2.Response(200, content=request.content)

    assert bytes(asyncio.run(api(handler).patch("/x", {"a": None}))) == b'{"a":null}'


def test_unreachable_server_is_an_api_error_without_code() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    with pytest.raises(ApiError, match=r"cannot be reached.*refused") as caught:
        asyncio.run(api(handler).list("/x"))
    assert caught.value.code == 0


def test_without_any_configuration_the_error_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(ApiError, match="no way to reach the Kubernetes API is configured"):
        KubeApi.connect()


def test_kubeconfig_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(
        "{current-context: a,"
        " clusters: [{name: a, cluster: {server: 'https://10.0.0.1:6443', insecure-skip-tls-verify: true}}],"
        " users: [{name: a, user: {token: t}}], contexts: [{name: a, context: {cluster: a, user: a}}]}"
    )
    monkeypatch.setenv("KUBECONFIG", str(file))

    async def main() -> str:
        connected = KubeApi.connect()
        address = str(connected._client.base_url)
        await connected.close()
        return address

    assert asyncio.run(main()) == "https://10.0.0.1:6443"
