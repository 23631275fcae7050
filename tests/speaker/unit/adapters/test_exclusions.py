# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of excluded interfaces, read again when it changes."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from lantern.adapters.exclusions import InterfaceExclusions


def replace(file: Path, text: str) -> None:
    """As kubelet does it: another file under the same name."""
    fresh = file.with_suffix(".new")
    fresh.write_text(text)
    fresh.rename(file)


def test_default_holds_without_a_file_and_again_when_it_goes(tmp_path: Path) -> None:
    file = tmp_path / "excludel2.yaml"
    excluded = InterfaceExclusions(file)
    assert excluded.current().search("docker0") and not excluded.current().search("eth9")
    file.write_text("announcedInterfacesToExclude: ['^eth9$']\n")
    assert excluded.current().search("eth9") and not excluded.current().search("docker0")
    file.unlink()
    assert excluded.current().search("docker0")


def test_change_is_noticed_and_an_unchanged_file_not_read_again(tmp_path: Path) -> None:
    file = tmp_path / "excludel2.yaml"
    replace(file, 'announcedInterfacesToExclude: ["^eth1$", "^wlan.*"]')
    excluded = InterfaceExclusions(file)
    first = excluded.current()
    assert first.search("eth1") and first.search("wlan0") and not first.search("eth10")
    assert excluded.current() is first
    replace(file, 'announcedInterfacesToExclude: ["^eth2$", "^wlan.*"]')
    assert excluded.current().search("eth2") and not excluded.current().search("eth1")


@pytest.mark.parametrize("text", ["announcedInterfacesToExclude: []", "announcedInterfacesToExclude:", "{}"])
def test_empty_list_excludes_nothing(tmp_path: Path, text: str) -> None:
    file = tmp_path / "excludel2.yaml"
    file.write_text(text)
    assert not InterfaceExclusions(file).current().search("docker0")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("announcedInterfacesToExclude: ['^eth(']", '"^eth(" is not a regular expression'),
        ("announcedInterfacesToExclude: docker", "is not a list"),
        ("announcedInterfacesToExclude: [1]", "is not a list"),
        ("- docker", "is not a list"),
        ("announcedInterfacesToExclude: [", "expected"),
    ],
)
def test_broken_file_changes_nothing_and_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, told: str
) -> None:
    file = tmp_path / "excludel2.yaml"
    file.write_text("announcedInterfacesToExclude: ['^eth9$']")
    excluded = InterfaceExclusions(file)
    excluded.current()
    replace(file, text)
    with caplog.at_level(logging.ERROR):
        assert excluded.current().search("eth9") and excluded.current().search("eth9")
    (record,) = caplog.records
    assert told in str(record.__dict__) and str(file) in str(record.__dict__)
