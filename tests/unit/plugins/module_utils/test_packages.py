# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""apt and dnf as commands and answers, and the record of what was there before."""

from __future__ import annotations

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils import _packages, _record


def test_installed_packages():
    output = "ii  iptables\nrc  ufw\nun  nftables\nii  conntrack\n\n"
    assert _packages.dpkg_installed(output) == {"iptables", "conntrack"}


def test_what_apt_would_remove():
    output = "Reading package lists...\nPurg kubeadm [1.34]\nRemv libx [1]\nPurg conntrack [1:1.4]\n0 upgraded\n"
    assert _packages.apt_removals(output) == {"kubeadm", "libx", "conntrack"}


def test_only_the_folder_is_a_source():
    command = _packages.apt(_packages.apt_only_folder("/scratch", "/scratch/list"), "install", "conntrack")
    assert command[0] == "apt-get" and command[-2:] == ["install", "conntrack"]
    assert "Dir::Etc::SourceList=/scratch/list" in command and "Dir::Etc::SourceParts=/dev/null" in command
    assert _packages.source_line("/x") == "deb [trusted=yes] file:/x ./\n"


def test_an_index_entry_names_file_size_and_digest(tmp_path):
    path = tmp_path / "a.deb"
    path.write_bytes(b"abc")
    digest = _packages.sha256(str(path))
    assert digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    entry = _packages.index_entry("Package: a\nVersion: 1\n", "a.deb", 3, digest)
    assert entry == f"Package: a\nVersion: 1\nFilename: ./a.deb\nSize: 3\nSHA256: {digest}\n"


def test_the_order_of_names_makes_no_other_request():
    assert _packages.request(["b", "a"], "debian", "bookworm", "arm64") == _packages.request(
        ["a", "b"], "debian", "bookworm", "arm64"
    )


def test_a_record_is_kept_and_removed_with_its_folder(tmp_path):
    path = tmp_path / "lantern" / "x.json"
    assert _record.load(str(path)) == {}
    _record.save(str(path), {"a": 1})
    assert _record.load(str(path)) == {"a": 1}
    assert [item.name for item in path.parent.iterdir()] == ["x.json"]
    _record.save(str(path), {})
    assert not path.parent.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_damaged_record_is_named(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="x.json is damaged"):
        _record.load(str(path))
