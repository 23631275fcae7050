# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image for 32-bit ARM at work: its layer below Debian's Python for that machine, every instruction by qemu.

Building needs no emulation; this does, and Debian's release that speaker/debian-arm.lock is made from, unpacked once.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._image import debian
from contents import opened
from debian_lock import KEYRING, MACHINE, MIRROR, SUITE
from homelab import paths, rootfs
from homelab.shell import logged

PROJECT = Path(__file__).resolve().parents[2]
GOLDEN = PROJECT / "tests/speaker/golden/convert"
# Every compiled package of the image at work.
COMPILED = """
import msgpack, msgpack._cmsgpack, msgspec, platform, struct, yaml
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lantern.adapters.kube import wire
assert (platform.machine(), struct.calcsize("P")) == ("armv7l", 4)
assert msgpack.unpackb(msgpack._cmsgpack.Packer().pack({"Addr": b"1234"}), raw=False) == {"Addr": b"1234"}
sealed = AESGCM(bytes(32)).encrypt(bytes(12), b"gossip", b"label")
assert AESGCM(bytes(32)).decrypt(bytes(12), sealed, b"label") == b"gossip"
service = b'{"metadata": {"name": "web", "namespace": "demo"}, "spec": {"type": "LoadBalancer", "other": [1, {}]}}'
assert msgspec.json.decode(service, type=wire.Service).metadata.name == "web"
assert yaml.safe_load("a: [1]") == {"a": [1]}
print("all of it works")
"""

Python = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = pytest.mark.skipif(not shutil.which("qemu-arm"), reason="needs qemu-arm (Debian's package qemu-user)")


def version() -> str:
    """Of the Python that Debian's packages are compiled for."""
    return debian.read(str(PROJECT / "speaker/debian-arm.lock")).python


@pytest.fixture(scope="module")
def root() -> Path:
    """A root file system of Debian's with Python, nothing configured."""
    folder = paths.cache() / f"rootfs-{SUITE}-{MACHINE}"
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        options = ["--variant=extract", "--skip=check/empty", f"--include=python{version()},libffi8,ca-certificates"]
        # A release that is being made is signed for a week, and mirrors may be older.
        options += ['--aptopt=Acquire::Check-Valid-Until "false"']
        options += ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", f"--architectures={MACHINE}"]
        source = f"deb [signed-by={KEYRING}] {MIRROR.replace('https', 'http')} {SUITE} main"
        command = [*rootfs.ALONE, "mmdebstrap", "--quiet", *options, SUITE, str(partial), source]
        logged(command, paths.cache() / "rootfs.log", env={"TMPDIR": "/var/tmp"})
        partial.rename(folder)
    return folder


@pytest.fixture(scope="module")
def python(arm: str, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Python:
    """Runs ARM's Python with the image's packages."""
    layer = tmp_path_factory.mktemp("layer")
    _config, files = opened(arm)
    for name, entry in files.items():
        place = layer / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(entry.content)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["qemu-arm", "-L", str(root), str(root / f"usr/bin/python{version()}"), *arguments],
            capture_output=True, text=True, timeout=120, check=False,
            env={"PYTHONPATH": str(layer / "opt/lantern"), "PYTHONPYCACHEPREFIX": str(layer / "compiled")},
        )  # fmt: skip

    return run


def test_every_compiled_package_works(python: Python) -> None:
    done = python("-c", COMPILED)
    assert (done.stdout, done.stderr) == ("all of it works\n", "")


def test_the_program_begins(python: Python) -> None:
    done = python("-m", "lantern", "speaker", "--help")
    assert done.returncode == 0 and "lantern speaker" in done.stdout, done.stderr


def test_it_does_what_it_does_elsewhere(python: Python) -> None:
    given = GOLDEN / "layer2.yaml"
    done = python("-m", "lantern", "convert", str(given))
    assert (done.stdout, done.stderr) == (given.with_suffix(".golden").read_text(), "")
