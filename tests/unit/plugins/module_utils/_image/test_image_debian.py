# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of Debian in place of wheels: the lock, mirrors that lack or change something, what is unpacked."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import tarfile
import threading

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._image import debian
from ansible_collections.homelab.lantern.plugins.module_utils._image.errors import ImageError

PYTHON = "./usr/lib/python3/dist-packages/"


def package(files, compression="xz"):
    """A package as deb(5) describes it; odd sizes are padded as ar(5) demands."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=f"w:{compression}") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    members = [("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"), (f"data.tar.{compression}", data.getvalue())]
    whole = b"!<arch>\n"
    for name, content in members:
        whole += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content
        whole += b"\n" * (len(content) % 2)
    return whole


def lock_of(**contents):
    packages = [
        debian.Package(name, f"pool/main/{name[0]}/python3-{name}_1_armhf.deb", hashlib.sha256(content).hexdigest())
        for name, content in contents.items()
    ]
    return debian.Lock("3.14", "20260102T030405Z", packages)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments):
        pass


@pytest.fixture
def served(tmp_path):
    """A folder, and the URL that it is served at."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def put(folder, lock, content):
    place = folder / lock.packages[0].path
    place.parent.mkdir(parents=True)
    place.write_bytes(content)


def test_the_lock(tmp_path):
    lock = tmp_path / "debian-arm.lock"
    digest = 64 * "a"
    lock.write_text(f"# about it\npython 3.14\nsnapshot 20260102T030405Z\nmsgspec pool/m/x_armhf.deb {digest}\n")
    read = debian.read(str(lock))
    assert (read.python, read.snapshot) == ("3.14", "20260102T030405Z")
    assert read.packages == [debian.Package("msgspec", "pool/m/x_armhf.deb", digest)]
    assert read.packages[0].file == "x_armhf.deb" and read.requirements() == ["msgspec"]


@pytest.mark.parametrize(
    "text, told",
    [
        ("python 3.14\nsnapshot now\nmsgspec x.deb short\n", "'msgspec x.deb short' cannot be read"),
        ("python 3.14\nmsgspec x.deb " + 64 * "a" + "\n", "names no Python, no snapshot or no package"),
        ("python 3.14\nsnapshot now\n", "no package"),
    ],
)
def test_a_lock_that_cannot_be_used(tmp_path, text, told):
    (tmp_path / "lock").write_text(text)
    with pytest.raises(ImageError, match=told):
        debian.read(str(tmp_path / "lock"))


def test_a_package_is_fetched_once_from_the_first_mirror_that_has_it(tmp_path, served):
    content = package({})
    lock, (folder, url), cache = lock_of(one=content), served, str(tmp_path / "cache")
    put(folder / lock.snapshot, lock, content)
    assert debian.missing(lock, cache) == lock.packages
    debian.download(lock, cache, [url, url + "/{snapshot}/"])
    assert debian.missing(lock, cache) == []
    debian.download(lock, cache, ["http://127.0.0.1:9/"])  # nobody is asked
    (tmp_path / "cache" / "python3-one_1_armhf.deb").write_bytes(b"half")
    assert debian.missing(lock, cache) == lock.packages


def test_what_every_mirror_said_is_told_and_nothing_wrong_is_kept(tmp_path, served):
    lock, (folder, url), cache = lock_of(one=package({})), served, tmp_path / "cache"
    put(folder / "changed", lock, b"something else")
    with pytest.raises(ImageError) as caught:
        debian.download(lock, str(cache), [url, url + "/changed", "http://127.0.0.1:9"])
    text = str(caught.value)
    assert "python3-one_1_armhf.deb for 32-bit ARM cannot be downloaded" in text
    assert "404" in text and "its digest is" in text and "refused" in text
    assert "playbooks/fetch.yml" in text and "deploy_debian_mirrors" in text
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("compression", ["xz", "gz"])
def test_only_what_python_imports_is_unpacked(tmp_path, compression):
    content = package(
        {
            f"{PYTHON}one/__init__.py": b"1",
            f"{PYTHON}one/_core.cpython-314-arm-linux-gnueabihf.so": b"\x7fELF",
            f"{PYTHON}../../../outside": b"no",
            "./usr/share/doc/python3-one/copyright": b"no",
        },
        compression,
    )
    lock = lock_of(one=content)
    (tmp_path / lock.packages[0].file).write_bytes(content)
    debian.unpack(lock, str(tmp_path), str(tmp_path / "site"))
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".deb"]
    assert sorted(path.relative_to(tmp_path).as_posix() for path in files) == [
        "site/one/__init__.py",
        "site/one/_core.cpython-314-arm-linux-gnueabihf.so",
    ]


@pytest.mark.parametrize("content", [b"text", b"!<arch>\n", package({})[:240]])
def test_a_damaged_package_is_named(tmp_path, content):
    lock = lock_of(one=content)
    (tmp_path / lock.packages[0].file).write_bytes(content)
    with pytest.raises(ImageError, match="python3-one_1_armhf.deb is no package that can be unpacked.*Delete it"):
        debian.unpack(lock, str(tmp_path), str(tmp_path / "site"))
