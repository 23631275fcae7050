# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When Services may have one address together.

Their sharing keys (annotation allow-shared-ip) are equal and not empty; connections reach the same pods wherever they
arrive, which is so for externalTrafficPolicy Cluster, and for Local if the selectors are equal; and no port of a
protocol is wanted twice. Namespaces do not matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lantern.core.model import Service
from lantern.core.requests import Denied
from lantern.pools import Address
from lantern.reasons import Reason

_ANNOTATION = "metallb.io/allow-shared-ip"


class SharingGroup(NamedTuple):
    """Services of one group may share an address as far as their ports allow."""

    key: str
    backend: str


def group_of(service: Service) -> SharingGroup | None:
    """The Service's group; None when it shares with nobody."""
    key = service.sharing_key
    return SharingGroup(key, service.backend_key) if key else None


def conflict(service: Service, address: Address, users: Iterable[Service]) -> Denied | None:
    """Why the Service cannot have the address beside its present users; None when it can."""
    others = [user for user in users if user.key != service.key]
    if not others:
        return None
    group = group_of(service)
    for other in others:
        if other.lb_class != service.lb_class or group is None or group_of(other) != group:
            return _not_of_one_group(service, other, others)
    for protocol, port in service.ports:
        for other in others:
            if (protocol, port) in other.ports:
                known = f'port {protocol}/{port} is already in use on "{address}"'
                return Denied(Reason.PORT_IN_USE, f"{known} by {other.key}. Use another port or another address.")
    return None


def _not_of_one_group(service: Service, other: Service, others: list[Service]) -> Denied:
    names = ",".join(sorted(str(item.key) for item in others))
    known = f'can\'t change sharing key for "{service.key}", address also in use by {names}'
    if other.lb_class != service.lb_class:
        why = f"{other.key} belongs to another load balancer."
        return Denied(Reason.ADDRESS_IN_USE, f"{known}. {why} Ask for another address.")
    if not service.sharing_key or not other.sharing_key:
        why = f"To share it, give all of them the annotation {_ANNOTATION} with the same value."
        return Denied(Reason.ADDRESS_IN_USE, f"{known}. {why}")
    if service.sharing_key != other.sharing_key:
        why = f'{other.key} has {_ANNOTATION} "{other.sharing_key}", {service.key} has "{service.sharing_key}".'
        return Denied(Reason.SHARING_KEY_DIFFERS, f"{known}. {why}")
    why = "With externalTrafficPolicy Local only Services with the same selector share an address."
    return Denied(Reason.SHARING_PODS_DIFFER, f"{known}. {why}")
