# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects as the API server writes them, to records."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from fakes.kube import raw
from lantern.adapters.kube import convert
from lantern.core.legacy import Legacy
from lantern.core.model import Endpoint, Operator, Preference, Requirement, Selector, ServiceKey
from lantern.pools import Pool

META = {
    "name": "web",
    "namespace": "default",
    "uid": "u",
    "resourceVersion": "7",
    "creationTimestamp": "2026-01-01T00:00:00Z",
}


def test_service() -> None:
    found = convert.service(
        raw(
            {
                "apiVersion": "v1",
                "metadata": {
                    **META,
                    "labels": {"app": "web"},
                    "annotations": {"metallb.io/address-pool": "p", "other": "x", "metallb.universe.tf/y": "z"},
                },
                "spec": {
                    "type": "LoadBalancer",
                    "clusterIP": "10.0.0.1",
                    "clusterIPs": ["10.0.0.1", "fd00::1"],
                    "ipFamilies": ["IPv4", "IPv6"],
                    "ipFamilyPolicy": "PreferDualStack",
                    "loadBalancerClass": "c",
                    "loadBalancerIP": "1.2.3.4",
                    "externalTrafficPolicy": "Local",
                    "ports": [{"port": 80}],
                },
                "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4", "ipMode": "VIP"}, {"hostname": "h"}]}},
            }
        )
    )
    assert found.key == ServiceKey("default", "web")
    assert (found.uid, found.resource_version, found.created) == ("u", "7", "2026-01-01T00:00:00Z")
    assert dict(found.annotations) == {"metallb.io/address-pool": "p", "metallb.universe.tf/y": "z"}
    assert found.is_load_balancer and found.prefers_dual_stack and not found.requires_dual_stack
    assert found.local_traffic_only and found.has_unreadable_ingress
    assert (found.lb_class, found.families, found.requested_ip) == ("c", (4, 6), "1.2.3.4")
    assert found.addresses == (ip_address("1.2.3.4"),)


def test_service_with_nothing_but_the_least() -> None:
    found = convert.service(
        raw({"metadata": META, "spec": {"clusterIP": "None", "clusterIPs": ["None"]}, "status": {}})
    )
    assert not found.is_load_balancer and found.families == () and found.addresses == ()


def test_endpoint_slice_keeps_only_which_nodes_serve() -> None:
    endpoints = [
        {"addresses": ["10.1.0.1"], "conditions": {"ready": True}, "nodeName": "n1"},
        {"addresses": ["10.1.0.2"], "conditions": {"ready": True}, "nodeName": "n1"},
        {"addresses": ["10.1.0.3"], "conditions": {"ready": False, "serving": True}, "nodeName": "n2"},
        {"addresses": ["10.1.0.4"], "conditions": {"ready": False, "serving": False}, "nodeName": "n3"},
        {"addresses": ["10.1.0.5"], "conditions": {}},
    ]
    meta = {**META, "labels": {"kubernetes.io/service-name": "web"}}
    found = convert.endpoint_slice(raw({"metadata": meta, "endpoints": endpoints}))
    assert found.service == ServiceKey("default", "web")
    assert found.endpoints == (Endpoint("", True), Endpoint("n1", True), Endpoint("n2", True), Endpoint("n3", False))


def test_endpoint_slice_may_be_empty_and_ownerless() -> None:
    found = convert.endpoint_slice(raw({"metadata": META, "endpoints": None}))
    assert found.service is None and found.endpoints == ()


def test_node() -> None:
    conditions = [{"type": "Ready", "status": "True"}, {"type": "NetworkUnavailable", "status": "True"}]
    found = convert.node(raw({"metadata": {"name": "n"}, "status": {"conditions": conditions}}))
    assert found.name == "n" and found.ready and found.network_unavailable
    assert not convert.node(raw({"metadata": {"name": "n"}, "status": {}})).ready


def test_pool_with_defaults() -> None:
    found = convert.pool(raw({"metadata": META, "spec": {"addresses": ["192.168.2.128/25"]}}))
    assert found.pool == Pool("web", ("192.168.2.128/25",), auto_assign=True, avoid_buggy_ips=False)
    assert found.allocation is None


def test_pool_with_everything() -> None:
    selector = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "NotIn", "values": ["d"]}]}
    allocation = {"priority": 5, "namespaces": ["ns"], "namespaceSelectors": [selector], "serviceSelectors": [{}]}
    spec = {"addresses": ["1.0.0.0/24"], "autoAssign": False, "avoidBuggyIPs": True, "serviceAllocation": allocation}
    found = convert.pool(raw({"metadata": META, "spec": spec}))
    assert not found.pool.auto_assign and found.pool.avoid_buggy_ips
    assert found.allocation is not None
    assert (found.allocation.priority, found.allocation.namespaces) == (5, ("ns",))
    requirements = (Requirement("a", Operator.IN, ("b",)), Requirement("c", Operator.NOT_IN, ("d",)))
    assert found.allocation.namespace_selectors == (Selector(requirements),)
    assert found.allocation.service_selectors == (Selector(),)


