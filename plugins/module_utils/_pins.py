# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses that the inventory holds for Services by name (lantern_pins). PRIVATE to the collection."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils._pools import (
    Address,
    Pool,
    Problem,
    parse_address,
    pool_ranges,
)

EXAMPLE = "Write lantern_pins: {default/web: 192.168.2.130}."
_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_SERVICE = re.compile(f"{_LABEL}/{_LABEL}")
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")


@dataclass(frozen=True)
class Pin:
    """Addresses (at most one of each family) held for the Service `service`; `host` is its name in DNS, "" for none."""

    service: str
    addresses: tuple[Address, ...]
    host: str = ""


def read_pins(given: Any) -> tuple[list[Pin], list[str]]:
    """The pins as written in the inventory, and what is wrong with them, one sentence each.

    A mapping from NAMESPACE/NAME to an address, a list of addresses, or {address: ..., host: name in DNS}.
    """
    if given in (None, "", {}, []):
        return [], []
    if not isinstance(given, Mapping):
        return [], [f'lantern_pins: "{given}" is no mapping. {EXAMPLE}']
    pins: list[Pin] = []
    found: list[str] = []
    for service, value in given.items():
        where = f'lantern_pins, "{service}"'
        if not _SERVICE.fullmatch(str(service)):
            found.append(f"{where}: this is not the namespace and name of a Service. {EXAMPLE}")
            continue
        pin, wrong = _pin(str(service), where, value)
        found += wrong
        if pin is not None:
            pins.append(pin)
    return pins, found


def _pin(service: str, where: str, value: Any) -> tuple[Pin | None, list[str]]:
    host, listed = "", value
    if isinstance(value, Mapping):
        unknown = sorted(set(value) - {"address", "host"})
        if unknown or "address" not in value:
            return None, [f"{where}: give it address and, if it is to have a name in DNS, host. {EXAMPLE}"]
        host, listed = str(value.get("host") or ""), value["address"]
    addresses: list[Address] = []
    for text in listed if isinstance(listed, list) else [listed]:
        address = parse_address(text, where)
        if isinstance(address, Problem):
            return None, [address.message]
        addresses.append(address)
    if not addresses or len({address.version for address in addresses}) < len(addresses):
        return None, [f"{where}: give it one address, or one of each family."]
    if host and not _HOST.fullmatch(host):
        return None, [f'{where}: "{host}" is no host name. Use lower-case letters, digits, dashes and dots.']
    return Pin(service, tuple(addresses), host), []


def pin_problems(pins: Sequence[Pin], pools: Sequence[Pool]) -> list[str]:
    """Pins that no pool can keep, and addresses pinned twice."""
    found: list[str] = []
    owners: dict[Address, str] = {}
    for pin in pins:
        for address in pin.addresses:
            if address in owners:
                message = "lantern_pins: {0} is held for both {1} and {2}. Give one of them another address."
                found.append(message.format(address, owners[address], pin.service))
            owners[address] = pin.service
        names = {name_of(address, pools) for address in pin.addresses}
        if None in names:
            listed = ", ".join(str(address) for address in pin.addresses)
            message = "lantern_pins: {0} ({1}) is in no pool. Enlarge a pool in lantern_pools, or pin another address."
            found.append(message.format(pin.service, listed))
        elif len(names) > 1:
            found.append(f"lantern_pins: the addresses of {pin.service} are in two pools. Take both from one pool.")
    return found


def name_of(address: Address, pools: Sequence[Pool]) -> str | None:
    """The name of the pool that holds the address."""
    for pool in pools:
        if any(address in item for item in pool_ranges(pool)[0]):
            return pool.name
    return None


def annotation(pins: Sequence[Pin], pool: Pool) -> str:
    """The pool's annotation lantern.homelab/pinned; "" when nothing in it is pinned."""
    held = [
        f"{pin.service}={address}"
        for pin in pins
        for address in pin.addresses
        if any(address in item for item in pool_ranges(pool)[0])
    ]
    return ",".join(held)
