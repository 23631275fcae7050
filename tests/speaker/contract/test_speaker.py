# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The speaker against a real Kubernetes API server and a real LAN host.

It runs as in its container: in the node's network namespace, root with no capability but NET_RAW. Pools, Services with
addresses, Nodes and EndpointSlices are written by the test.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lablib.kube import NAMESPACE, ApiServer
from lablib.netns import NODE_ADDRESS, NODE_ADDRESS_V6, NODE_MAC, Bridge, Lan, inside, ip
from lablib.objects import (
    ADVERTISEMENTS,
    SERVICES,
    SLICES,
    VIP,
    events,
    give_address,
    make_advertisement,
    make_endpoints,
    make_node,
    make_pool,
    make_service,
)
from lablib.process import Lantern, Start, eventually
from lablib.wire import Wire
from lantern.adapters.kube.l2_status import l2_statuses_path
from lantern.core.elect import owner
from lantern.pools import parse_address
from scapy.layers.l2 import ARP, Ether

EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"


@pytest.fixture
def speaker(kube: ApiServer, lan: Lan, start: Start, tmp_path: Path) -> Iterator[Start]:
    """Start a speaker for the node `node1` in its namespace, where the API server is reachable too."""
    bridge = Bridge(lan.node, kube.port)
    kubeconfig = tmp_path / "kubeconfig-in-namespace"
    kube.write_kubeconfig(kubeconfig, bridge.port)

    def make(*arguments: str) -> Lantern:
        made = start("speaker", "--node-name=node1", *arguments, kubeconfig=kubeconfig, namespace=lan.node)
        eventually(lambda: made.get("/readyz")[0] == 200, 15, "ready")
        return made

    yield make
    bridge.close()


@pytest.fixture
def cluster(kube: ApiServer) -> ApiServer:
    """One node, one Service with an address and an endpoint, announced everywhere."""
    make_pool(kube)
    make_advertisement(kube)
    make_node(kube, "node1")
    make_service(kube)
    make_endpoints(kube, "node1")
    give_address(kube)
    return kube


def tells(frame: Ether, address: str) -> bool:
    """Whether the node says in this frame that it has the address."""
    return ARP in frame and (frame[ARP].psrc, frame[ARP].hwsrc) == (address, NODE_MAC)


def announcers(cluster: ApiServer) -> list[str]:
    """The nodes that say by ServiceL2Status that they announce something."""
    # Whose status is not written yet says nothing.
    return [item["status"]["node"] for item in cluster.get(l2_statuses_path(NAMESPACE))["items"] if "status" in item]


def assignments(cluster: ApiServer) -> int:
    """How often it was told that the Service is announced."""
    return len([item for item in events(cluster) if item["reason"] == "nodeAssigned"])


def answers(lan: Lan, seconds: float = 1.0) -> bool:
    """Whether the LAN host's kernel gets an answer for the VIP."""
    lan.forget(VIP)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        lan.ask(VIP)
        time.sleep(0.05)
        if lan.neighbour(VIP) == NODE_MAC:
            return True
    return False


def test_announces_answers_and_tells(cluster: ApiServer, lan: Lan, speaker: Start) -> None:
    running = speaker()
    eventually(lambda: answers(lan), 3, "the LAN host finds the VIP")
    (event,) = eventually(lambda: events(cluster), 2, "an event")
    assert (event["type"], event["reason"]) == ("Normal", "nodeAssigned")
    assert event["message"] == 'announcing from node "node1" with protocol "layer2"'
    assert event["source"] == {"component": "metallb-speaker", "host": "node1"}
    # Gratuitous frames may have completed the entry the first time; this time the LAN host asks.
    assert answers(lan)
    metrics = running.get("/metrics")[1]
    assert (
        f'metallb_speaker_announced{{ip="{VIP}",node="node1",protocol="layer2",service="default/web"}} 1.0' in metrics
    )
    assert f'metallb_layer2_responses_sent{{ip="{VIP}"}}' in metrics
    assert running.memory_mebibytes() < 60
    # Unrelated changes of the Service are no news.
    cluster.patch(f"{SERVICES}/web", {"metadata": {"labels": {"a": "b"}}})
    time.sleep(0.5)
    assert len(events(cluster)) == 1
    status, seconds = running.stop()
    assert status == 0 and seconds < 1.5
    assert not answers(lan)


def test_health_and_metrics_are_not_for_the_lan(cluster: ApiServer, lan: Lan, speaker: Start) -> None:
    running = speaker()

    def connect() -> list[int]:
        found = []
        for family, address in ((socket.AF_INET, NODE_ADDRESS), (socket.AF_INET6, NODE_ADDRESS_V6)):
            with socket.socket(family) as client:
                client.settimeout(5)
                found.append(client.connect_ex((address, running.port)))
        return found

    assert inside(lan.client, connect) == [errno.ECONNREFUSED] * 2


