# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From objects on the wire to the records that decisions are made on. Pure.

Each function raises ValueError (msgspec's errors are such) for an object that cannot be read, naming what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from lantern.adapters.kube import wire
from lantern.core.candidates import announced_part
from lantern.core.communities import Aliases
from lantern.core.legacy import LEGACY_KEY, Legacy, read_legacy
from lantern.core.model import (
    ANNOTATION_PREFIXES,
    ANYWAY_ANNOTATION,
    HOST_PARTS_ANNOTATION,
    PINS_ANNOTATION,
    TAKEN_OVER_ANNOTATION,
    Endpoint,
    L2Advertisement,
    Node,
    ObjectRef,
    Operator,
    PoolSpec,
    Preference,
    Requirement,
    Selector,
    Service,
    ServiceAllocation,
    ServiceKey,
)
from lantern.pools import Address, Pool, Problem, parse_address

_KEPT_ANNOTATIONS = (*ANNOTATION_PREFIXES, TAKEN_OVER_ANNOTATION, ANYWAY_ANNOTATION)
_VERSIONS = {"IPv4": 4, "IPv6": 6}
_SERVICE_NAME_LABEL = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True)
class Slice:
    """The part of a Service's endpoints that one EndpointSlice holds; `service` is None when it belongs to none."""

    service: ServiceKey | None
    endpoints: tuple[Endpoint, ...]


def service(raw: msgspec.Raw) -> Service:
    found = msgspec.json.decode(raw, type=wire.Service)
    meta, spec = found.metadata, found.spec
    has_cluster_ip = bool(spec.clusterIPs or spec.clusterIP) and spec.clusterIP != "None"
    balancer = found.status.loadBalancer if found.status else None
    ingress = (balancer.ingress if balancer else None) or []
    addresses = [parse_address(item.ip) for item in ingress]
    families = [_VERSIONS[name] for name in spec.ipFamilies or ["IPv4"] if name in _VERSIONS]
    annotations = (meta.annotations or {}).items()
    return Service(
        key=ServiceKey(meta.namespace, meta.name),
        uid=meta.uid,
        resource_version=meta.resourceVersion,
        created=meta.creationTimestamp or "",
        labels=meta.labels or {},
        annotations={key: value for key, value in annotations if key.startswith(_KEPT_ANNOTATIONS)},
        is_load_balancer=spec.type == "LoadBalancer",
        lb_class=spec.loadBalancerClass or "",
        families=tuple(families) if has_cluster_ip else (),
        requires_dual_stack=spec.ipFamilyPolicy == "RequireDualStack",
        prefers_dual_stack=spec.ipFamilyPolicy == "PreferDualStack",
        local_traffic_only=spec.externalTrafficPolicy == "Local",
        ports=tuple((item.protocol, item.port) for item in spec.ports or ()),
        selector=spec.selector or {},
        requested_ip=spec.loadBalancerIP,
        addresses=tuple(address for address in addresses if not isinstance(address, Problem)),
        has_unreadable_ingress=any(isinstance(address, Problem) for address in addresses),
    )


def announced_service(raw: msgspec.Raw) -> Service:
    """As much of it as announcing depends on."""
    return announced_part(service(raw))


def endpoint_slice(raw: msgspec.Raw) -> Slice:
    found = msgspec.json.decode(raw, type=wire.EndpointSlice)
    name = (found.metadata.labels or {}).get(_SERVICE_NAME_LABEL)
    # Only which nodes have serving endpoints matters: a Service with hundreds of pods is a handful of records.
    distinct = {(item.nodeName or "", _serving(item.conditions)) for item in found.endpoints or []}
    endpoints = tuple(Endpoint(node, serving) for node, serving in sorted(distinct))
    return Slice(ServiceKey(found.metadata.namespace, name) if name else None, endpoints)


def _serving(conditions: wire.EndpointConditions | None) -> bool:
    """Ready, or terminating but still serving; an absent "ready" means ready (the API's rule)."""
    return conditions is None or conditions.ready is not False or conditions.serving is True


def node(raw: msgspec.Raw) -> Node:
    found = msgspec.json.decode(raw, type=wire.Node)
    conditions = (found.status.conditions if found.status else None) or []
    status = {item.type: item.status for item in conditions}
    listed = (found.status.addresses if found.status else None) or []
    internal = [parse_address(item.address) for item in listed if item.type == "InternalIP"]
    return Node(
        name=found.metadata.name,
        labels=found.metadata.labels or {},
        ready=status.get("Ready") == "True",
        network_unavailable=status.get("NetworkUnavailable") == "True",
        addresses=tuple(item for item in internal if not isinstance(item, Problem)),
    )


def namespace(raw: msgspec.Raw) -> Mapping[str, str]:
    """The namespace's labels."""
    return msgspec.json.decode(raw, type=wire.Envelope).metadata.labels or {}


def pool(raw: msgspec.Raw) -> PoolSpec:
    found = msgspec.json.decode(raw, type=wire.IPAddressPool)
    meta, spec = found.metadata, found.spec
    annotations = meta.annotations or {}
    pins, faults = _pins(annotations.get(PINS_ANNOTATION, ""))
    return PoolSpec(
        pool=Pool(meta.name, tuple(spec.addresses or ()), spec.autoAssign is not False, spec.avoidBuggyIPs),
        created=meta.creationTimestamp or "",
        labels=meta.labels or {},
        allocation=_allocation(spec.serviceAllocation),
        object=ObjectRef("IPAddressPool", meta.name, meta.namespace, meta.uid, meta.resourceVersion),
        host_parts=_listed(annotations.get(HOST_PARTS_ANNOTATION, "")),
        pins=pins,
        faults=faults,
        reported=_reported(found.status),
    )


