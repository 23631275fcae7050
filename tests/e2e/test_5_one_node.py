# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of one node, whose only node kubeadm keeps out of load balancing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import Home

LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"


@pytest.fixture(scope="module")
def alone() -> Iterator[Home]:
    home = Home("e2e-one")
    home.begin("--nodes=1", seconds=60)
    yield home
    home.lab("down")


def test_where_the_label_has_to_stay_the_play_says_why_nothing_answers(alone: Home) -> None:
    assert LABEL in alone.get("node", "node1")["metadata"]["labels"], "kubeadm set it"
    run = alone.site("--extra-vars", '{"lantern_serve_from_control_plane": false}')
    assert run.returncode != 0
    text = " ".join(run.output.split())
    assert LABEL in text
    assert "lantern_serve_from_control_plane" in text
    assert LABEL in alone.get("node", "node1")["metadata"]["labels"]


def test_by_default_the_service_answers(alone: Home) -> None:
    run = alone.site()
    assert run.returncode == 0, run.output
    assert "The lantern is lit." in alone.curl(alone.service_address())


def test_a_second_run_changes_nothing(alone: Home) -> None:
    again = alone.site()
    assert again.returncode == 0, again.output
    assert again.changed == {}, {host: again.task_changed(host) for host in again.changed}


def test_reset_puts_the_label_back(alone: Home) -> None:
    done = alone.play("playbooks/reset.yml")
    assert done.returncode == 0, done.output
    assert LABEL in alone.get("node", "node1")["metadata"]["labels"]
