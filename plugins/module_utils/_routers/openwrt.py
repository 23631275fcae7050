# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenWrt's DHCP settings, /etc/config/dhcp, as text. PRIVATE, pure.

A section `dhcp` with an interface is one range: `start` counts from the network's address, `limit` is how many (OpenWrt
user guide, "DHCP and DNS configuration"). A second range is a second section for the same interface. Whenever settings
are saved in the web interface, OpenWrt writes the file anew without comments, but with options that it does not know.
So what was there before is kept in options of Lantern's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from typing import Sequence

from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange
from ansible_collections.homelab.lantern.plugins.module_utils._routers import dnsmasq
from ansible_collections.homelab.lantern.plugins.module_utils._routers.contract import (
    Files,
    FixedLease,
    HandedOut,
    HostName,
    Lease,
    Outcome,
    gone_warning,
    ipv4,
    largest,
    nothing_left,
    remaining,
    shortened_warning,
)

DHCP, NETWORK = "/etc/config/dhcp", "/etc/config/network"
LEASE_FILE = "/tmp/dhcp.leases"
SERVER = "OpenWrt"
WAS, MADE = "lantern_was", "lantern_made"
# Copied to the section of a second range; the others are about IPv6, which the first section keeps for itself.
COPIED = ("interface", "leasetime", "networkid", "instance", "netmask", "force", "options", "tag", "dhcp_option")
COPIED += ("dhcp_option_force",)
_LINE = re.compile(r"""^(\s*(?:option|list)\s+)(["']?)([\w-]+)\2(\s+)(.*?)(\s*)$""")
_SECTION = re.compile(r"""^\s*config\s+(["']?)([\w-]+)\1(?:\s+(["']?)([^"']*)\3)?\s*$""")


@dataclass
class Section:
    """One section: its options as (line number from 0, name, value), lists included; `last`: its last line."""

    kind: str
    name: str
    first: int
    last: int
    options: list[tuple[int, str, str]] = field(default_factory=list)

    def get(self, name: str, default: str = "") -> str:
        return next((value for _line, key, value in self.options if key == name), default)

    def all(self, name: str) -> list[str]:
        return [value for _line, key, value in self.options if key == name]


def _value(text: str) -> str:
    """The value of a word as written, quotes of all kinds taken away."""
    return "".join(
        single or double or bare
        for single, double, bare in re.findall(r"""'([^']*)'|"((?:[^"\\]|\\.)*)"|([^'"\s]+)""", text)
    )


def sections(text: str) -> list[Section]:
    """The sections in order."""
    found: list[Section] = []
    for number, line in enumerate(text.split("\n")):
        header = _SECTION.match(line)
        if header:
            found.append(Section(header.group(2), header.group(4) or "", number, number))
            continue
        option = _LINE.match(line)
        if found and option and not line.lstrip().startswith("#"):
            found[-1].options.append((number, option.group(3), _value(option.group(5))))
            found[-1].last = number
    return found


def _offset(text: str) -> int:
    """OpenWrt also takes the last octets of an address, such as "1.0" for 256."""
    value = 0
    for part in text.split("."):
        if not part.isdigit():
            return -1
        value = value * 256 + int(part)
    return value


def _network(files: Files, interface: str) -> IPv4Interface | None:
    for section in sections(files.get(NETWORK, "")):
        if section.kind == "interface" and section.name == interface and section.get("proto") == "static":
            text = section.get("ipaddr")
            if "/" not in text:
                text = f"{text}/{section.get('netmask', '255.255.255.0')}"
            try:
                return IPv4Interface(text)
            except ValueError:
                return None
    return None


def _addresses(files: Files, section: Section) -> tuple[IPv4Interface, AddressRange] | None:
    """The network and the range of a section; None when it hands out no addresses."""
    off = section.get("ignore") == "1" or section.get("dhcpv4") == "disabled"
    if section.kind != "dhcp" or off or section.get("dynamicdhcpv4", section.get("dynamicdhcp", "1")) == "0":
        return None
    own = _network(files, section.get("interface"))
    start, limit = _offset(section.get("start", "100")), section.get("limit", "150")
    if own is None or start < 0 or not limit.isdigit():
        return None
    first = int(own.network.network_address) + start
    last = min(first + int(limit) - 1, int(own.network.broadcast_address) - 1)
    return (own, AddressRange(4, first, last)) if first <= last else None


def handed_out(files: Files) -> HandedOut:
    """The range of every section."""
    return [
        (f"{DHCP}:{section.first + 1}", found[1])
        for section in sections(files.get(DHCP, ""))
        for found in [_addresses(files, section)]
        if found is not None
    ]


