# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kea's configuration file: which addresses it hands out, and how to take some of them away. PRIVATE, pure.

The file is JSON with comments ("#", "//", "/* */") and `<?include "file"?>` (Kea Administrator Reference Manual,
chapter 5.1). It is changed where it stands: the list `pools` of a subnet gets one entry for each part that stays, with
all that the original entry says besides its addresses; the lines around it are kept in comments.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange, Problem, parse_range
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

SERVER = "Kea"
_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*|//[^\n]*|/\*.*?\*/)
    |<\?include\s+"(?P<include>[^"]*)"\s*\?>
    |(?P<string>"(?:[^"\\]|\\.)*")
    |(?P<mark>[\[\]{},:])
    |(?P<literal>[^\s\[\]{},:"\#]+)""",
    re.VERBOSE | re.DOTALL,
)


class KeaSyntaxError(ValueError):
    """The text is no configuration of Kea; the message names file and line."""


@dataclass(frozen=True)
class Node:
    """A value of the configuration, and where it stands: offsets in the text named `path`."""

    value: Any
    path: str
    start: int
    end: int

    def get(self, key: str) -> Node | None:
        return self.value.get(key) if isinstance(self.value, dict) else None

    def items(self, key: str) -> list[Node]:
        found = self.get(key)
        return found.value if found is not None and isinstance(found.value, list) else []

    def text(self, key: str) -> str:
        found = self.get(key)
        return found.value if found is not None and isinstance(found.value, str) else ""


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    path: str
    start: int
    end: int


def includes(text: str) -> list[str]:
    """The files that this text includes, in order."""
    return [match.group("include") for match in _matches(text, "") if match.lastgroup == "include"]


def flatten(files: Files) -> str:
    """The configuration as one text, files standing where they are included."""

    def expand(path: str) -> str:
        parts = []
        for match in _matches(files[path], path):
            name = match.group("include")
            parts.append(expand(name) if match.lastgroup == "include" and name in files else match.group())
        return "".join(parts)

    return expand(next(iter(files)))


def _matches(text: str, path: str) -> Iterator[re.Match[str]]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise KeaSyntaxError(f"{_place(text, path, at)}: this cannot be read: {text[at : at + 20]!r}")
        yield match
        at = match.end()


def _place(text: str, path: str, at: int) -> str:
    return f"{path}:{text.count(chr(10), 0, at) + 1}"


def _tokens(files: Files, path: str, depth: int = 0) -> Iterator[_Token]:
    if depth > 10:  # Kea's own limit
        raise KeaSyntaxError(f"{path}: files include each other more than ten deep.")
    for match in _matches(files[path], path):
        if match.lastgroup == "include":
            name = match.group("include")
            if name not in files:
                raise KeaSyntaxError(f"{_place(files[path], path, match.start())}: {name} cannot be read.")
            yield from _tokens(files, name, depth + 1)
        elif match.lastgroup != "space":
            yield _Token(str(match.lastgroup), match.group(), path, match.start(), match.end())


class _Reader:
    def __init__(self, files: Files) -> None:
        self._files = files
        self._path = next(iter(files))
        self._tokens = _tokens(files, self._path)
        self._next = next(self._tokens, None)

    def _take(self) -> _Token:
        token = self._next
        if token is None:
            raise KeaSyntaxError(f"{self._path}: the file ends too early.")
        self._next = next(self._tokens, None)
        return token

    def _wrong(self, token: _Token) -> KeaSyntaxError:
        return KeaSyntaxError(
            f"{_place(self._files[token.path], token.path, token.start)}: {token.text!r} is not expected here."
        )

    def value(self) -> Node:
        token = self._take()
        if token.text == "{":
            return self._members(token)
        if token.text == "[":
            return self._elements(token)
        if token.kind == "mark":
            raise self._wrong(token)
        try:
            return Node(json.loads(token.text), token.path, token.start, token.end)
        except ValueError as error:
            raise self._wrong(token) from error

    def _members(self, begin: _Token) -> Node:
        found: dict[str, Node] = {}
        while True:
            token = self._take()
            if token.text == "}":
                return Node(found, begin.path, begin.start, token.end if token.path == begin.path else begin.end)
            if token.text == ",":
                continue
            colon = self._take()
            if token.kind != "string" or colon.text != ":":
                raise self._wrong(token)
            found[json.loads(token.text)] = self.value()

    def _elements(self, begin: _Token) -> Node:
        found: list[Node] = []
        while self._next is not None and self._next.text != "]":
            if self._next.text == ",":
                self._take()
                continue
            found.append(self.value())
        end = self._take()
        return Node(found, begin.path, begin.start, end.end if end.path == begin.path else begin.end)


def read(files: Files) -> Node:
    """The configuration; the first of `files` is the main file. Raises KeaSyntaxError."""
    return _Reader(files).value()


def _dhcp4(files: Files) -> Node:
    found = read(files).get("Dhcp4") if files else None
    return found if found is not None else Node({}, "", 0, 0)


def _subnets(dhcp4: Node) -> list[Node]:
    shared = [subnet for network in dhcp4.items("shared-networks") for subnet in network.items("subnet4")]
    return dhcp4.items("subnet4") + shared


def pool_range(text: str) -> AddressRange | None:
    """The addresses of a pool in Kea's two notations, "first - last" and "network/length"; None for all else."""
    found = parse_range(text)
    return found if isinstance(found, AddressRange) and found.version == 4 else None


def handed_out(files: Files) -> HandedOut:
    """Every pool of every subnet."""
    return [
        (_place(files[pool.path], pool.path, pool.start), addresses)
        for subnet in _subnets(_dhcp4(files))
        for pool in subnet.items("pools")
        for addresses in [pool_range(pool.text("pool"))]
        if addresses is not None
    ]


def release(files: Files) -> dict[str, str]:
    """See contract.Driver."""
    return {path: blocks.unmark(text) for path, text in files.items()}


def reserve(files: Files, reserved: Sequence[AddressRange], lan: AddressRange | None = None) -> Outcome:
    """See contract.Driver."""
    originals = release(files)
    parts: dict[str, list[tuple[int, int, str]]] = {path: [] for path in originals}
    problems: list[Problem] = []
    warnings: list[str] = []
    for subnet in _subnets(_dhcp4(originals)):
        pools = subnet.get("pools")
        if pools is None:
            continue
        entries, changed = [], False
        for pool in pools.value:
            text = originals[pool.path][pool.start : pool.end]
            addresses = pool_range(pool.text("pool"))
            rest = [] if addresses is None else remaining(addresses, reserved)
            if addresses is None or rest == [addresses]:
                entries.append(text)
                continue
            changed = True
            where = _place(originals[pool.path], pool.path, pool.start)
            name = pool.get("pool")
            if {pool.path, name.path} != {pools.path} or pools.end - pools.start < 2:
                message = "{0}: the pools of subnet {1} are spread over several files. Write them into one file."
                problems.append(Problem("spread", where, message.format(where, subnet.text("subnet"))))
                continue
            head, tail = text[: name.start - pool.start], text[name.end - pool.start :]
            entries += [f'{head}"{part}"{tail}' for part in rest]
            if not rest:
                warnings.append(gone_warning(where, addresses))
        if changed:
            old = originals[pools.path][pools.start : pools.end]
            parts[pools.path].append((pools.start, pools.end, _list_text(entries, old)))
    result = {path: blocks.mark_parts(text, parts[path]) for path, text in originals.items()}
    if not problems:
        before, after = ([item for _where, item in handed_out(state)] for state in (originals, result))
        problems += nothing_left(before, after, lan, SERVER)
    return Outcome(result, problems, warnings)


def _list_text(entries: Sequence[str], old: str) -> str:
    """A JSON list of these texts, spread over lines as the old one is."""
    if not entries:
        return "[ ]"
    first = re.match(r"\[(\s*)", old)
    last = re.search(r"(\s*)\]$", old)
    lead = first.group(1) if first else " "
    trail = last.group(1) if last else " "
    return "[" + lead + ("," + (lead or " ")).join(entries) + trail + "]"


def fixed_lease(reservation: Mapping[str, Any], where: str) -> FixedLease | None:
    """A host reservation's address and its host by name, else by what identifies it; None without an address."""
    address = ipv4(str(reservation.get("ip-address") or ""))
    if address is None:
        return None
    keys = ("hostname", "hw-address", "client-id", "duid", "circuit-id", "flex-id")
    host = next((str(reservation[key]) for key in keys if reservation.get(key)), "")
    return FixedLease(where, host, address)


def fixed_leases(files: Files) -> list[FixedLease]:
    """Host reservations in the file; those in a database are not seen."""
    dhcp4 = _dhcp4(files)
    nodes = [
        *dhcp4.items("reservations"),
        *(item for subnet in _subnets(dhcp4) for item in subnet.items("reservations")),
    ]
    found = [
        fixed_lease(
            {key: item.value for key, item in node.value.items()}, _place(files[node.path], node.path, node.start)
        )
        for node in nodes
        if isinstance(node.value, dict)
    ]
    return [item for item in found if item is not None]


def setting(files: Files, *keys: str) -> Any:
    """A scalar of the section Dhcp4 by its path, such as ("lease-database", "name"); None when it is not set."""
    node: Node | None = _dhcp4(files)
    for key in keys:
        node = node.get(key) if node is not None else None
    return None if node is None or isinstance(node.value, (dict, list)) else node.value


def leases(text: str, now: float) -> list[Lease]:
    """The leases in a lease file of the memfile backend (CSV; a later row of an address replaces an earlier one)."""
    rows = [line.split(",") for line in text.splitlines()]
    if not rows:
        return []
    columns = {name: number for number, name in enumerate(rows[0])}
    if not {"address", "hwaddr", "expire"} <= set(columns):
        return []
    found: dict[str, Lease] = {}

    def cell(row: list[str], name: str) -> str:
        number = columns.get(name, len(row))
        return row[number] if number < len(row) else ""

    for row in rows[1:]:
        address = ipv4(cell(row, "address"))
        expiry = cell(row, "expire")
        if address is None or not expiry.isdigit():
            continue
        found.pop(str(address), None)
        never = cell(row, "valid_lifetime") == str(0xFFFFFFFF)
        # State 1 is declined: somebody else uses the address, which matters as well; 2 is expired and reclaimed.
        if cell(row, "valid_lifetime") != "0" and cell(row, "state") in ("", "0", "1") and (never or int(expiry) > now):
            # Commas in names are written as "&#x2c".
            name = cell(row, "hostname").replace("&#x2c", ",").rstrip(".")
            found[str(address)] = Lease(address, cell(row, "hwaddr"), name, 0 if never else int(expiry))
    return list(found.values())
