# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof from the wire, with real servers, squatters and second servers."""

from __future__ import annotations

from pathlib import Path

import pytest
from lan import ROUTER, Host, Lan, eventually
from servers import SERVERS

POOL = ["192.168.2.150-192.168.2.159"]
LEFT = ["192.168.2.100,192.168.2.149", "192.168.2.160,192.168.2.200"]

pytestmark = pytest.mark.skipif(bool(SERVERS["dnsmasq"].missing), reason="needs the program dnsmasq")


def serve(host: Host, ranges: list[str], *options: str) -> None:
    """The real dnsmasq on a host."""
    lines = ["port=0", "interface=eth0", *options, *(f"dhcp-range={item},255.255.255.0,12h" for item in ranges)]
    host.run("mkdir", "-p", "/var/lib/misc")
    host.write("/etc/dnsmasq.conf", "\n".join(lines) + "\n")
    host.start("dnsmasq", "--keep-in-foreground", "--conf-file=/etc/dnsmasq.conf", "--user=root", log="dnsmasq.log")
    eventually(lambda: ":67 " in host.run("busybox", "netstat", "-lnu").stdout)


def test_a_server_that_pings_first_is_asked_quickly(lan: Lan) -> None:
    """dnsmasq pings for three seconds before each offer; invented clients that hash alike wait only twice."""
    serve(lan.router, LEFT)
    found = lan.prove(POOL, servers=[ROUTER])
    assert found["verdict"] == "proven", found["table"]
    assert found["seconds"] < 12
    assert len([address for address in found["asked"] if address.startswith("192.168.2.15")]) == 4
    assert {"192.168.2.150", "192.168.2.159"} <= set(found["asked"])
    assert lan.router.run("cat", "/var/lib/misc/dnsmasq.leases", check=False).stdout == ""


def test_an_unreserved_pool_is_found_out_and_no_lease_comes_about(lan: Lan) -> None:
    serve(lan.router, ["192.168.2.100,192.168.2.200"], "no-ping")
    found = lan.prove(POOL, servers=[ROUTER])
    assert found["verdict"] == "failed"
    # One time in ten the offer to the first client, which asks for no address, already lies in the pool.
    assert f"{ROUTER} offers 192.168.2.15" in found["problems"][0]
    assert lan.router.run("cat", "/var/lib/misc/dnsmasq.leases", check=False).stdout == ""


def test_silence_proves_nothing(lan: Lan) -> None:
    found = lan.prove(POOL)
    assert found["verdict"] == "unknown" and "No DHCP server answered" in found["problems"][0]
    serve(lan.router, ["192.168.2.0,static"], "dhcp-ignore=tag:!known")
    assert lan.prove(POOL)["verdict"] == "unknown"


def test_a_device_in_the_pools_is_named(lan: Lan) -> None:
    serve(lan.router, LEFT, "no-ping")
    squatter = lan.host("squatter", "192.168.2.152/24")
    squatter.link("link", "set", "eth0", "address", "b8:27:eb:00:00:01")
    lan.host("node1", "192.168.2.11/24").link("address", "add", "192.168.2.150/32", "dev", "eth0")
    nodes = [{"name": "node1", "addresses": ["192.168.2.11"]}]
    found = lan.prove(POOL, servers=[ROUTER], nodes=nodes)
    assert found["verdict"] == "failed"
    assert [item["address"] for item in found["strangers"]] == ["192.168.2.152"]
    assert found["strangers"][0]["mac"] == "b8:27:eb:00:00:01" and "Raspberry" in found["strangers"][0]["vendor"]
    assert "192.168.2.152" in found["problems"][0] and "Raspberry" in found["problems"][0]
    assert not {"192.168.2.150", "192.168.2.152"} & set(found["asked"]), "nobody's address is asked for"
    assert any("192.168.2.150" in line and "node1" in line for line in found["table"])


