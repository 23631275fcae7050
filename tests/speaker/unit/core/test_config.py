# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last good configuration stays in force."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from fakes.records import advertisement, node, pool
from lantern.core.communities import Aliases
from lantern.core.config import Configuration, Inputs, adopt, adopt_part
from lantern.core.legacy import Legacy, LegacyPool
from lantern.core.model import PoolSpec, ServiceKey
from lantern.core.surroundings import Surroundings
from lantern.pools import Problem

GOOD = pool("home", "192.168.2.128/25")
OVERLAPPING = pool("other", "192.168.2.200-192.168.2.210")
CONFIG_MAP = "ConfigMap metallb-system/config"


def taking(*pools: PoolSpec, **more: object) -> Inputs:
    return Inputs(pools=pools, **more)  # type: ignore[arg-type]


def legacy(name: str, *addresses: str, protocol: str = "layer2", **more: object) -> Legacy:
    entry = LegacyPool(name=name, protocol=protocol, addresses=addresses)
    return Legacy(where=CONFIG_MAP, pools=(entry,), **more)  # type: ignore[arg-type]


def names(configuration: Configuration) -> list[str]:
    return [spec.pool.name for spec in configuration.pools or ()]


def test_nothing_is_in_force_before_the_first_valid_one() -> None:
    start = Configuration()
    assert not start.is_loaded and not start.is_stale
    refused = adopt(start, taking(pool("home", "192.168.2.5")))
    assert refused.pools is None and refused.is_stale
    assert "192.168.2.5" in refused.problems[0].message


def test_bad_one_keeps_the_last_good_one_until_repaired() -> None:
    good = adopt(Configuration(), taking(GOOD))
    stale = adopt(good, taking(GOOD, OVERLAPPING))
    assert stale.pools == (GOOD,) and stale.is_stale
    assert stale.problems[0].code == "overlap"
    repaired = adopt(stale, taking(pool("other", "192.168.3.0/24"), GOOD))
    assert not repaired.is_stale and names(repaired) == ["home", "other"]


def test_object_that_cannot_be_read_refuses_the_whole() -> None:
    good = adopt(Configuration(), taking(GOOD))
    problem = Problem("unreadable", "ipaddresspools x", "ipaddresspools x cannot be read")
    stale = adopt(good, Inputs(unreadable=[problem]))
    assert stale.pools == (GOOD,) and stale.problems == (problem,)


def test_advertisements_stay_in_force_together_with_the_pools() -> None:
    both = [advertisement("b"), advertisement("a")]
    good = adopt(Configuration(), taking(GOOD, advertisements=both))
    assert [item.name for item in good.advertisements] == ["a", "b"]
    stale = adopt(good, taking(GOOD, OVERLAPPING))
    assert stale.advertisements == good.advertisements
    assert adopt(stale, taking(GOOD)).advertisements == ()


def test_no_pools_is_a_valid_configuration() -> None:
    assert adopt(adopt(Configuration(), taking(GOOD)), Inputs()) == Configuration(())


def test_communities_are_part_of_it() -> None:
    twice = [Aliases('Community "a"', (("x", "1:1"),)), Aliases('Community "b"', (("x", "2:2"),))]
    refused = adopt(Configuration(), taking(GOOD, communities=twice))
    assert [item.where for item in refused.problems] == ['Community "b"']


def test_everything_that_is_wrong_is_told_at_once() -> None:
    bad = advertisement("ads", pools=("home", "home"))
    wrong = legacy("x", "192.168.2.130-192.168.2.140", problems=(Problem("missing", CONFIG_MAP, "…"),))
    found = adopt(Configuration(), taking(GOOD, OVERLAPPING, advertisements=[bad], legacy=wrong)).problems
    assert [item.code for item in found] == ["overlap", "missing", "overlap", "malformed"]


# The old ConfigMap beside the objects.


def test_both_languages_count() -> None:
    found = adopt(Configuration(), taking(GOOD, legacy=legacy("old", "10.0.0.0/24", created="2020-01-01T00:00:00Z")))
    assert names(found) == ["home", "old"]
    assert found.pools is not None and found.pools[1].object is None
    assert [item.pools for item in found.advertisements] == [("old",)]


def test_bgp_pool_of_the_config_map_is_not_announced_in_the_lan() -> None:
    found = adopt(Configuration(), taking(legacy=legacy("old", "10.0.0.0/24", protocol="bgp")))
    assert names(found) == ["old"] and found.advertisements == ()


def test_identical_range_counts_once_whatever_its_notation_and_stays_announced() -> None:
    found = adopt(Configuration(), taking(GOOD, legacy=legacy("old", "192.168.2.128-192.168.2.255", "10.0.0.0/24")))
    assert [spec.pool.addresses for spec in found.pools or ()] == [("192.168.2.128/25",), ("10.0.0.0/24",)]
    assert [item.pools for item in found.advertisements] == [("home", "old")]
    whole = adopt(Configuration(), taking(GOOD, legacy=legacy("home", "192.168.2.128/25")))
    assert names(whole) == ["home"] and [item.pools for item in whole.advertisements] == [("home",)]


