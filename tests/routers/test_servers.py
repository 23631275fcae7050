# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reserve, prove, undo on real DHCP servers, with real clients that get addresses or not."""

from __future__ import annotations

import pytest
from lan import NETWORK, ROUTER, Host, Lan
from servers import SERVERS, Server, prepare

POOL = ["192.168.2.150-192.168.2.159"]
INSIDE, OUTSIDE = "192.168.2.155", "192.168.2.120"
ONE_RUN = ("networkd",)
IGNORES_WISHES = ("networkd",)


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, lan: Lan) -> Server:
    kind = request.param
    if SERVERS[kind].missing:
        pytest.skip(f"needs the program {SERVERS[kind].missing}")
    prepare(kind, lan.router)
    SERVERS[kind].start(lan.router)
    return SERVERS[kind]


def test_reserve_proof_undo(lan: Lan, server: Server) -> None:
    kind = next(name for name, item in SERVERS.items() if item is server)
    before = server.texts(lan.router)
    if kind not in IGNORES_WISHES:
        found = lan.prove(POOL, servers=[ROUTER])
        assert found["verdict"] == "failed", found["table"]
        assert lan.client.lease("02:00:00:00:00:21", INSIDE) == INSIDE
        refused = server.reserve(lan.router, ranges=POOL, network=NETWORK)
        assert refused["failed"] and INSIDE in refused["msg"] and "02:00:00:00:00:21" in refused["msg"]
        assert server.texts(lan.router) == before

    planned = server.reserve(lan.router, check=True, ranges=POOL, network=NETWORK, active_leases="ignore")
    assert planned["changed"] and planned["diff"], planned
    assert server.texts(lan.router) == before

    done = server.reserve(lan.router, ranges=POOL, network=NETWORK, active_leases="ignore")
    assert not done["failed"], done["msg"]
    assert done["changed"]
    wanted = ["192.168.2.100-192.168.2.149", "192.168.2.160-192.168.2.200"]
    assert done["handed_out"] == (wanted[:1] if kind in ONE_RUN else wanted)
    assert not server.reserve(lan.router, ranges=POOL, network=NETWORK, active_leases="ignore")["changed"]

    found = lan.prove(POOL, servers=[ROUTER])
    assert found["verdict"] == ("unknown" if kind in IGNORES_WISHES else "proven"), found["table"]
    assert found["servers"][0]["server"] == ROUTER
    # The host that had an address of the pool is given another one; a host that asks for one is not.
    for mac in ("02:00:00:00:00:21", "02:00:00:00:00:22"):
        given = lan.client.lease(mac, INSIDE)
        assert given and given not in [f"192.168.2.{number}" for number in range(150, 160)]

    undone = server.reserve(lan.router, state="absent")
    assert undone["changed"] and not undone["failed"]
    assert server.texts(lan.router) == before
    assert not server.reserve(lan.router, state="absent")["changed"]
    if kind not in IGNORES_WISHES:
        assert lan.client.lease("02:00:00:00:00:23", INSIDE) == INSIDE


def test_a_server_that_does_not_start_again_gets_its_former_files(lan: Lan, server: Server) -> None:
    before = server.texts(lan.router)
    # networkd is not restarted, so that it is its reload that has to fail.
    lan.router.write("/run/broken", "no more memory\n")
    lan.router.script("networkctl", "#!/bin/sh\nexit 1\n")
    refused = server.reserve(lan.router, ranges=POOL, network=NETWORK, timeout=2)
    assert refused["failed"] and "no more memory" in refused["msg"] and "former files were put back" in refused["msg"]
    assert server.texts(lan.router) == before


def test_a_server_that_has_stopped_is_part_of_what_is_put_in_order(lan: Lan, server: Server) -> None:
    options = {"ranges": POOL, "network": NETWORK}
    assert server.reserve(lan.router, **options)["changed"]
    lan.router.run("sh", "-c", "p=$(cat /run/server.pid); kill $p; while kill -0 $p 2>/dev/null; do sleep 0.05; done")
    assert server.reserve(lan.router, check=True, **options)["changed"]
    assert not listening(lan.router), "check mode starts nothing"
    done = server.reserve(lan.router, **options)
    assert not done["failed"] and done["changed"] and done["files"] == [], done
    assert listening(lan.router)
    assert not server.reserve(lan.router, **options)["changed"]


