# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is behind a MAC address."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from lantern.adapters.vendors import describe


@pytest.mark.parametrize(
    ("mac", "vendor"), [("b827eb123456", "Raspberry Pi Foundation"), ("000000000001", "XEROX CORPORATION")]
)
def test_vendor_is_found_in_the_table_that_every_image_has(mac: str, vendor: str) -> None:
    assert describe(bytes.fromhex(mac)) == vendor


def test_an_unassigned_prefix_has_no_vendor() -> None:
    assert describe(bytes.fromhex("fcfffe000001")) == ""


def test_nothing_is_known_without_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stripped = ModuleSpec("netaddr", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr("lantern.adapters.vendors.find_spec", lambda _name: stripped)
    assert describe(bytes.fromhex("b827eb123456")) == ""


def test_made_up_addresses_have_no_vendor() -> None:
    assert "locally administered" in describe(bytes.fromhex("020000000066"))


def test_speaker_does_not_import_what_it_reads_the_table_from() -> None:
    # A process of its own, as this one may have imported it for other tests.
    program = (
        "import sys, lantern.app.speaker; from lantern.adapters.vendors import describe; "
        "print(describe(bytes.fromhex('b827eb123456')), 'netaddr' in sys.modules)"
    )
    path = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=path)
    assert done.stdout.split() == ["Raspberry", "Pi", "Foundation", "False"]
