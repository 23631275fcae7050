# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps from source to archives, with a builder that only writes down what it is told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._image import builders, debian, making, wheels
from ansible_collections.homelab.lantern.plugins.module_utils._image.errors import ImageError
from ansible_collections.homelab.lantern.tests.unit.plugins.module_utils._image.test_image_inputs import (
    speaker,
    write_archive,
)

__all__ = ["speaker"]  # a fixture


class Builder:
    """Writes what it sees of the context into the archive."""

    failure = ""
    closed = 0
    seen = []

    def build(self, context, base_archive, architecture, name, target):
        files = [os.path.join(place, name) for place, _folders, names in os.walk(context) for name in names]
        type(self).seen.append((architecture, name, sorted(os.path.relpath(one, context) for one in files)))
        with open(target, "w", encoding="utf-8") as stream:
            stream.write("half")
        if self.failure:
            raise ImageError(self.failure)

    def pull(self, image, architecture, target):
        if self.failure:
            raise ImageError(self.failure)
        write_archive(target, architecture)

    def close(self):
        type(self).closed += 1


@pytest.fixture
def builder(monkeypatch):
    class Fresh(Builder):
        seen = []

    monkeypatch.setattr(builders, "opened", lambda _name, _cache: Fresh())
    monkeypatch.setattr(builders, "choose", lambda _wanted: "buildah")

    def unpack(_lock, _folder, architecture, _python, target):
        os.makedirs(os.path.join(target, "bin"))
        for name in ("one.py", "bin/tool"):
            with open(os.path.join(target, name), "w", encoding="utf-8") as stream:
                stream.write(f"# {architecture}\n")

    def download(lock, folder, _architecture, _python):
        os.makedirs(folder, exist_ok=True)
        for pin in lock.pins():
            with open(os.path.join(folder, f"{pin.name}-{pin.version}-py3-none-any.whl"), "w", encoding="utf-8"):
                pass
        return True

    monkeypatch.setattr(wheels, "unpack", unpack)
    monkeypatch.setattr(wheels, "download", download)
    return Fresh


@pytest.fixture
def wish(speaker, tmp_path):
    return making.Wish(
        source=str(speaker),
        cache_dir=str(tmp_path / "cache"),
        architectures=["amd64", "arm64"],
        base_image="docker.io/library/python:3.11",
        base_image_arm="docker.io/library/python:3.14",
        base_image_archive=None,
        builder="auto",
        python_version=f"{sys.version_info[0]}.{sys.version_info[1]}",
    )


def test_everything_once(wish, builder):
    plan = making.plan(wish)
    assert making.unfetched(wish, plan) == [
        "Python packages for amd64",
        "docker.io/library/python:3.11 for amd64",
        "Python packages for arm64",
        "docker.io/library/python:3.11 for arm64",
    ]
    assert len(making.fetch(wish, plan)) == 4
    assert making.unfetched(wish, plan) == []
    assert making.build(wish, plan) == ["amd64", "arm64"]
    assert [(architecture, name) for architecture, name, _files in builder.seen] == [
        ("amd64", plan.name),
        ("arm64", plan.name),
    ]
    files = builder.seen[1][2]
    assert "Containerfile" in files and "site/lantern/pools/ranges.py" in files and "site/one.py" in files
    assert not any(name.startswith("site/bin") for name in files)
    assert any(name.endswith(".pyc") for name in files)
    assert all(os.path.exists(path) for path in plan.archives.values())

    again = making.plan(wish)
    assert again.name == plan.name
    assert (making.fetch(wish, again), making.build(wish, again)) == ([], [])
    assert len(builder.seen) == 2


def test_where_there_are_no_wheels_debian_helps_out(wish, builder, monkeypatch):
    fetched = []

    def download(lock, folder, mirrors):
        fetched.append((lock.requirements(), os.path.basename(folder), list(mirrors)))

    def unpack(_lock, _folder, site):
        with open(os.path.join(site, "two.py"), "w", encoding="utf-8"):
            pass

    monkeypatch.setattr(debian, "download", download)
    monkeypatch.setattr(debian, "unpack", unpack)
    wish = wish._replace(architectures=["amd64", "arm"], debian_mirrors=["http://mirror"])
    plan = making.plan(wish)
    assert plan.tag == making.plan(wish._replace(architectures=["amd64"])).tag
    assert [target.python_version for target in plan.targets] == [wish.python_version, "3.14"]
    assert making.unfetched(wish, plan)[2:] == ["Python packages for arm", "docker.io/library/python:3.14 for arm"]
    making.fetch(wish, plan)
    assert fetched == [(["two"], "debian-arm", ["http://mirror"])]
    assert sorted(os.listdir(plan.targets[1].wheel_folder)) == ["one-1.0-py3-none-any.whl"]
    assert len(os.listdir(plan.targets[0].wheel_folder)) == 2
    assert making.build(wish, plan) == ["amd64", "arm"]
    files = {architecture: names for architecture, _name, names in builder.seen}
    assert "site/two.py" in files["arm"] and "site/two.py" not in files["amd64"]


def test_a_built_image_needs_neither_wheels_nor_base(wish, builder):
    plan = making.plan(wish)
    making.fetch(wish, plan)
    making.build(wish, plan)
    for folder in ("wheels", "base"):
        shutil.rmtree(os.path.join(wish.cache_dir, folder))
    assert making.unfetched(wish, making.plan(wish)) == []


