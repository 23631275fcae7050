# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""People at the LAN's client who use pages while something happens to the cluster."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator

from conftest import PROJECT, Home

# Asks for one page after the other until it is told to stop, and tells what came of it.
ASKING = """
import json, sys, threading, time, urllib.request
over, told = threading.Event(), {}
def ask(address):
    asked = failed = 0
    longest, last = 0.0, time.monotonic()
    while not over.is_set():
        asked += 1
        try:
            urllib.request.urlopen(f"http://{address}/", timeout=1).read()
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        except OSError:
            failed += 1
        time.sleep(0.05)
    told[address] = {"asked": asked, "failed": failed, "longest": longest}
threads = [threading.Thread(target=ask, args=[address]) for address in sys.argv[1:]]
for thread in threads:
    thread.start()
print("asking", flush=True)
sys.stdin.readline()
over.set()
for thread in threads:
    thread.join()
print(json.dumps(told))
"""


@contextlib.contextmanager
def asking(home: Home, addresses: list[str]) -> Iterator[dict[str, dict[str, float]]]:
    """Filled when the body is over: what became of the pages of each address."""
    told: dict[str, dict[str, float]] = {}
    command = [f"{PROJECT}/tests/lab/lab", "exec", "client", "--", "python3", "-c", ASKING, *addresses]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=home.environment, text=True, stdin=pipe, stdout=pipe) as client:
        assert client.stdout is not None and client.stdout.readline() == "asking\n"
        try:
            yield told
        finally:
            told.update(json.loads(client.communicate("stop\n")[0]))
