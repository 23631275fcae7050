# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses in raw form and in text."""

from __future__ import annotations

import pytest
from lantern.gossip.endpoint import Endpoint, endpoint, reachable

ADDRESS = bytes((10, 0, 0, 1))
MAPPED = bytes(10) + b"\xff\xff" + ADDRESS


def test_raw_forms() -> None:
    assert endpoint(ADDRESS, 7946) == Endpoint("10.0.0.1", 7946)
    assert endpoint(MAPPED, 1) == ("10.0.0.1", 1)
    assert endpoint(bytes.fromhex("fd00" + "0" * 26 + "01"), 1) == ("fd00::1", 1)


@pytest.mark.parametrize("raw", [b"", b"123", bytes(4), bytes(16), b"\xff" * 4, b"\xe0\0\0\1", b"\xff\x02" + bytes(14)])
def test_what_is_no_host(raw: bytes) -> None:
    assert not reachable(raw)


def test_what_is_a_host() -> None:
    assert reachable(ADDRESS) and reachable(MAPPED) and reachable(bytes(15) + b"\1")
