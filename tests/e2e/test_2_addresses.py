# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pinned addresses, pools that change, and what people are told about them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest
from conftest import Home

SYSTEM = "--namespace=metallb-system"
PIN = "192.168.2.200"
SERVICE = """
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: demo}}
spec: {{type: LoadBalancer, selector: {{app: web}}, ports: [{{port: 80}}]}}
"""


def make(home: Home, name: str) -> str:
    """A Service and its address."""
    home.kubectl("apply", "--filename=-", stdin=SERVICE.format(name=name))
    return within(10, lambda: home.service_address(name))


def within(seconds: float, look: Callable[[], str]) -> str:
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def deploy(home: Home, **variables: object) -> str:
    done = home.site("--tags=deploy", f"--extra-vars={json.dumps(variables)}")
    assert done.returncode == 0, done.output
    return done.output


@pytest.fixture(scope="module", autouse=True)
def tidy(home: Home) -> Iterator[None]:
    yield
    home.kubectl("--namespace=demo", "delete", "service", "pinned", "other", check=False)
    deploy(home)


def test_two_controllers_of_which_one_leads(home: Home) -> None:
    assert home.get(SYSTEM, "deployment", "controller")["status"]["readyReplicas"] == 2
    holder = home.get(SYSTEM, "lease", "lantern-controller")["spec"]["holderIdentity"]
    pods = home.get(SYSTEM, "pods", "--selector=component=controller")["items"]
    assert holder in {pod["metadata"]["name"] for pod in pods}


def test_configuration_and_counters_are_told_as_people_know_them(home: Home) -> None:
    states = home.get(SYSTEM, "configurationstates")["items"]
    assert {item["metadata"]["name"] for item in states} == {"controller", *(f"speaker-node{n}" for n in (1, 2, 3))}
    assert {item["status"]["result"] for item in states} == {"Valid"}
    status = home.get(SYSTEM, "ipaddresspool", "default")["status"]
    assert status["assignedIPv4"] >= 1
    assert status["assignedIPv4"] + status["availableIPv4"] == 127


def test_pinned_address_is_held_and_given_to_its_owner_alone(home: Home) -> None:
    deploy(home, lantern_pins={"demo/pinned": PIN})
    assert make(home, "other") != PIN
    assert make(home, "pinned") == PIN


def test_pool_that_moves_services_names_them_before_it_is_applied(home: Home) -> None:
    before = home.service_address("other")
    # The first address stays: other tests go on with the Service that has it.
    smaller = [{"name": "default", "addresses": ["192.168.2.128/32", "192.168.2.210-192.168.2.220"]}]
    output = deploy(home, lantern_pools=smaller)
    listed = output.index("These Services have an address that no pool holds afterwards")
    assert f"demo/other loses {before}" in output[listed:]
    assert listed < output.index("Apply the pools")
    assert within(10, lambda: home.service_address("other") if home.service_address("other") != before else "")
    events = home.get("--namespace=demo", "events", "--field-selector=involvedObject.name=other")["items"]
    assert {"ClearAssignment", "IPAllocated"} <= {event["reason"] for event in events}


def test_why_a_service_has_its_address_is_explained_in_the_pod(home: Home) -> None:
    address = home.service_address("other")
    told = home.kubectl(SYSTEM, "exec", "deploy/controller", "--", "python3", "-m", "lantern", "explain", "service",
                        "demo/other")  # fmt: skip
    assert f"It has {address} from pool default." in told


def test_speakers_know_each_other(home: Home) -> None:
    told = home.kubectl(SYSTEM, "exec", "daemonset/speaker", "--", "python3", "-m", "lantern", "members")
    assert [line.split()[0] for line in told.splitlines()[1:]] == ["node1", "node2", "node3"]
    assert told.count("alive") == 3
