# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which address families a Service has to get: those of its cluster addresses, never more, and by policy fewer.

The cluster addresses are what counts. A Service that prefers dual stack on a cluster of one family is single stack.
"""

from __future__ import annotations

from collections.abc import Sequence

from lantern.core.model import Service
from lantern.core.requests import Denied, quoted
from lantern.pools import Address
from lantern.reasons import Reason


def cluster_denied(service: Service) -> Denied | None:
    """Why the Service can have no address at all, whatever the pools hold."""
    if not service.families:
        why = "it is headless or still being created. Give it a cluster IP."
        return Denied(Reason.NO_CLUSTER_IP, f'"{service.key}" has no cluster IP: {why}')
    if service.requires_dual_stack and len(service.families) < 2:
        why = "Use ipFamilyPolicy PreferDualStack, or a cluster with both families."
        known = f'"{service.key}" requires dual stack but has cluster IPs of one family'
        return Denied(Reason.NOT_DUAL_STACK, f"{known}. {why}")
    return None


def alternatives(service: Service) -> list[tuple[int, ...]]:
    """What to look for, best first: all families of the Service; if it only prefers both, then one, its first first."""
    found = [tuple(sorted(service.families))]
    if may_be_partial(service):
        found += [(version,) for version in service.families]
    return found


def may_be_partial(service: Service) -> bool:
    """Whether one family is enough although the Service has two."""
    return service.prefers_dual_stack and len(service.families) == 2


def is_complete(service: Service, addresses: Sequence[Address]) -> bool:
    """Whether each family of the Service has its address. Addresses of other families must have been left out."""
    return len(addresses) == len(service.families)


def in_order(addresses: Sequence[Address]) -> tuple[Address, ...]:
    """IPv4 first, whatever the order of spec.ipFamilies."""
    return tuple(sorted(addresses, key=lambda address: address.version))


def request_denied(service: Service, wanted: Sequence[Address]) -> Denied | None:
    """Why these addresses cannot be asked for by this Service. There is one of a family at most (core.requests)."""
    versions = {address.version for address in wanted}
    if versions == set(service.families) or (may_be_partial(service) and versions < set(service.families)):
        return None
    return mismatch(service, wanted)


def mismatch(service: Service, addresses: Sequence[Address]) -> Denied:
    """These addresses are not of the Service's families."""
    sentence = f"{quoted(tuple(addresses))} does not fit the Service, which is {names(service)}"
    return Denied(Reason.FAMILY_MISMATCH, sentence)


def names(service: Service) -> str:
    """The Service's families for people."""
    return " and ".join(f"IPv{version}" for version in sorted(service.families))
