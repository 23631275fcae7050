# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images pushed to a real registry, and fetched from it for each architecture."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._image import archive, builders, publishing
from ansible_collections.homelab.lantern.plugins.module_utils._image.errors import ImageError
from conftest import ARCHITECTURES, write_base
from homelab import rootfs

NAME = "localhost/test-base:1"
SETTINGS = """version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """The lab's registry program, here on the loopback interface: it speaks plain HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = tmp_path / "registry.yml"
    settings.write_text(SETTINGS.format(folder=tmp_path, port=port))
    program = rootfs.host() / "usr/bin/docker-registry"
    with (tmp_path / "log").open("w") as log:
        daemon = subprocess.Popen([program, "serve", settings], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 20
        while not _answers(port):
            assert daemon.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        daemon.terminate()
        daemon.wait(10)


@pytest.fixture
def images(tmp_path: Path) -> dict[str, str]:
    for architecture in ARCHITECTURES:
        write_base(tmp_path / f"{architecture}.tar", architecture)
    return {architecture: str(tmp_path / f"{architecture}.tar") for architecture in ARCHITECTURES}


@pytest.fixture(params=builders.ORDER)
def program(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name = str(request.param)
    if name == "docker":
        monkeypatch.setenv("DOCKER_HOST", request.getfixturevalue("docker_host"))
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    return name


def test_all_architectures_lie_under_one_name(
    program: str, registry: str, images: dict[str, str], tmp_path: Path
) -> None:
    wanted = publishing.address(f"{registry}/home", "0.1.0-abc", secure=False)
    assert wanted.name == f"{registry}/home/lantern:0.1.0-abc"
    cache = str(tmp_path / "cache")
    Path(cache).mkdir()
    assert publishing.lacks(program, cache, wanted, ARCHITECTURES)
    one = {"amd64": images["amd64"]}
    publishing.publish(program, cache, wanted, NAME, one)
    assert not publishing.lacks(program, cache, wanted, ["amd64"])
    assert publishing.lacks(program, cache, wanted, ARCHITECTURES), "a node with another processor has come"
    publishing.publish(program, cache, wanted, NAME, images)
    assert not publishing.lacks(program, cache, wanted, ARCHITECTURES)
    for architecture in ARCHITECTURES:
        target = tmp_path / f"fetched-{architecture}.tar"
        options = ["--src-tls-verify=false", "--override-os=linux", f"--override-arch={architecture}"]
        if variant := builders.VARIANTS.get(architecture):
            options.append(f"--override-variant={variant}")
        subprocess.run(
            ["skopeo", "copy", "--quiet", *options, f"docker://{wanted.name}", f"docker-archive:{target}"], check=True
        )
        assert archive.read(str(target)).digest == archive.read(images[architecture]).digest
    assert [path for path in Path(cache).iterdir() if path.name.startswith("storage-")] == []


def test_a_registry_that_does_not_take_it_is_named_with_the_remedy(
    program: str, images: dict[str, str], tmp_path: Path
) -> None:
    wanted = publishing.address("127.0.0.1:9", "1", secure=False)
    with pytest.raises(ImageError, match=rf"pushed to 127.0.0.1:9/lantern:1: .*{program} login 127.0.0.1:9"):
        publishing.publish(program, str(tmp_path), wanted, NAME, images)


@pytest.mark.parametrize("named", ["http://registry.home:5000", "registry home"])
def test_what_is_no_registry_is_refused(named: str) -> None:
    with pytest.raises(ImageError, match="names no registry: write its host"):
        publishing.address(named, "1", secure=True)


def test_what_a_registry_tells() -> None:
    several = '{"manifests": [{"platform": {"architecture": "arm64", "os": "linux"}}, {"platform": null}]}'
    assert publishing.architectures(several) == {"arm64", ""}
    assert publishing.architectures('{"schemaVersion": 2, "layers": []}') == set()
    assert publishing.architectures("no json") == set()
