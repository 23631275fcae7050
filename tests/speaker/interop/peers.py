# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real peers as processes, our own as sockets in this process; all on addresses of the loopback network."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lablib.netns import CLIENT_ADDRESS, NODE_ADDRESS, Lan, inside, ip
from lantern.adapters.gossip_net import GossipNet
from lantern.gossip import effects
from lantern.gossip.config import GossipConfig, Security
from lantern.gossip.endpoint import Endpoint

SERF = shutil.which("serf")
ALERTMANAGER = shutil.which("prometheus-alertmanager")
PORT = 7946
# What serf asks of the delegate versions of everybody in its cluster.
SERF_VERSIONS = (2, 5, 4)

_hosts = itertools.count(2)


def fresh_host() -> str:
    """A loopback address that no other process of these tests uses."""
    return f"127.{64 + os.getpid() % 128}.{os.getpid() // 128 % 250 + 1}.{next(_hosts)}"


def raw(host: str) -> bytes:
    return bytes(int(part) for part in host.split("."))


async def until(check: Callable[[], object], seconds: float, what: str) -> float:
    """Wait for something to hold; how long it took."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    while not check():
        if loop.time() - begin > seconds:
            raise AssertionError(f"not within {seconds} s: {what}")
        await asyncio.sleep(0.02)
    return loop.time() - begin


def cut(lan: Lan) -> None:
    """Part the namespaces by neighbour entries that lead nowhere: what is sent is lost, without any error."""
    for place, other in _ways(lan):
        ip("-n", place, "neighbour", "replace", other, "lladdr", "02:00:00:00:00:99", "nud", "permanent", "dev", "eth0")


def mend(lan: Lan) -> None:
    """Undo `cut`."""
    for place, other in _ways(lan):
        ip("-n", place, "neighbour", "delete", other, "dev", "eth0")


def _ways(lan: Lan) -> tuple[tuple[str, str], ...]:
    return (lan.client, NODE_ADDRESS), (lan.node, CLIENT_ADDRESS)


class Ours:
    """A Lantern node with everything it has learned."""

    def __init__(
        self, name: str, *, host: str | None = None, key: bytes | None = None, label: bytes = b"", **settings: Any
    ) -> None:
        self.host = host or fresh_host()
        self.name = name
        self.events: list[effects.Event] = []
        security = Security(keys=(key,) if key else (), label=label)
        config = GossipConfig(name=name, address=raw(self.host), security=security, **settings)
        self.net = GossipNet(config, random.SystemRandom(), self.events.append)

    async def __aenter__(self) -> Ours:
        await self.net.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.net.__aexit__(None, None, None)

    def join(self, *hosts: str) -> None:
        self.net.set_seeds(Endpoint(host, PORT) for host in hosts)

    def present(self) -> set[str]:
        return {member.name for member in self.net.node.members if member.present}

    def saw(self, kind: type[effects.Event], name: str | None = None) -> bool:
        return any(
            isinstance(event, kind) and (name is None or getattr(event, "member").name == name)  # noqa: B009
            for event in self.events
        )

    def drops(self) -> set[str]:
        return {event.reason.value for event in self.events if isinstance(event, effects.Dropped)}


class _Process:
    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.log_file = log
        with log.open("ab") as stream:
            self.process = subprocess.Popen(command, stdout=stream, stderr=stream)

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(10)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()


class Serf(_Process):
    """A serf agent; `prefix` runs it elsewhere, such as in a network namespace."""

    def __init__(
        self,
        name: str,
        folder: Path,
        *options: str,
        host: str | None = None,
        key: bytes | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self.host = host or fresh_host()
        self.name = name
        self._prefix = tuple(prefix)
        self._rpc = f"-rpc-addr={self.host}:7373"
        encrypted = (f"-encrypt={base64.b64encode(key).decode()}",) if key else ()
        super().__init__(
            [*prefix, "serf", "agent", f"-node={name}", f"-bind={self.host}:{PORT}", self._rpc, "-log-level=debug",
             *encrypted, *options],
            folder / f"{self.host}.log",
        )  # fmt: skip

    async def run(self, *arguments: str) -> str:
        """A serf command against this agent; its output."""
        process = await asyncio.create_subprocess_exec(
            *self._prefix, "serf", arguments[0], self._rpc, *arguments[1:],
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        return output.decode()

    async def ready(self) -> None:
        await until(lambda: "agent: Serf agent starting" in self.log(), 10, "serf starts")
        for _ in range(200):
            if self.name in await self.members():
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"serf does not answer: {self.log()}")

    async def members(self) -> dict[str, str]:
        """Status by name, as `serf members` shows it."""
        output = await self.run("members", "-format=json")
        if not output.startswith("{"):
            return {}
        return {member["name"]: member["status"] for member in json.loads(output)["members"]}

    async def shows(self, name: str, status: str | None, seconds: float) -> float:
        """Wait until it shows a member so, None for not at all."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        while (await self.members()).get(name) != status:
            if loop.time() - begin > seconds:
                raise AssertionError(f"{name} is not {status} within {seconds} s: {await self.members()}")
            await asyncio.sleep(0.05)
        return loop.time() - begin


class Alertmanager(_Process):
    """An alertmanager; its names in the cluster are random. `namespace`: it runs in that network namespace."""

    def __init__(
        self, folder: Path, *options: str, peers: Sequence[str] = (), host: str | None = None, namespace: str = ""
    ) -> None:
        self.host = host or fresh_host()
        self._namespace = namespace
        configuration = folder / f"{self.host}.yml"
        configuration.write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
        super().__init__(
            [
                *(("ip", "netns", "exec", namespace) if namespace else ()),
                "prometheus-alertmanager",
                f"--config.file={configuration}",
                f"--storage.path={folder / self.host}",
                f"--web.listen-address={self.host}:9093",
                f"--cluster.listen-address={self.host}:{PORT}",
                "--log.level=debug",
                *(f"--cluster.peer={peer}:{PORT}" for peer in peers),
                *options,
            ],
            folder / f"{self.host}.log",
        )

    def peers(self) -> dict[str, str]:
        """Names by address, as its status page shows its cluster; empty while it does not answer."""
        found = inside(self._namespace, self._status) if self._namespace else self._status()
        return {peer["address"].rsplit(":", 1)[0]: peer["name"] for peer in found}

    def _status(self) -> list[dict[str, str]]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://{self.host}:9093/api/v2/status", timeout=5) as answer:
                return list(json.load(answer)["cluster"].get("peers", []))
        except OSError:
            return []
