# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine that is too full for another lab."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest
from homelab import limits
from homelab.shell import LabError
from homelab.topology import plan


def test_inotify_instances_in_use_are_counted() -> None:
    before = limits.inotify_instances(Path("/proc/self"))
    opened = [ctypes.CDLL(None).inotify_init() for _ in range(20)]
    try:
        assert limits.inotify_instances(Path("/proc/self")) == before + 20
        assert limits.inotify_used() >= 20
    finally:
        for descriptor in opened:
            os.close(descriptor)


def test_a_lab_too_many_is_refused_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "max_user_instances"
    monkeypatch.setattr(limits, "INOTIFY_LIMIT", limit)
    limit.write_text("100000\n")
    limits.check(plan(nodes=20))
    limit.write_text(str(limits.inotify_used() + limits.inotify_needed(plan()) // 2))
    with pytest.raises(LabError, match=r"needs 73 .* sysctl -w fs.inotify.max_user_instances=\d+"):
        limits.check(plan())
