# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ISC dhcpd's configuration: which addresses it hands out, and how to take some of them away. PRIVATE, pure.

Statements end with ";" or open a block with "{" (dhcpd.conf(5)). A `range` statement is replaced by one for each part
that stays. A `pool` that has nothing left is taken out as a whole, as dhcpd refuses a pool without addresses.
"""

from __future__ import annotations

import re
from calendar import timegm
from dataclasses import dataclass, field
from typing import Iterator, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange
from ansible_collections.homelab.lantern.plugins.module_utils._routers import blocks
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

SERVER = "dhcpd"
_TOKEN = re.compile(
    r'(?P<space>\s+|\#[^\n]*)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<mark>[{};,])|(?P<word>[^\s{};,"#]+|.)', re.DOTALL
)


@dataclass
class Statement:
    """One statement: its words ("," is one), where it stands, and what is in its block."""

    words: list[str]
    start: int
    end: int
    body: list[Statement] = field(default_factory=list)

    def walk(self) -> Iterator[Statement]:
        yield self
        for item in self.body:
            yield from item.walk()


def statements(text: str) -> list[Statement]:
    """The statements at the outermost level; what is not closed ends with the text."""
    root = Statement([], 0, len(text))
    stack = [root]
    words: list[str] = []
    start = 0
    for match in _TOKEN.finditer(text):
        token = match.group()
        if match.lastgroup == "space":
            continue
        if token == "}" and not words:
            if len(stack) > 1:
                stack.pop().end = match.end()
            continue
        if not words:
            start = match.start()
        if token in (";", "{"):
            item = Statement(words, start, match.end())
            stack[-1].body.append(item)
            if token == "{":
                stack.append(item)
            words = []
        else:
            words.append(token.strip('"') if match.lastgroup == "string" else token)
    return root.body


def _all(text: str) -> list[Statement]:
    return [item for top in statements(text) for item in top.walk()]


def includes(text: str) -> list[str]:
    """The files that this text includes, in order."""
    return [item.words[1] for item in _all(text) if len(item.words) == 2 and item.words[0] == "include"]


def flatten(files: Files) -> str:
    """The configuration as one text, files standing where they are included."""

    def expand(path: str) -> str:
        text, at, parts = files[path], 0, []
        for item in sorted(_all(text), key=lambda statement: statement.start):
            if len(item.words) == 2 and item.words[0] == "include" and item.words[1] in files:
                parts += [text[at : item.start], expand(item.words[1])]
                at = item.end
        return "".join([*parts, text[at:]])

    return expand(next(iter(files)))


def _range(statement: Statement) -> AddressRange | None:
    words = [word for word in statement.words if word != "dynamic-bootp"]
    if not words or words[0].lower() != "range" or len(words) not in (2, 3):
        return None
    first, last = ipv4(words[1]), ipv4(words[-1])
    if first is None or last is None:
        return None
    return AddressRange(4, min(int(first), int(last)), max(int(first), int(last)))


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def handed_out(files: Files) -> HandedOut:
    """Every `range` statement."""
    return [
        (f"{path}:{_line(text, item.start)}", addresses)
        for path, text in files.items()
        for item in _all(text)
        for addresses in [_range(item)]
        if addresses is not None
    ]


def release(files: Files) -> dict[str, str]:
    """See contract.Driver."""
    return {path: blocks.unmark(text) for path, text in files.items()}


def reserve(files: Files, reserved: Sequence[AddressRange], lan: AddressRange | None = None) -> Outcome:
    """See contract.Driver."""
    originals = release(files)
    warnings: list[str] = []
    result = {}
    for path, text in originals.items():
        parts: list[tuple[int, int, str]] = []
        for item in _all(text):
            addresses = _range(item)
            rest = [] if addresses is None else remaining(addresses, reserved)
            if addresses is None or rest == [addresses]:
                continue
            head = "range dynamic-bootp" if "dynamic-bootp" in item.words else "range"
            separator = "\n" + _indentation(text, item.start)
            new = separator.join(f"{head} {part.first_address} {part.last_address};" for part in rest)
            parts.append((item.start, item.end, new))
            if not rest:
                warnings.append(gone_warning(f"{path}:{_line(text, item.start)}", addresses))
        result[path] = blocks.mark_parts(text, _without_empty_pools(text, parts))
    before, after = ([item for _where, item in handed_out(state)] for state in (originals, result))
    return Outcome(result, nothing_left(before, after, lan, SERVER), warnings)


def _indentation(text: str, at: int) -> str:
    begin = text.rfind("\n", 0, at) + 1
    lead = text[begin:at]
    return lead if not lead.strip() else "  "


def _without_empty_pools(text: str, parts: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """The parts, those of a `pool` block that loses all its ranges being replaced by one for the block."""
    emptied = {(start, end) for start, end, new in parts if not new}
    for pool in _all(text):
        ranges = [item for item in pool.body if _range(item) is not None]
        if pool.words == ["pool"] and ranges and all((item.start, item.end) in emptied for item in ranges):
            parts = [part for part in parts if not pool.start <= part[0] < pool.end]
            parts.append((pool.start, pool.end, ""))
    return parts


def fixed_leases(files: Files) -> list[FixedLease]:
    """The addresses in `fixed-address` statements of hosts; host names written there are not looked up."""
    found = []
    for path, text in files.items():
        for host in _all(text):
            if len(host.words) < 2 or host.words[0] != "host":
                continue
            for item in host.body:
                if item.words and item.words[0] == "fixed-address":
                    where = f"{path}:{_line(text, item.start)}"
                    found += [
                        FixedLease(where, host.words[1], address)
                        for address in map(ipv4, item.words[1:])
                        if address is not None
                    ]
    return found


def lease_file(files: Files) -> str | None:
    """Where the configuration says that leases are kept."""
    named = [item.words[1] for text in files.values() for item in _all(text) if item.words[:1] == ["lease-file-name"]]
    return named[-1] if named else None


def leases(text: str, now: float) -> list[Lease]:
    """The leases in dhcpd.leases(5); the last entry of an address counts."""
    found: dict[str, Lease] = {}
    for entry in statements(text):
        address = ipv4(entry.words[1]) if len(entry.words) == 2 and entry.words[0] == "lease" else None
        if address is None:
            continue
        found.pop(str(address), None)
        says = {item.words[0]: item.words[1:] for item in entry.body if item.words}
        expiry = _time(says.get("ends", []))
        if says.get("binding", [])[-1:] == ["active"] and (expiry == 0 or expiry > now):
            mac = (says.get("hardware") or [""])[-1]
            name = (says.get("client-hostname") or [""])[-1]
            found[str(address)] = Lease(address, mac, name, expiry)
    return list(found.values())


def _time(words: Sequence[str]) -> int:
    """Seconds since 1970 of "never", "epoch N" or "WEEKDAY YYYY/MM/DD HH:MM:SS" (always UTC); 0 for never."""
    if words[:1] == ["epoch"] and len(words) > 1 and words[1].isdigit():
        return int(words[1])
    numbers = [int(number) for number in re.findall(r"\d+", " ".join(words[1:]))]
    return timegm((*numbers[:6], 0, 0, 0)) if len(numbers) >= 6 else 0