def test_a_range_that_an_object_of_the_same_name_has_narrowed_counts_as_the_objects() -> None:
    wide = adopt(Configuration(), taking(GOOD, legacy=legacy("home", "192.168.2.64-192.168.3.10")))
    assert wide.problems == ()
    assert [spec.pool.addresses for spec in wide.pools or ()] == [("192.168.2.128/25",)]
    assert [item.pools for item in wide.advertisements] == [("home",)]
    astride = adopt(Configuration(), taking(GOOD, legacy=legacy("home", "192.168.2.64-192.168.2.130")))
    assert {problem.code for problem in astride.problems} == {"duplicate-name", "overlap"}


def test_other_overlap_names_both_places() -> None:
    (problem,) = adopt(Configuration(), taking(GOOD, legacy=legacy("old", "192.168.2.128/26"))).problems
    assert problem.message == (
        'ConfigMap metallb-system/config, address pool "old" (192.168.2.128-192.168.2.191) overlaps IPAddressPool '
        '"home" (192.168.2.128-192.168.2.255) without being the same. Make the two ranges equal, or change one of them '
        "so that no address is in both."
    )


def test_one_name_for_two_different_pools_is_refused() -> None:
    (problem,) = adopt(Configuration(), taking(GOOD, legacy=legacy("home", "10.0.0.0/24"))).problems
    assert problem.code == "duplicate-name" and CONFIG_MAP in problem.message and "10.0.0.0/24" in problem.message


# Host parts, pins and warnings.


def test_prefix_of_the_nodes_completes_host_parts() -> None:
    spec = replace(pool("six"), host_parts=("::100-::1ff",))
    waiting = adopt(Configuration(), taking(spec))
    assert waiting.pools is not None and "::100-::1ff" in waiting.pools[0].pending
    assert [(item.code, item.where) for item in waiting.warnings] == [("prefix-unknown", 'pool "six"')]
    known = adopt(waiting, taking(spec, nodes=[node("n", addresses=(ip_address("2001:db8:1::5"),))]))
    assert known.pools is not None and known.pools[0].pool.addresses == ("2001:db8:1::100-2001:db8:1::1ff",)
    assert known.warnings == () and not known.pools[0].pending
    moved = adopt(known, taking(spec, nodes=[node("n", addresses=(ip_address("2001:db8:2::5"),))]))
    assert moved.pools is not None and moved.pools[0].pool.addresses == ("2001:db8:2::100-2001:db8:2::1ff",)
    # No node tells anything at the moment: what was known last goes on.
    assert adopt(moved, taking(spec)) == moved


def test_bad_host_part_and_bad_pin_are_refused() -> None:
    spec = replace(pool("six"), host_parts=("192.168.2.1-192.168.2.9",))
    assert [item.code for item in adopt(Configuration(), taking(spec)).problems] == ["host-part"]
    pinned = replace(GOOD, pins={ServiceKey("default", "web"): (ip_address("10.0.0.1"),)})
    assert [item.code for item in adopt(Configuration(), taking(pinned)).problems] == ["pin-outside-pool"]
    faulty = replace(GOOD, faults=('annotation lantern.homelab/pinned: "x" is not NAMESPACE/NAME=ADDRESS.',))
    assert [item.where for item in adopt(Configuration(), taking(faulty)).problems] == ['pool "home"']


def test_warnings_refuse_nothing() -> None:
    around = Surroundings(("192.168.2.0/24",), "192.168.2.129")
    nodes = [node("n1", addresses=(ip_address("192.168.2.130"),))]
    found = adopt(Configuration(), taking(GOOD, nodes=nodes, around=around))
    assert not found.is_stale and names(found) == ["home"]
    assert [item.code for item in found.warnings] == ["holds-node", "holds-router", "holds-broadcast-address"]


# What a speaker goes on with when the configuration is bad from the start.


def test_part_that_is_in_order_goes_on() -> None:
    inputs = taking(
        replace(GOOD, created="2026-01-01"),
        replace(OVERLAPPING, created="2026-01-02"),
        pool("far", "10.0.0.0/24"),
        advertisements=[advertisement("good"), advertisement("bad", pools=("a", "a"))],
        unreadable=[Problem("unreadable", "x", "x cannot be read")],
        legacy=legacy("old", "172.16.0.0/24"),
    )
    part = adopt_part(inputs)
    assert names(part) == ["far", "old", "home"]
    assert [item.name for item in part.advertisements] == ["address pool old", "good"]
    assert part.problems == adopt(Configuration(), inputs).problems and part.is_stale


def test_config_map_that_is_wrong_is_left_out_of_the_part() -> None:
    part = adopt_part(taking(GOOD, legacy=legacy("old", "192.168.2.128/26")))
    assert names(part) == ["home"] and [item.code for item in part.problems] == ["overlap"]


def test_part_of_a_good_configuration_is_all_of_it() -> None:
    inputs = taking(GOOD, advertisements=[advertisement()])
    assert adopt_part(inputs) == adopt(Configuration(), inputs)
