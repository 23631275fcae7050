# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster as the decisions see it: frozen records, addresses as `ipaddress` objects. No wire formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from lantern.pools import Address, Pool

ANNOTATION_PREFIXES = ("metallb.io/", "metallb.universe.tf/")
"""Where Services ask for things; the first prefix that has a key wins."""
TAKEN_OVER_ANNOTATION = "lantern.homelab/taken-over-by"
"""On a Service without an address, written by a controller that took over from one that may still be writing."""
ANYWAY_ANNOTATION = "lantern.homelab/announce-anyway"
"""On a Service: "true" has its addresses announced although another host has them."""
HOST_PARTS_ANNOTATION = "lantern.homelab/ipv6-host-parts"
"""On an IPAddressPool: comma-separated IPv6 ranges or CIDRs that are completed by the nodes' own prefix."""
PINS_ANNOTATION = "lantern.homelab/pinned"
"""On an IPAddressPool: comma-separated NAMESPACE/NAME=ADDRESS, held for that Service."""
EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"


class ServiceKey(NamedTuple):
    """Identity of a Service; also sorts Services."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """Identity of an object that Events are about and whose status is written."""

    kind: str
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = field(default="", compare=False)


class Operator(Enum):
    """How a label selector's requirement compares."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition of a label selector."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        match self.operator:
            case Operator.IN:
                return labels.get(self.key) in self.values
            case Operator.NOT_IN:
                # An absent label is not in any list of values: Kubernetes' rule.
                return labels.get(self.key) not in self.values
            case Operator.EXISTS:
                return self.key in labels
            case Operator.DOES_NOT_EXIST:
                return self.key not in labels


@dataclass(frozen=True, slots=True)
class Selector:
    """A label selector: all requirements hold. Without any it matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.matches(labels) for requirement in self.requirements)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A Service of any type. `created` is RFC 3339 text, which sorts by time."""

    key: ServiceKey
    uid: str = ""
    resource_version: str = ""
    created: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Only those under ANNOTATION_PREFIXES, TAKEN_OVER_ANNOTATION and ANYWAY_ANNOTATION."""
    is_load_balancer: bool = True
    lb_class: str = ""
    families: tuple[int, ...] = (4,)
    """IP versions in the order of spec.ipFamilies; empty when the Service has no cluster addresses."""
    requires_dual_stack: bool = False
    prefers_dual_stack: bool = False
    local_traffic_only: bool = False
    """externalTrafficPolicy: Local"""
    ports: tuple[tuple[str, int], ...] = ()
    """spec.ports as (protocol, port)."""
    selector: Mapping[str, str] = field(default_factory=dict)
    """spec.selector: which pods are behind the Service."""
    requested_ip: str = ""
    """spec.loadBalancerIP"""
    addresses: tuple[Address, ...] = ()
    """status.loadBalancer.ingress[].ip, as far as they are addresses."""
    has_unreadable_ingress: bool = False
    """status.loadBalancer.ingress holds an entry that is no address, such as a host name."""

    def annotation(self, name: str) -> str | None:
        """The value of the annotation `name` (without prefix), None when there is none."""
        for prefix in ANNOTATION_PREFIXES:
            if (value := self.annotations.get(prefix + name)) is not None:
                return value
        return None

    @property
    def sharing_key(self) -> str:
        """Services with the same key may share an address; empty: shares with nobody."""
        return self.annotation("allow-shared-ip") or ""

    @property
    def announced_anyway(self) -> bool:
        """Whether its addresses are announced even while another host has them."""
        return self.annotations.get(ANYWAY_ANNOTATION) == "true"

    @property
    def backend_key(self) -> str:
        """Services may share an address only if this is equal: with externalTrafficPolicy Local, the same pods."""
        if not self.local_traffic_only:
            return ""
        return ",".join(f"{key}={value}" for key, value in sorted(self.selector.items()))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint of a Service, as far as announcing cares."""

    node: str
    """Name of its node, empty when it has none."""
    serving: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A Node object."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    ready: bool = True
    network_unavailable: bool = False
    addresses: tuple[Address, ...] = ()
    """status.addresses of type InternalIP."""

    @property
    def excluded(self) -> bool:
        return EXCLUDE_LABEL in self.labels


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAllocation:
    """For which Services a pool is reserved, and how eagerly it is used for them."""

    priority: int = 0
    """1 is used first; 0 means none given and is used last."""
    namespaces: tuple[str, ...] = ()
    namespace_selectors: tuple[Selector, ...] = ()
    service_selectors: tuple[Selector, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSpec:
    """A pool of the cluster's configuration: an IPAddressPool object, or an entry of the old ConfigMap."""

    pool: Pool
    created: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    allocation: ServiceAllocation | None = None
    object: ObjectRef | None = None
    """The IPAddressPool; None when the pool is an entry of the old ConfigMap."""
    host_parts: tuple[str, ...] = ()
    """IPv6 ranges whose prefix is the nodes', such as "::100-::1ff"; what they amount to now is in `pool`."""
    pins: Mapping[ServiceKey, tuple[Address, ...]] = field(default_factory=dict)
    """Addresses that are held for one Service, whether it exists or not."""
    pending: str = ""
    """Why addresses of the pool are not known yet; empty when all are."""
    faults: tuple[str, ...] = ()
    """What is wrong with the object's annotations, one sentence each."""
    reported: tuple[int, int, int, int] | None = field(default=None, compare=False)
    """The object's status: assigned IPv4 and IPv6, available IPv4 and IPv6. Says nothing that is decided on."""


@dataclass(frozen=True, slots=True)
class Preference:
    """Nodes that rather than others announce. `weight`: 1 to 100; the weights of all that match are added up."""

    weight: int
    selector: Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class L2Advertisement:
    """An L2Advertisement object: announce these pools' addresses from these nodes over these interfaces."""

    name: str
    pools: tuple[str, ...] = ()
    pool_selectors: tuple[Selector, ...] = ()
    node_selectors: tuple[Selector, ...] = ()
    service_selectors: tuple[Selector, ...] = ()
    interfaces: tuple[str, ...] = ()
    preferences: tuple[Preference, ...] = ()
    """spec.preferredNodeSelectors"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The cluster at one moment. Each process fills what it watches; the pools are free of problems (core.config)."""

    pools: tuple[PoolSpec, ...]
    services: tuple[Service, ...] = ()
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Labels by namespace."""
    endpoints: Mapping[ServiceKey, tuple[Endpoint, ...]] = field(default_factory=dict)
    nodes: Mapping[str, Node] = field(default_factory=dict)
    advertisements: tuple[L2Advertisement, ...] = ()
    lb_class: str = ""
    memory: Mapping[ServiceKey, tuple[Address, ...]] = field(default_factory=dict)
    """Which addresses Services had last, the longest unused first: for Services that come back under their name."""

    def managed(self, service: Service) -> bool:
        """Whether the Service is ours by its class; others are left entirely alone."""
        return service.lb_class == self.lb_class
