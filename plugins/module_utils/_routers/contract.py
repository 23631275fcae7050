# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every driver for a DHCP server offers, and what they share. PRIVATE to the homelab.lantern collection, pure.

A driver is a module with the functions of `Driver`. It sees the server's configuration as named texts (`Files`: files
by path, or what an API answered by resource) and returns the texts that are wanted; reading, testing and applying them
is not its business. How the original comes back on `release` is the driver's own: beside the changed lines in comments,
in an option of its own, or in the text named RECORD, which the caller keeps for servers that have no place for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, Iterable, List, Mapping, NamedTuple, Protocol, Sequence, Tuple

from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange, Problem, RangeSet

RECORD = "(record)"
"""Name of the text in which a driver without a better place keeps what was there before, as JSON."""

Files = Mapping[str, str]
"""Name and text of every part of the server's configuration, in the order the server reads them."""

HandedOut = List[Tuple[str, AddressRange]]
"""Every IPv4 range that any client gets an address from, with the place where it is written ("file:line")."""


class FixedLease(NamedTuple):
    """An address that the server gives to one host only; `where` is the place it is written in."""

    where: str
    host: str
    address: IPv4Address


class Lease(NamedTuple):
    """An address in use; `expiry` in seconds since 1970, 0 for never."""

    address: IPv4Address
    mac: str
    name: str
    expiry: int


class HostName(NamedTuple):
    """A name that the router's DNS is to answer with these addresses (text, at most one of each family)."""

    name: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """The texts as they are to be, and what there is to say. With problems nothing may be written."""

    files: dict[str, str]
    problems: list[Problem]
    warnings: list[str]


class Driver(Protocol):
    """The functions of a driver's module.

    For all texts `f`: release(reserve(f).files) == f byte for byte; reserving a second time changes nothing; and
    handed_out(reserve(f).files) holds no reserved address, unless there are problems.
    """

    def handed_out(self, files: Files) -> HandedOut:
        """What clients get addresses from."""

    def reserve(self, files: Files, reserved: Sequence[AddressRange], lan: AddressRange | None = None) -> Outcome:
        """The texts with no address of `reserved` left to hand out, from the originals whatever is reserved now.

        `lan`: the network that must keep at least one address to hand out; without it, any range counts.
        """

    def release(self, files: Files) -> dict[str, str]:
        """The texts without any reservation; a name that is missing in them is to be deleted."""

    def fixed_leases(self, files: Files) -> list[FixedLease]:
        """Addresses that the configuration keeps for one host."""

    def leases(self, given: Any, now: float) -> list[Lease]:
        """The IPv4 leases in the server's list (a text, or what an API answered) that last beyond `now` (Unix time)."""


def changes(before: Files, after: Files) -> dict[str, str | None]:
    """What has to be written to come from `before` to `after`: the new text by name, None for what is to go."""
    changed: dict[str, str | None] = {name: text for name, text in after.items() if before.get(name) != text}
    changed.update({name: None for name in before if name not in after})
    return changed


def remaining(addresses: AddressRange, reserved: Iterable[AddressRange]) -> list[AddressRange]:
    """The parts of a range that are not reserved, in order."""
    return list(RangeSet([addresses]).difference(RangeSet(reserved)))


def largest(parts: Sequence[AddressRange]) -> AddressRange | None:
    """The part with the most addresses, the first one of equals; for servers that know only one range."""
    return max(parts, key=lambda item: item.size, default=None)


def ipv4(text: str) -> IPv4Address | None:
    """The address, None when the text is none."""
    try:
        return IPv4Address(text.strip())
    except ValueError:
        return None


def gone_warning(where: str, addresses: AddressRange) -> str:
    """All of a range is reserved."""
    return f"{where}: all of {addresses} is reserved, so this range is handed out no more."


def shortened_warning(where: str, server: str, lost: Iterable[AddressRange]) -> str:
    """A server with one range only loses more than the pools."""
    listed = ", ".join(map(str, lost))
    return (
        f"{where}: {server} knows one range only, so besides the pools it hands out {listed} no more. "
        "Pools at an edge of the range avoid this."
    )


def nothing_left(
    before: Iterable[AddressRange], after: Iterable[AddressRange], lan: AddressRange | None, server: str
) -> list[Problem]:
    """A refusal when the pools take every address that is handed out in the LAN; `server` as named in sentences."""
    had = [item for item in before if lan is None or lan.overlaps(item)]
    if not had or any(lan is None or lan.overlaps(item) for item in after):
        return []
    message = (
        "The pools take every address that {0} hands out ({1}): no other host could get one. "
        "Make the pools smaller, or widen the DHCP range first."
    )
    return [Problem("nothing-left", "range", message.format(server, ", ".join(map(str, had))))]


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
