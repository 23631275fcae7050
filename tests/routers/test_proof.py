# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof from the wire, with real servers, squatters and second servers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from lan import ROUTER, Host, Lan, eventually
from servers import SERVERS, serve, serve_file

POOL = ["192.168.2.150-192.168.2.159"]
LEFT = ["192.168.2.100,192.168.2.149", "192.168.2.160,192.168.2.200"]

pytestmark = pytest.mark.skipif(bool(SERVERS["dnsmasq"].missing), reason="needs the program dnsmasq")


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


def squatter(lan: Lan, name: str, address: str, mac: str, *responder: str) -> None:
    """A device in the pool, with a responder of names_standin.py or none."""
    made = lan.host(name, f"{address}/24")
    made.link("link", "set", "eth0", "address", mac)
    if responder:
        made.start(sys.executable, str(Path(__file__).with_name("names_standin.py")), *responder, address, log="names")
        eventually(lambda: ":137 " in listens(made) or ":5353 " in listens(made))


def listens(host: Host) -> str:
    return host.run("busybox", "netstat", "-lnu").stdout


def test_devices_in_the_pools_are_named_by_what_they_answer(lan: Lan) -> None:
    lines = ["interface=eth0", "no-ping", "no-resolv", "no-hosts", "bogus-priv", "host-record=nas.home,192.168.2.151"]
    serve_file(lan.router, [*lines, *(f"dhcp-range={item},255.255.255.0,12h" for item in LEFT)], ":67 ")
    prober = lan.host("prober", "192.168.2.250/24")
    # Its default route leads elsewhere, as with a VPN.
    prober.link("link", "add", "vpn0", "type", "veth", "peer", "name", "vpn1")
    prober.link("link", "set", "vpn0", "up")
    prober.link("route", "add", "default", "dev", "vpn0")
    prober.write("/etc/resolv.conf", f"nameserver {ROUTER}\n")
    # What the home's DNS says goes before what the device says.
    squatter(lan, "nas", "192.168.2.151", "00:11:32:00:00:01", "mdns", "other.local")
    squatter(lan, "speaker", "192.168.2.152", "b8:27:eb:00:00:02", "mdns", "kitchen.local")
    squatter(lan, "pc", "192.168.2.153", "02:00:00:00:00:03", "netbios", "ATTIC-PC")
    # No maker has this number, and nothing answers.
    squatter(lan, "nobody", "192.168.2.154", "fc:fd:fe:00:00:04")

    found = lan.prove(POOL, servers=[ROUTER])
    told = {item["address"][-3:]: (item["name"], item["vendor"]) for item in found["strangers"]}
    assert {last: name for last, (name, _vendor) in told.items()} == {
        "151": "nas.home",
        "152": "kitchen.local",
        "153": "ATTIC-PC",
        "154": "",
    }
    assert "Synology" in told["151"][1] and told["153"][1] == "random or virtual MAC" and told["154"][1] == ""
    said = {line.split()[0]: line for line in found["problems"]}
    assert "kitchen.local" in said["192.168.2.152"] and "ATTIC-PC" in said["192.168.2.153"]
    assert "fc:fd:fe:00:00:04" in said["192.168.2.154"] and "()" not in said["192.168.2.154"]


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


POOL6 = "fd00:2::1:0/112"
BESIDE6 = "dhcp-range=fd00:2::1000,fd00:2::1fff,64,1h"
INTO6 = "dhcp-range=fd00:2::1:f000,fd00:2::2:ffff,64,1h"


def serve6(host: Host, *options: str, listens: bool = True) -> None:
    """The real dnsmasq for IPv6 alone, with the prefix fd00:2::/64."""
    with_prefix(host)
    serve_file(host, ["port=0", "interface=eth0", *options], ":547 " if listens else "")


def with_prefix(host: Host, address: str = "fd00:2::1/64") -> None:
    host.link("address", "add", address, "dev", "eth0", "nodad")
    eventually(lambda: "tentative" not in host.run("ip", "-6", "address", "show", "dev", "eth0").stdout)


def leases6(host: Host) -> list[str]:
    """dnsmasq's leases without the line of its own DUID."""
    text = host.run("cat", "/var/lib/misc/dnsmasq.leases", check=False).stdout
    return [line for line in text.splitlines() if not line.startswith("duid ")]


def link_local(host: Host) -> str:
    shown = host.run("ip", "-6", "-o", "address", "show", "dev", "eth0", "scope", "link").stdout
    return shown.split()[3].partition("/")[0]


def test_both_families_are_asked(lan: Lan) -> None:
    with_prefix(lan.router)
    serve(lan.router, LEFT, "no-ping", BESIDE6, "enable-ra")
    eventually(lambda: ":547 " in lan.router.run("busybox", "netstat", "-lnu").stdout)
    found = lan.prove([*POOL, POOL6], servers=[ROUTER])
    assert found["verdict"] == "proven", found["table"]
    assert [(item["server"], item["foreign"]) for item in found["servers"]] == [
        (ROUTER, False),
        (link_local(lan.router), False),
    ]
    assert {"192.168.2.150", "fd00:2::1:0", "fd00:2::1:ffff"} <= set(found["asked"])
    assert [item["managed"] for item in found["routers"]] == [True]
    assert leases6(lan.router) == []
    # Nor does the kernel of the host that asks refuse the answers.
    counted = dict(line.split() for line in lan.hosts["prober"].run("cat", "/proc/net/snmp6").stdout.splitlines())
    assert counted["Icmp6OutDestUnreachs"] == "0"


