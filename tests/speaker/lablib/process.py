# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running `lantern` process with its log and its HTTP port."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import lantern

from lablib.netns import inside

T = TypeVar("T")
SOURCES = Path(lantern.__file__).parent.parent


def eventually(check: Callable[[], T], seconds: float, what: str) -> T:
    """The first true result of `check`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class Lantern:
    """`lantern ARGUMENTS`, perhaps in a network namespace."""

    def __init__(
        self, log: Path, kubeconfig: Path, arguments: Sequence[str], port: int, namespace: str | None = None
    ) -> None:
        self.log_file = log
        self.port = port
        self._namespace = namespace
        # In a namespace it runs as in its container: root without any capability but one.
        confined = ("setpriv", "--bounding-set=-all,+net_raw", "--inh-caps=-all")
        prefix = ("ip", "netns", "exec", namespace, *confined) if namespace else ()
        environ = {**os.environ, "PYTHONPATH": str(SOURCES), "KUBECONFIG": str(kubeconfig)}
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "lantern", *arguments, f"--health-probe-port={port}"],
                env=environ,
                stdout=stream,
                stderr=stream,
            )

    def log(self) -> list[dict[str, Any]]:
        """All lines so far."""
        return [json.loads(line) for line in self.log_file.read_text().splitlines() if line.endswith("}")]

    def said(self, message: str, **values: object) -> bool:
        """Whether a line with this message and these fields was logged."""
        return any(
            line["msg"] == message and all(line.get(key) == value for key, value in values.items())
            for line in self.log()
        )

    def get(self, path: str) -> tuple[int, str]:
        """GET from its own HTTP port; status 0 while it does not listen yet."""

        def fetch() -> tuple[int, str]:
            try:
                answer = httpx2.get(f"http://127.0.0.1:{self.port}{path}", trust_env=False)
            except httpx2.ConnectError:
                return 0, ""
            return answer.status_code, answer.text.strip()

        return inside(self._namespace, fetch) if self._namespace else fetch()

    def memory_mebibytes(self) -> float:
        """Resident set size."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("the process has ended")

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Signal it; exit status and the seconds it took."""
        started = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        return status, time.monotonic() - started


Start = Callable[..., Lantern]
"""Starts a process; see the fixture `start`."""
