# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The DHCP server of systemd-networkd: .network files and their drop-ins. PRIVATE, pure.

It hands out one run of addresses for each interface, PoolOffset= and PoolSize= (systemd.network(5), [DHCPServer]), and
knows no exclusions: of what the pools leave over, the largest run is handed out, and the rest is lost with a warning.
The user's files stay as they are; the run is set in a drop-in of Lantern's own, which is deleted on release.
"""

from __future__ import annotations

import os
import re
from ipaddress import IPv4Interface
from typing import Sequence

from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange, Problem
from ansible_collections.homelab.lantern.plugins.module_utils._routers.contract import (
    Files,
    FixedLease,
    HandedOut,
    Lease,
    Outcome,
    ipv4,
    largest,
    nothing_left,
    remaining,
    shortened_warning,
)

SERVER = "systemd-networkd"
DROP_IN = "zz-lantern.conf"
FOLDERS = ("/etc/systemd/network", "/run/systemd/network", "/usr/lib/systemd/network", "/lib/systemd/network")
"""Where networkd reads, the most important first; a file of the same name hides those in later folders."""

_TRUE = ("1", "yes", "y", "true", "t", "on")


def _settings(text: str) -> list[tuple[str, str, str]]:
    """(section, key, value) of each line, in order."""
    found, section = [], ""
    for line in text.split("\n"):
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
            found.append((section, "", ""))  # sections may come several times, each meaning a thing of its own
        elif line and line[0] not in "#;" and "=" in line:
            key, _equals, value = line.partition("=")
            found.append((section, key.strip(), value.strip()))
    return found


def drop_in(path: str) -> str:
    """Where the settings of Lantern for a .network file belong."""
    return f"{FOLDERS[0]}/{os.path.basename(path)}.d/{DROP_IN}"


def _drop_ins(files: Files, path: str) -> list[str]:
    name = os.path.basename(path) + ".d"
    found: dict[str, str] = {}
    for candidate in files:
        folder, _slash, base = candidate.rpartition("/")
        if os.path.basename(folder) == name and base.endswith(".conf"):
            best = found.get(base)
            if best is None or _rank(candidate) < _rank(best):
                found[base] = candidate
    return [found[base] for base in sorted(found)]


def _rank(path: str) -> int:
    return next((number for number, folder in enumerate(FOLDERS) if path.startswith(folder + "/")), len(FOLDERS))


def _networks(files: Files) -> list[str]:
    """The .network files that are read."""
    found: dict[str, str] = {}
    for path in files:
        if path.endswith(".network"):
            best = found.get(os.path.basename(path))
            if best is None or _rank(path) < _rank(best):
                found[os.path.basename(path)] = path
    return [found[name] for name in sorted(found)]


def _effective(files: Files, path: str) -> list[tuple[str, str, str]]:
    return [item for source in [path, *_drop_ins(files, path)] for item in _settings(files[source])]


def _last(settings: Sequence[tuple[str, str, str]], section: str, key: str) -> str:
    values = [value for part, name, value in settings if (part, name) == (section, key)]
    return values[-1] if values else ""


def _server(settings: Sequence[tuple[str, str, str]]) -> tuple[IPv4Interface, AddressRange] | None:
    """The server's own address and the run it hands out, None without a server or when its address is not written."""
    if _last(settings, "Network", "DHCPServer").lower() not in _TRUE:
        return None
    texts = [_last(settings, "DHCPServer", "ServerAddress")]
    texts += [value for part, key, value in settings if key == "Address" and part in ("Network", "Address")]
    own = next((item for item in map(_interface, texts) if item is not None), None)
    if own is None:
        return None
    offset, size = (_last(settings, "DHCPServer", key) for key in ("PoolOffset", "PoolSize"))
    base, end = int(own.network.network_address), int(own.network.broadcast_address)
    first = base + (int(offset) if offset.isdigit() and int(offset) else 1)
    last = first + int(size) - 1 if size.isdigit() and int(size) else end - 1
    return (own, AddressRange(4, first, min(last, end - 1))) if first <= min(last, end - 1) else None


def _interface(text: str) -> IPv4Interface | None:
    try:
        found = IPv4Interface(text) if re.search(r"/\d", text) else None
    except ValueError:
        return None
    # 0.0.0.0 asks networkd to choose a free network itself, as for containers: never the LAN.
    return None if found is None or found.ip.is_unspecified else found


def handed_out(files: Files) -> HandedOut:
    """The run of each interface; the server's own address in it is never handed out."""
    return [
        (path, found[1])
        for path in _networks(files)
        for found in [_server(_effective(files, path))]
        if found is not None
    ]


def release(files: Files) -> dict[str, str]:
    """See contract.Driver."""
    return {path: text for path, text in files.items() if os.path.basename(path) != DROP_IN}


def reserve(files: Files, reserved: Sequence[AddressRange], lan: AddressRange | None = None) -> Outcome:
    """See contract.Driver."""
    originals = release(files)
    result = dict(originals)
    warnings: list[str] = []
    problems: list[Problem] = []
    for path in _networks(originals):
        found = _server(_effective(originals, path))
        if found is None:
            continue
        own, addresses = found
        rest = remaining(addresses, reserved)
        if rest == [addresses]:
            continue
        part = largest(rest)
        if part is None:
            message = (
                "{0}: the pools take all that systemd-networkd hands out here ({1}), and it cannot hand out nothing. "
                "Make the pools smaller, or set DHCPServer=no."
            )
            problems.append(Problem("nothing-left", path, message.format(path, addresses)))
            continue
        if len(rest) > 1:
            warnings.append(shortened_warning(path, SERVER, [item for item in rest if item != part]))
        result[drop_in(path)] = (
            "# Made by Lantern: addresses kept for LoadBalancer Services. Change the pools in the inventory instead.\n"
            f"[DHCPServer]\nPoolOffset={part.first - int(own.network.network_address)}\nPoolSize={part.size}\n"
        )
        if _drop_ins(result, path)[-1] != drop_in(path):
            later = _drop_ins(result, path)[-1]
            message = "{0}: this drop-in is read after Lantern's ({1}). Give it a name that sorts before {2}."
            problems.append(Problem("overridden", later, message.format(later, drop_in(path), DROP_IN)))
    before, after = ([item for _where, item in handed_out(state)] for state in (originals, result))
    return Outcome(result, problems or nothing_left(before, after, lan, SERVER), warnings)


def fixed_leases(files: Files) -> list[FixedLease]:
    """The sections [DHCPServerStaticLease]."""
    found = []
    for path in _networks(files):
        mac = ""
        for section, key, value in _effective(files, path):
            if section != "DHCPServerStaticLease":
                continue
            if key == "":
                mac = ""
            elif key == "MACAddress":
                mac = value
            elif key == "Address":
                address = ipv4(value)
                if address is not None:
                    found.append(FixedLease(path, mac or "(MAC not read)", address))
    return found


def leases(text: str, now: float) -> list[Lease]:
    """The leases in the output of `networkctl status`; it does not tell when they end, which reads as never."""
    found = []
    for address, client in re.findall(r"(\d+\.\d+\.\d+\.\d+) \(to ([^)]*)\)", text):
        parsed = ipv4(address)
        if parsed is not None:
            found.append(Lease(parsed, client, "", 0))
    return found


def served_files(files: Files) -> list[str]:
    """The .network files with a DHCP server."""
    return [path for path in _networks(files) if _server(_effective(files, path)) is not None]
