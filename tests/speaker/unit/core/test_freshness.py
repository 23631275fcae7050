# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses are probed before they are announced."""

from __future__ import annotations

from ipaddress import ip_address

from lantern.core.freshness import FreshAddresses

A, B = ip_address("192.168.2.128"), ip_address("192.168.2.129")


def test_what_is_there_at_the_start_is_not_fresh_and_what_comes_later_is_until_it_is_announced() -> None:
    fresh = FreshAddresses()
    assert fresh.observe({A}) == set()
    assert fresh.observe({A, B}) == {B}
    assert fresh.observe({A, B}) == {B}, "nobody was elected yet"
    fresh.announced([A, B])
    assert fresh.observe({A, B}) == set()


def test_address_that_was_given_back_is_fresh_again() -> None:
    fresh = FreshAddresses()
    fresh.observe({A})
    assert fresh.observe(set()) == set()
    assert fresh.observe({A}) == {A}
    assert fresh.observe(set()) == set()
