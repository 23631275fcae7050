# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things are kept: downloads and builds in a cache that outlives labs, the state of a lab beside it."""

from __future__ import annotations

import os
from pathlib import Path


def cache() -> Path:
    """Downloads and builds (LANTERN_CACHE, else the user's cache folder); made when missing."""
    named = os.environ.get("LANTERN_CACHE")
    base = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lantern"
    path = base / "lab"
    path.mkdir(parents=True, exist_ok=True)
    return path


def lab_name() -> str:
    """LAB_NAME keeps two labs on one machine apart."""
    name = os.environ.get("LAB_NAME", "lab")
    if not name.replace("-", "").isalnum():
        raise SystemExit(f"lab: LAB_NAME={name!r}: use letters, digits and hyphens only")
    return name


def state() -> Path:
    """Everything this lab keeps outside its world; `down` removes it.

    It lies on the cache's file system because the nodes' image stores are hard links into the cache.
    """
    return cache().parent / "labs" / lab_name()
