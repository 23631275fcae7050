# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pi-hole 5: dnsmasq's files, and the settings from which Pi-hole writes the one with the range anew. PRIVATE, pure.

Saving the DHCP settings in the web interface writes /etc/dnsmasq.d/02-pihole-dhcp.conf anew from DHCP_START and
DHCP_END in /etc/pihole/setupVars.conf, which know one range. Both are changed: the file exactly, the settings to the
largest part that stays, so that the pools stay out even then. PHP as well as a shell read the settings, and they agree
on no comments, so what was there before stands in variables of Lantern's own.
"""

from __future__ import annotations

import re
from typing import Sequence

from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange
from ansible_collections.homelab.lantern.plugins.module_utils._routers import dnsmasq
from ansible_collections.homelab.lantern.plugins.module_utils._routers.contract import (
    Files,
    HandedOut,
    Outcome,
    ipv4,
    largest,
    remaining,
)

SETTINGS = "/etc/pihole/setupVars.conf"
_LINE = re.compile(r"^(DHCP_START|DHCP_END)=(\S*)(.*)$")
_WAS = re.compile(r"^LANTERN_WAS_(DHCP_START|DHCP_END)=(\S*)/(\S*)$")

fixed_leases = dnsmasq.fixed_leases
leases = dnsmasq.leases


def _without_settings(files: Files) -> dict[str, str]:
    return {path: text for path, text in files.items() if path != SETTINGS}


def handed_out(files: Files) -> HandedOut:
    """What dnsmasq's files say; the settings are not read by the server."""
    return dnsmasq.handed_out(_without_settings(files))


def release(files: Files) -> dict[str, str]:
    """See contract.Driver. A setting that was changed since then keeps its new value."""
    found = {path: dnsmasq.release_text(text) for path, text in files.items()}
    if SETTINGS in found:
        lines = found[SETTINGS].split("\n")
        was = {match.group(1): (match.group(2), match.group(3)) for match in map(_WAS.match, lines) if match}
        kept = []
        for line in lines:
            match = _LINE.match(line)
            if match and match.group(1) in was and match.group(2) == was[match.group(1)][1]:
                line = f"{match.group(1)}={was[match.group(1)][0]}{match.group(3)}"
            if not _WAS.match(line):
                kept.append(line)
        found[SETTINGS] = "\n".join(kept)
    return found


def reserve(files: Files, reserved: Sequence[AddressRange], lan: AddressRange | None = None) -> Outcome:
    """See contract.Driver."""
    originals = release(files)
    outcome = dnsmasq.reserve(_without_settings(originals), reserved, lan)
    result = {path: outcome.files.get(path, text) for path, text in originals.items()}
    if SETTINGS in result:
        result[SETTINGS] = _settings(result[SETTINGS], reserved)
    return Outcome(result, outcome.problems, outcome.warnings)


def _settings(text: str, reserved: Sequence[AddressRange]) -> str:
    values = {match.group(1): match.group(2) for match in map(_LINE.match, text.split("\n")) if match}
    first, last = ipv4(values.get("DHCP_START", "")), ipv4(values.get("DHCP_END", ""))
    if first is None or last is None or int(first) > int(last):
        return text
    part = largest(remaining(AddressRange(4, int(first), int(last)), reserved))
    if part is None:
        return text
    wanted = {"DHCP_START": str(part.first_address), "DHCP_END": str(part.last_address)}
    lines = []
    for line in text.split("\n"):
        match = _LINE.match(line)
        if match is None or match.group(2) == wanted[match.group(1)]:
            lines.append(line)
            continue
        key, old, rest = match.groups()
        lines += [f"{key}={wanted[key]}{rest}", f"LANTERN_WAS_{key}={old}/{wanted[key]}"]
    return "\n".join(lines)
