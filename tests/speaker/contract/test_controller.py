# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller against a real Kubernetes API server."""

from __future__ import annotations

import time

from lablib.kube import NAMESPACE, ApiServer
from lablib.objects import POOLS, SERVICES, address, events, ingress, make_pool, make_service
from lablib.process import Lantern, Start, eventually

FIRST = "192.168.2.128"


def ready(process: Lantern) -> bool:
    return process.get("/readyz")[0] == 200


def test_service_has_its_address_within_a_second(kube: ApiServer, start: Start) -> None:
    make_pool(kube)
    controller = start("controller")
    eventually(lambda: ready(controller), 10, "ready")
    began = time.monotonic()
    make_service(kube)
    eventually(lambda: address(kube), 5, "an address")
    assert time.monotonic() - began < 1.0
    service = kube.get(f"{SERVICES}/web")
    assert service["status"]["loadBalancer"]["ingress"] == [{"ip": FIRST, "ipMode": "VIP"}]
    assert service["metadata"]["annotations"] == {"metallb.io/ip-allocated-from-pool": "home"}
    (event,) = eventually(lambda: events(kube), 2, "an event")
    assert (event["type"], event["reason"], event["message"]) == ("Normal", "IPAllocated", f'Assigned IP ["{FIRST}"]')
    assert event["source"]["component"] == "metallb-controller"
    assert event["involvedObject"]["uid"] == service["metadata"]["uid"]
    time.sleep(0.5)
    after = kube.get(f"{SERVICES}/web")["metadata"]["resourceVersion"]
    assert after == service["metadata"]["resourceVersion"], "written once"
    assert len(events(kube)) == 1
    assert controller.memory_mebibytes() < 60


def test_not_ready_until_there_is_a_pool(kube: ApiServer, start: Start) -> None:
    controller = start("controller")
    sentence = f"no configuration: there is no IPAddressPool in namespace {NAMESPACE}"
    eventually(lambda: controller.get("/readyz") == (503, sentence), 10, "not ready, with the reason")
    assert controller.get("/healthz") == (200, "ok")
    make_pool(kube)
    eventually(lambda: ready(controller), 2, "ready")


def test_restart_keeps_every_address(kube: ApiServer, start: Start) -> None:
    make_pool(kube)
    controller = start("controller")
    # Deleting the first leaves a gap, which a controller that forgets would fill with another Service.
    for name in ("web", "second", "third"):
        make_service(kube, name)
        eventually(lambda name=name: address(kube, name), 10, "an address")  # type: ignore[misc]
    kube.delete(f"{SERVICES}/web")
    status, seconds = controller.stop()
    assert status == 0 and seconds < 2
    before = {name: kube.get(f"{SERVICES}/{name}") for name in ("second", "third")}
    controller = start("controller")
    eventually(lambda: ready(controller), 10, "ready")
    make_service(kube, "fourth")
    # What the first one had is kept for its return as long as there are others.
    assert eventually(lambda: address(kube, "fourth"), 5, "an address") == "192.168.2.131"
    make_service(kube)
    assert eventually(lambda: address(kube), 5, "an address") == FIRST
    for name, service in before.items():
        assert kube.get(f"{SERVICES}/{name}")["metadata"]["resourceVersion"] == service["metadata"]["resourceVersion"]


def test_bad_pool_keeps_the_last_good_configuration(kube: ApiServer, start: Start) -> None:
    make_pool(kube)
    make_service(kube)
    controller = start("controller")
    eventually(lambda: address(kube), 10, "an address")
    make_pool(kube, "bad", "192.168.2.250-192.168.2.240")
    eventually(lambda: "metallb_k8s_client_config_stale_bool 1.0" in controller.get("/metrics")[1], 2, "stale")
    assert controller.said("configuration refused", consequence="the last valid one stays in force")
    make_service(kube, "second")
    assert eventually(lambda: address(kube, "second"), 2, "an address") == "192.168.2.129"
    assert address(kube) == FIRST and ready(controller)
    kube.delete(f"{POOLS}/bad")
    eventually(lambda: "metallb_k8s_client_config_stale_bool 0.0" in controller.get("/metrics")[1], 2, "repaired")


def test_refusal_is_told_once(kube: ApiServer, start: Start) -> None:
    make_pool(kube, "home", "192.168.2.128/32")
    start("controller")
    make_service(kube)
    eventually(lambda: address(kube), 10, "an address")
    make_service(kube, "second")
    (event,) = eventually(lambda: events(kube, "second"), 2, "an event")
    assert (event["type"], event["reason"]) == ("Warning", "AllocationFailed")
    assert event["message"].startswith('Failed to allocate IP for "default/second": no available IPs')
    make_service(kube, "third")
    eventually(lambda: events(kube, "third"), 2, "an event")
    assert len(events(kube, "second")) == 1
    kube.delete(f"{SERVICES}/web")
    assert eventually(lambda: address(kube, "second"), 2, "the address that became free") == FIRST


