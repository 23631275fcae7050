# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules image and node_image: what they report and what they leave undone in check mode."""

from __future__ import annotations

import errno
import os

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._image import making
from ansible_collections.homelab.lantern.plugins.module_utils._image.errors import ImageError, NoRuntimeError
from ansible_collections.homelab.lantern.plugins.modules import image, node_image
from ansible_collections.homelab.lantern.tests.unit.plugins.module_runner import run
from ansible_collections.homelab.lantern.tests.unit.plugins.module_utils._image.test_image_inputs import speaker
from ansible_collections.homelab.lantern.tests.unit.plugins.module_utils._image.test_image_runtime import Ctr, store

__all__ = ["speaker"]  # a fixture


@pytest.fixture
def options(speaker, tmp_path):
    return {"source": str(speaker), "cache_dir": str(tmp_path / "cache"), "architectures": ["arm64", "arm64"]}


def forbid(monkeypatch, *names):
    def never(*_arguments):
        raise AssertionError("this writes")

    for name in names:
        monkeypatch.setattr(making, name, never)


def test_check_mode_tells_and_writes_nothing(options, tmp_path, monkeypatch):
    forbid(monkeypatch, "fetch", "build")
    result = run(image, monkeypatch, check=True, **options)
    assert result["changed"] and result["built"] == ["arm64"]
    assert result["downloaded"] == [
        "Python packages for arm64",
        "docker.io/library/python:3.11-slim-bookworm for arm64",
    ]
    assert result["name"].startswith("localhost/lantern:1.2.3-")
    assert list(result["archives"]) == ["arm64"]
    assert not (tmp_path / "cache").exists()


def test_fetched_does_not_build(options, monkeypatch):
    forbid(monkeypatch, "build")
    monkeypatch.setattr(making, "fetch", lambda _wish, _plan: [])
    result = run(image, monkeypatch, state="fetched", **options)
    assert (result["changed"], result["built"]) == (False, [])


def test_present_fetches_and_builds(options, monkeypatch):
    monkeypatch.setattr(making, "fetch", lambda _wish, _plan: ["x"])
    monkeypatch.setattr(making, "build", lambda _wish, plan: list(plan.archives))
    result = run(image, monkeypatch, **options)
    assert (result["changed"], result["downloaded"], result["built"]) == (True, ["x"], ["arm64"])


FULL = os.strerror(errno.ENOSPC)


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (ImageError("no base image"), "no base image"),
        (ImageError(f"pip: [Errno 28] {FULL}: 'a'; [Errno 28] {FULL}: 'b'"), f"{FULL}, where the image is made: "),
        (ImageError(f"buildah: write /usr: {FULL.lower()}"), f"{FULL}, where the image is made: "),
        (OSError(errno.ENOSPC, FULL, "/x"), f"{FULL}, where the image is made: "),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "[Errno 13] Permission denied: '/x'"),
    ],
)
def test_errors_are_the_message(options, monkeypatch, problem, told):
    def build(_wish, _plan):
        raise problem

    monkeypatch.setattr(making, "fetch", lambda _wish, _plan: [])
    monkeypatch.setattr(making, "build", build)
    result = run(image, monkeypatch, **options)
    assert result["failed"] and result["msg"].startswith(told)
    assert result["msg"].count(FULL) == told.count(FULL)


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("lacking", [False, True])
def test_a_registry_gets_what_it_lacks(options, monkeypatch, check, lacking):
    monkeypatch.setattr(making, "unfetched", lambda _wish, _plan: [])
    monkeypatch.setattr(making, "fetch", lambda _wish, _plan: [])
    monkeypatch.setattr(making, "build", lambda _wish, _plan: [])
    monkeypatch.setattr(making.Plan, "unbuilt", lambda _plan: [])
    monkeypatch.setattr(image.builders, "choose", lambda _wanted: "buildah")
    monkeypatch.setattr(image.publishing, "lacks", lambda *_arguments: lacking)
    pushed = []
    monkeypatch.setattr(image.publishing, "publish", lambda *arguments: pushed.append(arguments[2:4]))
    result = run(image, monkeypatch, check=check, registry="registry.home:5000/", registry_secure=False, **options)
    assert result["name"].startswith("registry.home:5000/lantern:1.2.3-")
    assert result["changed"] is result["pushed"] is lacking
    tag = result["name"].rpartition(":")[2]
    wanted = [((result["name"], False), f"localhost/lantern:{tag}")] if lacking and not check else []
    assert pushed == wanted


@pytest.fixture
def ctr(monkeypatch):
    fake = Ctr()
    monkeypatch.setattr(node_image, "store_of", lambda _module: store(fake))
    return fake


NAME = "localhost/lantern:1"


def test_loading_once(ctr, tmp_path, monkeypatch):
    (tmp_path / "a.tar").touch()
    ctr.imports = {NAME: "sha256:a"}
    checked = run(node_image, monkeypatch, check=True, name=NAME)
    assert checked["changed"] and checked["lacking"] and not ctr.images
    assert checked["diff"] == {"before": "", "after": f"{NAME}\n"}
    assert "no archive" in run(node_image, monkeypatch, name=NAME)["msg"]
    assert run(node_image, monkeypatch, name=NAME, archive=str(tmp_path / "a.tar"))["changed"]
    again = run(node_image, monkeypatch, name=NAME)
    assert (again["changed"], again["lacking"]) == (False, False)


def test_removing(ctr, monkeypatch):
    ctr.images = {NAME: "sha256:a", "localhost/lantern:0": "sha256:b"}
    arguments = {"name": "localhost/lantern", "keep": [NAME], "state": "absent"}
    checked = run(node_image, monkeypatch, check=True, **arguments)
    assert checked["removed"] == ["localhost/lantern:0"]
    assert checked["diff"] == {"before": "localhost/lantern:0\n", "after": ""}
    assert len(ctr.images) == 2
    assert run(node_image, monkeypatch, **arguments)["changed"]
    assert list(ctr.images) == [NAME]
    assert not run(node_image, monkeypatch, **arguments)["changed"]


def test_archives_of_runs_that_were_broken_off_are_removed_too(ctr, monkeypatch, tmp_path):
    left, other = tmp_path / "lantern-0.1.0-abc-amd64.tar", tmp_path / "other.tar"
    for file in (left, other):
        file.write_text("")
    ctr.images = {NAME: "sha256:a"}
    arguments = {"name": "localhost/lantern", "keep": [NAME], "archives": f"{tmp_path}/lantern-*", "state": "absent"}
    assert run(node_image, monkeypatch, check=True, **arguments)["removed_archives"] == [str(left)] and left.exists()
    result = run(node_image, monkeypatch, **arguments)
    assert result["changed"] and not left.exists() and other.exists()
    assert list(ctr.images) == [NAME] and not run(node_image, monkeypatch, **arguments)["changed"]


def test_a_node_without_runtime(monkeypatch):
    def store_of(_module):
        raise NoRuntimeError("No containerd is running")

    monkeypatch.setattr(node_image, "store_of", store_of)
    assert run(node_image, monkeypatch, name="localhost/lantern", state="absent")["changed"] is False
    result = run(node_image, monkeypatch, name=NAME)
    assert result["failed"] and result["msg"] == "No containerd is running"
