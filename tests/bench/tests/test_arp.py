# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions that a real kernel answers, one at a time and many at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks import arp
from pyroute2 import NetNS, netns

ASKER, PEER = "192.0.2.9", "192.0.2.1"
MAC = "02:1a:7e:ff:00:01"
BENCH = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wire() -> Iterator[str]:
    """A network namespace whose eth0 leads to another one, in which the kernel has PEER."""
    near, far = (f"bench-{os.getpid()}-{end}" for end in ("near", "far"))
    netns.create(near)
    netns.create(far)
    try:
        with NetNS(near) as one, NetNS(far) as other:
            one.link("add", ifname="eth0", kind="veth", peer={"ifname": "eth0", "net_ns_fd": far})
            for end, address in ((one, None), (other, PEER)):
                index = end.link_lookup(ifname="eth0")[0]
                if address:
                    end.addr("add", index=index, address=address, prefixlen=24)
                end.link("set", index=index, state="up")
        yield near
    finally:
        netns.remove(near)
        netns.remove(far)


def _load(wire: str, **options: Any) -> dict[str, Any]:
    told = {"interface": "eth0", "mac": MAC, "address": ASKER, **options}
    done = subprocess.run(
        ["ip", "netns", "exec", wire, sys.executable, "-m", "benchmarks.arp_load", json.dumps(told)],
        env={**os.environ, "PYTHONPATH": str(BENCH)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    answered: dict[str, Any] = json.loads(done.stdout)
    return answered


def test_one_question_at_a_time(wire: str) -> None:
    found = _load(wire, groups={"kernel": [PEER], "nobody": ["192.0.2.77"]}, count=2, pause=0)
    assert len(found["kernel"]["seconds"]) == 2
    assert all(0 < seconds < 1 for seconds in found["kernel"]["seconds"])
    assert found["nobody"] == {"seconds": [], "lost": 2}


def test_many_questions_at_once(wire: str) -> None:
    found = _load(wire, addresses=[PEER], seconds=0.3)
    assert found["answers"] > 1000
    assert found["lost"] == 0


def test_questions_without_an_answer_are_counted(wire: str) -> None:
    found = _load(wire, addresses=[PEER, "192.0.2.77"], seconds=0.5)
    assert found["lost"] > 0
    assert found["answers"] > 0


def test_only_a_reply_to_the_asker_is_an_answer() -> None:
    asker, peer = bytes.fromhex("021a7eff0001"), bytes.fromhex("021a7e010002")
    mine, theirs = bytes([192, 0, 2, 9]), bytes([192, 0, 2, 1])
    asked = arp.question(asker, mine, theirs)
    assert len(asked) == arp.FRAME_BYTES
    assert asked[arp.TARGET] == theirs
    assert arp.answer(asked, asker) is None
    reply = asker + peer + asked[12:20] + b"\x00\x02" + peer + theirs + asker + mine
    assert arp.answer(reply, asker) == (theirs, peer)
    assert arp.answer(reply + bytes(18), asker) == (theirs, peer), "Ethernet frames have padding"
    assert arp.answer(reply, peer) is None
    assert arp.answer(reply[:30], asker) is None
