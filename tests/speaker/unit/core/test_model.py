# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Label selectors, by Kubernetes' rules."""

from __future__ import annotations

import pytest
from lantern.core.model import Operator, Requirement, Selector

LABELS = {"app": "web", "tier": "front"}


@pytest.mark.parametrize(
    ("requirement", "matches"),
    [
        (Requirement("app", Operator.IN, ("web", "db")), True),
        (Requirement("app", Operator.IN, ("db",)), False),
        (Requirement("absent", Operator.IN, ("db",)), False),
        (Requirement("app", Operator.NOT_IN, ("db",)), True),
        (Requirement("app", Operator.NOT_IN, ("web",)), False),
        (Requirement("absent", Operator.NOT_IN, ("web",)), True),
        (Requirement("app", Operator.EXISTS), True),
        (Requirement("absent", Operator.EXISTS), False),
        (Requirement("app", Operator.DOES_NOT_EXIST), False),
        (Requirement("absent", Operator.DOES_NOT_EXIST), True),
    ],
)
def test_requirement(requirement: Requirement, matches: bool) -> None:
    assert requirement.matches(LABELS) is matches


def test_selector_needs_all_requirements_and_an_empty_one_matches_everything() -> None:
    web = Requirement("app", Operator.IN, ("web",))
    absent = Requirement("absent", Operator.EXISTS)
    assert Selector((web,)).matches(LABELS)
    assert not Selector((web, absent)).matches(LABELS)
    assert Selector().matches({})
