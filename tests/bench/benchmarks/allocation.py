# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lantern's part of the row about one address out of a nearly full /16; a program that needs `lantern` importable.

`lantern.core` decides everything in one pass over all Services. What one more address costs within a pass is told by
passes that differ in how many Services are new; the pass itself is a figure of its own. Prints one object with the
seconds of each run.
"""

from __future__ import annotations

import gc
import ipaddress
import json
import statistics
import sys
import time

from lantern.core.allocate import plan
from lantern.core.model import PoolSpec, Service, ServiceKey, Snapshot
from lantern.pools import Pool

USED = 60_000
FEW, MANY = 500, 4_500
PAIRS = 7
"""Passes of which the median difference counts: a single one may be shorter than what else the machine does."""
_BASE = ipaddress.IPv4Address("10.0.0.0")
_POOL = PoolSpec(pool=Pool(name="default", addresses=("10.0.0.0/16",)))


def _service(number: int, *, has_address: bool) -> Service:
    return Service(
        key=ServiceKey("bench", f"s{number:05}"),
        uid=str(number),
        resource_version=str(number),
        created=f"2026-01-01T00:00:{number:05}Z",
        annotations={"metallb.io/ip-allocated-from-pool": "default"} if has_address else {},
        addresses=(_BASE + number,) if has_address else (),
        ports=(("TCP", 80),),
    )


def _seconds(present: tuple[Service, ...], new: int) -> float:
    """How long a pass takes in which `new` Services get an address."""
    services = (*present, *(_service(USED + number, has_address=False) for number in range(new)))
    snapshot = Snapshot(pools=(_POOL,), services=services, namespaces={"bench": {}})
    gc.collect()
    gc.disable()  # as timeit does: a collection in one of two passes would be all that is seen
    try:
        started = time.perf_counter()
        decided = plan(snapshot)
        elapsed = time.perf_counter() - started
    finally:
        gc.enable()
    assigned = {address for item in decided.assign for address in item.addresses}
    if len(assigned) != new or len(decided.keep) != USED:
        raise SystemExit(f"the plan gives {len(assigned)} addresses instead of {new}: there is nothing to measure")
    return elapsed


def main(runs: int) -> dict[str, list[float]]:
    present = tuple(_service(number, has_address=True) for number in range(USED))
    _seconds(present, 1)
    result: dict[str, list[float]] = {"pass": [], "address": []}
    for _ in range(runs):
        result["pass"].append(_seconds(present, 1))
        differences = [_seconds(present, MANY) - _seconds(present, FEW) for _ in range(PAIRS)]
        found = statistics.median(differences) / (MANY - FEW)
        if found <= 0:
            raise SystemExit("more addresses took no longer than fewer: the machine is too busy to measure that")
        result["address"].append(found)
    return result


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
