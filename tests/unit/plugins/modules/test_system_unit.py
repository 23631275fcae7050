# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module system_unit on real files, with a systemctl that keeps its units as files in a folder."""

from __future__ import annotations

import os

import pytest
from ansible_collections.homelab.lantern.plugins.modules import system_unit
from ansible_collections.homelab.lantern.tests.unit.plugins.module_runner import run

NAME = "lantern-test.service"
SYSTEMCTL = """#!/bin/sh
# Files active and enabled say what holds; what was asked for is appended to calls.
cd "$(dirname "$0")/../state" || exit 9
[ "$1" = --quiet ] && { case $2 in is-active) exec test -e active;; is-enabled) exec test -e enabled;; esac; }
echo "$*" >> calls
case $1 in
  restart) [ -e broken ] && { echo "Job for $2 failed because" >&2; exit 1; }; touch active;;
  stop) rm -f active;;
  enable) touch enabled;;
  disable) rm -f enabled;;
esac
"""
JOURNALCTL = "#!/bin/sh\necho 'nft: syntax error'\n"


class Node:
    """A folder with the programs, what they keep, and the unit's files."""

    def __init__(self, root):
        self.root = root
        self.state = root / "state"
        self.state.mkdir()
        (root / "bin").mkdir()
        for name, text in (("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL)):
            (root / "bin" / name).write_text(text)
            (root / "bin" / name).chmod(0o755)
        self.unit = root / "units" / NAME
        self.addition = root / "units" / "other.service.d" / "60-test.conf"

    def calls(self):
        """What systemctl was asked to do since the last time."""
        file = self.state / "calls"
        found = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return found

    def has(self, name):
        return (self.state / name).exists()


@pytest.fixture
def node(tmp_path, monkeypatch):
    node = Node(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(system_unit, "UNIT_FOLDERS", (f"{tmp_path}/units/",))
    return node


@pytest.fixture
def module(node, monkeypatch):
    def call(content="[Service]\n", check=False, **options):
        files = [
            {"path": str(node.unit), "content": content},
            {"path": str(node.addition), "content": "[Unit]\n"},
        ]
        return run(system_unit, monkeypatch, check=check, name=NAME, files=files, **options)

    return call


def test_unit_comes_stays_and_goes(node, module):
    done = module()
    assert done["changed"] and done["unit"] == ["enabled", "started"]
    assert done["files"] == [str(node.unit), str(node.addition)]
    assert node.unit.read_text() == "[Service]\n" and node.unit.stat().st_mode & 0o777 == 0o644
    assert node.calls() == ["daemon-reload", f"enable {NAME}", f"restart {NAME}"]
    again = module()
    assert not again["changed"] and again["files"] == again["unit"] == again["diff"] == []
    assert node.calls() == []
    gone = module(state="absent")
    assert gone["changed"] and gone["unit"] == ["stopped", "disabled"]
    assert node.calls() == [f"stop {NAME}", f"disable {NAME}", "daemon-reload"]
    assert not node.unit.exists() and not node.addition.parent.exists()
    assert not module(state="absent")["changed"]
    assert node.calls() == []


def test_unit_runs_with_what_is_in_its_files_now(node, module):
    module()
    node.calls()
    changed = module(content="[Service]\nType=oneshot\n")
    assert changed["unit"] == ["restarted"] and changed["files"] == [str(node.unit)]
    assert changed["diff"][0]["before"] == "[Service]\n" and "oneshot" in changed["diff"][0]["after"]
    assert node.calls() == ["daemon-reload", f"restart {NAME}"]


def test_unit_that_somebody_stopped_or_disabled_is_brought_back(node, module):
    module()
    (node.state / "active").unlink()
    assert module()["unit"] == ["started"] and node.has("active")
    (node.state / "enabled").unlink()
    assert module()["unit"] == ["enabled"] and node.has("enabled")


def test_restart_on_request_is_a_change_each_time(node, module):
    module()
    node.calls()
    assert module(restart=True)["unit"] == ["restarted"]
    assert node.calls() == [f"restart {NAME}"]


def test_check_mode_tells_and_touches_nothing(node, module):
    looked = module(check=True)
    assert looked["changed"] and looked["unit"] == ["enabled", "started"] and len(looked["diff"]) == 2
    assert not node.unit.exists() and node.calls() == []
    module()
    node.calls()
    looked = module(check=True, state="absent")
    assert looked["changed"] and looked["unit"] == ["stopped", "disabled"]
    assert node.unit.exists() and node.has("active") and node.calls() == []


def test_folder_of_additions_with_something_else_in_it_stays(node, module):
    module()
    other = node.addition.parent / "50-mine.conf"
    other.write_text("[Unit]\n")
    module(state="absent")
    assert other.exists() and not node.addition.exists()


def test_unit_that_does_not_start_says_why(node, module):
    (node.state / "broken").touch()
    failed = module()
    assert failed["failed"]
    assert "restart" in failed["msg"] and "failed because" in failed["msg"] and "nft: syntax error" in failed["msg"]


def test_file_that_cannot_be_written_is_named(node, module):
    (node.root / "units").write_text("no folder")
    failed = module()
    assert failed["failed"] and str(node.unit) in failed["msg"]