def test_a_failed_build_leaves_nothing_and_says_what_failed(wish, builder):
    plan = making.plan(wish)
    making.fetch(wish, plan)
    before = sorted(os.listdir(wish.cache_dir))
    builder.failure, builder.closed = "no space left on device", 0
    with pytest.raises(ImageError, match="for amd64 cannot be built with buildah: no space left on device"):
        making.build(wish, plan)
    assert builder.closed == 1
    assert sorted(os.listdir(wish.cache_dir)) == sorted([*before, "images"])
    assert os.listdir(os.path.join(wish.cache_dir, "images")) == []


def test_a_base_image_that_cannot_be_had(wish, builder):
    builder.failure = "dial tcp: lookup docker.io: no such host"
    with pytest.raises(
        ImageError, match=r"docker.io/library/python:3.11 for amd64 cannot be fetched: dial tcp.*fetch\.yml"
    ):
        making.fetch(wish, making.plan(wish))


def test_a_base_archive_of_another_architecture_is_refused(wish, builder, tmp_path):
    archive = write_archive(tmp_path / "base.tar", "amd64")
    wrong = wish._replace(base_image_archive=archive, architectures=["arm64"])
    plan = making.plan(wrong)
    making.fetch(wrong, plan)
    with pytest.raises(ImageError, match=r"base.tar is for amd64, but a node needs arm64"):
        making.build(wrong, plan)


def test_a_base_archive_for_one_architecture_only_is_told_before_anything_is_built(wish, tmp_path):
    write_archive(tmp_path / "base-amd64.tar")
    half = wish._replace(base_image_archive=str(tmp_path / "base-{arch}.tar"))
    with pytest.raises(ImageError, match=r"for arm64, .*base-arm64.tar, does not exist"):
        making.unfetched(half, making.plan(half))


class Recorder:
    """Stands for subprocess in builders."""

    def __init__(self, monkeypatch, status=0, stdout="sha256:base\n", stderr=""):
        self.commands = []
        monkeypatch.setattr(builders.subprocess, "run", self)
        self.answer = status, stdout, stderr

    def __call__(self, command, **_options):
        self.commands.append(command)
        status, stdout, stderr = self.answer
        return subprocess.CompletedProcess(command, status, stdout, stderr)


def test_buildah_builds_for_the_other_architecture_without_network_in_its_own_storage(monkeypatch, tmp_path):
    recorder = Recorder(monkeypatch)
    builder = builders.OwnStorage("buildah", str(tmp_path))
    builder.build("/context", "/base.tar", "arm64", "localhost/lantern:1", "/out.tar")
    load, build, save = recorder.commands
    assert all(command[:2] == ["buildah", "--root"] and str(tmp_path) in command[2] for command in recorder.commands)
    assert load[-1] == "docker-archive:/base.tar"
    assert build[build.index("--arch") + 1] == "arm64"
    assert "--pull=never" in build and "BASE_IMAGE=sha256:base" in build
    assert save[-1] == "docker-archive:/out.tar:localhost/lantern:1"
    storage = builder.storage
    assert os.path.isdir(storage)
    builder.close()
    if os.geteuid() == 0:
        assert not os.path.exists(storage)
    else:
        assert recorder.commands[-1] == ["buildah", "unshare", "rm", "-rf", storage]


@pytest.mark.parametrize("program", ["buildah", "podman"])
def test_32_bit_arm_is_asked_for_with_its_variant(program, monkeypatch, tmp_path):
    recorder = Recorder(monkeypatch)
    builder = builders.OwnStorage(program, str(tmp_path))
    builder.pull("docker.io/library/python:3", "arm", "/base.tar")
    builder.build("/context", "/base.tar", "arm", "localhost/lantern:1", "/out.tar")
    for command in (recorder.commands[0], recorder.commands[3]):
        assert command[command.index("--arch") :][:4] == ["--arch", "arm", "--variant", "v7"]
    docker = builders.Docker()
    docker.pull("docker.io/library/python:3", "arm", "/base.tar")
    assert "linux/arm/v7" in recorder.commands[-2]


def test_podman_saves_by_its_own_command(monkeypatch, tmp_path):
    recorder = Recorder(monkeypatch)
    builders.OwnStorage("podman", str(tmp_path)).pull("docker.io/library/python:3", "arm64", "/out.tar")
    assert "save" in recorder.commands[-1] and recorder.commands[-1][-2:] == ["/out.tar", "docker.io/library/python:3"]


def test_docker_takes_out_again_what_it_put_in(monkeypatch):
    recorder = Recorder(monkeypatch, stdout="Loaded image: localhost/base:1\n")
    builder = builders.Docker()
    builder.build("/context", "/base.tar", "arm64", "localhost/lantern:1", "/out.tar")
    builder.close()
    assert "BASE_IMAGE=localhost/base:1" in recorder.commands[1] and "linux/arm64" in recorder.commands[1]
    assert recorder.commands[-1] == ["docker", "image", "rm", "localhost/base:1", "localhost/lantern:1"]


def test_a_failing_program_is_quoted_briefly(monkeypatch):
    Recorder(monkeypatch, status=125, stderr="\n".join(f"line {i}" for i in range(9)))
    with pytest.raises(ImageError, match="^.buildah. ended with 125: line 5; line 6; line 7; line 8$"):
        builders.run(["/usr/bin/buildah", "pull"])


def test_the_first_installed_program_is_used(monkeypatch):
    monkeypatch.setattr(builders.shutil, "which", lambda name: name == "docker")
    assert builders.choose("auto") == "docker"
    with pytest.raises(ImageError, match="No podman is on the machine.*apt install buildah"):
        builders.choose("podman")
