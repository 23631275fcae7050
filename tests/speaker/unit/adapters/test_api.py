# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests and the watch stream, over a transport in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
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
        first, *lines = [line async for line in client.watch("/api/v1/services", "5")]
        assert first is None, "told that the server has accepted"
        return [line for line in lines if line is not None]

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


def test_only_the_version_that_is_known_is_removed() -> None:
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={"kind": "Status", "status": "Success"})

    asyncio.run(api(handler).remove("/x/y", "7"))
    assert (seen[0].method, seen[0].url.path) == ("DELETE", "/x/y")
    assert json.loads(seen[0].content)["preconditions"] == {"resourceVersion": "7"}


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


def test_one_object_is_selected_by_its_name() -> None:
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={"metadata": {"resourceVersion": "9"}, "items": []})

    asyncio.run(api(handler).list("/api/v1/configmaps", only="config"))
    assert seen[0].url.params["fieldSelector"] == "metadata.name=config"


def test_overloaded_server_says_when_to_come_back() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(429, headers={"Retry-After": "7"}, json={"message": "too many requests"})

    with pytest.raises(ApiError) as caught:
        asyncio.run(api(handler).patch("/x", {}))
    assert (caught.value.code, caught.value.retry_after) == (429, 7.0)


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def with_server(serve: Serve, folder: Path, work: Callable[[KubeApi], Awaitable[None]]) -> None:
    """Run `work` with an API made from a kubeconfig that names a server on the loopback and a file with a token."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    config = {
        "current-context": "a",
        "clusters": [{"name": "a", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "a", "user": {"tokenFile": str(folder / "token")}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
    }
    (folder / "kubeconfig").write_text(json.dumps(config))
    connected = KubeApi.connect()
    try:
        async with asyncio.timeout(10):
            await work(connected)
    finally:
        await connected.close()
        server.close()


async def head_of(reader: asyncio.StreamReader) -> str:
    return (await reader.readuntil(b"\r\n\r\n")).decode()


def test_connection_without_a_word_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The peer's kernel answers, so that no TCP timer runs out; only the process behind it is dead."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setattr("lantern.adapters.kube.api._WATCH_TIMEOUT", httpx2.Timeout(0.2))
    (tmp_path / "token").write_text("t")

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    async def work(connected: KubeApi) -> None:
        with pytest.raises(ApiError, match="cannot be reached"):
            async for _ in connected.watch("/api/v1/services", "5"):
                pass

    asyncio.run(with_server(silent, tmp_path, work))


def test_write_that_takes_too_long_is_taken_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its connection is reset, so that it does not reach a server that comes back later."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    (tmp_path / "token").write_text("t")
    ended: list[str] = []

    async def stuck(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        try:
            while await reader.read(4096):
                pass
            ended.append("closed")
        except ConnectionResetError:
            ended.append("reset")
        writer.close()

    async def work(connected: KubeApi) -> None:
        with pytest.raises(ApiError, match="did not answer within 0.2 s"):
            await connected.patch("/x", {}, seconds=0.2)
        while not ended:
            await asyncio.sleep(0.01)

    asyncio.run(with_server(stuck, tmp_path, work))
    assert ended == ["reset"]


def test_token_is_read_anew_when_it_was_rotated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    (tmp_path / "token").write_text("old")
    valid = "old"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await head_of(reader)
            except asyncio.IncompleteReadError:
                break
            status = "200 OK" if f"Bearer {valid}" in head else "401 Unauthorized"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{}}".encode())
            await writer.drain()
        writer.close()

    async def work(connected: KubeApi) -> None:
        nonlocal valid
        assert bytes(await connected.get("/x")) == b"{}"
        valid = "new"
        with pytest.raises(ApiError) as caught:
            await connected.get("/x")
        assert caught.value.code == 401
        (tmp_path / "token").write_text("new")
        assert bytes(await connected.get("/x")) == b"{}"

    asyncio.run(with_server(serve, tmp_path, work))
