# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real DHCP servers ping an address before they offer it, and so leave announced VIPs alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import lan as lans
import pytest
from lablib.announcer import announcing
from lablib.netns import ip
from servers import SERVERS

VIP, OTHER = "192.168.2.128", "192.168.2.129"
FILES = {
    "dnsmasq": {"/etc/dnsmasq.conf": f"port=0\ninterface=eth0\ndhcp-range={VIP},{OTHER},12h\n"},
    "isc_dhcpd": {
        "/etc/dhcp/dhcpd.conf": "authoritative;\nping-check true;\n"
        f"subnet 192.168.2.0 netmask 255.255.255.0 {{ range {VIP} {OTHER}; }}\n"
    },
}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[lans.Lan]:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    with lans.lan(tmp_path) as made:
        yield made


@pytest.fixture
def node(home: lans.Lan) -> Iterator[str]:
    """The network namespace of a host that has no VIP on any interface."""
    name = f"lantern{os.getpid()}d"
    ip("netns", "attach", name, str(home.host("node", "192.168.2.11/24").pid))
    yield name
    ip("netns", "delete", name)


@pytest.fixture(params=FILES)
def server(request: pytest.FixtureRequest, home: lans.Lan) -> None:
    """It has two addresses to hand out, one of which is the VIP."""
    made = replace(SERVERS[request.param], files=FILES[request.param])
    if made.missing:
        pytest.skip(f"needs the program {made.missing}")
    made.start(home.router)


@pytest.mark.usefixtures("server")
def test_address_that_answers_ping_is_not_handed_out(home: lans.Lan, node: str) -> None:
    with announcing(node, VIP) as announcer:
        # The client asks for the VIP itself.
        assert home.client.lease("02:00:00:00:00:21", VIP, seconds=20) == OTHER
        assert re.search(rf'lantern_l2_pings_answered{{ip="{VIP}"}} [1-9]', announcer.metrics())


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(("claims", "answer_ping"), [((), True), ((VIP,), False)])
def test_address_that_does_not_answer_ping_is_handed_out(
    home: lans.Lan, node: str, claims: tuple[str, ...], answer_ping: bool
) -> None:
    """Which shows that nothing but the answers kept the servers from it."""
    with announcing(node, *claims, answer_ping=answer_ping):
        assert home.client.lease("02:00:00:00:00:21", VIP, seconds=20) == VIP
