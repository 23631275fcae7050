# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The election, by vectors computed with MetalLB's own function: whoever migrates must see the same owners."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from lantern.core.elect import owner, rank


@pytest.mark.parametrize(
    ("address", "nodes", "order"),
    [
        ("10.0.0.1", ["node-a", "node-b", "node-c"], ["node-b", "node-a", "node-c"]),
        ("10.0.0.2", ["node-a", "node-b", "node-c"], ["node-b", "node-c", "node-a"]),
        ("10.20.30.1", ["iris1", "iris2"], ["iris2", "iris1"]),
        ("10.20.30.2", ["iris1", "iris2"], ["iris1", "iris2"]),
    ],
)
def test_vectors(address: str, nodes: list[str], order: list[str]) -> None:
    ip = ip_address(address)
    assert sorted(nodes, key=lambda name: rank(name, ip)) == order
    for position, winner in enumerate(order):
        # Whatever the order they are given in, and whoever lost before.
        assert owner(ip, order[position:][::-1]) == winner


def test_nobody_owns_without_candidates() -> None:
    assert owner(ip_address("10.0.0.1"), []) is None


def test_removing_a_loser_changes_nothing() -> None:
    ip = ip_address("192.168.2.128")
    nodes = [f"node{i}" for i in range(20)]
    winner = owner(ip, nodes)
    for loser in nodes:
        if loser != winner:
            assert owner(ip, [name for name in nodes if name != loser]) == winner


def test_the_greatest_weight_goes_before_the_hash() -> None:
    """Computed with MetalLB's own function, for 10.20.30.1."""
    ip = ip_address("10.20.30.1")
    weights = {"edge-a": 100, "edge-b": 100}
    nodes = ["edge-a", "edge-b", "worker-a"]
    for winner in ("edge-b", "edge-a", "worker-a"):
        assert owner(ip, nodes, weights) == winner
        nodes.remove(winner)
