# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Service asks for: its annotations address-pool and loadBalancerIPs, and the field spec.loadBalancerIP."""

from __future__ import annotations

from dataclasses import dataclass

from lantern.core.model import ANNOTATION_PREFIXES, Service
from lantern.pools import Address, Problem, parse_address
from lantern.reasons import Reason


@dataclass(frozen=True, slots=True)
class Denied:
    """A "no": a reason for programs, a sentence for people."""

    reason: Reason
    sentence: str


@dataclass(frozen=True, slots=True)
class Request:
    """The wishes of one Service. Empty means: any."""

    addresses: tuple[Address, ...] = ()
    pool: str = ""


def quoted(addresses: tuple[Address, ...]) -> str:
    """Addresses as events show them: ["192.168.2.128" "fd00::1"]."""
    return "[" + " ".join(f'"{address}"' for address in addresses) + "]"


_ANY = Request()
_WISHES = ("address-pool", "loadBalancerIPs")
_ASKING = frozenset(prefix + name for prefix in ANNOTATION_PREFIXES for name in _WISHES)
_DEPRECATED = frozenset(f"metallb.universe.tf/{name}" for name in (*_WISHES, "allow-shared-ip"))


def deprecated_annotations(service: Service) -> tuple[str, ...]:
    """The keys of the old prefix by which the Service asks for something."""
    return tuple(sorted(_DEPRECATED.intersection(service.annotations)))


def read(service: Service) -> Request | Denied:
    """The Service's wishes, or why they cannot be read."""
    # Most Services ask for nothing.
    if not service.requested_ip and _ASKING.isdisjoint(service.annotations):
        return _ANY
    pool = service.annotation("address-pool") or ""
    listed = service.annotation("loadBalancerIPs") or ""
    if listed and service.requested_ip:
        both = f'spec.loadBalancerIP "{service.requested_ip}" and the annotation loadBalancerIPs "{listed}"'
        return Denied(Reason.BAD_REQUEST, f"{both} are both set. Remove one of them.")
    addresses: list[Address] = []
    for text in (listed or service.requested_ip).split(",") if listed or service.requested_ip else ():
        address = parse_address(text, "requested address")
        if isinstance(address, Problem):
            return Denied(Reason.BAD_REQUEST, address.message)
        addresses.append(address)
    if len({address.version for address in addresses}) < len(addresses):
        asked = quoted(tuple(addresses))
        return Denied(Reason.BAD_REQUEST, f"{asked} asks for more than one address of a family. Ask for one of each.")
    return Request(tuple(sorted(addresses, key=lambda address: address.version)), pool)
