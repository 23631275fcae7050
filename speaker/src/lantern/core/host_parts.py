# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""IPv6 pools of a home whose prefix changes: people write the host part, the nodes tell the prefix.

The prefix is the /64 of the nodes' InternalIPs. Of several the one is taken that most nodes have; of equals the lowest,
so that every process comes to the same one. Global addresses (2000::/3) go before unique local ones (fc00::/7, RFC
4193): a unique local prefix does not change, so pools of it can be written out; it is taken only where no node has a
global address. Link-local addresses say nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv6Network

from lantern.core.model import HOST_PARTS_ANNOTATION, Node, PoolSpec
from lantern.pools import Address, AddressRange, Problem, parse_range

_GLOBAL = IPv6Network("2000::/3")
_UNIQUE_LOCAL = IPv6Network("fc00::/7")
_PREFIX_LENGTH = 64
_HOST_LIMIT = 1 << (128 - _PREFIX_LENGTH)


def nodes_prefix(nodes: Iterable[Node]) -> IPv6Network | None:
    """The /64 that the nodes are in, None when none of them has an address that tells."""
    counted: Counter[IPv6Network] = Counter()
    for node in nodes:
        # A node with two addresses in one network speaks for it once.
        counted.update({_network(address) for address in node.addresses if _tells(address)})
    if not counted:
        return None
    return min(counted, key=lambda network: (network.network_address not in _GLOBAL, -counted[network], network))


def _tells(address: Address) -> bool:
    return address.version == 6 and (address in _GLOBAL or address in _UNIQUE_LOCAL)


def _network(address: Address) -> IPv6Network:
    return IPv6Network((int(address), _PREFIX_LENGTH), strict=False)


def host_part_problems(spec: PoolSpec) -> list[Problem]:
    """What is wrong with the pool's host parts. Code: host-part, or those of `parse_range`."""
    where = f'pool "{spec.pool.name}"'
    found: list[Problem] = []
    for text in spec.host_parts:
        item = parse_range(text, f"{where}, annotation {HOST_PARTS_ANNOTATION}")
        if isinstance(item, Problem):
            found.append(item._replace(where=where))
        elif item.version != 6 or item.last >= _HOST_LIMIT:
            message = (
                f'{where}, annotation {HOST_PARTS_ANNOTATION}: "{text}" is more than the host part of IPv6 addresses. '
                'Leave the prefix out, as in "::100-::1ff" or "::1:0/112".'
            )
            found.append(Problem("host-part", where, message))
    return found


def address_field(spec: PoolSpec, number: int) -> str:
    """What of the object stands for one of the pool's addresses: behind the written ones come resolved host parts."""
    written = len(spec.pool.addresses) - (0 if spec.pending else len(_fitting(spec)))
    return f"spec.addresses[{number}]" if number < written else f"annotation {HOST_PARTS_ANNOTATION}"


def resolve(spec: PoolSpec, prefix: IPv6Network | None) -> PoolSpec:
    """The pool with its host parts under this prefix as addresses, or pending when there is none.

    Host parts with problems are left out.
    """
    if not spec.host_parts:
        return spec
    if prefix is None:
        listed = ", ".join(spec.host_parts)
        reason = (
            f"the prefix of its IPv6 host parts ({listed}) is not known: no node has a global or unique local IPv6 "
            "address as InternalIP (kubelet option --node-ip)"
        )
        return replace(spec, pending=reason)
    base = int(prefix.network_address)
    resolved = tuple(str(AddressRange(6, base + item.first, base + item.last)) for item in _fitting(spec))
    return replace(spec, pool=replace(spec.pool, addresses=(*spec.pool.addresses, *resolved)))


def _fitting(spec: PoolSpec) -> list[AddressRange]:
    """Host parts without problems."""
    parsed = [parse_range(text) for text in spec.host_parts]
    fitting = [item for item in parsed if isinstance(item, AddressRange) and item.version == 6]
    return [item for item in fitting if item.last < _HOST_LIMIT]
