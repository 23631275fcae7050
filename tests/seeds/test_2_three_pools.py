# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three pools by MetalLB's custom resources: one for all Services, and one address each for a web and a DNS server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cluster import SYSTEM, Cluster, unchanged, until

POOLS = {"default-pool": "10.10.1.33-10.10.1.63", "dns": "10.10.1.65/32", "web": "10.10.1.64/32"}
NAME = "lantern.home.arpa"
# Answers every question for an IPv4 address with one address (RFC 1035, section 4): an A record that points to the
# name in the question. Runs on the Python of Lantern's own image, which is on every node.
DNS_SERVER = """
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", 5353))
while True:
    query, asker = server.recvfrom(512)
    end = query.index(0, 12) + 5
    record = bytes.fromhex("c00c000100010000003c0004") + socket.inet_aton("10.10.1.64")
    header = query[:2] + bytes.fromhex("85000001000100000000")
    server.sendto(header + query[12:end] + record, asker)
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata:
  name: {name}
  annotations:
    metallb.universe.tf/address-pool: {name}
spec:
  type: LoadBalancer
  selector:
    app: {app}
  ports:
  - {{port: {port}, targetPort: {target}, protocol: {protocol}}}
"""


@pytest.fixture(scope="module")
def cluster(bare: Callable[..., Cluster]) -> Cluster:
    pools = [{"name": name, "addresses": [addresses]} for name, addresses in POOLS.items()]
    made = bare("--lan=10.10.1.0/24", lantern_pools=pools)
    made.console("kubectl create deployment nginx --image=nginx")
    made.rolled_out("nginx")
    made.play("site")
    return made


def test_the_pools_are_those_of_the_inventory(cluster: Cluster) -> None:
    found = {item["metadata"]["name"]: item["spec"]["addresses"] for item in cluster.items("ipaddresspools", SYSTEM)}
    assert found == {name: [addresses] for name, addresses in POOLS.items()}


def test_the_write_ups_manifest_applies_over_them(cluster: Cluster) -> None:
    said = cluster.apply("three_pools/pools.yaml")
    assert "l2advertisement.metallb.io/default created" in said
    assert cluster.configuration() == {"Valid"}


def test_a_second_run_changes_nothing(cluster: Cluster) -> None:
    unchanged(cluster.play("site"))


def test_a_service_that_asks_for_nothing_gets_the_first_address_of_the_default_pool(cluster: Cluster) -> None:
    cluster.console("kubectl expose deploy nginx --port 80 --type LoadBalancer")
    assert cluster.address("nginx") == "10.10.1.33"
    assert "Welcome to nginx!" in cluster.page("10.10.1.33")


def test_the_web_server_has_its_own_address(cluster: Cluster) -> None:
    text = SERVICE.format(name="web", app="nginx", port=80, target=80, protocol="TCP")
    cluster.console("kubectl apply -f -", stdin=text)
    assert cluster.address("web") == "10.10.1.64"
    assert "Welcome to nginx!" in cluster.page("10.10.1.64")


def test_the_dns_server_answers_at_its_own_address(cluster: Cluster) -> None:
    speaker = cluster.home.get(SYSTEM, "daemonset", "speaker")
    image = speaker["spec"]["template"]["spec"]["containers"][0]["image"]
    cluster.console(f'kubectl create deployment dns --image={image} -- python3 -c "$(cat)"', stdin=DNS_SERVER)
    cluster.rolled_out("dns")
    text = SERVICE.format(name="dns", app="dns", port=53, target=5353, protocol="UDP")
    cluster.console("kubectl apply -f -", stdin=text)
    assert cluster.address("dns") == "10.10.1.65"
    ask = f"dig +short +tries=1 +time=1 @10.10.1.65 {NAME} A"
    # dig prints it, too, when nobody answers.
    assert until(lambda: cluster.home.on("client", ask, check=False) == "10.10.1.64\n")


def test_all_three_are_found_good_from_the_lan(cluster: Cluster) -> None:
    assert cluster.verified() == ["default/dns", "default/nginx", "default/web"]


def test_one_node_takes_all_the_traffic_of_an_address(cluster: Cluster) -> None:
    for address in ("10.10.1.33", "10.10.1.64", "10.10.1.65"):
        said = cluster.home.on("client", f"arping -c 2 -I eth0 {address}", check=False)
        assert len({word for word in said.split() if word.startswith("[") and ":" in word}) == 1, said


def test_no_device_is_given_an_address_of_a_pool(cluster: Cluster) -> None:
    for number, wanted in enumerate(("10.10.1.33", "10.10.1.64", "10.10.1.65", ""), start=0x31):
        given = cluster.lease(f"02:00:00:00:00:{number:02x}", wanted)
        assert given
        assert int(given.split(".")[3]) not in range(33, 66)
