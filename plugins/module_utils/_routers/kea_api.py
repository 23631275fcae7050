# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kea through its control agent (or the HTTP socket that Kea 2.7 and later have themselves). PRIVATE, pure.

Commands are POSTed as JSON (Administrator Reference Manual, chapter "Kea Control Agent"). The original pools of a
subnet are kept in its user-context, which Kea hands through and writes into its file; comments would not survive that.
"""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange
from ansible_collections.homelab.lantern.plugins.module_utils._routers import kea
from ansible_collections.homelab.lantern.plugins.module_utils._routers.contract import (
    Files,
    FixedLease,
    HandedOut,
    Lease,
    Outcome,
    gone_warning,
    ipv4,
    nothing_left,
    remaining,
)
from ansible_collections.homelab.lantern.plugins.module_utils._routers.documents import Request, load, text

CONFIG = "Dhcp4"


def _command(name: str, arguments: Any = None) -> Request:
    body: dict[str, Any] = {"command": name, "service": ["dhcp4"]}
    if arguments is not None:
        body["arguments"] = arguments
    return Request(name, "POST", "/", body)


READS = {CONFIG: _command("config-get")}
LEASES = (_command("lease4-get-all"),)


def _answer(answer: Any) -> Mapping[str, Any]:
    """One server's part: the agent answers with a list, one entry for each service; a server by itself without."""
    first = answer[0] if isinstance(answer, list) and answer else answer
    return first if isinstance(first, dict) else {}


def objection(answer: Any) -> str:
    """Result 0 is success, 3 that there was nothing to do or find."""
    first = _answer(answer)
    return "" if first.get("result") in (0, 3) else str(first.get("text") or first or "an answer without result")


def documents(answers: Mapping[str, Any]) -> dict[str, str]:
    """See module documents."""
    arguments = _answer(answers[CONFIG]).get("arguments") or {}
    return {CONFIG: text(arguments.get("Dhcp4") or {})}


def checks(after: Files) -> list[Request]:
    """See module documents."""
    return [_command("config-test", {"Dhcp4": load(after, CONFIG, {})})]


def requests(before: Files, after: Files) -> list[Request]:
    """See module documents."""
    if before.get(CONFIG) == after.get(CONFIG):
        return []
    return [_command("config-set", {"Dhcp4": load(after, CONFIG, {})}), _command("config-write")]


def _subnets(dhcp4: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from dhcp4.get("subnet4") or []
    for network in dhcp4.get("shared-networks") or []:
        yield from network.get("subnet4") or []


def handed_out(files: Files) -> HandedOut:
    """Every pool of every subnet."""
    return [
        (f"subnet {subnet.get('subnet')}", addresses)
        for subnet in _subnets(load(files, CONFIG, {}))
        for pool in subnet.get("pools") or []
        for addresses in [kea.pool_range(str(pool.get("pool")))]
        if addresses is not None
    ]


def release(files: Files) -> dict[str, str]:
    """See contract.Driver. Pools that somebody else changed since then stay as they are."""
    dhcp4 = load(files, CONFIG, {})
    for subnet in _subnets(dhcp4):
        context = subnet.get("user-context") or {}
        record = context.pop("lantern", None)
        if not isinstance(record, dict):
            continue
        if subnet.get("pools") == record.get("made"):
            subnet["pools"] = record.get("was") or []
        if not context:
            del subnet["user-context"]
    return {**files, CONFIG: text(dhcp4)}


def reserve(files: Files, reserved: Sequence[AddressRange], lan: AddressRange | None = None) -> Outcome:
    """See contract.Driver."""
    originals = release(files)
    dhcp4 = load(originals, CONFIG, {})
    warnings: list[str] = []
    for subnet in _subnets(dhcp4):
        was = subnet.get("pools") or []
        made: list[dict[str, Any]] = []
        for pool in was:
            addresses = kea.pool_range(str(pool.get("pool")))
            rest = [] if addresses is None else remaining(addresses, reserved)
            if addresses is None or rest == [addresses]:
                made.append(pool)
                continue
            made += [{**pool, "pool": str(part)} for part in rest]
            if not rest:
                warnings.append(gone_warning(f"subnet {subnet.get('subnet')}", addresses))
        if made != was:
            subnet["pools"] = made
            subnet["user-context"] = {**(subnet.get("user-context") or {}), "lantern": {"was": was, "made": made}}
    result = {**originals, CONFIG: text(dhcp4)}
    before, after = ([item for _where, item in handed_out(state)] for state in (originals, result))
    return Outcome(result, nothing_left(before, after, lan, kea.SERVER), warnings)


def fixed_leases(files: Files) -> list[FixedLease]:
    """Host reservations in the configuration; those in a database are not seen."""
    dhcp4 = load(files, CONFIG, {})
    found = [kea.fixed_lease(item, "reservations") for item in dhcp4.get("reservations") or []]
    for subnet in _subnets(dhcp4):
        where = f"subnet {subnet.get('subnet')}"
        found += [kea.fixed_lease(item, where) for item in subnet.get("reservations") or []]
    return [item for item in found if item is not None]


def leases(answer: Any, now: float) -> list[Lease]:
    """The leases in the answer to lease4-get-all."""
    found = []
    for item in (_answer(answer).get("arguments") or {}).get("leases") or []:
        address = ipv4(str(item.get("ip-address")))
        lifetime = int(item.get("valid-lft") or 0)
        expiry = 0 if lifetime == 0xFFFFFFFF else int(item.get("cltt") or 0) + lifetime
        if address is not None and item.get("state") in (0, 1) and (expiry == 0 or expiry > now):
            name = str(item.get("hostname") or "").rstrip(".")
            found.append(Lease(address, str(item.get("hw-address") or ""), name, expiry))
    return found