def listening(router: Host) -> bool:
    return ":67 " in router.run("busybox", "netstat", "-lnu").stdout


# A mistake that only the server itself can see; networkd has no test of its own.
MISTAKES = {
    "dnsmasq": ("/etc/dnsmasq.d/lan.conf", "dhcp-range=", "no-such-option\ndhcp-range="),
    "pihole5": ("/etc/dnsmasq.d/01-pihole.conf", "no-ping", "no-such-option"),
    "kea": ("/etc/kea/kea-dhcp4.conf", "4000", '"soon"'),
    "isc_dhcpd": ("/etc/dhcp/lan.conf", "option routers", "option no-such-option"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_files_that_the_server_would_not_start_with_are_left_alone(lan: Lan, kind: str) -> None:
    server, (path, right, wrong) = SERVERS[kind], MISTAKES[kind]
    if server.missing:
        pytest.skip(f"needs the program {server.missing}")
    prepare(kind, lan.router)
    server.start(lan.router)
    lan.router.write(path, server.files[path].replace(right, wrong, 1))
    before = server.texts(lan.router)
    refused = server.reserve(lan.router, ranges=POOL, network=NETWORK)
    assert refused["failed"] and "does not accept its present configuration" in refused["msg"], refused
    assert path in refused["msg"] or "no-such-option" in refused["msg"], refused["msg"]
    assert server.texts(lan.router) == before
    # It was not restarted, which would have ended DHCP in this LAN.
    assert lan.client.lease("02:00:00:00:00:24", OUTSIDE) == OUTSIDE


# Where the domain and the port of DNS are set.
NAMES_IN = {"dnsmasq": "/etc/dnsmasq.conf", "pihole5": "/etc/dnsmasq.d/01-pihole.conf"}


@pytest.mark.parametrize("kind", NAMES_IN)
def test_names_of_pinned_services_are_answered_by_dnsmasq(lan: Lan, kind: str) -> None:
    server, settings = SERVERS[kind], NAMES_IN[kind]
    if server.missing:
        pytest.skip(f"needs the program {server.missing}")
    prepare(kind, lan.router)
    server.start(lan.router)
    # The home's own names stay as they are: with Pi-hole 5 those that its web interface writes.
    lan.router.write("/etc/pihole/custom.list", "192.168.2.5 nas.home\n")
    dns = "domain=home\naddn-hosts=/etc/pihole/custom.list\n"
    lan.router.write(settings, server.files[settings].replace("port=0\n", dns))
    before = server.texts(lan.router)
    names = [{"name": "web", "addresses": ["192.168.2.150"]}]
    done = server.reserve(lan.router, ranges=POOL, network=NETWORK, names=names)
    assert done["changed"] and "/etc/dnsmasq.conf" in done["files"], done
    client = lan.host("resolver", "192.168.2.30/24")
    for name, address in (("web", "192.168.2.150"), ("web.home", "192.168.2.150"), ("nas.home", "192.168.2.5")):
        assert address in client.run("busybox", "nslookup", "-type=a", name, ROUTER).stdout
    assert "web.home" in client.run("busybox", "nslookup", "192.168.2.150", ROUTER).stdout
    assert not server.reserve(lan.router, ranges=POOL, network=NETWORK, names=names)["changed"]
    # A name that is pinned no more goes; the reservation stays.
    assert server.reserve(lan.router, ranges=POOL, network=NETWORK)["files"] == ["/etc/dnsmasq.conf"]
    gone = client.run("busybox", "nslookup", "-type=a", "web.home", ROUTER, check=False)
    assert "192.168.2.150" not in gone.stdout
    assert server.reserve(lan.router, state="absent")["changed"] and server.texts(lan.router) == before
    assert lan.router.read("/etc/pihole/custom.list") == "192.168.2.5 nas.home\n"
