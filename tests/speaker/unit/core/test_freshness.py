# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses are probed before they are announced."""

from __future__ import annotations

from collections.abc import Set
from ipaddress import IPv4Address

from lantern.core.freshness import FreshAddresses
from lantern.pools import Address

A, B = IPv4Address("192.168.2.128"), IPv4Address("192.168.2.129")


def observed(fresh: FreshAddresses, *present: IPv4Address) -> Set[Address]:
    fresh.observe(set(present))
    return fresh.addresses


def test_what_is_there_at_the_start_is_not_fresh_and_what_comes_later_is_until_it_is_announced() -> None:
    fresh = FreshAddresses()
    assert observed(fresh, A) == set()
    assert observed(fresh, A, B) == {B}
    assert observed(fresh, A, B) == {B}, "nobody was elected yet"
    fresh.announced([A, B])
    assert observed(fresh, A, B) == set()


def test_address_that_was_given_back_is_fresh_again() -> None:
    fresh = FreshAddresses()
    fresh.observe({A})
    assert observed(fresh) == set()
    assert observed(fresh, A) == {A}
    assert observed(fresh) == set()
