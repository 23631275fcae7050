# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that announces by layer 2 in a namespace, told what to do line by line."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lablib.process import SOURCES

# Reads JSON lines: {"claims": {ADDRESS: [INTERFACE…] or null}, "fresh": […], "forced": […]}, {"ask": ADDRESS} or
# {"metrics": true}; writes JSON lines about what it finds. Exclusions as in a container: veth… is not for the LAN.
_PROGRAM = """
import asyncio, ipaddress, json, sys
from prometheus_client import CollectorRegistry, generate_latest
from lantern.adapters.links import exclusion, scan
from lantern.adapters.rtnetlink import LinkEvents
from lantern.announce.layer2 import Layer2Announcer
from lantern.l2.announcing import Options
from lantern.metrics import SpeakerMetrics

def say(**more):
    print(json.dumps(more), flush=True)

def tell(report):
    more = {} if not hasattr(report, "mac") else {"mac": report.mac.hex(":"), "interface": report.interface}
    say(report=type(report).__name__, ip=str(report.address), **more)

async def main():
    given = json.loads(sys.argv[1])
    cluster = {bytes.fromhex(mac.replace(":", "")) for mac in given["cluster_macs"]}
    registry = CollectorRegistry()
    announcer = Layer2Announcer(SpeakerMetrics(registry), Options(**given["options"]),
                                answer_ping=given["answer_ping"], is_cluster_mac=cluster.__contains__, tell=tell)
    excluded = exclusion()
    events = LinkEvents()
    announcer.set_links(scan(excluded))
    async def watch():
        while True:
            await events.wait(1.0)
            announcer.set_links(scan(excluded))
            say(interfaces=sorted(announcer.interfaces))
    task = asyncio.create_task(watch())
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    say(ready=sorted(announcer.interfaces))
    while line := await reader.readline():
        order = json.loads(line)
        if "claims" in order:
            named = {ipaddress.ip_address(a): None if i is None else frozenset(i) for a, i in order["claims"].items()}
            sets = {key: {ipaddress.ip_address(a) for a in order.get(key, ())} for key in ("fresh", "forced")}
            announcer.apply(named, **sets)
            say(applied=len(named))
        elif "ask" in order:
            address = ipaddress.ip_address(order["ask"])
            found = await announcer.who_has({address: None}, order["seconds"])
            say(answered=[mac.hex(":") for mac in found[address]])
        else:
            say(metrics=generate_latest(registry).decode())
    task.cancel()
    announcer.close()
    events.close()

asyncio.run(main())
"""

Claims = Mapping[str, list[str] | None]


class Announcer:
    """The process. What it says is read by `hear`."""

    def __init__(self, namespace: str, **settings: Any) -> None:
        given = {"options": {}, "answer_ping": True, "cluster_macs": [], **settings}
        # Root without any capability but the one that the speaker's container has.
        confined = ("setpriv", "--bounding-set=-all,+net_raw", "--inh-caps=-all")
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", namespace, *confined, sys.executable, "-c", _PROGRAM, json.dumps(given)],
            env={**os.environ, "PYTHONPATH": str(SOURCES)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._unread = b""
        self._said: list[dict[str, Any]] = []

    def apply(self, *claims: str, fresh: bool = False, forced: bool = False) -> None:
        """Claim exactly these addresses, on all interfaces; `fresh` and `forced` are about all of them."""
        self.claim(dict.fromkeys(claims), fresh=list(claims) if fresh else [], forced=list(claims) if forced else [])

    def claim(self, claims: Claims, **more: Any) -> None:
        """Claim exactly these, each on the interfaces listed (None: all)."""
        self._order(claims=claims, **more)
        self.hear("applied")

    def ask(self, address: str, seconds: float = 0.3) -> list[str]:
        """The MAC addresses of who answers for an address."""
        self._order(ask=address, seconds=seconds)
        found: list[str] = self.hear("answered", seconds + 5)["answered"]
        return found

    def metrics(self) -> str:
        """The text of /metrics."""
        self._order(metrics=True)
        return str(self.hear("metrics")["metrics"])

    def hear(self, key: str, seconds: float = 10.0) -> dict[str, Any]:
        """The next thing said that has this key; what has another one is kept for later."""
        found = self.hears(key, seconds)
        assert found is not None, f"said nothing about {key} within {seconds} s, only {self._said}"
        return found

    def hears(self, key: str, seconds: float) -> dict[str, Any] | None:
        """The same; None when it is not said in time."""
        deadline = time.monotonic() + seconds
        while True:
            for said in self._said:
                if key in said:
                    self._said.remove(said)
                    return said
            if not self._read(deadline - time.monotonic()):
                return None

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()

    def _order(self, **order: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()

    def _read(self, seconds: float) -> bool:
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], max(0.0, seconds))[0]:
            return False
        data = os.read(self.process.stdout.fileno(), 65536)
        assert data, "the announcer has ended"
        *lines, self._unread = (self._unread + data).split(b"\n")
        self._said += [json.loads(line) for line in lines]
        return True


@contextmanager
def announcing(namespace: str, *claims: str, **settings: Any) -> Iterator[Announcer]:
    """An announcer that has begun to announce these addresses on all interfaces."""
    made = Announcer(namespace, **settings)
    try:
        made.hear("ready")
        made.apply(*claims)
        yield made
    finally:
        made.close()
