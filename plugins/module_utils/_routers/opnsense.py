# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""OPNsense through its HTTP API, with dnsmasq or Kea as DHCP server. PRIVATE, pure.

Written from its documentation (docs.opnsense.org, "Core API") and its model files, not seen on hardware. Both servers
are looked at and changed, as OPNsense lets either run. Ranges of dnsmasq are rows, further parts are further rows; a
subnet of Kea has its pools in one field, one on a line.
"""

from __future__ import annotations

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

SERVER = "OPNsense"
RANGES, HOSTS = "dnsmasq ranges", "dnsmasq hosts"
SUBNETS, RESERVATIONS = "kea subnets", "kea reservations"
READS = {
    RANGES: Request("read dnsmasq's ranges", "GET", "/api/dnsmasq/settings/searchRange"),
    HOSTS: Request("read dnsmasq's hosts", "GET", "/api/dnsmasq/settings/searchHost"),
    SUBNETS: Request("read Kea's subnets", "GET", "/api/kea/dhcpv4/searchSubnet"),
    RESERVATIONS: Request("read Kea's reservations", "GET", "/api/kea/dhcpv4/searchReservation"),
}
LEASES = (
    Request("read dnsmasq's leases", "GET", "/api/dnsmasq/leases/search"),
    Request("read Kea's leases", "GET", "/api/kea/leases4/search"),
)
# What a further range has in common with the one it was cut from (OPNsense/Dnsmasq/Dnsmasq.xml, dhcp_ranges).
COPIED = ("interface", "set_tag", "subnet_mask", "lease_time", "domain_type", "domain", "nosync")
DESCRIPTION = "made by Lantern"


def objection(answer: Any) -> str:
    """Refused values come with HTTP status 200: {"result": "failed", "validations": {field: text}}."""
    if isinstance(answer, dict) and answer.get("result") == "failed":
        return "; ".join(
            f"{key}: {value}" for key, value in (answer.get("validations") or {"result": "failed"}).items()
        )
    return ""


def documents(answers: Mapping[str, Any]) -> dict[str, str]:
    """See module documents."""
    keep = {
        RANGES: ("uuid", "start_addr", "end_addr", "mode", "description", *COPIED),
        HOSTS: ("uuid", "host", "ip", "hwaddr"),
        SUBNETS: ("uuid", "subnet", "pools"),
        RESERVATIONS: ("uuid", "hostname", "ip_address", "hw_address"),
    }
    return {
        name: text([{key: row[key] for key in keep[name] if key in row} for row in answers[name].get("rows") or []])
        for name in READS
    }


def checks(after: Files) -> list[Request]:
    """OPNsense validates each row when it is set, and nothing is taken over before the service is reconfigured."""
    return []


def requests(before: Files, after: Files) -> list[Request]:
    """See module documents."""
    found: list[Request] = []
    old, new = load(before, RANGES, []), load(after, RANGES, [])
    known = {row.get("uuid"): row for row in old if row.get("uuid")}
    for row in (item for item in new if item not in old):
        former = known.get(row.get("uuid"))
        if former is None:
            body = {key: value for key, value in row.items() if key != "uuid"}
            found.append(Request("add a range", "POST", "/api/dnsmasq/settings/addRange", {"range": body}))
        else:
            body = {key: value for key, value in row.items() if former.get(key) != value}
            path = f"/api/dnsmasq/settings/setRange/{row['uuid']}"
            found.append(Request(f"change the range {former['start_addr']}", "POST", path, {"range": body}))
    kept = {row.get("uuid") for row in new}
    for uuid, row in known.items():
        if uuid not in kept:
            path = f"/api/dnsmasq/settings/delRange/{uuid}"
            found.append(Request(f"delete the range {row['start_addr']}", "POST", path, {}))
    if found:
        found.append(Request("take over dnsmasq's settings", "POST", "/api/dnsmasq/service/reconfigure", {}))
    subnets = {row["uuid"]: row for row in load(before, SUBNETS, [])}
    moved = [row for row in load(after, SUBNETS, []) if subnets.get(row["uuid"], row)["pools"] != row["pools"]]
    for row in moved:
        path = f"/api/kea/dhcpv4/setSubnet/{row['uuid']}"
        found.append(Request(f"change the subnet {row['subnet']}", "POST", path, {"subnet4": {"pools": row["pools"]}}))
    if moved:
        found.append(Request("take over Kea's settings", "POST", "/api/kea/service/reconfigure", {}))
    return found


def _range(row: Mapping[str, Any]) -> AddressRange | None:
    """The addresses of a range of dnsmasq; None for IPv6 and the mode static."""
    if "static" in str(row.get("mode") or "") or not row.get("end_addr"):
        return None
    return address_range(str(row.get("start_addr") or ""), str(row["end_addr"]))


def _pools(row: Mapping[str, Any]) -> list[AddressRange]:
    parsed = [address_range(line.strip()) for line in str(row.get("pools") or "").split("\n") if line.strip()]
    return [item for item in parsed if item is not None]


def handed_out(files: Files) -> HandedOut:
    """The ranges of dnsmasq and the pools of Kea."""
    found = [(RANGES, item) for item in map(_range, load(files, RANGES, [])) if item is not None]
    return found + [(f"{SUBNETS} {row['subnet']}", item) for row in load(files, SUBNETS, []) for item in _pools(row)]


def release(files: Files) -> dict[str, str]:
    """See contract.Driver. What somebody else changed since then stays as it is."""
    record = load(files, RECORD, {})
    rows, subnets = load(files, RANGES, []), load(files, SUBNETS, [])
    made = [tuple(pair) for pair in record.get("made", [])]
    rows = [row for row in rows if (row.get("start_addr"), row.get("end_addr")) not in made or not _is_made(row)]
    for row in rows:
        known = record.get("ranges", {}).get(row.get("uuid"))
        if known and [row["start_addr"], row["end_addr"]] == known["made"]:
            row["start_addr"], row["end_addr"] = known["was"]
    for row in subnets:
        known = record.get("subnets", {}).get(row["uuid"])
        if known and row["pools"] == known["made"]:
            row["pools"] = known["was"]
    return with_record({**files, RANGES: text(rows), SUBNETS: text(subnets)}, None)


def _is_made(row: Mapping[str, Any]) -> bool:
    return row.get("description") == DESCRIPTION


def reserve(files: Files, reserved: Sequence[AddressRange], lan: AddressRange | None = None) -> Outcome:
    """See contract.Driver."""
    originals = release(files)
    present = {(row.get("start_addr"), row.get("end_addr")): row for row in load(files, RANGES, []) if _is_made(row)}
    record: dict[str, Any] = {"ranges": {}, "subnets": {}, "made": []}
    problems: list[Problem] = []
    rows: list[dict[str, Any]] = []
    for row in load(originals, RANGES, []):
        addresses = _range(row)
        rest = [] if addresses is None else remaining(addresses, reserved)
        rows.append(row)
        if addresses is None or rest == [addresses]:
            continue
        was = [row["start_addr"], row["end_addr"]]
        if not rest:
            # Deleted and made anew on release it would come back with another uuid, and without what is not known here.
            message = "{0}: all of {1} lies in the pools. Delete this range in OPNsense, or move the pool."
            problems.append(Problem("whole-range", RANGES, message.format(RANGES, addresses)))
            continue
        row["start_addr"], row["end_addr"] = str(rest[0].first_address), str(rest[0].last_address)
        record["ranges"][row["uuid"]] = {"was": was, "made": [row["start_addr"], row["end_addr"]]}
        for part in rest[1:]:
            pair = (str(part.first_address), str(part.last_address))
            new = {key: row[key] for key in COPIED if key in row}
            new.update(start_addr=pair[0], end_addr=pair[1], description=DESCRIPTION)
            rows.append(present.get(pair, new))
            record["made"].append(list(pair))
    subnets = load(originals, SUBNETS, [])
    for row in subnets:
        pools = _pools(row)
        rest = [part for item in pools for part in remaining(item, reserved)]
        if rest != pools:
            new_text = "\n".join(map(str, rest))
            record["subnets"][row["uuid"]] = {"was": row["pools"], "made": new_text}
            row["pools"] = new_text
    changed = record["ranges"] or record["subnets"]
    result = with_record({**originals, RANGES: text(rows), SUBNETS: text(subnets)}, record if changed else None)
    before, after = ([item for _where, item in handed_out(state)] for state in (originals, result))
    return Outcome(result, nothing_left(before, after, lan, SERVER) or problems, [])


def fixed_leases(files: Files) -> list[FixedLease]:
    """dnsmasq's hosts with a MAC, and Kea's reservations."""
    found = []
    for row in load(files, HOSTS, []):
        for word in str(row.get("ip") or "").split(","):
            address = ipv4(word)
            if address is not None and row.get("hwaddr"):
                found.append(FixedLease(HOSTS, row.get("host") or row["hwaddr"], address))
    for row in load(files, RESERVATIONS, []):
        address = ipv4(str(row.get("ip_address") or ""))
        if address is not None:
            found.append(FixedLease(RESERVATIONS, row.get("hostname") or str(row.get("hw_address") or ""), address))
    return found


def leases(answer: Any, now: float) -> list[Lease]:
    """The rows of a lease page, dnsmasq's or Kea's."""
    found = []
    for row in (answer or {}).get("rows") or []:
        address = ipv4(str(row.get("address") or ""))
        expiry = int(row["expire"]) if str(row.get("expire") or "").isdigit() else 0
        if address is not None and (expiry == 0 or expiry > now):
            found.append(Lease(address, str(row.get("hwaddr") or ""), str(row.get("hostname") or ""), expiry))
    return found
