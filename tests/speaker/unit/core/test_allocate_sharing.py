# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Services have one address together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fakes.plans import assigned, decide, holders, kept, lost, refused
from fakes.records import pool, service
from lantern.core.model import Service
from lantern.reasons import Reason

HOME = pool("p", "1.2.3.0/30", created="1")
HTTP, HTTPS, DNS_TCP, DNS_UDP = ("TCP", 80), ("TCP", 443), ("TCP", 53), ("UDP", 53)


def sharing(
    name: str, *addresses: str, key: str = "k", ports: tuple[tuple[str, int], ...] = (HTTP,), **more: Any
) -> Service:
    """A Service with a sharing key; `local` is the label its pods have, with externalTrafficPolicy Local."""
    asks = {"allow-shared-ip": key, **more.pop("asks", {})}
    if addresses:
        asks["ip-allocated-from-pool"] = "p"
    if (local := more.pop("local", None)) is not None:
        more |= {"local_traffic_only": True, "selector": {"app": local} if local else {}}
    return service(name, *addresses, ports=ports, asks=asks, created=more.pop("created", name), **more)


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        (sharing("a"), sharing("b", ports=(HTTPS,)), True),
        (sharing("a"), sharing("b"), False),
        (sharing("a", ports=(DNS_TCP,)), sharing("b", ports=(DNS_UDP,)), True),
        (sharing("a", ports=(HTTP, HTTPS)), sharing("b", ports=(DNS_UDP, HTTPS)), False),
        (sharing("a"), sharing("b", key="other", ports=(HTTPS,)), False),
        (sharing("a", key=""), sharing("b", key="", ports=(HTTPS,)), False),
        (sharing("a"), service("b", ports=(HTTPS,), created="b"), False),
        (sharing("a", local="x"), sharing("b", local="y", ports=(HTTPS,)), False),
        (sharing("a", local="x"), sharing("b", local="x", ports=(HTTPS,)), True),
        (sharing("a", local="x"), sharing("b", ports=(HTTPS,)), False),
        (sharing("a", local=""), sharing("b", ports=(HTTPS,)), True),
        (sharing("a"), sharing("b", ports=(HTTPS,), namespace="elsewhere"), True),
    ],
)
def test_who_is_put_onto_one_address_without_asking_for_one(first: Service, second: Service, together: bool) -> None:
    assert holders(decide([first, second], HOME))["b"] == (["1.2.3.0"] if together else ["1.2.3.1"])


def test_vector_6_three_services_on_two_addresses() -> None:
    services = [sharing("a"), sharing("b", ports=(HTTPS,)), sharing("c")]
    assert assigned(decide(services, HOME)) == {"a": ["1.2.3.0"], "b": ["1.2.3.0"], "c": ["1.2.3.1"]}


def test_a_shared_address_is_preferred_to_a_free_one() -> None:
    services = [sharing("a", "1.2.3.2"), sharing("b", ports=(HTTPS,))]
    assert assigned(decide(services, HOME)) == {"b": ["1.2.3.2"]}


def test_of_several_shared_addresses_the_first_with_room_is_taken() -> None:
    services = [sharing("a", "1.2.3.2"), sharing("b", "1.2.3.1"), sharing("c", "1.2.3.0", ports=(HTTPS,))]
    assert assigned(decide([*services, sharing("d", ports=(HTTPS,))], HOME)) == {"d": ["1.2.3.1"]}


def test_sharing_works_in_a_full_pool() -> None:
    services = [sharing("a", "1.2.3.0"), service("x", "1.2.3.1", pool="p"), sharing("b", ports=(HTTPS,))]
    assert assigned(decide(services, pool("p", "1.2.3.0/31"))) == {"b": ["1.2.3.0"]}


def test_both_families_are_shared() -> None:
    both: dict[str, Any] = {"families": (4, 6), "requires_dual_stack": True}
    services = [sharing("a", **both), sharing("b", ports=(HTTPS,), **both)]
    decided = decide(services, pool("p", "1.2.3.0/30", "fd00::/126"))
    assert assigned(decided) == {"a": ["1.2.3.0", "fd00::"], "b": ["1.2.3.0", "fd00::"]}


