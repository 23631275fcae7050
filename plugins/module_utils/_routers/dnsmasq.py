# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""dnsmasq's configuration as text: which addresses it hands out, and how to take some of them away. PRIVATE, pure.

A `dhcp-range` cannot be shrunk from another file: dnsmasq adds up all ranges, and a second range of mode `static` over
the same addresses changes nothing. So the line itself is replaced, between two marker comments which also keep the
original line; undoing needs nothing but the file. The grammar follows dnsmasq's manual page and its parser (read_file
in option.c): one option a line, spaces around "=" allowed, a comment starts at a "#" that begins the line or follows
white space.
"""

from __future__ import annotations

import re
from typing import Iterable, NamedTuple, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange
from ansible_collections.homelab.lantern.plugins.module_utils._routers import blocks
from ansible_collections.homelab.lantern.plugins.module_utils._routers.contract import (
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

_OPTION = re.compile(r"\s*([a-z0-9-]+)\s*(?:=\s*(.*?))?\s*$")
_COMMENT = re.compile(r'(?:^|(?<=\s))#(?=[^"]*(?:"[^"]*"[^"]*)*$).*$')
_LEASE_TIME = re.compile(r"(\d+[smhdw]?|infinite)", re.IGNORECASE)


class DynamicRange(NamedTuple):
    """One IPv4 `dhcp-range` that any client gets an address from; `head` and `tail`: the line around both addresses."""

    addresses: AddressRange
    head: str
    tail: str

    def line(self, addresses: AddressRange) -> str:
        """The same line for other addresses: tags, netmask, broadcast, lease time and comment stay as they were."""
        return f"{self.head}{addresses.first_address},{addresses.last_address}{self.tail}"


class Include(NamedTuple):
    """Another source that a file names. Kinds: conf-file, conf-dir, host-file, host-dir, ethers."""

    kind: str
    path: str
    suffixes: tuple[str, ...] = ()


def option(line: str) -> tuple[str, str]:
    """Name and value of the option on a line; ("", "") for comments, empty lines and what dnsmasq would not accept."""
    found = _OPTION.match(_COMMENT.sub("", line))
    return (found.group(1), (found.group(2) or "").strip('"')) if found else ("", "")


def dynamic_range(line: str) -> DynamicRange | None:
    """The IPv4 range of a `dhcp-range` line; None for IPv6, router advertisements, modes static and proxy, all else."""
    if option(line)[0] != "dhcp-range" or "=" not in line:
        return None
    value_at = line.index("=") + 1
    value = _COMMENT.sub("", line)[value_at:]
    position = value_at
    tokens: list[tuple[int, str]] = []
    for token in value.split(","):
        tokens.append((position, token))
        position += len(token) + 1
    # Tags and interface names come first, in several historic spellings; the first address ends them.
    for (start_at, start_text), (end_at, end_text) in zip(tokens, tokens[1:]):
        start = ipv4(start_text)
        if start is None:
            continue
        end = ipv4(end_text)
        if end is None:
            return None
        first, last = sorted((int(start), int(end)))
        start_at += len(start_text) - len(start_text.lstrip())
        stripped_end = end_at + len(end_text.rstrip())
        return DynamicRange(AddressRange(4, first, last), line[:start_at], line[stripped_end:])
    return None


def dynamic_ranges(files: Files) -> list[tuple[str, DynamicRange]]:
    """Every range that hands out addresses now, with "file:line"."""
    found = []
    for path, text in files.items():
        for number, line in enumerate(text.split("\n"), 1):
            item = dynamic_range(line)
            if item is not None:
                found.append((f"{path}:{number}", item))
    return found


def includes(text: str) -> list[Include]:
    """The other files and folders that this text makes dnsmasq read, in order."""
    found = []
    for line in text.split("\n"):
        name, value = option(line)
        if name == "conf-dir" and value:
            path, *suffixes = [part.strip() for part in value.split(",")]
            found.append(Include("conf-dir", path, tuple(suffix for suffix in suffixes if suffix)))
        elif name == "conf-file" and value and value != "-":
            found.append(Include("conf-file", value))
        elif name == "dhcp-hostsfile" and value:
            found.append(Include("host-file", value))
        elif name == "dhcp-hostsdir" and value:
            found.append(Include("host-dir", value))
        elif name == "read-ethers":
            found.append(Include("ethers", "/etc/ethers"))
    return found


def directory_members(names: Iterable[str], suffixes: Sequence[str]) -> list[str]:
    """Which files of a `conf-dir` dnsmasq reads, in its order. A suffix "*.x" asks for files, ".x" leaves files out."""
    wanted = [suffix[1:] for suffix in suffixes if suffix.startswith("*") and suffix != "*"]
    unwanted = [suffix for suffix in suffixes if not suffix.startswith("*")]

    def ends(name: str, endings: Sequence[str]) -> bool:
        return any(name.endswith(ending) and len(name) > len(ending) for ending in endings)

    return sorted(
        name
        for name in names
        if name
        and not name.startswith(".")
        and not name.endswith("~")
        and not (name.startswith("#") and name.endswith("#"))
        and (not wanted or ends(name, wanted))
        and not ends(name, unwanted)
    )


def last_option(files: Files, name: str) -> str | None:
    """Value of an option that counts once: the last one wins. None when it is not set."""
    values = [option(line)[1] for text in files.values() for line in text.split("\n") if option(line)[0] == name]
    return values[-1] if values else None


def _made_from(original: str, line: str) -> bool:
    old, new = dynamic_range(original), dynamic_range(line)
    return (
        old is not None
        and new is not None
        and (old.head, old.tail) == (new.head, new.tail)
        and old.addresses.covers(new.addresses)
    )


_SYNTAX = blocks.Syntax(
    is_ours=lambda line: option(line)[0] in ("dhcp-range", "host-record"),
    stands_in=lambda line: option(line)[0] == "dhcp-range",
    made_from=_made_from,
)


def release_text(text: str) -> str:
    """The file without any reservation, byte for byte as before; damaged blocks are understood as far as possible."""
    return blocks.unmark(text, _SYNTAX)


def release(files: Files) -> dict[str, str]:
    """All files without any reservation."""
    return {path: release_text(text) for path, text in files.items()}


def handed_out(files: Files) -> HandedOut:
    """Every range that hands out addresses now."""
    return [(where, item.addresses) for where, item in dynamic_ranges(files)]


def reserve(files: Files, reserved: Sequence[AddressRange], lan: AddressRange | None = None) -> Outcome:
    """See contract.Driver."""
    originals = release(files)
    warnings: list[str] = []
    result = {}
    for path, text in originals.items():
        edits = []
        for number, line in enumerate(text.split("\n")):
            item = dynamic_range(line)
            if item is None:
                continue
            rest = remaining(item.addresses, reserved)
            if rest == [item.addresses]:
                continue
            edits.append(blocks.Edit(number, number, [item.line(part) for part in rest]))
            if not rest:
                warnings.append(gone_warning(f"{path}:{number + 1}", item.addresses))
        result[path] = blocks.mark(text, edits)
    before, after = ([item for _where, item in handed_out(state)] for state in (originals, result))
    return Outcome(result, nothing_left(before, after, lan, "dnsmasq"), warnings)


def with_names(files: Files, path: str, names: Sequence[HostName]) -> dict[str, str]:
    """The files, those of `reserve`, with the names written at the end of one file.

    A name without a dot is also answered with the domain that dnsmasq serves, when it has one.
    """
    if not names:
        return dict(files)
    domain = (last_option(files, "domain") or "").split(",")[0].strip("/#")
    lines = []
    for item in names:
        spellings = [item.name] if "." in item.name or not domain else [f"{item.name}.{domain}", item.name]
        lines.append("host-record=" + ",".join([*spellings, *item.addresses]))
    return {**files, path: blocks.append(files.get(path, ""), lines)}


def answers_dns(files: Files) -> bool:
    """Whether this dnsmasq is a DNS server at all."""
    return last_option(files, "port") != "0"


def _host_fields(where: str, value: str) -> list[FixedLease]:
    """The addresses of one host in the notation of `dhcp-host`."""
    fields = [field.strip() for field in value.split(",")]
    addresses = [address for address in map(ipv4, fields) if address is not None]
    names = [
        field
        for field in fields
        if field
        and field != "ignore"
        and ":" not in field
        and "*" not in field
        and ipv4(field) is None
        and not _LEASE_TIME.fullmatch(field)
    ]
    host = names[0] if names else fields[0]
    return [FixedLease(where, host, address) for address in addresses]


def fixed_leases(files: Files, host_files: Files | None = None, ethers: str = "") -> list[FixedLease]:
    """Addresses kept for one host: `dhcp-host` lines, files named by dhcp-hostsfile and dhcp-hostsdir, /etc/ethers."""
    found: list[FixedLease] = []
    for path, text in files.items():
        for number, line in enumerate(text.split("\n"), 1):
            name, value = option(line)
            if name == "dhcp-host":
                found += _host_fields(f"{path}:{number}", value)
    for path, text in (host_files or {}).items():
        for number, line in enumerate(text.split("\n"), 1):
            found += _host_fields(f"{path}:{number}", _COMMENT.sub("", line).strip())
    for number, line in enumerate(ethers.split("\n"), 1):
        words = _COMMENT.sub("", line).split()
        address = ipv4(words[1]) if len(words) > 1 else None
        if address is not None:
            found.append(FixedLease(f"/etc/ethers:{number}", words[0], address))
    return found


def leases(text: str, now: float) -> list[Lease]:
    """The IPv4 leases of a lease file that have not run out at `now` (seconds since 1970)."""
    found = []
    for line in text.split("\n"):
        words = line.split()
        # IPv6 leases follow a line "duid ..." and have no IPv4 address in the third column.
        address = ipv4(words[2]) if len(words) >= 4 else None
        if address is None or not words[0].isdigit():
            continue
        expiry = int(words[0])
        if expiry == 0 or expiry > now:
            found.append(Lease(address, words[1], "" if words[3] == "*" else words[3], expiry))
    return found
