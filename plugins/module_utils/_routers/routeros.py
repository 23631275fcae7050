# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""MikroTik RouterOS 7 through its REST API. PRIVATE, pure. Written from its documentation, not seen on hardware.

A DHCP server hands out the addresses of an IP pool, which is a list of ranges, and of the pools that follow it
(next-pool). Values are strings throughout. The former ranges are kept in the record.
"""

from __future__ import annotations

import re
from typing import Any, Mapping, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange, Problem
from ansible_collections.homelab.lantern.plugins.module_utils._routers.contract import (
    RECORD,
    Files,
    FixedLease,
    HandedOut,
    Lease,
    Outcome,
    ipv4,
    nothing_left,
    remaining,
)
from ansible_collections.homelab.lantern.plugins.module_utils._routers.documents import (
    Request,
    address_range,
    load,
    text,
    with_record,
)

SERVER = "RouterOS"
POOLS, SERVERS, STATIC = "/ip/pool", "/ip/dhcp-server", "/ip/dhcp-server/lease"
READS = {name: Request(f"read {name}", "GET", f"/rest{name}") for name in (POOLS, SERVERS, STATIC)}
LEASES = (READS[STATIC],)


def objection(answer: Any) -> str:
    """Errors come with an HTTP status of their own: {"error": 400, "message": ..., "detail": ...}."""
    if isinstance(answer, dict) and "error" in answer:
        return " ".join(str(answer[key]) for key in ("message", "detail") if answer.get(key))
    return ""


def documents(answers: Mapping[str, Any]) -> dict[str, str]:
    """See module documents. Counters and dynamic leases, which change by themselves, are left out."""
    keep = {
        POOLS: (".id", "name", "ranges", "next-pool"),
        SERVERS: (".id", "name", "address-pool", "disabled"),
        STATIC: (".id", "address", "mac-address", "comment", "dynamic"),
    }
    return {
        name: text(
            [
                {key: row[key] for key in keep[name] if key in row}
                for row in answers[name]
                if name != STATIC or row.get("dynamic") != "true"
            ]
        )
        for name in READS
    }


def checks(after: Files) -> list[Request]:
    """RouterOS has no test run; it checks each value when it is set."""
    return []


def requests(before: Files, after: Files) -> list[Request]:
    """See module documents."""
    old = {row[".id"]: row for row in load(before, POOLS, [])}
    return [
        Request(f"set pool {row['name']}", "PATCH", f"/rest{POOLS}/{row['.id']}", {"ranges": row["ranges"]})
        for row in load(after, POOLS, [])
        if row["ranges"] != old.get(row[".id"], {}).get("ranges")
    ]


def _used(files: Files) -> list[str]:
    """Names of the pools that a DHCP server hands out addresses from."""
    following = {row["name"]: row.get("next-pool", "none") for row in load(files, POOLS, [])}
    found: list[str] = []
    for server in load(files, SERVERS, []):
        name = server.get("address-pool", "static-only") if server.get("disabled") != "true" else "static-only"
        while name in following and name not in found:
            found.append(name)
            name = following[name]
    return found


def _ranges(row: Mapping[str, str]) -> list[AddressRange]:
    parsed = [address_range(part.strip()) for part in row.get("ranges", "").split(",") if part.strip()]
    return [item for item in parsed if item is not None]


def handed_out(files: Files) -> HandedOut:
    """The ranges of every pool that a DHCP server uses."""
    used = _used(files)
    return [
        (f"{POOLS} {row['name']}", item)
        for row in load(files, POOLS, [])
        if row["name"] in used
        for item in _ranges(row)
    ]


def release(files: Files) -> dict[str, str]:
    """See contract.Driver. Ranges that somebody else changed since then stay as they are."""
    pools, record = load(files, POOLS, []), load(files, RECORD, {})
    for row in pools:
        known = record.get(row[".id"])
        if known and row["ranges"] == known["made"]:
            row["ranges"] = known["was"]
    return with_record({**files, POOLS: text(pools)}, None)


def reserve(files: Files, reserved: Sequence[AddressRange], lan: AddressRange | None = None) -> Outcome:
    """See contract.Driver."""
    originals = release(files)
    used, pools = _used(originals), load(originals, POOLS, [])
    record: dict[str, dict[str, str]] = {}
    problems: list[Problem] = []
    for row in pools:
        ranges = _ranges(row)
        rest = [part for item in ranges for part in remaining(item, reserved)]
        if row["name"] not in used or rest == ranges:
            continue
        if not rest:
            message = (
                '{0}: the pools take all of the IP pool "{1}" ({2}), and RouterOS has no empty one. '
                "Make the pools smaller, or give the DHCP server another address-pool."
            )
            where = f"{POOLS} {row['name']}"
            problems.append(Problem("nothing-left", where, message.format(where, row["name"], row["ranges"])))
            continue
        new = ",".join(str(part) if part.size > 1 else str(part.first_address) for part in rest)
        record[row[".id"]] = {"was": row["ranges"], "made": new}
        row["ranges"] = new
    result = with_record({**originals, POOLS: text(pools)}, record)
    before, after = ([item for _where, item in handed_out(state)] for state in (originals, result))
    return Outcome(result, problems or nothing_left(before, after, lan, SERVER), [])


def fixed_leases(files: Files) -> list[FixedLease]:
    """The static leases."""
    found = []
    for row in load(files, STATIC, []):
        address = ipv4(row.get("address", ""))
        if address is not None:
            found.append(FixedLease(STATIC, row.get("comment") or row.get("mac-address") or row[".id"], address))
    return found


def leases(answer: Any, now: float) -> list[Lease]:
    """The dynamic leases that are bound; static ones are fixed_leases."""
    found = []
    for row in answer or []:
        address = ipv4(row.get("active-address") or row.get("address", ""))
        if address is not None and row.get("dynamic") == "true" and row.get("status", "bound") == "bound":
            expiry = int(now) + _seconds(row["expires-after"]) if row.get("expires-after") else 0
            found.append(Lease(address, row.get("mac-address", ""), row.get("host-name", ""), expiry))
    return found


def _seconds(duration: str) -> int:
    """A duration as RouterOS writes it, such as "1d2h3m4s"."""
    units = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([wdhms])", duration))