def test_controller_that_starts_does_not_repeat_a_refusal(kube: ApiServer, start: Start) -> None:
    make_pool(kube, "home", "192.168.2.128/32")
    first = start("controller")
    make_service(kube)
    eventually(lambda: address(kube), 10, "an address")
    make_service(kube, "second")
    eventually(lambda: events(kube, "second"), 2, "an event")
    first.stop()
    again = start("controller")
    eventually(lambda: again.said("Service refused", service="default/second"), 10, "decided again")
    time.sleep(0.5)
    assert len(events(kube, "second")) == 1
    assert not again.said("event not written")


def test_wishes_are_honoured(kube: ApiServer, start: Start) -> None:
    make_pool(kube)
    make_pool(kube, "lab", "192.168.2.100-192.168.2.110")
    start("controller")
    make_service(kube, "one", {"metallb.io/loadBalancerIPs": "192.168.2.200"})
    make_service(kube, "two", {"metallb.universe.tf/address-pool": "lab"})
    make_service(kube, "three", loadBalancerIP="192.168.2.201")
    eventually(lambda: [address(kube, name) for name in ("one", "two", "three")]
               == ["192.168.2.200", "192.168.2.100", "192.168.2.201"], 10, "the addresses asked for")  # fmt: skip


def test_service_of_another_type_or_class_is_left_alone(kube: ApiServer, start: Start) -> None:
    make_pool(kube)
    start("controller")
    make_service(kube, "other", loadBalancerClass="example.com/cloud")
    make_service(kube, "internal", type="ClusterIP")
    make_service(kube)
    eventually(lambda: address(kube), 10, "an address")
    assert (address(kube, "other"), address(kube, "internal")) == (None, None)


def test_changed_type_takes_the_address_back(kube: ApiServer, start: Start) -> None:
    make_pool(kube)
    start("controller")
    make_service(kube)
    eventually(lambda: address(kube), 10, "an address")
    kube.patch(f"{SERVICES}/web", {"spec": {"type": "ClusterIP"}})
    eventually(lambda: not kube.get(f"{SERVICES}/web")["metadata"].get("annotations"), 2, "the annotation is gone")
    assert ingress(kube) == []


def test_watch_survives_a_restart_of_the_api_server(kube: ApiServer, start: Start) -> None:
    make_pool(kube)
    controller = start("controller")
    make_service(kube)
    eventually(lambda: address(kube), 10, "an address")
    kube.stop_server()
    eventually(lambda: controller.said("following is interrupted, will retry", kind="services"), 5, "told in the log")
    time.sleep(3)
    assert controller.process.poll() is None and ready(controller)
    kube.start()
    make_service(kube, "second")
    assert eventually(lambda: address(kube, "second"), 10, "an address") == "192.168.2.129"
    assert address(kube) == FIRST


def test_controller_that_starts_before_the_api_server_waits_for_it(kube: ApiServer, start: Start) -> None:
    make_pool(kube)
    make_service(kube)
    kube.stop_server()
    controller = start("controller")
    eventually(lambda: controller.said("following is interrupted, will retry", kind="services"), 5, "told in the log")
    assert controller.get("/healthz")[0] == 200 and not ready(controller)
    kube.start()
    eventually(lambda: address(kube), 10, "an address")


def test_text_that_breaks_lines_does_not_break_the_watch(kube: ApiServer, start: Start) -> None:
    make_pool(kube)
    controller = start("controller")
    eventually(lambda: ready(controller), 10, "ready")
    make_service(kube, "odd", {"note": "a\x85b\u2028c"})
    make_service(kube)
    eventually(lambda: address(kube, "odd") and address(kube), 2, "both addresses")
    assert not controller.said("following is interrupted, will retry")


def test_ipv6_service(kube: ApiServer, start: Start) -> None:
    make_pool(kube, "six", "fd00:2::/64")
    start("controller")
    make_service(kube, ipFamilies=["IPv6"])
    assert eventually(lambda: address(kube), 10, "an address") == "fd00:2::"


def test_hundred_services_get_distinct_addresses(kube: ApiServer, start: Start) -> None:
    make_pool(kube)
    for number in range(100):
        make_service(kube, f"s{number}")
    start("controller")

    def all_served() -> list[str]:
        found = [item["status"]["loadBalancer"].get("ingress") for item in kube.get(SERVICES)["items"]]
        given = [ingress[0]["ip"] for ingress in found if ingress]
        return given if len(given) == 100 else []

    assert len(set(eventually(all_served, 15, "all addresses"))) == 100
