# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration in both languages, and what is told about a bad one, against a real Kubernetes API server."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from lablib.kube import NAMESPACE, ApiServer
from lablib.objects import (
    POOLS,
    SERVICES,
    address,
    events,
    give_node_address,
    make_advertisement,
    make_node,
    make_pool,
    make_service,
)
from lablib.process import Lantern, Start, eventually

KINDS = f"/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}"
STATES = f"{KINDS}/configurationstates"
MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"


def ready(process: Lantern) -> bool:
    return process.get("/readyz")[0] == 200


def state(kube: ApiServer, name: str = "controller") -> dict[str, Any]:
    """The whole object; empty while there is none."""
    answer = kube.send("GET", f"{STATES}/{name}")
    found: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
    return found


def result(kube: ApiServer, name: str = "controller") -> str | None:
    found: str | None = state(kube, name).get("status", {}).get("result")
    return found


def make_config_map(kube: ApiServer, *addresses: str, name: str = "config", protocol: str = "layer2") -> None:
    listed = "".join(f"  - {item}\n" for item in addresses)
    text = f"address-pools:\n- name: default\n  protocol: {protocol}\n  addresses:\n{listed}"
    kube.create(MAPS, {"metadata": {"name": name}, "data": {"config": text}})


def pool_events(kube: ApiServer, name: str) -> list[tuple[str, str, str]]:
    items = kube.get(f"/api/v1/namespaces/{NAMESPACE}/events")["items"]
    uids = {item["metadata"]["name"]: item["metadata"]["uid"] for item in kube.get(POOLS)["items"]}
    return [
        (item["type"], item["reason"], item["message"])
        for item in items
        if item["involvedObject"]["kind"] == "IPAddressPool" and item["involvedObject"]["uid"] == uids.get(name)
    ]


def test_old_config_map_alone_is_a_configuration(kube: ApiServer, start: Start) -> None:
    controller = start("controller")
    eventually(lambda: "there is no IPAddressPool" in controller.get("/readyz")[1], 10, "not ready yet")
    make_config_map(kube, "192.168.2.10-192.168.2.49")
    eventually(lambda: ready(controller), 2, "ready")
    make_service(kube)
    assert eventually(lambda: address(kube), 5, "an address") == "192.168.2.10"
    assert kube.get(f"{SERVICES}/web")["metadata"]["annotations"] == {"metallb.io/ip-allocated-from-pool": "default"}


def test_config_map_of_another_name(kube: ApiServer, start: Start) -> None:
    make_config_map(kube, "192.168.2.10-192.168.2.49", name="balancer")
    make_config_map(kube, "not an address")
    controller = start("controller", "--config=balancer")
    eventually(lambda: ready(controller), 10, "ready")


def test_move_from_the_config_map_to_objects_changes_no_address(kube: ApiServer, start: Start) -> None:
    make_config_map(kube, "192.168.2.128/25")
    start("controller")
    make_service(kube)
    assert eventually(lambda: address(kube), 10, "an address") == "192.168.2.128"
    make_pool(kube, "default", "192.168.2.128/25")
    time.sleep(0.5)
    kube.delete(f"{MAPS}/config")
    make_service(kube, "second")
    assert eventually(lambda: address(kube, "second"), 5, "an address") == "192.168.2.129"
    assert address(kube) == "192.168.2.128" and result(kube) == "Valid"


def test_state_says_what_is_wrong_and_that_it_is_repaired(kube: ApiServer, start: Start) -> None:
    make_pool(kube)
    controller = start("controller")
    eventually(lambda: result(kube) == "Valid", 10, "a valid configuration")
    assert controller.get("/readyz") == (200, "ok")
    first = state(kube)
    assert first["metadata"]["labels"] == {"metallb.io/component-type": "controller"}
    (condition,) = first["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "poolReconcilerValid",
        "True",
        "Reconciled",
    )
    make_config_map(kube, "192.168.2.200-192.168.2.210")
    eventually(lambda: result(kube) == "Invalid", 2, "an invalid configuration")
    found = state(kube)["status"]
    assert 'address pool "default"' in found["errorSummary"] and 'IPAddressPool "home"' in found["errorSummary"]
    assert found["conditions"][0]["reason"] == "ConfigurationError"
    told = "ok, but the newest configuration is refused, the last valid one is in force:\n"
    assert controller.get("/readyz") == (200, told + found["errorSummary"])
    kube.delete(f"{MAPS}/config")
    eventually(lambda: result(kube) == "Valid", 2, "a valid configuration")
    assert "errorSummary" not in state(kube)["status"]


def test_deleted_state_is_back_and_an_unchanged_one_is_not_written(kube: ApiServer, start: Start) -> None:
    make_pool(kube)
    start("controller")
    eventually(lambda: result(kube) == "Valid", 10, "a valid configuration")
    before = state(kube)["metadata"]
    make_service(kube)
    eventually(lambda: address(kube), 5, "an address")
    kube.patch(f"{POOLS}/home", {"metadata": {"labels": {"a": "b"}}})
    time.sleep(0.5)
    assert state(kube)["metadata"]["resourceVersion"] == before["resourceVersion"]
    kube.delete(f"{STATES}/controller")
    eventually(lambda: result(kube) == "Valid", 2, "the object is back")
    assert state(kube)["metadata"]["uid"] != before["uid"]


