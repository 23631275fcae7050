# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cable between two network namespaces, and how Hypothesis runs."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings
from lablib.netns import Lan

# A busy machine is no defect: examples have no time limit of their own.
settings.register_profile("lantern", deadline=None, print_blob=True)
settings.load_profile("lantern")


@pytest.fixture
def lan() -> Iterator[Lan]:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    made = Lan()
    try:
        made.up()
        yield made
    finally:
        made.down()
