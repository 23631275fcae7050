#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: request_series
short_description: Ask a Service many times a second, and tell for how long it did not answer
version_added: 0.1.0
description:
  - Opens a new connection for each request, whether or not earlier ones have been answered.
  - Ends when the file O(while_exists) is gone, so that a play can run it with C(async) while it does something to the
    home. See role P(homelab.lantern.failover#role).
author:
  - Lantern contributors (@homelab-lantern)
attributes:
  check_mode:
    description: Asks once only.
    support: full
  diff_mode:
    description: Nothing is changed.
    support: none
options:
  address:
    description: The address to ask.
    type: str
    required: true
  port:
    description: The TCP port to ask.
    type: int
    default: 80
  http:
    description: Whether an answer to C(GET /) is needed; otherwise a connection is enough.
    type: bool
    default: true
  rate:
    description: Requests a second.
    type: int
    default: 100
  answer_seconds:
    description: How long an answer may take until the request counts as lost.
    type: float
    default: 0.5
  while_exists:
    description: Go on as long as this file exists.
    type: path
    required: true
  timeout:
    description: Seconds after which it ends in any case.
    type: int
    default: 300
notes:
  - It needs no root, and nothing besides Python.
"""

EXAMPLES = r"""
---
- name: Ask while something happens
  homelab.lantern.request_series:
    address: 192.168.2.128
    while_exists: /tmp/asking
  async: 330
  poll: 0
  register: asking
"""

RETURN = r"""
requests:
  description: How many requests were made.
  returned: always
  type: int
lost:
  description: How many of them were not answered in time.
  returned: always
  type: int
longest_gap:
  description:
    - Milliseconds of the longest time without an answered request, from the last one before to the first one after it;
      less than the time between two requests counts as 0.
  returned: always
  type: float
gaps:
  description: Every such time, with C(after) (milliseconds since the first request), C(gap) and C(lost).
  returned: always
  type: list
  elements: dict
median:
  description: Milliseconds that half of the answers took at most.
  returned: always
  type: float
late:
  description: Milliseconds by which this host was late at most to send a request; a gap cannot be known more exactly.
  returned: always
  type: float
"""

import asyncio
import os
import statistics
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils._wire import gaps

WATCH_SECONDS = 0.2


async def ask(address: str, port: int, http: bool) -> bool:
    """One request on a connection of its own."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        if not http:
            return True
        writer.write(f"GET / HTTP/1.0\r\nHost: {address}\r\nUser-Agent: lantern-failover\r\n\r\n".encode())
        words = (await reader.readline()).split()
        return len(words) > 1 and words[0].startswith(b"HTTP/") and words[1] < b"500"
    finally:
        writer.close()


async def request(options: dict[str, t.Any], started: float, answers: list[gaps.Request]) -> None:
    """Ask once and write down what came of it."""
    sent = time.monotonic()
    try:
        good = await asyncio.wait_for(
            ask(options["address"], options["port"], options["http"]), options["answer_seconds"]
        )
    except (OSError, asyncio.TimeoutError):
        good = False
    answers.append(gaps.Request(sent - started, good, time.monotonic() - sent))


async def series(options: dict[str, t.Any], once: bool) -> tuple[list[gaps.Request], float]:
    """All requests in the order they were sent, and by how much one was late at most."""
    answers: list[gaps.Request] = []
    pending: set[asyncio.Task[None]] = set()
    started = checked = time.monotonic()
    late, number = 0.0, 0
    while True:
        now = time.monotonic()
        if now - checked > WATCH_SECONDS:
            checked = now
            if not os.path.exists(options["while_exists"]) or now - started > options["timeout"]:
                break
        task = asyncio.ensure_future(request(options, started, answers))
        pending.add(task)
        task.add_done_callback(pending.discard)
        number += 1
        if once:
            break
        due = started + number / options["rate"]
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        late = max(late, time.monotonic() - due)
    if pending:
        await asyncio.wait(pending)
    return sorted(answers), late


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "default": 80},
            "http": {"type": "bool", "default": True},
            "rate": {"type": "int", "default": 100},
            "answer_seconds": {"type": "float", "default": 0.5},
            "while_exists": {"type": "path", "required": True},
            "timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    options = module.params
    if options["rate"] < 1:
        module.fail_json(msg=f"rate is {options['rate']}, but at least 1 request a second is needed.")
    answers, late = asyncio.run(series(options, module.check_mode))
    found = gaps.find(answers, 1 / options["rate"])
    took = [one.seconds * 1000 for one in answers if one.good]
    module.exit_json(
        changed=False,
        requests=len(answers),
        lost=sum(not one.good for one in answers),
        longest_gap=max((one["gap"] for one in found), default=0.0),
        gaps=found,
        median=round(statistics.median(took), 2) if took else 0.0,
        late=round(late * 1000, 1),
    )


if __name__ == "__main__":
    main()