def _reported(found: wire.PoolStatus | None) -> tuple[int, int, int, int] | None:
    if found is None:
        return None
    return found.assignedIPv4, found.assignedIPv6, found.availableIPv4, found.availableIPv6


def _listed(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (item.strip() for item in text.split(","))))


def _pins(text: str) -> tuple[Mapping[ServiceKey, tuple[Address, ...]], tuple[str, ...]]:
    """The pins, and a sentence for each entry that is none."""
    pins: dict[ServiceKey, tuple[Address, ...]] = {}
    faults: list[str] = []
    for item in _listed(text):
        owner, _, written = item.partition("=")
        namespace, _, name = owner.strip().partition("/")
        address = parse_address(written)
        if isinstance(address, Problem) or not namespace or not name or "/" in name:
            example = "NAMESPACE/NAME=ADDRESS, such as default/web=192.168.2.140"
            faults.append(f'annotation {PINS_ANNOTATION}: "{item}" is not {example}.')
            continue
        key = ServiceKey(namespace, name)
        pins[key] = (*pins.get(key, ()), address)
    return pins, tuple(faults)


def _allocation(found: wire.ServiceAllocation | None) -> ServiceAllocation | None:
    if found is None:
        return None
    return ServiceAllocation(
        priority=found.priority,
        namespaces=tuple(found.namespaces or ()),
        namespace_selectors=_selectors(found.namespaceSelectors),
        service_selectors=_selectors(found.serviceSelectors),
    )


def l2_advertisement(raw: msgspec.Raw) -> L2Advertisement:
    found = msgspec.json.decode(raw, type=wire.L2Advertisement)
    spec = found.spec
    return L2Advertisement(
        name=found.metadata.name,
        pools=tuple(spec.ipAddressPools or ()),
        pool_selectors=_selectors(spec.ipAddressPoolSelectors),
        node_selectors=_selectors(spec.nodeSelectors),
        service_selectors=_selectors(spec.serviceSelectors),
        interfaces=tuple(spec.interfaces or ()),
        preferences=tuple(
            Preference(item.weight, _selector(item.preference)) for item in spec.preferredNodeSelectors or ()
        ),
    )


def _selectors(found: list[wire.LabelSelector] | None) -> tuple[Selector, ...]:
    return tuple(_selector(item) for item in found or ())


def _selector(found: wire.LabelSelector) -> Selector:
    equal = [Requirement(key, Operator.IN, (value,)) for key, value in (found.matchLabels or {}).items()]
    expressions = [
        Requirement(item.key, _operator(item.operator), tuple(item.values or ()))
        for item in found.matchExpressions or ()
    ]
    # Saying the same by both ways is allowed; saying it twice by one is a mistake that is told later.
    return Selector((*(item for item in equal if item not in expressions), *expressions))


def _operator(text: str) -> Operator:
    try:
        return Operator(text)
    except ValueError:
        known = ", ".join(item.value for item in Operator)
        raise ValueError(f'the operator "{text}" of a label selector is not one of {known}') from None


def community(raw: msgspec.Raw) -> Aliases:
    found = msgspec.json.decode(raw, type=wire.Community)
    meta = found.metadata
    return Aliases(
        where=f'Community "{meta.name}"',
        entries=tuple((item.name, item.value) for item in found.spec.communities or ()),
        object=ObjectRef("Community", meta.name, meta.namespace, meta.uid, meta.resourceVersion),
    )


def legacy(raw: msgspec.Raw) -> Legacy:
    """The old configuration from its ConfigMap."""
    found = msgspec.json.decode(raw, type=wire.ConfigMap)
    meta, data = found.metadata, found.data or {}
    where = f"ConfigMap {meta.namespace}/{meta.name}"
    ref = ObjectRef("ConfigMap", meta.name, meta.namespace, meta.uid, meta.resourceVersion)
    created = meta.creationTimestamp or ""
    if LEGACY_KEY not in data:
        message = f'{where} has no key "{LEGACY_KEY}" under data. Put the address-pools there, or delete the ConfigMap.'
        return Legacy(where=where, object=ref, created=created, problems=(Problem("missing", where, message),))
    # Not at the top: few have this ConfigMap, and a parser of YAML takes a MiB of memory on every node.
    from lantern.adapters.yaml_text import load

    try:
        documents = load(data[LEGACY_KEY])
    except ValueError as error:
        problem = Problem("malformed", where, f"{where}: {LEGACY_KEY} is not YAML: {error}. Correct it.")
        return Legacy(where=where, object=ref, created=created, problems=(problem,))
    if len(documents) > 1:
        message = f'{where}: {LEGACY_KEY} holds {len(documents)} YAML documents. Remove the lines "---".'
        return Legacy(where=where, object=ref, created=created, problems=(Problem("malformed", where, message),))
    return read_legacy(documents[0] if documents else None, where, ref, created)