def test_node_that_has_lost_its_address_is_silent_until_it_has_it_again(
    cluster: ApiServer, lan: Lan, speaker: Start
) -> None:
    make_node(cluster, "node2")
    running = speaker(f"--ml-bindaddr={NODE_ADDRESS}")
    eventually(lambda: answers(lan), 8, "the LAN host finds the VIP")
    # As a DHCP client does that is stopped.
    ip("-n", lan.node, "address", "delete", f"{NODE_ADDRESS}/24", "dev", "eth0")
    time.sleep(0.2)
    assert not answers(lan)
    assert 'reason="nodeAddressLost"} 1.0' in running.get("/metrics")[1]
    assert running.said("not announced from here", reason="nodeAddressLost")
    ip("-n", lan.node, "address", "add", f"{NODE_ADDRESS}/24", "dev", "eth0")
    eventually(lambda: answers(lan), 8, "the LAN host finds the VIP again")


def test_only_node_goes_on_with_another_address(cluster: ApiServer, lan: Lan, speaker: Start) -> None:
    running = speaker(f"--ml-bindaddr={NODE_ADDRESS}")
    eventually(lambda: answers(lan), 8, "the LAN host finds the VIP")
    ip("-n", lan.node, "address", "replace", "192.168.2.12/24", "dev", "eth0")
    ip("-n", lan.node, "address", "delete", f"{NODE_ADDRESS}/24", "dev", "eth0")
    time.sleep(0.2)
    assert answers(lan)
    assert not running.said("withdrawn")


def test_gained_address_is_announced_unasked(cluster: ApiServer, lan: Lan, speaker: Start) -> None:
    give_address(cluster, None)
    speaker()
    lan.ask(VIP)
    give_address(cluster)
    # The LAN host asked in vain before; the gratuitous frames alone complete its entry.
    eventually(lambda: lan.neighbour(VIP) == NODE_MAC, 2, "an entry without asking again")
    give_address(cluster, None)
    time.sleep(0.3)
    assert not answers(lan)


def test_elected_node_answers_and_the_other_is_silent(cluster: ApiServer, lan: Lan, speaker: Start) -> None:
    address = parse_address(VIP)
    rivals = [f"rival{number}" for number in range(20)]
    stronger = next(name for name in rivals if owner(address, ["node1", name]) == name)  # type: ignore[arg-type]
    running = speaker("--log-level=debug")
    eventually(lambda: answers(lan), 3, "an answer")
    make_node(cluster, stronger)
    eventually(lambda: running.said("withdrawn", service="default/web"), 2, "withdrawn")
    assert not answers(lan)
    assert running.said("not announced from here", reason="notOwner", why=f'node "{stronger}" owns {VIP}')
    not_ready = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    cluster.patch(f"/api/v1/nodes/{stronger}/status", not_ready)
    eventually(lambda: answers(lan), 3, "an answer")


def test_excluded_node_announces_only_when_told_to(cluster: ApiServer, lan: Lan, speaker: Start) -> None:
    cluster.patch("/api/v1/nodes/node1", {"metadata": {"labels": {EXCLUDE: ""}}})
    running = speaker()
    eventually(lambda: running.said("not announced from here", reason="nodeExcluded"), 2, "the reason")
    assert not answers(lan)
    running.stop()
    speaker("--ignore-exclude-lb")
    eventually(lambda: answers(lan), 3, "an answer")


def test_nothing_is_announced_without_an_advertisement(cluster: ApiServer, lan: Lan, speaker: Start) -> None:
    cluster.delete(f"{ADVERTISEMENTS}/all")
    running = speaker()
    eventually(lambda: running.said("not announced from here", reason="noMatchingAdvertisement"), 2, "the reason")
    assert not answers(lan)
    make_advertisement(cluster, ipAddressPools=["home"], interfaces=["eth0"])
    eventually(lambda: answers(lan), 3, "an answer")


def test_missing_interface_is_told_by_an_event(cluster: ApiServer, lan: Lan, speaker: Start) -> None:
    cluster.delete(f"{ADVERTISEMENTS}/all")
    make_advertisement(cluster, interfaces=["wlan0"])
    speaker()
    (event,) = eventually(lambda: events(cluster), 2, "an event")
    assert (event["type"], event["reason"]) == ("Warning", "announceFailed")
    assert not answers(lan)


def test_service_without_endpoints_is_withdrawn(cluster: ApiServer, lan: Lan, speaker: Start) -> None:
    speaker()
    eventually(lambda: answers(lan), 3, "an answer")
    cluster.delete(f"{SLICES}/web-1")
    time.sleep(0.3)
    assert not answers(lan)


def test_bad_pool_withdraws_nothing(cluster: ApiServer, lan: Lan, speaker: Start) -> None:
    running = speaker()
    eventually(lambda: answers(lan), 3, "an answer")
    make_pool(cluster, "bad", "192.168.2.0/24")
    eventually(lambda: "metallb_k8s_client_config_stale_bool 1.0" in running.get("/metrics")[1], 2, "stale")
    assert answers(lan)


