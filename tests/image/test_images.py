# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real image, built for both architectures on one machine by a real builder, and looked into.

Needs buildah or podman, pip, and once the packages of speaker/requirements.lock (kept in LANTERN_TEST_CACHE if set).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import struct
import tarfile
from pathlib import Path
from typing import NamedTuple

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._image import making

PROJECT = Path(__file__).resolve().parents[2]
# e_machine in the ELF header (System V ABI, and its processor supplements)
MACHINES = {"amd64": 62, "arm64": 183}


def write_base(path: Path, architecture: str) -> None:
    """A base image of one file, so that no registry is needed: what lies in the base is not the subject here."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("etc/base"))
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer.getvalue()).hexdigest()}"]},
        "history": [{"created_by": "test"}],
    }
    manifest = [{"Config": "config.json", "RepoTags": ["localhost/test-base:1"], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as tar:
        for name, content in (
            ("layer.tar", layer.getvalue()),
            ("config.json", json.dumps(config).encode()),
            ("manifest.json", json.dumps(manifest).encode()),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


@pytest.fixture(scope="module")
def wish(tmp_path_factory: pytest.TempPathFactory) -> making.Wish:
    folder = tmp_path_factory.mktemp("image")
    # A copy, links kept, so that nobody changes the source between two looks at it.
    for part in ("speaker", "plugins/module_utils/_pools"):
        shutil.copytree(
            PROJECT / part, folder / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", ".*")
        )
    for architecture in MACHINES:
        write_base(folder / f"base-{architecture}.tar", architecture)
    cache = folder / "cache"
    cache.mkdir()
    if shared := os.environ.get("LANTERN_TEST_CACHE"):
        wheels = Path(shared) / "wheels"
        wheels.mkdir(parents=True, exist_ok=True)
        (cache / "wheels").symlink_to(wheels)
    return making.Wish(
        source=str(folder / "speaker"),
        cache_dir=str(cache),
        architectures=list(MACHINES),
        base_image="unused",
        base_image_archive=str(folder / "base-{arch}.tar"),
        builder="auto",
        python_version="3.11",
    )


@pytest.fixture(scope="module")
def archives(wish: making.Wish) -> dict[str, str]:
    plan = making.plan(wish)
    making.fetch(wish, plan)
    assert making.build(wish, plan) == list(MACHINES)
    return plan.archives


class Entry(NamedTuple):
    """One regular file of a layer."""

    mode: int
    content: bytes


def opened(path: str) -> tuple[dict, dict[str, Entry]]:
    """(image configuration with `names` put in, the regular files of its last layer)"""
    with tarfile.open(path) as tar:
        (manifest,) = json.load(tar.extractfile("manifest.json"))
        config = dict(json.load(tar.extractfile(manifest["Config"])), names=manifest["RepoTags"])
        with tarfile.open(fileobj=tar.extractfile(manifest["Layers"][-1])) as layer:
            files = {m.name: Entry(m.mode, layer.extractfile(m).read()) for m in layer.getmembers() if m.isfile()}
    return config, files


@pytest.mark.parametrize("architecture", MACHINES)
def test_configuration(archives: dict[str, str], architecture: str, wish: making.Wish) -> None:
    config, _files = opened(archives[architecture])
    assert (config["architecture"], config["os"]) == (architecture, "linux")
    assert config["names"] == [making.plan(wish).name]
    assert config["config"]["Entrypoint"] == ["python3", "-m", "lantern"]
    assert "PYTHONPATH=/opt/lantern" in config["config"]["Env"]


@pytest.mark.parametrize("architecture", MACHINES)
def test_every_binary_is_for_the_architecture(archives: dict[str, str], architecture: str) -> None:
    _config, files = opened(archives[architecture])
    binaries = {name: entry.content for name, entry in files.items() if name.endswith(".so")}
    assert binaries, "no compiled package at all: is the lock empty?"
    for name, content in binaries.items():
        assert content[:4] == b"\x7fELF"
        assert struct.unpack("<H", content[18:20]) == (MACHINES[architecture],), name


@pytest.mark.parametrize("architecture", MACHINES)
def test_the_package_is_there_as_plain_readable_files(
    archives: dict[str, str], architecture: str, wish: making.Wish
) -> None:
    _config, files = opened(archives[architecture])
    package = Path(wish.source) / "src" / "lantern"
    sources = [path.relative_to(package).as_posix() for path in package.rglob("*.py")]
    assert (package / "pools" / "ranges.py").is_symlink()
    assert "pools/ranges.py" in sources
    for name in sources:
        entry = files[f"opt/lantern/lantern/{name}"]
        assert entry.mode & 0o444 == 0o444, name
        assert entry.content == (package / name).read_bytes(), name


def test_both_hold_the_same_packages(archives: dict[str, str]) -> None:
    # A compiled module has its machine in its name: _cffi_backend.cpython-311-x86_64-linux-gnu.so
    listed = [{name.split("/")[2].partition(".cpython-")[0] for name in opened(path)[1]} for path in archives.values()]
    assert listed[0] == listed[1]
    assert {"lantern", "lightkube"} <= listed[0]


def test_it_is_built_again_without_network(
    archives: dict[str, str], wish: making.Wish, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: opened(path)[0] for path in archives.values()}
    for path in archives.values():
        os.unlink(path)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    plan = making.plan(wish)
    assert making.fetch(wish, plan) == []
    assert making.build(wish, plan) == list(MACHINES)
    # the same inputs give the same image, to the byte
    assert {path: opened(path)[0] for path in plan.archives.values()} == before
