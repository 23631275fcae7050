# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of all architectures, built once for the tests of this folder."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._image import making

PROJECT = Path(__file__).resolve().parents[2]
ARCHITECTURES = ["amd64", "arm64", "arm"]


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


def is_to_be_had(wish: making.Wish) -> bool:
    """Whether what the image is made from can be downloaded, or was. Debian's mirrors keep the latest packages only."""
    try:
        making.fetch(wish, making.plan(wish))
    except making.ImageError as error:
        print(error)
        return False
    return True


@pytest.fixture(scope="session")
def wish(tmp_path_factory: pytest.TempPathFactory) -> making.Wish:
    folder = tmp_path_factory.mktemp("image")
    # A copy, links kept, so that nobody changes the source between two looks at it.
    for part in ("speaker", "plugins/module_utils/_pools"):
        shutil.copytree(
            PROJECT / part, folder / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", ".*")
        )
    for architecture in ARCHITECTURES:
        write_base(folder / f"base-{architecture}.tar", architecture)
    cache = folder / "cache"
    cache.mkdir()
    if shared := os.environ.get("LANTERN_TEST_CACHE"):
        wheels = Path(shared) / "wheels"
        wheels.mkdir(parents=True, exist_ok=True)
        (cache / "wheels").symlink_to(wheels)
    wish = making.Wish(
        source=str(folder / "speaker"),
        cache_dir=str(cache),
        architectures=["arm"],
        base_image="unused",
        base_image_arm="unused",
        base_image_archive=str(folder / "base-{arch}.tar"),
        builder="auto",
        python_version="3.11",
    )
    return wish._replace(architectures=ARCHITECTURES if is_to_be_had(wish) else ARCHITECTURES[:-1])


@pytest.fixture(scope="session")
def archives(wish: making.Wish) -> dict[str, str]:
    plan = making.plan(wish)
    making.fetch(wish, plan)
    assert making.build(wish, plan) == wish.architectures
    return plan.archives


@pytest.fixture(scope="session")
def arm(archives: dict[str, str]) -> str:
    """The archive for 32-bit ARM."""
    if "arm" not in archives:
        pytest.skip("Debian has newer packages than speaker/debian-arm.lock: make lock")
    return archives["arm"]


@pytest.fixture
def archive(architecture: str, archives: dict[str, str], request: pytest.FixtureRequest) -> str:
    """The one for the parameter `architecture`."""
    return str(request.getfixturevalue("arm")) if architecture == "arm" else archives[architecture]


@pytest.fixture(scope="session")
def docker_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The socket of a docker of these tests' own, which runs no containers."""
    if shutil.which("dockerd") is None:
        pytest.skip("docker is not installed")
    folder = tmp_path_factory.mktemp("docker")
    host = f"unix://{folder}/docker.sock"
    options = [f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"]
    options += ["--storage-driver=vfs", "--bridge=none", "--iptables=false", "--ip6tables=false"]
    with (folder / "log").open("w") as log:
        daemon = subprocess.Popen(["dockerd", f"--host={host}", *options], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while subprocess.run(["docker", "--host", host, "version"], capture_output=True).returncode != 0:
            assert daemon.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()[-2000:]
            time.sleep(0.2)
        yield host
    finally:
        daemon.terminate()
        daemon.wait(30)
