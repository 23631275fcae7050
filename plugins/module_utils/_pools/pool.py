# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Address pools, and whether they can be used. PRIVATE to the collection."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from .problem import Problem
from .ranges import Address, AddressRange, Network, network_range, parse_address, parse_networks, parse_range
from .rangeset import RangeSet

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@dataclass(frozen=True)
class Pool:
    """Addresses under one name, as people write them: CIDRs and first-last ranges, in the order they are to be used."""

    name: str
    addresses: tuple[str, ...]
    auto_assign: bool = True
    avoid_buggy_ips: bool = False

    def __post_init__(self) -> None:
        # Lists come from YAML; a tuple keeps the record comparable and hashable.
        object.__setattr__(self, "addresses", tuple(self.addresses))

    def usable(self, address: Address) -> bool:
        """Whether the pool's own rule allows this address: IPv4 ending in .0 or .255 is avoided when asked for."""
        return not (self.avoid_buggy_ips and address.version == 4 and int(address) & 0xFF in (0, 255))

    def without(self, addresses: Iterable[Address]) -> Pool:
        """The pool with these addresses left out; entries that hold none of them keep their text."""
        holes = RangeSet(AddressRange(address.version, int(address), int(address)) for address in addresses)
        kept: list[str] = []
        for text in self.addresses:
            entry = parse_range(text)
            if isinstance(entry, Problem) or not any(hole.overlaps(entry) for hole in holes):
                kept.append(text)
            else:
                kept.extend(str(rest) for rest in RangeSet([entry]).difference(holes))
        return replace(self, addresses=tuple(kept))


class _Entry(NamedTuple):
    """One range of a pool, and how a message names it."""

    range: AddressRange
    pool: Pool
    name: str


def _unnumbered(pool: Pool, _number: int) -> str:
    return f'pool "{pool.name}"'


def pool_ranges(pool: Pool) -> tuple[tuple[AddressRange, ...], list[Problem]]:
    """The pool's ranges in the order written, and what is wrong with the entries that are none."""
    entries, wrong = _entries(pool, _unnumbered)
    return tuple(entry.range for entry in entries), wrong


def _entries(pool: Pool, name: Callable[[Pool, int], str]) -> tuple[list[_Entry], list[Problem]]:
    where = f'pool "{pool.name}"'
    entries: list[_Entry] = []
    wrong: list[Problem] = []
    for number, text in enumerate(pool.addresses):
        named = name(pool, number)
        parsed = parse_range(text, named)
        if isinstance(parsed, Problem):
            wrong.append(parsed._replace(where=where))
        else:
            entries.append(_Entry(parsed, pool, named))
    if not pool.addresses:
        message = f'{where} has no addresses. Give it at least one, such as "192.168.2.128/25", or remove it.'
        wrong.append(Problem("empty", where, message))
    return entries, wrong


def capacity(pool: Pool, version: int) -> int:
    """How many addresses of the family (4 or 6) the pool can hand out. Exact however large, unlike a 64-bit counter."""
    ranges = [item for item in pool_ranges(pool)[0] if item.version == version]
    avoided = sum(_buggy(item) for item in ranges) if pool.avoid_buggy_ips and version == 4 else 0
    return sum(item.size for item in ranges) - avoided


def _buggy(item: AddressRange) -> int:
    """How many addresses of an IPv4 range end in .0 or .255."""

    def up_to(value: int) -> int:
        return value // 256 + 1 + (value + 1) // 256

    return up_to(item.last) - up_to(item.first - 1)


def problems(
    pools: Sequence[Pool],
    nodes: Mapping[str, str | Sequence[str]] | None = None,
    router: str | Sequence[str] | None = None,
    reservations: Mapping[str, str] | None = None,
    name: Callable[[Pool, int], str] = _unnumbered,
) -> list[Problem]:
    """Everything that forbids using these pools; an empty list when nothing does.

    `nodes` maps a host's name to its address, `reservations` as well; `router` is an address. Nodes and router may have
    several. `name` says how to name an entry of a pool, by its index. Codes: bad-name, duplicate-name, empty,
    malformed, reversed, family-mix, overlap, holds-node, holds-router, holds-reservation.
    """
    found = _name_problems(pools)
    entries: list[_Entry] = []
    for pool in pools:
        read, wrong = _entries(pool, name)
        found += wrong
        entries += read
    found += _overlaps(entries)
    found += _held(entries, "holds-node", "node", dict(nodes or {}))
    found += _held(entries, "holds-router", "router", {"": router} if router else {})
    found += _held(entries, "holds-reservation", "reservation", dict(reservations or {}))
    return found