def test_restart_with_a_broken_configuration_keeps_addresses(kube: ApiServer, start: Start) -> None:
    make_pool(kube)
    controller = start("controller")
    make_service(kube)
    eventually(lambda: address(kube), 10, "an address")
    controller.stop()
    before = kube.get(f"{SERVICES}/web")["metadata"]["resourceVersion"]
    make_pool(kube, "bad", "192.168.2.250-192.168.2.240")
    controller = start("controller")
    eventually(lambda: "ends before it begins" in controller.get("/readyz")[1], 10, "not ready, with the reason")
    make_service(kube, "second")
    time.sleep(0.5)
    assert kube.get(f"{SERVICES}/web")["metadata"]["resourceVersion"] == before and address(kube, "second") is None
    ((kind, reason, message),) = eventually(lambda: pool_events(kube, "bad"), 5, "an event on the pool")
    assert (kind, reason) == ("Warning", "ConfigurationError") and "192.168.2.250-192.168.2.240" in message
    kube.delete(f"{POOLS}/bad")
    assert eventually(lambda: address(kube, "second"), 5, "an address") == "192.168.2.129"


def test_questionable_pool_is_used_and_warned_of(kube: ApiServer, start: Start) -> None:
    make_node(kube, "node1")
    give_node_address(kube, "node1", "192.168.2.7")
    controller = start("controller", "--lan=192.168.2.0/24", "--router=192.168.2.1")
    make_pool(kube, "home", "192.168.2.0/28")
    make_service(kube)
    eventually(lambda: address(kube), 10, "an address")
    found = eventually(lambda: len(pool_events(kube, "home")) == 3 and pool_events(kube, "home"), 5, "events")
    assert {reason for _, reason, _ in found} == {"HoldsNode", "HoldsRouter", "HoldsNetworkAddress"}  # type: ignore[union-attr]
    assert 'lantern_pool_warnings{code="holds-node",pool="home"} 1.0' in controller.get("/metrics")[1]
    assert "192.168.2.7" in state(kube)["status"]["conditions"][0]["message"] and result(kube) == "Valid"


def test_pool_of_host_parts_follows_the_nodes(kube: ApiServer, start: Start) -> None:
    annotations = {"lantern.homelab/ipv6-host-parts": "::100-::1ff"}
    meta = {"name": "six", "namespace": NAMESPACE, "annotations": annotations}
    kube.create(
        POOLS,
        {"metadata": meta, "spec": {"addresses": []}, "apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool"},
    )
    start("controller")
    make_service(kube, ipFamilies=["IPv6"])
    (event,) = eventually(lambda: pool_events(kube, "six"), 10, "an event on the pool")
    assert event[1] == "PrefixUnknown"
    make_node(kube, "node1")
    give_node_address(kube, "node1", "2001:db8:1::7")
    assert eventually(lambda: address(kube), 5, "an address") == "2001:db8:1::100"
    make_service(kube, "second", ipFamilies=["IPv6"])
    eventually(lambda: address(kube, "second"), 5, "an address")
    give_node_address(kube, "node1", "2001:db8:2::7")
    wanted = ["2001:db8:2::100", "2001:db8:2::101"]
    eventually(lambda: [address(kube), address(kube, "second")] == wanted, 5, "the new prefix")

    def moves(name: str) -> list[str]:
        return [item["message"] for item in events(kube, name) if item["reason"] == "ClearAssignment"]

    assert "2001:db8:1::100" in moves("web")[0] and "2001:db8:1::101" in moves("second")[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="packet sockets need root")
def test_speaker_reports_and_goes_on_with_the_part_that_is_in_order(kube: ApiServer, start: Start) -> None:
    make_pool(kube)
    make_pool(kube, "bad", "192.168.3.9-192.168.3.1")
    make_advertisement(kube)
    speaker = start("speaker", "--node-name=node1")
    eventually(lambda: ready(speaker), 10, "ready")
    eventually(lambda: result(kube, "speaker-node1") == "Invalid", 5, "a report")
    found = state(kube, "speaker-node1")
    assert found["metadata"]["labels"] == {"metallb.io/component-type": "speaker", "metallb.io/node-name": "node1"}
    assert found["status"]["conditions"][0]["type"] == "configReconcilerValid"
    assert "192.168.3.9" in found["status"]["errorSummary"]
    assert speaker.said("configuration in force", pools=["home"], complete=False)
    kube.delete(f"{POOLS}/bad")
    eventually(lambda: result(kube, "speaker-node1") == "Valid", 5, "a valid configuration")
    # Alone by reading: a ConfigMap needs no L2Advertisement.
    make_config_map(kube, "10.0.0.0/24")
    # Of one second's creations the name decides the order.
    eventually(lambda: {"default", "home"} in [set(line.get("pools", ())) for line in speaker.log()], 5, "both")
