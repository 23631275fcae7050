# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Short ways to write the records that decisions are made on."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from lantern.core.decisions import Plan
from lantern.core.model import (
    L2Advertisement,
    Node,
    Operator,
    PoolSpec,
    Requirement,
    Selector,
    Service,
    ServiceAllocation,
    ServiceKey,
)
from lantern.pools import Address, Pool


def service(name: str, *addresses: str, pool: str | None = None, namespace: str = "default", **more: Any) -> Service:
    """A Service of type LoadBalancer that has these addresses out of `pool`; `asks` are annotations without prefix."""
    annotations = {f"metallb.io/{key}": value for key, value in more.pop("asks", {}).items()}
    if pool is not None:
        annotations["metallb.io/ip-allocated-from-pool"] = pool
    found = tuple(ip_address(address) for address in addresses)
    more.setdefault("annotations", annotations)
    return Service(key=ServiceKey(namespace, name), addresses=found, uid=f"uid-{name}", **more)


def pool(name: str, *addresses: str, created: str = "", labels: dict[str, str] | None = None, **more: Any) -> PoolSpec:
    """An IPAddressPool; `allocation` is its serviceAllocation, `pins` are addresses by NAMESPACE/NAME."""
    allocation: ServiceAllocation | None = more.pop("allocation", None)
    pins = {
        ServiceKey(*owner.split("/")): tuple(ip_address(address) for address in held.split())
        for owner, held in more.pop("pins", {}).items()
    }
    rest = {key: more.pop(key) for key in ("host_parts", "pending") if key in more}
    made = Pool(name, addresses, **more)
    return PoolSpec(pool=made, created=created, labels=labels or {}, allocation=allocation, pins=pins, **rest)


def labelled(**labels: str) -> Selector:
    """A selector for exactly these labels."""
    return Selector(tuple(Requirement(key, Operator.IN, (value,)) for key, value in labels.items()))


def node(name: str, **more: Any) -> Node:
    return Node(name=name, **more)


def advertisement(name: str = "all", **more: Any) -> L2Advertisement:
    return L2Advertisement(name=name, **more)


def applied(services: tuple[Service, ...], plan: Plan) -> tuple[Service, ...]:
    """The Services after the plan was written to the cluster."""
    changed: dict[ServiceKey, tuple[tuple[Address, ...], str | None]] = {}
    changed.update((item.service.key, ((), None)) for item in plan.release)
    changed.update((item.service.key, (item.addresses, item.pool)) for item in plan.assign)
    result = []
    for item in services:
        if item.key in changed:
            addresses, name = changed[item.key]
            annotations = {k: v for k, v in item.annotations.items() if not k.endswith("/ip-allocated-from-pool")}
            if name is not None:
                annotations["metallb.io/ip-allocated-from-pool"] = name
            item = replace(item, addresses=addresses, annotations=annotations)
        result.append(item)
    return tuple(result)