def _name_problems(pools: Sequence[Pool]) -> list[Problem]:
    found: list[Problem] = []
    seen: dict[str, int] = {}
    for pool in pools:
        where = f'pool "{pool.name}"'
        seen[pool.name] = seen.get(pool.name, 0) + 1
        if seen[pool.name] == 2:
            message = f"{where} is defined more than once. Rename one of them, or list all addresses under one name."
            found.append(Problem("duplicate-name", where, message))
        if not _NAME.fullmatch(pool.name):
            message = f"{where}: Kubernetes takes no such name. Use lower-case letters, digits and dashes."
            found.append(Problem("bad-name", where, message))
    return found


def _overlaps(entries: Sequence[_Entry]) -> list[Problem]:
    """Each range against the one before it that reaches furthest: names every range that overlaps, not every pair."""
    found: list[Problem] = []
    furthest: _Entry | None = None
    for entry in sorted(entries, key=lambda entry: entry.range):
        item = entry.range
        if furthest is not None and furthest.range.overlaps(item):
            if entry.pool is furthest.pool:
                message = "{0} lists addresses twice: {1} overlaps {3}. Remove one of them."
            else:
                message = "{0} ({1}) overlaps {2} ({3}). Change one of them so that no address is in both."
            told = message.format(entry.name, item, furthest.name, furthest.range)
            found.append(Problem("overlap", f'pool "{entry.pool.name}"', told))
        if furthest is None or (item.version, item.last) > (furthest.range.version, furthest.range.last):
            furthest = entry
    return found


def _held(entries: Sequence[_Entry], code: str, kind: str, hosts: Mapping[str, str | Sequence[str]]) -> list[Problem]:
    found: list[Problem] = []
    listed = [(name, text) for name, given in hosts.items() for text in ([given] if isinstance(given, str) else given)]
    for name, text in listed:
        label = f'{kind} "{name}"' if name else f"the {kind}"
        address = parse_address(text, label)
        if isinstance(address, Problem):
            found.append(address)
            continue
        for entry in entries:
            if address in entry.range:
                message = (
                    "{0} ({1}) holds {2}, the address of {3}. Move the pool, or give the host an address outside it."
                )
                told = message.format(entry.name, entry.range, address, label)
                found.append(Problem(code, f'pool "{entry.pool.name}"', told))
    return found


def warnings(pools: Sequence[Pool], lans: str | Sequence[str]) -> list[Problem]:
    """What is allowed but probably not meant, seen from the LAN (a CIDR), or from several.

    Pools of a family that no LAN has are not judged. Codes: outside-lan, holds-network-address,
    holds-broadcast-address; malformed for what is no network.
    """
    networks, found = parse_networks(lans, "the LAN")
    for pool in pools:
        where = f'pool "{pool.name}"'
        for text in pool.addresses:
            item = parse_range(text)
            if isinstance(item, Problem):
                continue
            near = [network for network in networks if network.version == item.version]
            if near and RangeSet([item]).difference(RangeSet(map(network_range, near))):
                message = "{0} reaches outside {1}. Hosts there find it only if the router has a route to it."
                one = f"{where} ({item})", f"the LAN {near[0]}"
                several = f"{where} ({text})", f"each of the LANs {', '.join(map(str, near))}"
                found.append(Problem("outside-lan", where, message.format(*(one if len(near) == 1 else several))))
            found += _held_edges(pool, item, near)
    return found


def _held_edges(pool: Pool, item: AddressRange, networks: Sequence[Network]) -> list[Problem]:
    where = f'pool "{pool.name}"'
    found: list[Problem] = []
    for network in networks:
        for code, role, address in _edges(network):
            if address in item:
                message = "{0} ({1}) holds {2}, the {3} address of the LAN {4}. Leave it out: {5}."
                kept = trimmed(Pool(pool.name, (str(item),)), [str(one) for one in networks])
                rest = ", ".join(kept) or "no address is left then"
                found.append(Problem(code, where, message.format(where, item, address, role, network, rest)))
    return found


def _edges(network: Network) -> list[tuple[str, str, Address]]:
    """The network's addresses that no host can have. A /31 has none (RFC 3021); the last one of IPv6 is ordinary."""
    if network.prefixlen >= network.max_prefixlen - 1:
        return []
    edges: list[tuple[str, str, Address]] = [("holds-network-address", "network", network.network_address)]
    if network.version == 4:
        edges.append(("holds-broadcast-address", "broadcast", network.broadcast_address))
    return edges


def trimmed(pool: Pool, lans: str | Sequence[str]) -> tuple[str, ...]:
    """The pool's addresses without network and broadcast address of the LAN, or of several."""
    return pool.without(
        address for network in parse_networks(lans)[0] for _code, _role, address in _edges(network)
    ).addresses
