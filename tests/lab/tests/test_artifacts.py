# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The download of the official releases, against a mirror on this machine."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import socket
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from homelab import artifacts
from homelab.shell import LabError


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder laid out as both release sites are, served on the loopback interface."""
    folder = tmp_path / "mirror"
    binaries = folder / artifacts.KUBERNETES_VERSION / "bin/linux" / artifacts.architecture()
    binaries.mkdir(parents=True)
    for program in artifacts.PROGRAMS:
        (binaries / program).write_text(f"#!/bin/sh\necho {program}\n")
        (binaries / f"{program}.sha256").write_text(hashlib.sha256((binaries / program).read_bytes()).hexdigest())
    name = f"etcd-{artifacts.ETCD_VERSION}-linux-{artifacts.architecture()}"
    release = folder / artifacts.ETCD_VERSION
    release.mkdir()
    with tarfile.open(release / f"{name}.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo(f"{name}/etcd")
        member.size = 4
        tar.addfile(member, io.BytesIO(b"etcd"))
    digest = hashlib.sha256((release / f"{name}.tar.gz").read_bytes()).hexdigest()
    (release / "SHA256SUMS").write_text(f"{digest}  {name}.tar.gz\n")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(artifacts, "KUBERNETES_MIRROR", url)
        monkeypatch.setattr(artifacts, "ETCD_MIRROR", url)
        monkeypatch.setenv("LANTERN_CACHE", str(tmp_path / "cache"))
        yield folder
        server.shutdown()


def test_all_programs_arrive_and_can_be_run(mirror: Path) -> None:
    folder = artifacts.kubernetes()
    assert {file.name for file in folder.iterdir()} == {*artifacts.PROGRAMS, "etcd"}
    assert all(file.stat().st_mode & 0o111 for file in folder.iterdir())
    assert (folder / "etcd").read_bytes() == b"etcd"
    assert artifacts.kubernetes() == folder, "the second time it comes from the cache"


def test_a_damaged_download_is_refused_and_not_kept(mirror: Path) -> None:
    broken = mirror / artifacts.KUBERNETES_VERSION / "bin/linux" / artifacts.architecture() / "kubelet"
    broken.write_text("not what the release says")
    with pytest.raises(LabError, match=r"kubelet: checksum is .*the release says"):
        artifacts.kubernetes()
    broken.write_text("#!/bin/sh\necho kubelet\n")
    assert (artifacts.kubernetes() / "kubelet").exists()


def test_a_site_that_never_answers_is_given_up_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(artifacts, "FIRST_ANSWER_SECONDS", 0.5)
        started = time.monotonic()
        assert not artifacts._reachable(f"http://127.0.0.1:{silent.getsockname()[1]}/kubeadm.sha256")
        assert time.monotonic() - started < 5


def test_the_modules_that_are_not_in_the_download_are_replaced_by_published_ones() -> None:
    published = (
        "module k8s.io/kubernetes\n\nrequire (\n\tk8s.io/api v0.0.0\n)\n\nreplace (\n"
        "\tk8s.io/api => ./staging/src/k8s.io/api\n)\n"
    )
    text = artifacts._go_mod(published)
    assert f"k8s.io/kubernetes {artifacts.KUBERNETES_VERSION}" in text
    assert f"k8s.io/api => k8s.io/api v0{artifacts.KUBERNETES_VERSION[2:]}" in text
    assert "staging" not in text
