# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Services a change of pools would touch."""

from __future__ import annotations

from ansible_collections.homelab.lantern.plugins.module_utils._cluster import impact


def pool(name, *addresses, ours=True):
    labels = {"app.kubernetes.io/managed-by": "lantern"} if ours else {}
    return {"metadata": {"name": name, "labels": labels}, "spec": {"addresses": list(addresses)}}


def service(name, *ips, pool_name="home"):
    annotations = {"metallb.io/ip-allocated-from-pool": pool_name} if pool_name else {}
    return {
        "metadata": {"namespace": "default", "name": name, "annotations": annotations},
        "spec": {"type": "LoadBalancer"},
        "status": {"loadBalancer": {"ingress": [{"ip": ip} for ip in ips]}},
    }


HOME = pool("home", "192.168.2.128/25")
OLD = pool("old", "192.168.3.0/28")
OWN = pool("by-hand", "192.168.4.0/28", ours=False)


def test_only_pools_made_from_the_inventory_are_removed():
    assert impact.removed([HOME, OLD, OWN], [HOME]) == ["old"]
    assert impact.removed([HOME], [HOME]) == []


def test_services_of_a_removed_pool_are_named():
    services = [service("web", "192.168.3.1", pool_name="old"), service("api", "192.168.2.130")]
    pools = impact.after([HOME, OLD], [HOME])
    assert impact.touched(services, pools) == [
        {"name": "default/web", "addresses": ["192.168.3.1"], "pool": "old"},
    ]


def test_services_outside_a_shrunk_pool_are_named():
    shrunk = pool("home", "192.168.2.200-192.168.2.220")
    pools = impact.after([HOME], [shrunk])
    assert [one["name"] for one in impact.touched([service("web", "192.168.2.130")], pools)] == ["default/web"]


def test_address_that_moves_into_another_pool_is_not_lost():
    split = [pool("home", "192.168.2.128-192.168.2.160"), pool("rest", "192.168.2.161-192.168.2.255")]
    assert impact.touched([service("web", "192.168.2.200")], impact.after([HOME], split)) == []


def test_pools_made_by_hand_stay_and_foreign_services_are_not_counted():
    services = [service("web", "192.168.4.1", pool_name="by-hand"), service("other", "10.0.0.1", pool_name="")]
    assert impact.touched(services, impact.after([HOME, OWN], [])) == []


def test_ranges_that_would_be_in_two_pools_are_named():
    (sentence,) = impact.overlaps(impact.after([pool("own", "192.168.2.220-192.168.2.250", ours=False)], [HOME]))
    assert 'pool "own"' in sentence and 'pool "home"' in sentence
    assert impact.overlaps(impact.after([OLD, OWN], [HOME])) == []
