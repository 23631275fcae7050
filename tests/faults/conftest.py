# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab with Lantern in it for all faults, and a namespace of its own for each."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from benchmarks import lab
from benchmarks.api import ClusterApi
from benchmarks.contenders import LANTERN
from benchmarks.pods import Pods
from faults import Scene


@pytest.fixture(scope="session")
def api() -> Iterator[ClusterApi]:
    """A cluster that Lantern's playbook has set up."""
    lab.use(os.environ.get("LAB_NAME", "faults"))
    # While writing tests, a lab that is kept spares the two minutes it takes to come up.
    kept = os.environ.get("LANTERN_KEEP_LAB") == "1"
    if not (kept and lab.is_up()):
        lab.up()
        LANTERN.deploy()
    api = ClusterApi.of_lab()
    yield api
    api.close()
    if not kept:
        lab.down()


@pytest.fixture
def scene(api: ClusterApi, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """A namespace named after the test; controllers complete before and after."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower()).strip("-")[:40]
    pods = Pods(api, LANTERN.lease)
    pods.wait_ready()
    scene = Scene.begin(api, pods, name)
    yield scene
    scene.end()
    pods.wait_ready()