def release(files: Files) -> dict[str, str]:
    """See contract.Driver. An option that was changed by somebody else since then keeps its new value."""
    lines: list[str | None] = list(files.get(DHCP, "").split("\n"))
    for section in sections(files.get(DHCP, "")):
        if section.get(MADE) == "1":
            before = section.first - 1
            first = before if before >= 0 and not (lines[before] or "").strip() else section.first
            lines[first : section.last + 1] = [None] * (section.last + 1 - first)
            continue
        for number, name, record in section.options:
            if name == WAS:
                lines[number] = None
                for key, old, new in re.findall(r"(\w+)=([^>\s]*)>(\S*)", record):
                    _put_back(lines, section, key, old, new)
    return {**files, DHCP: "\n".join(line for line in lines if line is not None)}


def _put_back(lines: list[str | None], section: Section, key: str, old: str, new: str) -> None:
    for number, name, value in section.options:
        if name == key and value == new:
            lines[number] = _with_value(lines[number] or "", old) if old else None


def _with_value(line: str, value: str) -> str:
    """The same line with another value, in the same kind of quotes."""
    match = _LINE.match(line)
    if match is None:
        return line
    quote = match.group(5)[:1] if match.group(5)[:1] in ("'", '"') else ""
    return f"{match.group(1)}{match.group(2)}{match.group(3)}{match.group(2)}{match.group(4)}{quote}{value}{quote}" + (
        match.group(6)
    )


def reserve(files: Files, reserved: Sequence[AddressRange], lan: AddressRange | None = None) -> Outcome:
    """See contract.Driver."""
    originals = release(files)
    lines = originals.get(DHCP, "").split("\n")
    warnings: list[str] = []
    one_only = any(
        section.kind == "odhcpd" and section.get("maindhcp") == "1" for section in sections(originals.get(DHCP, ""))
    )
    for section in reversed(sections(originals.get(DHCP, ""))):
        found = _addresses(originals, section)
        rest = [] if found is None else remaining(found[1], reserved)
        if found is None or rest == [found[1]]:
            continue
        where = f"{DHCP}:{section.first + 1}"
        if one_only and len(rest) > 1:
            kept = largest(rest)
            warnings.append(shortened_warning(where, "odhcpd", [part for part in rest if part != kept]))
            rest = [part for part in rest if part == kept]
        if not rest:
            warnings.append(gone_warning(where, found[1]))
        _rewrite(lines, section, rest, found[0])
    result = {**originals, DHCP: "\n".join(lines)}
    before, after = ([item for _where, item in handed_out(state)] for state in (originals, result))
    return Outcome(result, nothing_left(before, after, lan, SERVER), warnings)


def _rewrite(lines: list[str], section: Section, rest: Sequence[AddressRange], own: IPv4Interface) -> None:
    """Gives the section the first part, and each other part a section of its own behind it."""
    base = int(own.network.network_address)
    wanted = {"start": str(rest[0].first - base), "limit": str(rest[0].size)} if rest else {"dhcpv4": "disabled"}
    record, new = [], []
    for key, value in wanted.items():
        record.append(f"{key}={section.get(key)}>{value}")
        places = [number for number, name, _value in section.options if name == key]
        if places:
            lines[places[0]] = _with_value(lines[places[0]], value)
        else:
            new.append(f"\toption {key} '{value}'")
    new.append("\toption {} '{}'".format(WAS, " ".join(record)))
    for number, part in enumerate(rest[1:], 2):
        name = re.sub(r"\W", "_", section.name or section.get("interface"))
        new += ["", f"config dhcp 'lantern_{name}_{number}'"]
        for key in COPIED:
            word = "list" if key in ("tag", "dhcp_option", "dhcp_option_force") else "option"
            new += [f"\t{word} {key} '{value}'" for value in section.all(key)]
        new += [f"\toption start '{part.first - base}'", f"\toption limit '{part.size}'", f"\toption {MADE} '1'"]
    lines[section.last + 1 : section.last + 1] = new


def with_names(files: Files, names: Sequence[HostName]) -> dict[str, str]:
    """The files, those of `reserve`, with a section `domain` for each address that is to have a name."""
    text = files.get(DHCP, "")
    lines = text.split("\n")
    new: list[str] = []
    for number, (name, address) in enumerate(((item.name, address) for item in names for address in item.addresses), 1):
        new += ["", f"config domain 'lantern_name_{number}'", f"\toption name '{name}'", f"\toption ip '{address}'"]
        new += [f"\toption {MADE} '1'"]
    at = len(lines) - 1 if not lines[-1] else len(lines)
    lines[at:at] = new
    return {**files, DHCP: "\n".join(lines)}


def fixed_leases(files: Files) -> list[FixedLease]:
    """The static leases, sections `host`."""
    found = []
    for section in sections(files.get(DHCP, "")):
        address = ipv4(section.get("ip"))
        if section.kind == "host" and address is not None:
            host = section.get("name") or section.get("mac") or section.name
            found.append(FixedLease(f"{DHCP}:{section.first + 1}", host, address))
    return found


def leases(text: str, now: float) -> list[Lease]:
    """The leases in dnsmasq's lease file."""
    return dnsmasq.leases(text, now)
