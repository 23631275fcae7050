# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused of objects whose schema is in order."""

from __future__ import annotations

from typing import Any

import pytest
from fakes.records import advertisement, labelled, pool
from lantern.core.model import Operator, PoolSpec, Preference, Requirement, Selector, ServiceAllocation
from lantern.core.selectors import selector_faults
from lantern.core.validation import advertisement_problems, pool_problems

A, B = labelled(a="1"), labelled(b="2")


def requires(key: str, operator: Operator, *values: str) -> Selector:
    return Selector((Requirement(key, operator, values),))


def allocated(**fields: Any) -> PoolSpec:
    return pool("home", "192.168.2.128/25", allocation=ServiceAllocation(**fields))


@pytest.mark.parametrize(
    "specs",
    [
        [],
        [pool("a", "10.0.0.0/24"), pool("b", "10.0.1.0/24", "fd00::/64")],
        [pool("a", "10.0.0.0-10.0.0.9", "10.0.0.10 - 10.0.0.12")],
        [allocated(priority=5)],
        [allocated(namespaces=("x", "y"), namespace_selectors=(A, B), service_selectors=(A, B))],
        [allocated(namespace_selectors=(A,), service_selectors=(A,))],
        [allocated(service_selectors=(Selector(),))],
    ],
)
def test_pools_in_order(specs: list[PoolSpec]) -> None:
    assert pool_problems(specs) == []


@pytest.mark.parametrize(
    ("specs", "told"),
    [
        ([pool("a")], 'pool "a" has no addresses'),
        ([pool("a", "10.0.0.0/24", "10.0.0.0/24")], ", spec.addresses[1] lists addresses twice"),
        (
            [pool("a", "10.0.0.0/24"), pool("b", "10.0.1.0/24", "10.0.0.128/25")],
            'pool "b", spec.addresses[1] (10.0.0.128-10.0.0.255) overlaps pool "a", spec.addresses[0] (10.0.0.0-10.0',
        ),
        (
            [pool("a", "10.0.0.0/24", "10.0.1.0/24", "10.0.2.9-10.0.2.1")],
            'pool "a", spec.addresses[2]: "10.0.2.9-10.0.2.1" ends before it begins. Write it as "10.0.2.1-10.0.2.9".',
        ),
        ([pool("a", "10.0.0.1-fd00::1")], "mixes IPv4 and IPv6"),
        ([allocated(namespaces=("x", "x"))], 'spec.serviceAllocation.namespaces[1]: "x" is listed twice'),
        ([allocated(namespace_selectors=(A, A))], "namespaceSelectors[1] says the same as"),
        (
            [allocated(service_selectors=(A, B, A))],
            "serviceSelectors[2] says the same as spec.serviceAllocation.serviceSel",
        ),
    ],
)
def test_pools_refused(specs: list[PoolSpec], told: str) -> None:
    (problem,) = pool_problems(specs)
    assert told in problem.message and problem.where == f'pool "{specs[-1].pool.name}"'


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"pools": ("a", "b", "a")}, 'spec.ipAddressPools[2]: "a" is listed twice'),
        ({"pool_selectors": (A, A)}, "ipAddressPoolSelectors[1] says the same"),
        ({"node_selectors": (A, A)}, "nodeSelectors[1] says the same"),
        ({"service_selectors": (A, A)}, "serviceSelectors[1] says the same"),
        ({"node_selectors": (requires("a", Operator.IN),)}, "nodeSelectors[0]: In on label"),
    ],
)
def test_advertisements_refused(fields: dict[str, Any], told: str) -> None:
    (problem,) = advertisement_problems([advertisement("x", **fields)])
    assert told in problem.message and problem.where == 'L2Advertisement "x"'


def test_preferences_have_a_weight_and_a_selector_in_order() -> None:
    fine = Preference(100, labelled(a="b"))
    assert advertisement_problems([advertisement(preferences=(fine, fine))]) == []
    (heavy,) = advertisement_problems([advertisement(preferences=(fine, Preference(101, labelled(a="b"))))])
    assert "preferredNodeSelectors[1].weight: 101 is not from 1 to 100" in heavy.message
    (broken,) = advertisement_problems([advertisement(preferences=(Preference(1, labelled(a="-")),))])
    assert "preferredNodeSelectors[0].preference: " in broken.message


def test_advertisement_in_order() -> None:
    fields = {"pools": ("a", "b"), "pool_selectors": (A, B), "node_selectors": (A,), "service_selectors": (A,)}
    assert advertisement_problems([advertisement(**fields), advertisement()]) == []


@pytest.mark.parametrize(
    "selector",
    [
        Selector(),
        requires("a", Operator.IN, "b", ""),
        requires("a", Operator.EXISTS),
        requires("example.com/A_b.c", Operator.NOT_IN, "x" * 63),
        Selector((Requirement("a", Operator.IN, ("b",)), Requirement("a", Operator.IN, ("c",)))),
    ],
)
def test_selectors_in_order(selector: Selector) -> None:
    assert list(selector_faults(selector)) == []


@pytest.mark.parametrize(
    ("selector", "told"),
    [
        (requires("", Operator.EXISTS), "is not the name of a label"),
        (requires("a b", Operator.EXISTS), '"a b" is not the name'),
        (requires("/a", Operator.EXISTS), '"/a" is not the name'),
        (requires("Upper.com/a", Operator.EXISTS), '"Upper.com/a" is not'),
        (requires("a", Operator.IN), "needs values"),
        (requires("a", Operator.NOT_IN), "NotIn on label"),
        (requires("a", Operator.EXISTS, "b"), "takes no values"),
        (requires("a", Operator.DOES_NOT_EXIST, "b"), "DoesNotExist on label"),
        (requires("a", Operator.IN, "b c"), '"b c" cannot be the value'),
        (requires("a", Operator.IN, "x" * 64), "cannot be the value"),
        (requires("a", Operator.IN, "b", "b"), 'lists the value "b" twice'),
        (
            Selector((Requirement("a", Operator.IN, ("b", "c")), Requirement("a", Operator.IN, ("c", "b")))),
            "is listed twice",
        ),
    ],
)
def test_selectors_refused(selector: Selector, told: str) -> None:
    (fault,) = selector_faults(selector)
    assert told in fault
