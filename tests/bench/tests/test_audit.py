# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counting from a moment on, while the API server goes on writing its log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks.audit import AuditLog, Write

ACCOUNT = "system:serviceaccount:metallb-system:controller"


def line(verb: str) -> str:
    entry = {
        "verb": verb,
        "user": {"username": ACCOUNT},
        "objectRef": {"resource": "services", "subresource": "status"},
        "responseStatus": {"code": 200},
    }
    return json.dumps(entry) + "\n"


@pytest.mark.parametrize("written", [0, 1, 20, -1, None])
def test_what_was_begun_before_the_moment_is_not_counted(tmp_path: Path, written: int | None) -> None:
    """`written`: how much of the second line is there at that moment."""
    log = AuditLog(tmp_path / "audit.log")
    log.path.write_text(line("create") + line("patch")[:written])
    marked = log.position()
    log.path.write_text(line("create") + line("patch") + line("update") + line("delete")[:9])
    counted = {kind.verb: count for kind, count in log.since(marked).items()}
    assert counted == ({"patch": 1, "update": 1} if written == 0 else {"update": 1})


def test_from_the_beginning_all_is_counted_by_kind(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.log")
    assert log.position() == 0 and not log.since(0)
    log.path.write_text(line("create") + line("patch") * 2)
    patch = Write("controller", "patch", "services/status")
    assert log.since(0) == {Write("controller", "create", "services/status"): 1, patch: 2}
