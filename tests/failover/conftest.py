# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab with Lantern in it for all tests; before each of them the cluster is complete."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from benchmarks import lab
from home import Home
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


@pytest.fixture
def vips(home: Home) -> Iterator[Vips]:
    """Makes Services that are gone after the test."""
    with Vips(home.api, home.lan, home.nodes).gone_afterwards() as made:
        yield made
