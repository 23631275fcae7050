# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fresh LAN for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import lan as lans
import pytest


@pytest.fixture
def lan(tmp_path: Path) -> Iterator[lans.Lan]:
    with lans.lan(tmp_path) as made:
        yield made