def test_outage_of_the_api_server_withdraws_nothing(cluster: ApiServer, lan: Lan, speaker: Start) -> None:
    running = speaker()
    eventually(lambda: answers(lan), 3, "an answer")
    cluster.stop_server()
    eventually(lambda: running.said("following is interrupted, will retry", kind="services"), 5, "told in the log")
    assert answers(lan)
    cluster.start()
    cluster.delete(f"{SLICES}/web-1")
    eventually(lambda: running.said("withdrawn", service="default/web"), 10, "the change is seen")


def test_stranger_with_the_same_address_is_told_by_an_event(cluster: ApiServer, lan: Lan, speaker: Start) -> None:
    speaker()
    eventually(lambda: answers(lan), 3, "an answer")
    with Wire(lan.client) as wire:
        stranger = "b8:27:eb:00:00:66"
        wire.send(Ether(dst="ff:ff:ff:ff:ff:ff", src=stranger) / ARP(op=1, hwsrc=stranger, psrc=VIP, pdst=VIP))
    found = eventually(lambda: [item for item in events(cluster) if item["reason"] == "addressConflict"], 3, "an event")
    assert found[0]["type"] == "Warning" and stranger in found[0]["message"] and VIP in found[0]["message"]


def test_new_address_that_a_stranger_has_waits(cluster: ApiServer, lan: Lan, speaker: Start) -> None:
    running = speaker()
    eventually(lambda: answers(lan), 3, "the speaker is at work")
    eventually(lambda: assignments(cluster) == 1, 3, "an event")
    taken = "192.168.2.200"
    ip("-n", lan.client, "address", "add", f"{taken}/32", "dev", "eth0")
    give_address(cluster, taken)
    eventually(lambda: [item for item in events(cluster) if item["reason"] == "addressInUse"], 3, "an event")
    metrics = running.get("/metrics")[1]
    assert "lantern_l2_in_use_elsewhere 1.0" in metrics
    assert 'lantern_services_withheld{reason="inUseElsewhere"} 1.0' in metrics
    assert f'metallb_speaker_announced{{ip="{taken}"' not in metrics
    assert running.said("not announced from here", reason="inUseElsewhere")
    eventually(lambda: not announcers(cluster), 3, "no ServiceL2Status")
    assert assignments(cluster) == 1
    ip("-n", lan.client, "address", "delete", f"{taken}/32", "dev", "eth0")
    eventually(lambda: [item for item in events(cluster) if item["reason"] == "addressFree"], 13, "an event")
    lan.ask(taken)
    eventually(lambda: lan.neighbour(taken) == NODE_MAC, 3, "an answer")
    eventually(lambda: announcers(cluster) == ["node1"], 3, "a ServiceL2Status")
    eventually(lambda: assignments(cluster) == 2, 3, "an event")
    assert "lantern_l2_in_use_elsewhere 0.0" in running.get("/metrics")[1]


def test_stranger_has_taken_an_address_while_no_speaker_ran(cluster: ApiServer, lan: Lan, speaker: Start) -> None:
    ip("-n", lan.client, "address", "add", f"{VIP}/32", "dev", "eth0")
    speaker()
    eventually(lambda: [item for item in events(cluster) if item["reason"] == "addressInUse"], 3, "an event")
    assert not announcers(cluster)
    ip("-n", lan.client, "address", "delete", f"{VIP}/32", "dev", "eth0")
    eventually(lambda: answers(lan), 13, "an answer")


def test_new_address_that_a_stranger_has_is_announced_anyway_when_told_to(
    cluster: ApiServer, lan: Lan, speaker: Start
) -> None:
    running = speaker()
    eventually(lambda: answers(lan), 3, "the speaker is at work")
    taken = "192.168.2.200"
    ip("-n", lan.client, "address", "add", f"{taken}/32", "dev", "eth0")
    give_address(cluster, taken)
    eventually(lambda: "lantern_l2_in_use_elsewhere 1.0" in running.get("/metrics")[1], 3, "it waits")
    found = eventually(lambda: [item for item in events(cluster) if item["reason"] == "addressInUse"], 3, "an event")
    annotation = "lantern.homelab/announce-anyway"
    assert f"annotation {annotation}=true" in found[0]["message"]
    with Wire(lan.client) as wire:
        cluster.patch(f"{SERVICES}/web", {"metadata": {"annotations": {annotation: "true"}}})
        frames = wire.frames(3, until=lambda frame: tells(frame, taken))
    assert any(tells(frame, taken) for _, frame in frames), "gratuitous ARP"
    assert f'metallb_speaker_announced{{ip="{taken}"' in running.get("/metrics")[1]


def test_ipv6_address_is_announced(cluster: ApiServer, lan: Lan, speaker: Start) -> None:
    make_pool(cluster, "home6", "fd00:2::100-fd00:2::1ff")
    give_address(cluster, "fd00:2::128")
    speaker()
    lan.ask("fd00:2::128")
    eventually(lambda: lan.neighbour("fd00:2::128") == NODE_MAC, 5, "an answer")
