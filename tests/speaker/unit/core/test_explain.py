# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people read who want to know why."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from fakes.records import pool, service
from lantern.core.explain import Explanation, explain, render
from lantern.core.model import PoolSpec, Service, ServiceAllocation, ServiceKey, Snapshot
from lantern.reasons import Reason

HOME = pool("home", "192.168.2.128/31", created="1")
RED = pool("red", "192.168.3.0/28", created="2", allocation=ServiceAllocation(namespaces=("red",), priority=5))
SPECIAL = pool("special", "192.168.4.0/28", created="3", auto_assign=False)
SIX = pool("six", "fd00::/64", created="4")
FULL = [service("a", "192.168.2.128", pool="home"), service("b", "192.168.2.129", pool="home")]


def explained(name: str, services: list[Service], *pools: PoolSpec, **more: Any) -> Explanation:
    return explain(Snapshot(pools=pools, services=tuple(services), **more), ServiceKey("default", name))


def test_a_service_that_waits() -> None:
    waiting = service("new", created="9")
    assert (
        render(explained("new", [*FULL, waiting], HOME, RED, SPECIAL, SIX))
        == """\
Service default/new
  state     It has no address. Refused: no available IPs: pool home is full. Add addresses or another pool.
  reason    noFreeAddress: no pool open to the Service has a free address
  asks for  any address
  families  IPv4

Pools, in the order they are considered
  red      not used (poolNotCompatible): pool red not compatible for ip assignment: its serviceAllocation does not \
admit namespace default
           to change it: change the serviceAllocation of red, or the labels of the Service or its namespace
  home     not used (noFreeAddress): it is full: 0 of 2 IPv4 addresses left
           to change it: add addresses to home, or delete a Service that uses it
  special  not used (poolNotAutomatic): it is used on request only (autoAssign: false)
           to change it: annotate the Service with metallb.io/address-pool: special
  six      not used (poolWithoutFamily): no available IPs in pool six: it has no IPv4 addresses.
           to change it: add such addresses to six, or change the Service's ipFamilies
"""
    )


def test_a_service_that_has_its_address() -> None:
    found = explained("a", FULL, HOME, SPECIAL, pool("z", "10.0.0.0/30", created="9"))
    assert found.state == "It has 192.168.2.128 from pool home." and found.reason is None
    assert [(item.pool, item.denied and item.denied.reason) for item in found.pools] == [
        ("home", None),
        ("special", Reason.POOL_NOT_AUTOMATIC),
        ("z", Reason.POOL_NOT_NEEDED),
    ]
    assert found.pools[2].denied is not None and "4 of 4 IPv4 addresses left" in found.pools[2].denied.sentence
    assert found.pools[2].remedy == "ask for it with the annotation metallb.io/address-pool: z"


def test_a_service_that_is_being_moved_and_one_that_loses_its_address() -> None:
    moved = service("a", "10.9.9.9", pool="old")
    text = render(explained("a", [moved], HOME))
    assert "It gets 192.168.2.128 from pool home instead of 10.9.9.9 (notInPools): " in text
    assert '["10.9.9.9"] is not allowed in config: no pool holds it.' in text
    text = render(explained("a", [moved], SPECIAL))
    assert "It loses 10.9.9.9 (notInPools): " in text and "Refused: no available IPs: every pool is reserved" in text
    assert "It gets 192.168.2.128 from pool home.\n" in render(explained("a", [service("a")], HOME))


def test_wishes_pins_memory_and_notes_are_shown() -> None:
    one = service(
        "a",
        families=(4, 6),
        prefers_dual_stack=True,
        requested_ip="192.168.2.129",
        annotations={"metallb.universe.tf/allow-shared-ip": "k"},
    )
    pinned = pool("home", "192.168.2.128/31", pins={"default/a": "192.168.2.128"})
    had = {ServiceKey("default", "a"): (ip_address("192.168.2.129"),)}
    text = render(explained("a", [one], pinned, SIX, memory=had))
    assert '  asks for  address 192.168.2.129, sharing, key "k"\n' in text
    assert "  families  IPv4 and IPv6 (one is enough)\n" in text
    assert "  pinned    192.168.2.128\n  had last  192.168.2.129\n" in text
    assert (
        "  note      deprecatedAnnotation: Service uses deprecated annotation metallb.universe.tf/allow-shared-ip."
        in text
    )
    sentence = "cannot assign additional IP in PreferDualStack: pool home has no IPv6 addresses"
    assert f"  note      poolWithoutFamily: {sentence}\n" in text


def test_an_infeasible_wish_beside_an_address() -> None:
    asking = service("b", "192.168.2.129", pool="home", requested_ip="192.168.2.128", created="9")
    found = explained("b", [FULL[0], asking], HOME, SPECIAL)
    assert found.state.startswith("It has 192.168.2.129 from pool home. Refused: can't change sharing key for")
    assert found.reason is Reason.ADDRESS_IN_USE
    assert [(item.denied and item.denied.reason) for item in found.pools] == [None, Reason.OTHER_ADDRESS_REQUESTED]


def test_requests_that_cannot_be_read_or_name_a_pool() -> None:
    found = explained("a", [service("a", requested_ip="oops")], HOME)
    assert found.asks.startswith("something that cannot be read: ")
    assert [item.denied and item.denied.reason for item in found.pools] == [Reason.BAD_REQUEST]
    found = explained("a", [service("a", asks={"address-pool": "special"})], HOME, SPECIAL)
    assert found.asks == "pool special"
    assert [item.denied and item.denied.reason for item in found.pools] == [Reason.OTHER_POOL_REQUESTED, None]


def test_a_pool_that_is_left_for_a_pin() -> None:
    pinned = pool("home", "192.168.2.128/31", pins={"default/a": "192.168.2.128"})
    found = explained("a", [service("a")], pinned, pool("z", "10.0.0.0/30", created="9"))
    assert [item.denied and item.denied.reason for item in found.pools] == [None, Reason.PINNED_ELSEWHERE]


def test_a_huge_pool_is_not_counted_out() -> None:
    found = explained("a", [service("a", families=(6,))], SIX, pool("z", "fd01::/64", created="9"))
    assert found.pools[1].denied is not None
    assert found.pools[1].denied.sentence.startswith("plenty of IPv6 addresses left")


def test_services_for_which_no_pool_is_considered() -> None:
    for one, words in (
        (service("a", lb_class="cilium"), 'It is left alone: its loadBalancerClass is "cilium", and this controller'),
        (service("a", is_load_balancer=False), "It is not of type LoadBalancer, so it gets no address."),
        (service("a", families=()), '"default/a" has no cluster IP'),
    ):
        text = render(explained("a", [one], HOME))
        assert words in text and "Pools" not in text
    assert 'serves those of class "lan"' in render(explained("a", [service("a")], HOME, lb_class="lan"))
    had = {ServiceKey("default", "a"): (ip_address("192.168.2.129"),)}
    text = render(explained("a", [], HOME, memory=had))
    assert text == "Service default/a\n  state     There is no Service default/a.\n  had last  192.168.2.129\n"
