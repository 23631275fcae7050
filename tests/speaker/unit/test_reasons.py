# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reason is explained and used."""

from __future__ import annotations

from pathlib import Path

import lantern
import pytest
from lantern.reasons import Reason

SOURCES = "\n".join(
    path.read_text() for path in Path(lantern.__file__).parent.rglob("*.py") if path.name != "reasons.py"
)


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
def test_reason_has_a_meaning_and_a_place(reason: Reason) -> None:
    assert len(reason.meaning) > 20
    assert f"Reason.{reason.name}" in SOURCES


def test_names_and_meanings_are_distinct() -> None:
    assert len({reason.meaning for reason in Reason}) == len(Reason)
