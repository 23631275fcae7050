# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real image, built for all architectures on one machine by a real builder, and looked into.

Needs buildah or podman, pip, and once the packages of speaker/requirements.lock and speaker/debian-arm.lock (kept in
LANTERN_TEST_CACHE if set).
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
import yaml
from ansible_collections.homelab.lantern.plugins.module_utils._image import making
from ansible_collections.homelab.lantern.plugins.modules import image
from contents import opened

PROJECT = Path(__file__).resolve().parents[2]
# e_machine in the ELF header (System V ABI, and its processor supplements)
MACHINES = {"amd64": 62, "arm64": 183, "arm": 40}
# EI_CLASS: 1 for 32 bits, 2 for 64
CLASSES = {"amd64": 2, "arm64": 2, "arm": 1}
# What only the compiler of a compiled package needs.
FOR_COMPILERS = {"cffi"}


@pytest.mark.parametrize("architecture", MACHINES)
def test_configuration(archive: str, architecture: str, wish: making.Wish) -> None:
    config, _files = opened(archive)
    assert (config["architecture"], config["os"]) == (architecture, "linux")
    assert config["names"] == [making.plan(wish).name]
    assert config["config"]["Entrypoint"] == ["python3", "-m", "lantern"]
    assert "PYTHONPATH=/opt/lantern" in config["config"]["Env"]


@pytest.mark.parametrize("architecture", MACHINES)
def test_every_binary_is_for_the_architecture(archive: str, architecture: str) -> None:
    _config, files = opened(archive)
    binaries = {name: entry.content for name, entry in files.items() if name.endswith(".so")}
    assert binaries, "no compiled package at all: is the lock empty?"
    for name, content in binaries.items():
        assert (content[:4], content[4]) == (b"\x7fELF", CLASSES[architecture]), name
        assert struct.unpack("<H", content[18:20]) == (MACHINES[architecture],), name


@pytest.mark.parametrize("architecture", MACHINES)
def test_the_package_is_there_as_plain_readable_files(archive: str, wish: making.Wish) -> None:
    _config, files = opened(archive)
    package = Path(wish.source) / "src" / "lantern"
    sources = [path.relative_to(package).as_posix() for path in package.rglob("*.py")]
    assert (package / "pools" / "ranges.py").is_symlink()
    assert "pools/ranges.py" in sources
    for name in sources:
        entry = files[f"opt/lantern/lantern/{name}"]
        assert entry.mode & 0o444 == 0o444, name
        assert entry.content == (package / name).read_bytes(), name


@pytest.mark.parametrize("architecture", MACHINES)
def test_the_table_of_vendors_is_there(archive: str) -> None:
    _config, files = opened(archive)
    assert b"B827EB     (base 16)\t\tRaspberry Pi Foundation" in files["opt/lantern/netaddr/eui/oui.txt"].content


def test_32_bit_arm_is_named_with_its_version(arm: str) -> None:
    # Without it a node would not know that the image is for it, as containerd compares both.
    assert opened(arm)[0].get("variant") == "v7"


def test_all_hold_the_same_packages(archives: dict[str, str], arm: str) -> None:
    def packages(path: str) -> set[str]:
        names = {name.split("/")[2] for name in opened(path)[1]} - {"__pycache__"}
        # A compiled module has its machine in its name: _cffi_backend.cpython-311-x86_64-linux-gnu.so
        return {name.partition(".cpython-")[0] for name in names if not name.endswith((".dist-info", ".libs"))}

    listed = {architecture: packages(path) for architecture, path in archives.items()}
    assert listed["amd64"] == listed["arm64"]
    assert listed["amd64"] - listed["arm"] == FOR_COMPILERS
    assert listed["arm"] - listed["amd64"] == set()
    assert {"lantern", "lightkube", "msgspec", "_cffi_backend"} <= listed["arm"]


def test_debians_modules_are_for_the_python_of_the_base_image(arm: str, wish: making.Wish) -> None:
    target = making.plan(wish).targets[list(MACHINES).index("arm")]
    assert f"python:{target.python_version}-" in image_default("base_image_arm")
    tag = f".cpython-{target.python_version.replace('.', '')}-arm-linux-gnueabihf.so"
    _config, files = opened(arm)
    compiled = {name.split("/")[-1].partition(".cpython-")[0] for name in files if name.endswith(tag)}
    assert compiled >= {"_cffi_backend", "_core", "_cmsgpack", "_yaml"}


def image_default(option: str) -> str:
    """What module image takes for an option that nobody sets."""
    documented = yaml.safe_load(image.DOCUMENTATION)["options"][option]["default"]
    role = yaml.safe_load((PROJECT / "roles/deploy/defaults/main.yml").read_text())[f"deploy_{option}"]
    assert documented == role
    return str(documented)


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
    assert making.build(wish, plan) == wish.architectures
    # the same inputs give the same image, to the byte
    assert {path: opened(path)[0] for path in plan.archives.values()} == before
