# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields that Lantern reads of Kubernetes objects, named as on the wire. Everything else is skipped while decoding.

A list or map may be absent or null on the wire, hence the many "| None".
"""

from __future__ import annotations

import msgspec


class Meta(msgspec.Struct):
    name: str
    namespace: str = ""
    uid: str = ""
    resourceVersion: str = ""
    creationTimestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class Envelope(msgspec.Struct):
    """Any object, as far as its identity goes."""

    metadata: Meta


class VersionMeta(msgspec.Struct):
    resourceVersion: str = ""


class Versioned(msgspec.Struct):
    """The object of any watch line; that of a bookmark has nothing else."""

    metadata: VersionMeta


class ListMeta(msgspec.Struct):
    resourceVersion: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class ListPage(msgspec.Struct):
    metadata: ListMeta
    items: list[msgspec.Raw] | None = None


class WatchLine(msgspec.Struct):
    type: str
    object: msgspec.Raw


class Status(msgspec.Struct):
    """What the API server answers when it refuses."""

    message: str = ""
    reason: str = ""
    code: int = 0


class Ingress(msgspec.Struct):
    ip: str = ""
    hostname: str = ""


class LoadBalancer(msgspec.Struct):
    ingress: list[Ingress] | None = None


class ServiceStatus(msgspec.Struct):
    loadBalancer: LoadBalancer | None = None


class ServicePort(msgspec.Struct):
    port: int
    protocol: str = "TCP"


class ServiceSpec(msgspec.Struct):
    type: str = ""
    ports: list[ServicePort] | None = None
    selector: dict[str, str] | None = None
    clusterIP: str = ""
    clusterIPs: list[str] | None = None
    ipFamilies: list[str] | None = None
    ipFamilyPolicy: str | None = None
    loadBalancerClass: str | None = None
    loadBalancerIP: str = ""
    externalTrafficPolicy: str = ""


class Service(Envelope):
    spec: ServiceSpec
    status: ServiceStatus | None = None


class EndpointConditions(msgspec.Struct):
    ready: bool | None = None
    serving: bool | None = None


class SliceEndpoint(msgspec.Struct):
    conditions: EndpointConditions | None = None
    nodeName: str | None = None


class EndpointSlice(Envelope):
    endpoints: list[SliceEndpoint] | None = None


class NodeCondition(msgspec.Struct):
    type: str
    status: str


class NodeAddress(msgspec.Struct):
    type: str
    address: str


class NodeStatus(msgspec.Struct):
    conditions: list[NodeCondition] | None = None
    addresses: list[NodeAddress] | None = None


class Node(Envelope):
    status: NodeStatus | None = None


class MatchExpression(msgspec.Struct):
    key: str
    operator: str
    values: list[str] | None = None


class LabelSelector(msgspec.Struct):
    matchLabels: dict[str, str] | None = None
    matchExpressions: list[MatchExpression] | None = None


class ServiceAllocation(msgspec.Struct):
    priority: int = 0
    namespaces: list[str] | None = None
    namespaceSelectors: list[LabelSelector] | None = None
    serviceSelectors: list[LabelSelector] | None = None


class PoolSpec(msgspec.Struct):
    addresses: list[str] | None = None
    autoAssign: bool | None = None
    avoidBuggyIPs: bool = False
    serviceAllocation: ServiceAllocation | None = None


class PoolStatus(msgspec.Struct):
    assignedIPv4: int = 0
    assignedIPv6: int = 0
    availableIPv4: int = 0
    availableIPv6: int = 0


class IPAddressPool(Envelope):
    spec: PoolSpec
    status: PoolStatus | None = None


class PreferredNodes(msgspec.Struct):
    weight: int
    preference: LabelSelector


class L2AdvertisementSpec(msgspec.Struct):
    ipAddressPools: list[str] | None = None
    ipAddressPoolSelectors: list[LabelSelector] | None = None
    nodeSelectors: list[LabelSelector] | None = None
    preferredNodeSelectors: list[PreferredNodes] | None = None
    serviceSelectors: list[LabelSelector] | None = None
    interfaces: list[str] | None = None


class L2Advertisement(Envelope):
    spec: L2AdvertisementSpec = msgspec.field(default_factory=L2AdvertisementSpec)


class CommunityAlias(msgspec.Struct):
    name: str = ""
    value: str = ""


class CommunitySpec(msgspec.Struct):
    communities: list[CommunityAlias] | None = None


class Community(Envelope):
    spec: CommunitySpec = msgspec.field(default_factory=CommunitySpec)


class Condition(msgspec.Struct):
    type: str
    status: str
    reason: str = ""
    message: str = ""
    lastTransitionTime: str = ""


class StateStatus(msgspec.Struct):
    result: str = ""
    errorSummary: str = ""
    conditions: list[Condition] | None = None


class OwnerReference(msgspec.Struct):
    kind: str = ""
    name: str = ""
    uid: str = ""


class OwnedMeta(Meta):
    ownerReferences: list[OwnerReference] | None = None


class ConfigurationState(msgspec.Struct):
    metadata: OwnedMeta
    status: StateStatus | None = None


class NamedInterface(msgspec.Struct):
    name: str = ""


class L2StatusStatus(msgspec.Struct):
    node: str = ""
    serviceName: str = ""
    serviceNamespace: str = ""
    interfaces: list[NamedInterface] | None = None


class ServiceL2Status(msgspec.Struct):
    metadata: OwnedMeta
    status: L2StatusStatus | None = None


class InvolvedObject(msgspec.Struct):
    kind: str = ""
    name: str = ""
    uid: str = ""


class EventSource(msgspec.Struct):
    host: str = ""


class Event(Envelope):
    involvedObject: InvolvedObject
    reason: str = ""
    message: str = ""
    lastTimestamp: str | None = None
    eventTime: str | None = None
    source: EventSource | None = None


class LeaseSpec(msgspec.Struct):
    holderIdentity: str | None = None
    leaseDurationSeconds: int | None = None
    leaseTransitions: int | None = None


class Lease(Envelope):
    spec: LeaseSpec = msgspec.field(default_factory=LeaseSpec)


class ConfigMap(Envelope):
    data: dict[str, str] | None = None
