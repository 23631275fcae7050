# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pi-hole 6 through its HTTP API. PRIVATE, pure. Written from its documentation, not seen on hardware.

Pi-hole knows one range, dhcp.start to dhcp.end. The first part that stays goes there, further parts are lines for its
dnsmasq, misc.dnsmasq_lines. An API password that may change settings is needed (webserver.api.app_sudo for app
passwords); where the environment or pihole.toml forbids a change, Pi-hole refuses it and says so.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any, Mapping, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange
from ansible_collections.homelab.lantern.plugins.module_utils._routers import dnsmasq
from ansible_collections.homelab.lantern.plugins.module_utils._routers.contract import (
    RECORD,
    Files,
    FixedLease,
    HandedOut,
    HostName,
    Lease,
    Outcome,
    gone_warning,
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

CONFIG = "config"
SERVER = "Pi-hole"
READS = {CONFIG: Request("read the settings", "GET", "/api/config")}
LEASES = (Request("read the leases", "GET", "/api/dhcp/leases"),)


def objection(answer: Any) -> str:
    """Errors come with an HTTP status of their own, but are looked for here as well."""
    error = answer.get("error") if isinstance(answer, dict) else None
    return " ".join(str(error[key]) for key in ("message", "hint") if error.get(key)) if isinstance(error, dict) else ""


def documents(answers: Mapping[str, Any]) -> dict[str, str]:
    """See module documents. Only what this driver looks at."""
    given = answers[CONFIG].get("config") or {}
    keys = ("active", "start", "end", "netmask", "leaseTime", "hosts")
    return {
        CONFIG: text(
            {
                "dhcp": {key: given.get("dhcp", {}).get(key) for key in keys},
                "dns": {"hosts": given.get("dns", {}).get("hosts") or []},
                "misc": {"dnsmasq_lines": given.get("misc", {}).get("dnsmasq_lines") or []},
            }
        )
    }


def checks(after: Files) -> list[Request]:
    """Pi-hole tests settings itself before it takes them."""
    return []


def requests(before: Files, after: Files) -> list[Request]:
    """See module documents. One request, so that Pi-hole starts its server anew only once."""
    old, new = load(before, CONFIG, {}), load(after, CONFIG, {})
    changed = {
        part: {key: value for key, value in values.items() if old.get(part, {}).get(key) != value}
        for part, values in new.items()
    }
    changed = {part: values for part, values in changed.items() if values}
    return [Request("change the settings", "PATCH", "/api/config", {"config": changed})] if changed else []


def handed_out(files: Files) -> HandedOut:
    """The range of the settings, and those of the lines for dnsmasq."""
    config = load(files, CONFIG, {})
    dhcp = config.get("dhcp") or {}
    if not dhcp.get("active"):
        return []
    own = address_range(str(dhcp.get("start") or ""), str(dhcp.get("end") or ""))
    lines = "\n".join(config["misc"]["dnsmasq_lines"])
    found = [("dhcp.start", own)] if own is not None else []
    return found + [("misc.dnsmasq_lines", item.addresses) for _where, item in dnsmasq.dynamic_ranges({"": lines})]


def release(files: Files) -> dict[str, str]:
    """See contract.Driver. Settings that somebody else changed since then stay as they are."""
    config, record = load(files, CONFIG, {}), load(files, RECORD, {})
    if record:
        dhcp = config["dhcp"]
        if {"start": dhcp["start"], "end": dhcp["end"]} == record["made"]:
            dhcp.update(record["was"])
        lines = config["misc"]["dnsmasq_lines"]
        lines[:] = [line for line in lines if line not in record["lines"]]
        for index, line in record["replaced"]:
            if line not in lines:
                lines.insert(min(index, len(lines)), line)
        hosts = config["dns"]["hosts"]
        hosts[:] = [line for line in hosts if line not in record["hosts"]]
    return with_record({**files, CONFIG: text(config)}, None)


def reserve(files: Files, reserved: Sequence[AddressRange], lan: AddressRange | None = None) -> Outcome:
    """See contract.Driver."""
    originals = release(files)
    config = load(originals, CONFIG, {})
    dhcp, lines = config.get("dhcp") or {}, config.get("misc", {}).get("dnsmasq_lines", [])
    own = address_range(str(dhcp.get("start") or ""), str(dhcp.get("end") or "")) if dhcp.get("active") else None
    warnings: list[str] = []
    new_lines: list[str] = []
    replaced: list[tuple[int, str]] = []
    was = {"start": dhcp.get("start"), "end": dhcp.get("end")}
    rest = [] if own is None else remaining(own, reserved)
    if own is not None and rest and rest != [own]:
        dhcp.update(start=str(rest[0].first_address), end=str(rest[0].last_address))
        new_lines += [_line(part, dhcp) for part in rest[1:]]
    for index, line in enumerate(lines):
        item = dnsmasq.dynamic_range(line)
        parts = [] if item is None else remaining(item.addresses, reserved)
        if item is None or parts == [item.addresses]:
            continue
        replaced.append((index, line))
        new_lines += [item.line(part) for part in parts]
        if not parts:
            warnings.append(gone_warning("misc.dnsmasq_lines", item.addresses))
    gone = {index for index, _line_text in replaced}
    lines[:] = [line for index, line in enumerate(lines) if index not in gone] + new_lines
    made = {"start": dhcp.get("start"), "end": dhcp.get("end")}
    record = {"was": was, "made": made, "lines": new_lines, "replaced": replaced, "hosts": []}
    result = {**originals, CONFIG: text(config)}
    if result[CONFIG] != originals[CONFIG]:
        result = with_record(result, record)
    before, after = ([item for _where, item in handed_out(state)] for state in (originals, result))
    if own is not None and not rest:  # it cannot be left empty while the server is on
        after = [item for item in after if item != own]
        lan = own
    return Outcome(result, nothing_left(before, after, lan, SERVER), warnings)


def _line(part: AddressRange, dhcp: Mapping[str, Any]) -> str:
    netmask = str(dhcp.get("netmask") or "")
    words = [str(part.first_address), str(part.last_address)]
    words += [netmask] if netmask not in ("", str(IPv4Address(0))) else []
    words += [str(dhcp["leaseTime"])] if dhcp.get("leaseTime") else []
    return "dhcp-range=" + ",".join(words)


def with_names(files: Files, names: Sequence[HostName]) -> dict[str, str]:
    """The texts, those of `reserve`, with local DNS records for the names."""
    wanted = [f"{address} {item.name}" for item in names for address in item.addresses]
    config, record = load(files, CONFIG, {}), load(files, RECORD, {})
    hosts = config["dns"]["hosts"]
    new = [line for line in wanted if line not in hosts]
    if not new:
        return dict(files)
    hosts += new
    same = {"start": config["dhcp"]["start"], "end": config["dhcp"]["end"]}
    record = {**(record or {"was": same, "made": same, "lines": [], "replaced": []}), "hosts": new}
    return with_record({**files, CONFIG: text(config)}, record)


def fixed_leases(files: Files) -> list[FixedLease]:
    """The static leases of the settings, and those of the lines for dnsmasq."""
    config = load(files, CONFIG, {})
    static = [f"dhcp-host={line}" for line in (config.get("dhcp") or {}).get("hosts") or []]
    found = dnsmasq.fixed_leases({"": "\n".join(static)})
    found += dnsmasq.fixed_leases({"": "\n".join(config.get("misc", {}).get("dnsmasq_lines", []))})
    return [item._replace(where="dhcp.hosts") for item in found]


def leases(answer: Any, now: float) -> list[Lease]:
    """The leases in the answer of /api/dhcp/leases."""
    found = []
    for item in (answer or {}).get("leases") or []:
        address, expiry = ipv4(str(item.get("ip"))), int(item.get("expires") or 0)
        if address is not None and (expiry == 0 or expiry > now):
            name = str(item.get("name") or "")
            found.append(Lease(address, str(item.get("hwaddr") or ""), "" if name == "*" else name, expiry))
    return found
