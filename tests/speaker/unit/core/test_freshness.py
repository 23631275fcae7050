# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses are probed before they are announced."""

from __future__ import annotations

from collections.abc import Set
from ipaddress import ip_address

from fakes.records import service
from lantern.core.announce import Claim, Decision, Withheld
from lantern.core.freshness import FreshAddresses
from lantern.core.model import Service
from lantern.core.requests import Denied
from lantern.pools import Address
from lantern.reasons import Reason

A, B = ip_address("192.168.2.128"), ip_address("192.168.2.129")
WEB, DNS = service("web", str(A)), service("dns", str(B))


def observed(fresh: FreshAddresses, *services: Service) -> Set[Address]:
    fresh.observe(services)
    return fresh.addresses(by_hash=False)


def announcing(item: Service) -> Decision:
    claims = (Claim(address=address, service=item, pool="home", interfaces=None) for address in item.addresses)
    return Decision({item.key: tuple(claims)})


def withholding(item: Service, reason: Reason) -> Decision:
    return Decision({item.key: Withheld(service=item, denied=Denied(reason, "x"))})


def nobody(address: Address) -> bool:
    return False


def test_addresses_are_fresh_until_they_are_announced() -> None:
    fresh = FreshAddresses()
    assert observed(fresh, WEB) == {A}
    assert observed(fresh, WEB, DNS) == {A, B}
    assert observed(fresh, WEB, DNS) == {A, B}, "nobody was elected yet"
    fresh.decided(announcing(WEB), nobody)
    assert fresh.addresses(by_hash=False) == {B}
    fresh.decided(announcing(DNS), nobody)
    assert observed(fresh, WEB, DNS) == set()


def test_by_metallb_s_election_what_is_there_at_the_start_is_another_speaker_s() -> None:
    fresh = FreshAddresses()
    fresh.observe((WEB,))
    fresh.observe((WEB, DNS))
    assert fresh.addresses(by_hash=True) == {B}
    fresh.observe((DNS,))
    fresh.observe((WEB, DNS))
    assert fresh.addresses(by_hash=True) == {A, B}, "given back and handed out again"


def test_address_that_was_given_back_is_fresh_again() -> None:
    fresh = FreshAddresses()
    fresh.observe((WEB,))
    fresh.decided(announcing(WEB), nobody)
    assert observed(fresh) == set()
    assert observed(fresh, WEB) == {A}
    assert observed(fresh) == set()


def test_address_that_passes_from_one_service_to_another_is_not_fresh() -> None:
    fresh = FreshAddresses()
    fresh.observe((WEB,))
    fresh.decided(announcing(WEB), nobody)
    assert observed(fresh, service("dns", str(A))) == set()
    assert observed(fresh, service("dns", str(A)), WEB) == set()
    assert observed(fresh, WEB) == set()


def test_announced_by_another_node_only_when_one_owns_it() -> None:
    fresh = FreshAddresses()
    fresh.observe(())
    fresh.observe((WEB,))
    fresh.decided(withholding(WEB, Reason.NO_SERVING_ENDPOINT), lambda address: True)
    assert fresh.addresses(by_hash=False) == {A}
    fresh.decided(withholding(WEB, Reason.NOT_OWNER), nobody)
    assert fresh.addresses(by_hash=False) == {A}
    fresh.decided(withholding(WEB, Reason.NOT_OWNER), lambda address: address == A)
    assert fresh.addresses(by_hash=False) == set()


def test_decision_on_what_was_there_before_says_nothing_of_the_new_address() -> None:
    fresh = FreshAddresses()
    fresh.observe((WEB,))
    fresh.decided(announcing(WEB), nobody)
    moved = service("web", str(B))
    assert observed(fresh, moved) == {B}
    fresh.decided(announcing(WEB), nobody)
    fresh.decided(withholding(WEB, Reason.NOT_OWNER), lambda address: True)
    assert fresh.addresses(by_hash=False) == {B}