@pytest.mark.parametrize(
    ("asking", "reason", "words"),
    [
        (
            service("z", requested_ip="1.2.3.0", ports=(HTTPS,)),
            Reason.ADDRESS_IN_USE,
            'can\'t change sharing key for "default/z", address also in use by default/a,default/b. To share it, give',
        ),
        (
            sharing("z", key="other", requested_ip="1.2.3.0", ports=(DNS_UDP,)),
            Reason.SHARING_KEY_DIFFERS,
            'default/a has metallb.io/allow-shared-ip "k", default/z has "other"',
        ),
        (
            sharing("z", local="x", requested_ip="1.2.3.0", ports=(DNS_UDP,)),
            Reason.SHARING_PODS_DIFFER,
            "With externalTrafficPolicy Local only Services with the same selector share an address.",
        ),
        (
            sharing("z", requested_ip="1.2.3.0", ports=(DNS_UDP, HTTPS)),
            Reason.PORT_IN_USE,
            'port TCP/443 is already in use on "1.2.3.0" by default/b.',
        ),
    ],
)
def test_a_refused_request_says_what_stands_in_the_way(asking: Service, reason: Reason, words: str) -> None:
    users = [sharing("a", "1.2.3.0"), sharing("b", "1.2.3.0", ports=(HTTPS,))]
    decided = decide([*users, asking], HOME)
    assert kept(decided) == ["a", "b"]
    assert refused(decided)["z"][0] is reason and words in refused(decided)["z"][1]


def test_the_only_user_changes_key_and_ports_in_place() -> None:
    for changed in (sharing("a", "1.2.3.0", key="new"), sharing("a", "1.2.3.0", ports=(DNS_UDP,), local="x")):
        assert kept(decide([changed, sharing("c", "1.2.3.1")], HOME)) == ["a", "c"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"ports": (HTTP,)}, Reason.PORT_IN_USE),
        ({"annotations": {"metallb.io/ip-allocated-from-pool": "p"}}, Reason.ADDRESS_IN_USE),
        ({"local_traffic_only": True, "selector": {"app": "x"}}, Reason.SHARING_PODS_DIFFER),
    ],
)
def test_a_change_that_ends_sharing_moves_the_younger(changed: dict[str, Any], reason: Reason) -> None:
    younger = replace(sharing("b", "1.2.3.0", ports=(HTTPS,)), **changed)
    decided = decide([sharing("a", "1.2.3.0"), younger], HOME)
    assert kept(decided) == ["a"] and assigned(decided) == {"b": ["1.2.3.1"]} and lost(decided) == {"b": reason}


def test_the_oldest_keeps_the_address_also_when_it_was_the_one_that_changed() -> None:
    services = [sharing("a", "1.2.3.0", key="new"), sharing("b", "1.2.3.0", ports=(HTTPS,))]
    decided = decide(services, HOME)
    assert kept(decided) == ["a"] and lost(decided) == {"b": Reason.SHARING_KEY_DIFFERS}


def test_traffic_policy_back_to_cluster_lets_a_waiting_service_in() -> None:
    one = pool("p", "1.2.3.0/32")
    waiting = sharing("b", ports=(HTTPS,))
    assert list(refused(decide([sharing("a", "1.2.3.0", local="x"), waiting], one))) == ["b"]
    assert assigned(decide([sharing("a", "1.2.3.0"), waiting], one)) == {"b": ["1.2.3.0"]}


def test_a_shared_address_is_free_only_when_the_last_user_is_gone() -> None:
    one = pool("p", "1.2.3.0/32")
    users = [sharing("a", "1.2.3.0"), sharing("b", "1.2.3.0", ports=(HTTPS,))]
    alone = service("z", created="z")
    assert list(refused(decide([*users, alone], one))) == ["z"]
    assert list(refused(decide([users[1], alone], one))) == ["z"]
    assert assigned(decide([alone], one)) == {"z": ["1.2.3.0"]}


def test_who_leaves_a_shared_address_makes_room_on_it_in_the_same_plan() -> None:
    one = pool("p", "1.2.3.0/32")
    mover = sharing("m", "1.2.3.0", ports=(HTTPS,), asks={"address-pool": "q"}, created="0")
    services = [sharing("a", "1.2.3.0"), mover, sharing("z", ports=(HTTPS,), created="1", asks={"address-pool": "p"})]
    decided = decide(services, one, pool("q", "1.2.4.0/32"))
    assert holders(decided) == {"a": ["1.2.3.0"], "m": ["1.2.4.0"], "z": ["1.2.3.0"]}
    # The last one to leave takes the key along.
    decided = decide([mover, service("y", created="9")], one, pool("q", "1.2.4.0/32"))
    assert holders(decided) == {"m": ["1.2.4.0"], "y": ["1.2.3.0"]}


def test_a_pinned_address_is_not_shared() -> None:
    pinned = pool("p", "1.2.3.0/30", pins={"default/a": "1.2.3.0"})
    decided = decide([sharing("a"), sharing("b", ports=(HTTPS,))], pinned)
    assert assigned(decided) == {"a": ["1.2.3.0"], "b": ["1.2.3.1"]}
