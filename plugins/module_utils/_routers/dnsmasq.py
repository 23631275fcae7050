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
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange, Problem, RangeSet

BEGIN = "# BEGIN LANTERN: addresses kept for LoadBalancer Services. Change the pools in the inventory, not these lines."
WAS = "# LANTERN WAS:"
END = "# END LANTERN"
_BEGIN_START = BEGIN.split(":", 1)[0]
_OPTION = re.compile(r"\s*([a-z0-9-]+)\s*(?:=\s*(.*?))?\s*$")
_COMMENT = re.compile(r'(?:^|(?<=\s))#(?=[^"]*(?:"[^"]*"[^"]*)*$).*$')
_LEASE_TIME = re.compile(r"(\d+[smhdw]?|infinite)", re.IGNORECASE)

Files = Mapping[str, str]
"""Path and text of every file that dnsmasq reads options from, in the order it reads them."""


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


class FixedLease(NamedTuple):
    """An address that dnsmasq gives to one host only; `where` is file and line."""

    where: str
    host: str
    address: IPv4Address


class Lease(NamedTuple):
    """An address in use; `expiry` in seconds since 1970, 0 for never."""

    address: IPv4Address
    mac: str
    name: str
    expiry: int


@dataclass(frozen=True)
class Outcome:
    """The files as they are to be, and what there is to say. With problems nothing may be written."""

    files: dict[str, str]
    problems: list[Problem]
    warnings: list[str]


def option(line: str) -> tuple[str, str]:
    """Name and value of the option on a line; ("", "") for comments, empty lines and what dnsmasq would not accept."""
    found = _OPTION.match(_COMMENT.sub("", line))
    return (found.group(1), (found.group(2) or "").strip('"')) if found else ("", "")


def _ipv4(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text.strip())
    except ValueError:
        return None


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
        start = _ipv4(start_text)
        if start is None:
            continue
        end = _ipv4(end_text)
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


def release_text(text: str) -> str:
    """The file without any reservation, byte for byte as before; damaged blocks are understood as far as possible."""
    lines = text.split("\n")
    kept: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith((_BEGIN_START, WAS)):
            restored, at = _release_block(lines, at)
            kept += restored
        elif line.startswith(END):
            at += 1  # its beginning was deleted
        else:
            kept.append(line)
            at += 1
    return "\n".join(kept)


def _release_block(lines: Sequence[str], begin: int) -> tuple[list[str], int]:
    """What the block starting at line `begin` stood for, and the number of the line behind it."""
    inside = begin + 1 if lines[begin].startswith(_BEGIN_START) else begin
    end = inside
    while end < len(lines) and not lines[end].startswith((_BEGIN_START, END)):
        end += 1
    if end < len(lines) and lines[end].startswith(END):
        body = lines[inside:end]
        originals = [line[len(WAS) :] for line in body if line.startswith(WAS)]
        ranges = [line for line in body if option(line)[0] == "dhcp-range"]
        foreign = [line for line in body if line and not line.startswith(WAS) and line not in ranges]
        return (originals or ranges) + foreign, end + 1
    # No end: only lines that can be recognised as made from the original may be dropped.
    if inside >= len(lines) or not lines[inside].startswith(WAS):
        return [], inside
    original = lines[inside][len(WAS) :]
    after = inside + 1
    while after < len(lines) and _made_from(original, lines[after]):
        after += 1
    return [original], after


def _made_from(original: str, line: str) -> bool:
    old, new = dynamic_range(original), dynamic_range(line)
    return (
        old is not None
        and new is not None
        and (old.head, old.tail) == (new.head, new.tail)
        and old.addresses.covers(new.addresses)
    )


def release(files: Files) -> dict[str, str]:
    """All files without any reservation."""
    return {path: release_text(text) for path, text in files.items()}


