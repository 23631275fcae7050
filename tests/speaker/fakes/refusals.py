# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reason for which an allocation is refused, changed or explained, with a cluster that has it."""

from __future__ import annotations

from typing import Any

from lantern.core.model import PoolSpec, Service, ServiceAllocation
from lantern.reasons import Reason

from fakes.records import pool, service

HOME = pool("p", "1.2.3.0/30", created="1")
ONE = pool("p", "1.2.3.0/32")
SIX = pool("six", "fd00::/64", created="2")
RESERVED = pool("p", "1.2.3.0/30", allocation=ServiceAllocation(namespaces=("other",)))
ON_REQUEST = pool("p", "1.2.3.0/30", auto_assign=False)
BOTH: dict[str, Any] = {"families": (4, 6), "requires_dual_stack": True}
HTTP = (("TCP", 80),)


def shares(name: str, *addresses: str, key: str = "k", **more: Any) -> Service:
    held = {"ip-allocated-from-pool": "p"} if addresses else {}
    return service(name, *addresses, asks={"allow-shared-ip": key, **held}, created=name, **more)


CASES: list[tuple[Reason, list[Service], list[PoolSpec]]] = [
    (Reason.NOT_LOAD_BALANCER, [service("a", "1.2.3.0", pool="p", is_load_balancer=False)], [HOME]),
    (Reason.NO_CLUSTER_IP, [service("a", families=())], [HOME]),
    (Reason.NOT_DUAL_STACK, [service("a", requires_dual_stack=True)], [HOME]),
    (Reason.BAD_REQUEST, [service("a", requested_ip="oops")], [HOME]),
    (Reason.FAMILY_MISMATCH, [service("a", requested_ip="fd00::1")], [HOME, SIX]),
    (Reason.NOT_IN_POOLS, [service("a", requested_ip="9.9.9.9")], [HOME]),
    (Reason.UNKNOWN_POOL, [service("a", asks={"address-pool": "x"})], [HOME]),
    (Reason.OTHER_POOL_REQUESTED, [service("a", requested_ip="1.2.3.1", asks={"address-pool": "six"})], [HOME, SIX]),
    (Reason.OTHER_ADDRESS_REQUESTED, [service("a", "1.2.3.1", pool="p", requested_ip="1.2.3.2")], [HOME]),
    (Reason.POOL_NOT_COMPATIBLE, [service("a", asks={"address-pool": "p"})], [RESERVED]),
    (Reason.ADDRESS_IN_USE, [service("a", "1.2.3.0", pool="p"), service("b", requested_ip="1.2.3.0")], [HOME]),
    (Reason.SHARING_KEY_DIFFERS, [shares("a", "1.2.3.0"), shares("b", key="x", requested_ip="1.2.3.0")], [HOME]),
    (
        Reason.SHARING_PODS_DIFFER,
        [
            shares("a", "1.2.3.0"),
            shares("b", requested_ip="1.2.3.0", local_traffic_only=True, selector={"app": "x"}),
        ],
        [HOME],
    ),
    (Reason.PORT_IN_USE, [shares("a", "1.2.3.0", ports=HTTP), shares("b", requested_ip="1.2.3.0", ports=HTTP)], [HOME]),
    (
        Reason.AVOIDED_ADDRESS,
        [service("a", requested_ip="1.2.3.0")],
        [pool("p", "1.2.3.0/30", avoid_buggy_ips=True)],
    ),
    (Reason.SPLIT_OVER_POOLS, [service("a", asks={"loadBalancerIPs": "1.2.3.0,fd00::1"}, **BOTH)], [HOME, SIX]),
    (
        Reason.PINNED_FOR_ANOTHER,
        [service("a", requested_ip="1.2.3.0")],
        [pool("p", "1.2.3.0/30", pins={"default/x": "1.2.3.0"})],
    ),
    (
        Reason.PINNED_ELSEWHERE,
        [service("a", "1.2.3.1", pool="p")],
        [pool("p", "1.2.3.0/30", pins={"default/a": "1.2.3.0"})],
    ),
    (Reason.NO_FREE_ADDRESS, [service("a", "1.2.3.0", pool="p"), service("b")], [ONE]),
    (Reason.NO_POOL, [service("a")], []),
    (Reason.NO_OPEN_POOL, [service("a")], [ON_REQUEST]),
    (Reason.POOL_WITHOUT_FAMILY, [service("a", **BOTH)], [HOME, SIX]),
    (Reason.POOL_PENDING, [service("a", families=(6,))], [pool("p", host_parts=("::10",), pending="no prefix")]),
    (Reason.POOL_NOT_AUTOMATIC, [service("a")], [ON_REQUEST]),
    (Reason.POOL_NOT_NEEDED, [service("a")], [HOME, pool("q", "1.2.4.0/30", created="2")]),
    (
        Reason.DEPRECATED_ANNOTATION,
        [service("a", annotations={"metallb.universe.tf/address-pool": "p"})],
        [HOME],
    ),
]
