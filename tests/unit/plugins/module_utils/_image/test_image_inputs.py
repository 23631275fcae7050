# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the image is made from: source and tag, lock and wheels, archives."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._image import archive, source, wheels
from ansible_collections.homelab.lantern.plugins.module_utils._image.errors import ImageError

TWO = "two pool/main/t/two/python3-two_2.0-1_armhf.deb " + 64 * "0"


@pytest.fixture
def speaker(tmp_path):
    """A source directory with a link out of it, as the real one has."""
    package = tmp_path / "speaker" / "src" / "lantern"
    (package / "pools").mkdir(parents=True)
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "x.pyc").write_bytes(b"generated")
    (package / "__init__.py").write_text('__version__ = "1.2.3"\n')
    shared = tmp_path / "shared.py"
    shared.write_text("SHARED = 1\n")
    (package / "pools" / "ranges.py").symlink_to("../../../../shared.py")
    (tmp_path / "speaker" / "Containerfile").write_text("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n")
    (tmp_path / "speaker" / "requirements.lock").write_text("one==1.0\ntwo==2.0\n")
    (tmp_path / "speaker" / "debian-arm.lock").write_text(f"python 3.14\nsnapshot 20260102T030405Z\n{TWO}\n")
    return tmp_path / "speaker"


def write_archive(path, architecture="amd64", names=("localhost/base:1",)):
    config = json.dumps({"architecture": architecture}).encode()
    manifest = json.dumps([{"Config": "c.json", "RepoTags": list(names), "Layers": ["l.tar"]}]).encode()
    with tarfile.open(path, "w") as tar:
        for name, content in (("c.json", config), ("manifest.json", manifest)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return str(path)


def test_the_same_inputs_give_the_same_tag_and_any_change_another(speaker):
    tag = source.Source(str(speaker)).tag("base")
    assert tag.startswith("1.2.3-") and len(tag) == len("1.2.3-") + 12
    assert source.Source(str(speaker)).tag("base") == tag
    tags = {tag, source.Source(str(speaker)).tag("other base")}
    changes = {
        speaker / "requirements.lock": "one==1.1\n",
        speaker / "debian-arm.lock": "python 3.15\n",
        speaker / "Containerfile": "FROM scratch\n",
        speaker.parent / "shared.py": "SHARED = 2\n",
    }
    for path, text in changes.items():
        path.write_text(text)
        tags.add(source.Source(str(speaker)).tag("base"))
    assert len(tags) == 6


def test_generated_files_do_not_count(speaker):
    tag = source.Source(str(speaker)).tag("base")
    (speaker / "src" / "lantern" / "__pycache__" / "y.pyc").write_bytes(b"more")
    assert source.Source(str(speaker)).tag("base") == tag


def test_links_become_files(speaker, tmp_path):
    target = tmp_path / "site"
    source.Source(str(speaker)).copy_package(str(target))
    assert sorted(path.relative_to(target).as_posix() for path in target.rglob("*.*")) == [
        "__init__.py",
        "pools/ranges.py",
    ]
    copied = target / "pools" / "ranges.py"
    assert not copied.is_symlink() and copied.read_text() == "SHARED = 1\n"


def test_an_incomplete_source_is_named(speaker):
    (speaker / "requirements.lock").unlink()
    with pytest.raises(ImageError, match=r"lacks .*requirements\.lock: install the collection again"):
        source.Source(str(speaker))


def test_a_source_without_version_is_named(speaker):
    (speaker / "src" / "lantern" / "__init__.py").write_text("")
    with pytest.raises(ImageError, match="states no __version__"):
        source.Source(str(speaker)).version()


def test_the_base_is_its_reference_or_the_contents_of_its_archives(tmp_path):
    assert source.base_identity(["docker.io/library/python:3", "python:arm"], None) == (
        "docker.io/library/python:3 python:arm"
    )
    pattern = str(tmp_path / "base-{arch}.tar")
    with pytest.raises(ImageError, match=r"base-amd64.tar or .*base-arm.tar or .*base-arm64.tar, does not exist"):
        source.base_identity(["x"], pattern)
    write_archive(tmp_path / "base-amd64.tar")
    one = source.base_identity(["x"], pattern)
    write_archive(tmp_path / "base-arm64.tar", "arm64")
    both = source.base_identity(["x"], pattern)
    assert one in both and both != one
    single = write_archive(tmp_path / "single.tar")
    assert source.base_identity(["x"], single) == one


def test_archive(tmp_path):
    contents = archive.read(write_archive(tmp_path / "a.tar", "arm64"))
    assert (contents.names, contents.architecture, contents.layers) == (["localhost/base:1"], "arm64", ["l.tar"])
    assert len(contents.digest) == 64
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(ImageError, match="text is not an image archive"):
        archive.read(str(tmp_path / "text"))
    with tarfile.open(tmp_path / "empty.tar", "w"):
        pass
    with pytest.raises(ImageError, match="is not an image archive"):
        archive.read(str(tmp_path / "empty.tar"))


LOCK = """\
--index-url https://pypi.example
# comment
ruamel.yaml==0.18 \\
    --hash=sha256:00 \\
    --hash=sha256:11
    # via nothing
typing-extensions==4.1 ; python_version < "3.12"
msgspec[yaml]==0.22.0
"""


def test_pins(tmp_path):
    lock = tmp_path / "lock"
    lock.write_text(LOCK)
    assert wheels.Lock(str(lock)).pins() == [
        ("ruamel.yaml", "0.18"),
        ("typing-extensions", "4.1"),
        ("msgspec", "0.22.0"),
    ]
    assert [pin.name for pin in wheels.Lock(str(lock), ["Ruamel-YAML", "msgspec"]).pins()] == ["typing-extensions"]
    lock.write_text("loose>=1\n")
    with pytest.raises(ImageError, match="'loose>=1' is not pinned"):
        wheels.Lock(str(lock)).pins()


def test_missing_wheels_by_normalized_name_and_exact_version(tmp_path):
    lock, folder = tmp_path / "lock", tmp_path / "wheels"
    lock.write_text(LOCK)
    assert len(wheels.missing(wheels.Lock(str(lock)), str(folder))) == 3
    folder.mkdir()
    (folder / "ruamel_yaml-0.18-py3-none-any.whl").touch()
    (folder / "Typing_Extensions-4.1-py3-none-any.whl").touch()
    (folder / "msgspec-0.21.0-cp311-cp311-manylinux2014_aarch64.whl").touch()
    assert [pin.name for pin in wheels.missing(wheels.Lock(str(lock)), str(folder))] == ["msgspec"]


def test_foreign_wheels_are_asked_for_with_every_suitable_platform():
    options = wheels.platform_options("arm64", "3.11")
    platforms = [options[i + 1] for i, option in enumerate(options) if option == "--platform"]
    assert "manylinux_2_17_aarch64" in platforms and "manylinux2014_aarch64" in platforms
    assert "manylinux_2_36_aarch64" in platforms and "manylinux_2_37_aarch64" not in platforms
    assert options[options.index("--only-binary") + 1] == ":all:"


def fake_pip(monkeypatch, status, stderr=""):
    commands = []

    def run(command, **_options):
        commands.append(command)
        if command[-1] == "--version":
            return subprocess.CompletedProcess(command, 0, "pip", "")
        return subprocess.CompletedProcess(command, status, "", stderr)

    monkeypatch.setattr(wheels.subprocess, "run", run)
    return commands


def test_nothing_is_downloaded_that_is_there(tmp_path, monkeypatch):
    commands = fake_pip(monkeypatch, 0)
    (tmp_path / "lock").write_text("one==1.0\n")
    (tmp_path / "one-1.0-py3-none-any.whl").touch()
    assert wheels.download(wheels.Lock(str(tmp_path / "lock")), str(tmp_path), "arm64", "3.11") is False
    assert commands == []


def test_pip_is_given_the_lines_that_count_with_their_hashes(tmp_path, monkeypatch):
    (tmp_path / "lock").write_text(LOCK)
    seen = []

    def run(command, **_options):
        if "-r" in command:
            with open(command[command.index("-r") + 1], encoding="utf-8") as stream:
                seen.append(stream.read())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(wheels.subprocess, "run", run)
    lock = wheels.Lock(str(tmp_path / "lock"), ["msgspec", "typing_extensions"])
    assert wheels.download(lock, str(tmp_path / "w"), "arm", "3.14") is True
    (given,) = seen
    assert given.split() == ["ruamel.yaml==0.18", "--hash=sha256:00", "--hash=sha256:11"]


def test_a_failed_download_names_packages_cause_and_remedy(tmp_path, monkeypatch):
    fake_pip(monkeypatch, 1, "WARNING: x\nERROR: No matching distribution found for one==1.0\n")
    (tmp_path / "lock").write_text("one==1.0\n")
    with pytest.raises(ImageError) as caught:
        wheels.download(wheels.Lock(str(tmp_path / "lock")), str(tmp_path / "w"), "arm64", "3.11")
    text = str(caught.value)
    assert "for arm64 cannot be downloaded (one 1.0)" in text
    assert "No matching distribution" in text and "WARNING" not in text
    assert "playbooks/fetch.yml" in text


def test_without_pip_the_remedy_is_told(tmp_path, monkeypatch):
    def run(command, **_options):
        return subprocess.CompletedProcess(command, 1, "", "No module named pip")

    monkeypatch.setattr(wheels.subprocess, "run", run)
    monkeypatch.setattr(wheels.shutil, "which", lambda _name: None)
    (tmp_path / "lock").write_text("one==1.0\n")
    with pytest.raises(ImageError, match="there is no pip .*python3-pip"):
        wheels.download(wheels.Lock(str(tmp_path / "lock")), str(tmp_path / "w"), "amd64", "3.11")
    assert not os.listdir(tmp_path / "w")