def reserve(files: Files, reserved: Sequence[AddressRange], lan: AddressRange | None = None) -> Outcome:
    """The files with no address of `reserved` left to hand out, starting from the originals whatever is reserved now.

    `lan`: the network that must keep at least one address to hand out; without it, any range counts.
    """
    originals = release(files)
    taken = RangeSet(reserved)
    found: list[Problem] = []
    warnings: list[str] = []
    result = {}
    before = [item.addresses for _where, item in dynamic_ranges(originals)]
    for path, text in originals.items():
        lines: list[str] = []
        for number, line in enumerate(text.split("\n"), 1):
            item = dynamic_range(line)
            rest = None if item is None else RangeSet([item.addresses]).difference(taken)
            if item is None or rest == RangeSet([item.addresses]):
                lines.append(line)
                continue
            lines += [BEGIN, WAS + line] + [item.line(part) for part in rest or ()] + [END]
            if not rest:
                warnings.append(
                    f"{path}:{number}: all of {item.addresses} is reserved, so this range is handed out no more."
                )
        result[path] = "\n".join(lines)

    def inside(ranges: Iterable[AddressRange]) -> bool:
        return any(lan is None or lan.overlaps(item) for item in ranges)

    after = [item.addresses for _where, item in dynamic_ranges(result)]
    if inside(before) and not inside(after):
        ranges = ", ".join(str(item) for item in before if lan is None or lan.overlaps(item))
        message = (
            "The pools take every address that dnsmasq hands out ({0}): no other host could get one. "
            "Make the pools smaller, or widen the dhcp-range first."
        )
        found.append(Problem("nothing-left", "dhcp-range", message.format(ranges)))
    return Outcome(result, found, warnings)


def _host_fields(where: str, value: str) -> list[FixedLease]:
    """The addresses of one host in the notation of `dhcp-host`."""
    fields = [field.strip() for field in value.split(",")]
    addresses = [address for address in map(_ipv4, fields) if address is not None]
    names = [
        field
        for field in fields
        if field
        and field != "ignore"
        and ":" not in field
        and "*" not in field
        and _ipv4(field) is None
        and not _LEASE_TIME.fullmatch(field)
    ]
    host = names[0] if names else fields[0]
    return [FixedLease(where, host, address) for address in addresses]


def fixed_leases(files: Files, host_files: Files, ethers: str = "") -> list[FixedLease]:
    """Addresses kept for one host: `dhcp-host` lines, files named by dhcp-hostsfile and dhcp-hostsdir, /etc/ethers."""
    found: list[FixedLease] = []
    for path, text in files.items():
        for number, line in enumerate(text.split("\n"), 1):
            name, value = option(line)
            if name == "dhcp-host":
                found += _host_fields(f"{path}:{number}", value)
    for path, text in host_files.items():
        for number, line in enumerate(text.split("\n"), 1):
            found += _host_fields(f"{path}:{number}", _COMMENT.sub("", line).strip())
    for number, line in enumerate(ethers.split("\n"), 1):
        words = _COMMENT.sub("", line).split()
        address = _ipv4(words[1]) if len(words) > 1 else None
        if address is not None:
            found.append(FixedLease(f"/etc/ethers:{number}", words[0], address))
    return found


def fixed_lease_problems(found: Sequence[FixedLease], reserved: Sequence[AddressRange]) -> list[Problem]:
    """A refusal for each fixed lease that lies in the pools."""
    message = (
        '{0}: host "{1}" has the fixed address {2}, which lies in the pools ({3}). '
        "Give the host an address outside them, or move the pool."
    )
    pools = ", ".join(map(str, reserved))
    return [
        Problem("fixed-lease", item.where, message.format(item.where, item.host, item.address, pools))
        for item in found
        if any(item.address in part for part in reserved)
    ]


def leases(text: str, now: float) -> list[Lease]:
    """The IPv4 leases of a lease file that have not run out at `now` (seconds since 1970)."""
    found = []
    for line in text.split("\n"):
        words = line.split()
        # IPv6 leases follow a line "duid ..." and have no IPv4 address in the third column.
        address = _ipv4(words[2]) if len(words) >= 4 else None
        if address is None or not words[0].isdigit():
            continue
        expiry = int(words[0])
        if expiry == 0 or expiry > now:
            found.append(Lease(address, words[1], "" if words[3] == "*" else words[3], expiry))
    return found
