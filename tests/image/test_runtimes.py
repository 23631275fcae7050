# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives put into image stores by the programs that nodes have for it, and found there.

CRI-O itself is not to be had from Debian: what fills its store is tried for real, what crictl says is not. docker and
podman are tried where they are installed (packages docker.io and podman).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._image import programs, runtime
from conftest import write_base

NAME = "localhost/test-base:1"
Run = Callable[[list[str]], tuple[int, str, str]]


def ran(command: list[str], **more: str) -> tuple[int, str, str]:
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **more})
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def archive(tmp_path: Path) -> str:
    write_base(tmp_path / "lantern.tar", "amd64")
    return str(tmp_path / "lantern.tar")


@pytest.fixture
def shared(tmp_path: Path) -> Run:
    """Runs programs that share one store, as those on a node do; crictl's words are made from what is in it."""
    settings = tmp_path / "storage.conf"
    settings.write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/root"\nrunroot = "{tmp_path}/run"\n')

    def run(command: list[str]) -> tuple[int, str, str]:
        if command[0] != "crictl":
            return ran(command, CONTAINERS_STORAGE_CONF=str(settings))
        status, told, complaints = ran(["buildah", "images", "--json"], CONTAINERS_STORAGE_CONF=str(settings))
        images = [{"id": one["id"], "repoTags": one["names"]} for one in json.loads(told or "[]") or []]
        return status, json.dumps({"images": images}), complaints

    return run


@pytest.mark.parametrize("loader", programs.LOADERS)
def test_the_store_of_cri_o_is_filled(loader: str, shared: Run, archive: str) -> None:
    path = shutil.which(loader)
    if path is None:
        pytest.skip(f"{loader} is not installed")
    store = runtime.Store(runtime.Runtime(programs.Crictl(["crictl"], path)), shared)
    assert not store.has(NAME)
    store.load(archive, NAME)
    assert store.has(NAME)


def test_docker_is_filled_and_emptied(docker_host: str, archive: str) -> None:
    store = runtime.Store(runtime.Runtime(programs.Docker(["docker", "--host", docker_host])), ran)
    assert not store.has(NAME)
    store.load(archive, NAME)
    assert store.has(NAME)
    assert store.remove("localhost/test-base", [NAME]) == []
    assert store.remove("localhost/test-base", []) == [NAME]
    assert not store.has(NAME)
