# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Services of type LoadBalancer have and wait for."""

from __future__ import annotations

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._cluster import services


def service(ips=(), annotations=None, policy="Cluster"):
    return {
        "metadata": {"namespace": "default", "name": "web", "uid": "u1", "annotations": annotations},
        "spec": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": policy,
            "selector": {"tier": "front", "app": "web"},
            "ports": [
                {"port": 80, "protocol": "TCP", "name": "http", "nodePort": 30080},
                {"port": 53, "protocol": "UDP"},
            ],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": ip} for ip in ips]}},
    }


def slice_of(name, *endpoints, namespace="default"):
    return {
        "metadata": {"namespace": namespace, "labels": {"kubernetes.io/service-name": name}},
        "endpoints": list(endpoints),
    }


READY = {"addresses": ["10.0.0.1"], "conditions": {"ready": True}}
UNKNOWN = {"addresses": ["10.0.0.2"]}
STARTING = {"addresses": ["10.0.0.3"], "conditions": {"ready": False}}
LEAVING = {"addresses": ["10.0.0.4"], "conditions": {"ready": False, "serving": True, "terminating": True}}


def test_endpoints_that_take_traffic():
    assert services.serving_endpoints([slice_of("web", READY, UNKNOWN, STARTING, LEAVING)]) == 3
    assert services.serving_endpoints([{"endpoints": None}]) == 0


def test_view_takes_the_slices_of_this_service_only():
    slices = [
        slice_of("web", READY, STARTING, dict(UNKNOWN, nodeName="node2")),
        slice_of("web", READY, namespace="other"),
        slice_of("api", READY),
    ]
    own = services.grouped(slices, services.of_slice)[services.identity(service())]
    assert services.view(service(["192.168.2.130"], policy="Local"), own) == {
        "name": "default/web",
        "addresses": ["192.168.2.130"],
        "ports": [
            {"port": 80, "protocol": "TCP", "name": "http", "node_port": 30080},
            {"port": 53, "protocol": "UDP", "name": "", "node_port": 0},
        ],
        "endpoints": 2,
        "endpoints_starting": 1,
        "endpoint_nodes": ["node2"],
        "selector": "app=web,tier=front",
        "local": True,
        "pool": "",
    }


def warning(message, when, uid="u1", kind="Warning"):
    return {"type": kind, "message": message, "lastTimestamp": when, "involvedObject": {"uid": uid}}


@pytest.mark.parametrize(
    "events, controller_ready, pools, told",
    [
        ([], False, 1, "controller is not ready"),
        ([], True, 0, "no IPAddressPool"),
        ([], True, 1, "logs deployment/controller"),
        (
            [
                warning("no available IPs", "2026-01-01T00:00:02Z"),
                warning("old", "2026-01-01T00:00:01Z"),
                warning("of another Service", "2026-01-01T00:00:09Z", uid="u2"),
                warning("fine", "2026-01-01T00:00:09Z", kind="Normal"),
            ],
            True,
            1,
            "no available IPs. Enlarge lantern_pools",
        ),
    ],
)
def test_why_a_service_waits(events, controller_ready, pools, told):
    own = services.grouped(events, services.of_event).get("u1", [])
    assert told in services.waiting_reason(services.newest_warning(own), controller_ready, pools)


def test_settled_needs_address_and_pod():
    assert services.settled([])
    assert services.settled([{"addresses": ["a"], "endpoints": 1}])
    assert not services.settled([{"addresses": [], "endpoints": 1}])
    assert not services.settled([{"addresses": ["a"], "endpoints": 0}])


def test_only_annotated_services_are_ours():
    assert services.assigned_by_us(service(annotations={services.POOL_ANNOTATION: "lan"}))
    assert not services.assigned_by_us(service(["192.168.2.130"]))
