# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab of its own for each write-up, one after the other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from cluster import Cluster


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Cluster]]:
    """Starts a lab without Lantern: arguments of `lab up`, and what its owner has in the inventory beside the hosts."""
    name = os.environ.get("LAB_NAME", "seeds")
    started: list[Cluster] = []

    def start(*arguments: str, **variables: object) -> Cluster:
        started.append(Cluster.start(name, tmp_path_factory.mktemp("home"), arguments, variables))
        return started[-1]

    yield start
    for cluster in started:
        cluster.home.lab("down")
