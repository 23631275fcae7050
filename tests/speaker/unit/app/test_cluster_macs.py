# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other nodes are told apart from strangers by what the kernel has learned of them."""

from __future__ import annotations

from ipaddress import ip_address

from lantern.app.cluster_macs import ClusterMacs
from lantern.core.model import Node
from lantern.pools import Address

NODE = ip_address("192.168.2.12")
STRANGER = ip_address("192.168.2.80")
MAC, OTHER = bytes.fromhex("020000000012"), bytes.fromhex("020000000080")


class Kernel:
    def __init__(self) -> None:
        self.now = 100.0
        self.asked = 0
        self.learned: dict[Address, bytes] = {}

    def __call__(self) -> dict[Address, bytes]:
        self.asked += 1
        return self.learned


def macs(kernel: Kernel) -> ClusterMacs:
    return ClusterMacs(lambda: [Node(name="node2", addresses=(NODE,))], kernel, lambda: kernel.now)


def test_node_is_known_and_a_stranger_is_not() -> None:
    kernel = Kernel()
    kernel.learned = {NODE: MAC, STRANGER: OTHER}
    known = macs(kernel)
    assert MAC in known and OTHER not in known


def test_kernel_is_asked_rarely_and_news_is_found() -> None:
    kernel = Kernel()
    known = macs(kernel)
    for _ in range(100):
        assert MAC not in known
    assert kernel.asked == 1
    kernel.learned = {NODE: MAC}
    kernel.now += 1
    assert MAC in known
    for _ in range(100):
        assert MAC in known
    assert kernel.asked == 2


def test_kernel_that_does_not_answer_makes_nobody_known() -> None:
    def fails() -> dict[Address, bytes]:
        raise OSError("no")

    assert MAC not in ClusterMacs(lambda: [], fails, lambda: 0.0)
