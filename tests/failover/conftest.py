# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab with Lantern in it for all tests; before each of them the cluster is complete."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from benchmarks import lab
from home import Home
from kube_proxy import FAMILY_IN_MODE, nftables_lack
from vips import Vips
from wire import Lan


@pytest.fixture(scope="session")
def cluster() -> Iterator[Home]:
    """A cluster that Lantern's playbook has set up, with a backend on every node."""
    lab.use(os.environ.get("LAB_NAME", "failover"))
    # While writing tests, a lab that is kept spares the three minutes it takes to come up.
    kept = os.environ.get("LANTERN_KEEP_LAB") == "1"
    home = Home.present() if kept and lab.is_up() else Home.set_up()
    yield home
    home.api.close()
    if not kept:
        lab.down()


@pytest.fixture
def home(cluster: Home) -> Home:
    """The cluster when nothing is missing in it."""
    cluster.settle()
    return cluster


@pytest.fixture
def lan(home: Home) -> Lan:
    return home.lan


@pytest.fixture(scope="module", params=FAMILY_IN_MODE)
def proxy_mode(cluster: Home, request: pytest.FixtureRequest) -> Iterator[str]:
    """kube-proxy works this way on all nodes."""
    mode: str = request.param
    cluster.settle()
    if mode == "nftables" and (lacking := nftables_lack()):
        pytest.skip(f"this kernel cannot do what kube-proxy's nftables mode needs: {lacking}")
    cluster.set_proxy_mode(mode)
    yield mode
    cluster.set_proxy_mode("iptables")


@pytest.fixture
def family() -> str:
    """The IP family of Services that are not made for another one; whoever tries both sets it."""
    return "IPv4"


@pytest.fixture
def vips(home: Home, family: str) -> Iterator[Vips]:
    """Makes Services that are gone after the test."""
    with Vips(home.api, home.lan, home.nodes, family).gone_afterwards() as made:
        yield made