def test_a_foreign_server_is_found_and_judged(lan: Lan) -> None:
    serve(lan.router, LEFT, "no-ping")
    stranger = lan.host("stranger", "192.168.2.240/24")
    serve(stranger, ["192.168.2.30,192.168.2.40"])  # it thinks for three seconds about each answer
    found = lan.prove(POOL, servers=[ROUTER])
    assert found["verdict"] == "proven", found["table"]
    assert {item["server"]: item["foreign"] for item in found["servers"]} == {ROUTER: False, "192.168.2.240": True}
    assert "192.168.2.240" in found["warnings_found"][0]


def test_a_foreign_server_that_hands_out_the_pool_fails_it(lan: Lan) -> None:
    serve(lan.router, LEFT, "no-ping")
    serve(lan.host("stranger", "192.168.2.240/24"), ["192.168.2.155,192.168.2.180"], "no-ping")
    found = lan.prove(POOL, servers=[ROUTER])
    assert found["verdict"] == "failed" and "192.168.2.240" in found["problems"][0]


def test_an_ipv6_pool_is_looked_at_by_neighbour_discovery(lan: Lan) -> None:
    serve(lan.router, LEFT, "no-ping")
    lan.host("prober", "192.168.2.250/24").link("address", "add", "fd00::250/64", "dev", "eth0", "nodad")
    lan.host("squatter").link("address", "add", "fd00::1:3/64", "dev", "eth0", "nodad")
    found = lan.prove([*POOL, "fd00::1:0/112"], servers=[ROUTER])
    assert found["verdict"] == "failed"
    assert [item["address"] for item in found["strangers"]] == ["fd00::1:3"]


def test_the_lan_behind_a_router_cannot_be_asked(lan: Lan) -> None:
    prober = lan.host("prober", "10.0.0.2/24")
    prober.link("route", "add", "default", "via", "10.0.0.1")
    refused = prober.module("reservation_proof", pools=POOL, network="192.168.2.0/24")
    assert refused["failed"] and "10.0.0.1" in refused["msg"] and "group probe" in refused["msg"]


def test_many_pools_and_a_large_lan(lan: Lan) -> None:
    serve(lan.router, ["192.168.2.100,192.168.2.120"], "no-ping")
    found = lan.prove(["192.168.2.128/26", "192.168.2.200-192.168.2.210"], servers=[ROUTER], samples=8, scan_limit=100)
    assert found["verdict"] == "proven" and found["scanned"] == 100
    assert {"192.168.2.128", "192.168.2.191", "192.168.2.200", "192.168.2.210"} <= set(found["asked"])


def test_a_server_behind_a_relay_is_asked_as_well(lan: Lan, tmp_path: Path) -> None:
    server = lan.hosts["server"] = Host("server", tmp_path / "server")
    lan.router.link("link", "add", "up0", "type", "veth", "peer", "name", "eth0", "netns", str(server.pid))
    for host, name, address in ((lan.router, "up0", "10.0.0.1/24"), (server, "eth0", "10.0.0.2/24")):
        host.link("address", "add", address, "dev", name)
        host.link("link", "set", name, "up")
    server.link("route", "add", "192.168.2.0/24", "via", "10.0.0.1")
    serve(server, LEFT, "no-ping")
    lan.router.write("/etc/dnsmasq.conf", f"port=0\ndhcp-relay={ROUTER},10.0.0.2\n")
    lan.router.start("dnsmasq", "--keep-in-foreground", "--conf-file=/etc/dnsmasq.conf", "--user=root", log="relay.log")
    eventually(lambda: ":67 " in lan.router.run("busybox", "netstat", "-lnu").stdout)
    found = lan.prove(POOL, servers=["10.0.0.2"])
    assert found["verdict"] == "proven", found["table"]
    assert [(item["server"], item["relay"]) for item in found["servers"]] == [("10.0.0.2", ROUTER)]
    assert f"by the relay {ROUTER}" in found["table"][1]