def test_an_ipv6_pool_in_the_range_is_found_out_and_no_lease_comes_about(lan: Lan) -> None:
    serve6(lan.router, INTO6)
    found = lan.prove([POOL6], servers=[ROUTER])
    assert found["verdict"] == "failed", found["table"]
    address, mac = link_local(lan.router), found["servers"][0]["mac"]
    assert mac in lan.router.run("cat", "/sys/class/net/eth0/address").stdout
    assert f"{address} ({mac}, DUID {found['servers'][0]['duid']}) offers fd00:2::1:" in found["problems"][0]
    assert leases6(lan.router) == []


@pytest.mark.parametrize("options", [("dhcp-range=fd00:2::,ra-only",), ()])
def test_without_dhcpv6_silence_is_enough(lan: Lan, options: tuple[str, ...]) -> None:
    if options:
        serve6(lan.router, *options, listens=False)
    found = lan.prove([POOL6], servers=[ROUTER])
    assert found["verdict"] == "proven" and found["problems"] == found["servers"] == [], found["table"]
    if options:
        assert [(item["managed"], item["prefixes"]) for item in found["routers"]] == [(False, ["fd00:2::/64"])]
        assert "flag M of router advertisements is off" in found["table"][1]
    else:
        assert found["routers"] == [] and "no router advertises itself" in found["table"][1]


def test_a_server_that_only_tells_names_hands_out_no_address(lan: Lan) -> None:
    serve6(lan.router, "dhcp-range=fd00:2::,ra-stateless")
    found = lan.prove([POOL6], servers=[ROUTER])
    assert found["verdict"] == "proven" and "no address for a new host" in found["servers"][0]["text"]


def test_silence_of_the_dhcpv6_server_that_a_router_speaks_of_proves_nothing(lan: Lan) -> None:
    serve6(lan.router, BESIDE6, "enable-ra", "dhcp-ignore=tag:!known")
    found = lan.prove([POOL6], servers=[ROUTER])
    assert found["verdict"] == "unknown", found["table"]
    assert link_local(lan.router) in found["problems"][0] and "flag M" in found["problems"][0]


def test_a_foreign_dhcpv6_server_is_found_and_judged(lan: Lan) -> None:
    serve6(lan.router, BESIDE6)
    stranger = lan.host("stranger", "192.168.2.240/24")
    with_prefix(stranger, "fd00:2::240/64")
    serve_file(stranger, ["port=0", "interface=eth0", INTO6], ":547 ")
    found = lan.prove([POOL6], servers=[ROUTER])
    assert found["verdict"] == "failed"
    judged = {item["server"]: (item["foreign"], item["verdict"]) for item in found["servers"]}
    assert judged[link_local(stranger)] == (True, "failed") and judged[link_local(lan.router)][0] is False
    assert link_local(stranger) in found["warnings_found"][0] and "DHCPv6" in found["warnings_found"][0]


@pytest.mark.skipif(bool(SERVERS["isc_dhcpd"].missing), reason="needs the program dhcpd")
@pytest.mark.parametrize(("last", "verdict"), [("fd00:2::1fff", "proven"), ("fd00:2::1:ffff", "failed")])
def test_isc_dhcpd_by_ipv6(lan: Lan, last: str, verdict: str) -> None:
    with_prefix(lan.router)
    lan.router.write("/etc/dhcp/dhcpd6.conf", f"subnet6 fd00:2::/64 {{ range6 fd00:2::1000 {last}; }}\n")
    lan.router.write("/var/lib/dhcp/dhcpd6.leases", "")
    files = ("-cf", "/etc/dhcp/dhcpd6.conf", "-lf", "/var/lib/dhcp/dhcpd6.leases")
    lan.router.start("dhcpd", "-6", "-f", "-q", *files, "eth0", log="dhcpd6.log")
    eventually(lambda: ":547 " in lan.router.run("busybox", "netstat", "-lnu").stdout)
    found = lan.prove([POOL6], servers=[ROUTER])
    assert found["verdict"] == verdict, found["table"]
    assert "iaaddr" not in lan.router.read("/var/lib/dhcp/dhcpd6.leases")


def test_addresses_of_an_ipv6_pool_that_somebody_has_are_not_asked_for(lan: Lan) -> None:
    serve6(lan.router, BESIDE6)
    with_prefix(lan.host("prober", "192.168.2.250/24"), "fd00:2::250/64")
    with_prefix(lan.host("node1", "192.168.2.11/24"), "fd00:2::1:0/64")
    nodes = [{"name": "node1", "addresses": ["192.168.2.11"]}]
    found = lan.prove([POOL6], servers=[ROUTER], nodes=nodes)
    assert found["verdict"] == "proven" and found["strangers"] == [], found["table"]
    assert "fd00:2::1:0" not in found["asked"] and "fd00:2::1:1" in found["asked"]


def test_a_host_without_ipv6_cannot_ask(lan: Lan) -> None:
    prober = lan.host("prober", "192.168.2.250/24")
    prober.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6")
    found = lan.prove([POOL6], servers=[ROUTER])
    assert found["verdict"] == "unknown" and "IPv6 is off on this host" in found["problems"][0]


@pytest.mark.parametrize(("way", "words"), [("10.0.0.1", "through 10.0.0.1"), ("", "knows no way there")])
def test_from_outside_the_lan_it_cannot_be_asked(lan: Lan, way: str, words: str) -> None:
    prober = lan.host("prober", "10.0.0.2/24" if way else "")
    if way:
        prober.link("route", "add", "default", "via", way)
    refused = prober.module("reservation_proof", pools=POOL, network="192.168.2.0/24")
    assert refused["failed"] and words in refused["msg"] and "group probe" in refused["msg"]


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