def test_l2_advertisement() -> None:
    spec = {"ipAddressPools": ["p"], "interfaces": ["eth0"], "nodeSelectors": [{"matchLabels": {"a": "b"}}]}
    found = convert.l2_advertisement(raw({"metadata": META, "spec": spec}))
    assert (found.name, found.pools, found.interfaces) == ("web", ("p",), ("eth0",))
    assert found.node_selectors == (Selector((Requirement("a", Operator.IN, ("b",)),)),)
    assert convert.l2_advertisement(raw({"metadata": META})).pools == ()
    preferred = [{"weight": 7, "preference": {"matchLabels": {"a": "b"}}}, {"weight": 1, "preference": {}}]
    found = convert.l2_advertisement(raw({"metadata": META, "spec": {"preferredNodeSelectors": preferred}}))
    only_b = Selector((Requirement("a", Operator.IN, ("b",)),))
    assert found.preferences == (Preference(7, only_b), Preference(1, Selector()))


@pytest.mark.parametrize(
    "spec",
    [
        {"addresses": "1.0.0.0/24"},
        {
            "addresses": [],
            "serviceAllocation": {"serviceSelectors": [{"matchExpressions": [{"key": "a", "operator": "~"}]}]},
        },
    ],
)
def test_what_cannot_be_read_is_a_value_error(spec: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        convert.pool(raw({"metadata": META, "spec": spec}))


def test_namespace_labels() -> None:
    assert convert.namespace(raw({"metadata": {"name": "n", "labels": {"a": "b"}}})) == {"a": "b"}


def test_pool_annotations() -> None:
    annotations = {
        "lantern.homelab/ipv6-host-parts": " ::100-::1ff, ::2:0/112 ,",
        "lantern.homelab/pinned": (
            "default/web=192.168.2.140, default/web = fd00::1,x=1.2.3.4,a/b/c=1.2.3.4,a/b=c,/n=::1"
        ),
    }
    found = convert.pool(raw({"metadata": {**META, "annotations": annotations}, "spec": {"addresses": []}}))
    assert found.host_parts == ("::100-::1ff", "::2:0/112")
    assert found.pins == {ServiceKey("default", "web"): (ip_address("192.168.2.140"), ip_address("fd00::1"))}
    assert [fault.split('"')[1] for fault in found.faults] == ["x=1.2.3.4", "a/b/c=1.2.3.4", "a/b=c", "/n=::1"]
    assert all("NAMESPACE/NAME=ADDRESS, such as" in fault for fault in found.faults)


def test_condition_said_by_label_and_by_expression_counts_once() -> None:
    selector = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}
    found = convert.l2_advertisement(raw({"metadata": META, "spec": {"nodeSelectors": [selector]}}))
    assert found.node_selectors == (Selector((Requirement("a", Operator.IN, ("b",)),)),)


def test_unknown_operator_is_named_with_the_known_ones() -> None:
    selector = {"matchExpressions": [{"key": "a", "operator": "Is"}]}
    with pytest.raises(ValueError, match='"Is" of a label selector is not one of In, NotIn, Exists, DoesNotExist'):
        convert.l2_advertisement(raw({"metadata": META, "spec": {"nodeSelectors": [selector]}}))


def test_community() -> None:
    found = convert.community(raw({"metadata": META, "spec": {"communities": [{"name": "a", "value": "1:2"}, {}]}}))
    assert (found.where, found.entries) == ('Community "web"', (("a", "1:2"), ("", "")))
    assert found.object is not None and found.object.uid == "u"
    assert convert.community(raw({"metadata": META})).entries == ()


def legacy(data: dict[str, str] | None) -> Legacy:
    meta = {**META, "name": "config", "namespace": "metallb-system"}
    return convert.legacy(raw({"metadata": meta, "data": data}))


def test_legacy_config_map() -> None:
    found = legacy(
        {"config": "address-pools:\n- name: a\n  protocol: layer2\n  addresses: [10.0.0.0/24]", "other": "x"}
    )
    assert found.problems == () and found.where == "ConfigMap metallb-system/config"
    (spec,) = found.pool_specs()
    assert spec.pool == Pool("a", ("10.0.0.0/24",)) and spec.created == "2026-01-01T00:00:00Z"
    assert found.object is not None and (found.object.kind, found.object.uid) == ("ConfigMap", "u")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (None, 'has no key "config" under data'),
        ({"Config": "x"}, 'has no key "config" under data'),
        ({"config": "a: 1\na: 2"}, 'config is not YAML: line 2: the key "a" is given twice'),
        ({"config": "{}\n---\n{}"}, "config holds 2 YAML documents"),
    ],
)
def test_legacy_config_map_that_cannot_be_read(data: dict[str, str] | None, told: str) -> None:
    (problem,) = legacy(data).problems
    assert told in problem.message and problem.message.startswith("ConfigMap metallb-system/config")


def test_empty_legacy_config_map() -> None:
    assert legacy({"config": ""}).problems == ()
