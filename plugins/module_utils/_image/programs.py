# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to say to the program that manages a node's images, and what its answers mean. PRIVATE, pure.

containerd by ctr, docker by docker. CRI-O imports nothing itself: its images lie in the store that podman, skopeo and
buildah share with it, and crictl tells what it sees there.
"""

from __future__ import annotations

import json
import os
import typing as t


class Stored(t.NamedTuple):
    """One name of an image in a node's store, and what stands for the image."""

    name: str
    digest: str


class Program(t.Protocol):
    """Commands about a node's images. `title` is the runtime's name for people."""

    title: str

    def listing(self) -> list[str]:
        """The command whose output stored() understands."""

    def stored(self, output: str) -> list[Stored]:
        """Every name in the store."""

    def loading(self, archive: str, name: str) -> list[str]:
        """The command that imports a docker-archive, in which the image is called `name`."""

    def removing(self, names: list[str]) -> list[str]:
        """The command that removes these names."""


class Ctr:
    """containerd's ctr, which works on the store alone."""

    title = "containerd"

    def __init__(self, command: list[str]) -> None:
        self.command = command

    def listing(self) -> list[str]:
        return [*self.command, "images", "list"]

    def stored(self, output: str) -> list[Stored]:
        cells = [line.split() for line in output.splitlines()[1:]]
        return [Stored(one[0], one[2]) for one in cells if len(one) > 2]

    def loading(self, archive: str, name: str) -> list[str]:
        return [*self.command, "images", "import", archive]

    def removing(self, names: list[str]) -> list[str]:
        return [*self.command, "images", "remove", *names]


class Docker:
    """docker, which Kubernetes uses by cri-dockerd."""

    title = "docker"

    def __init__(self, command: list[str]) -> None:
        self.command = command

    def listing(self) -> list[str]:
        return [*self.command, "image", "ls", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"]

    def stored(self, output: str) -> list[Stored]:
        pairs = [line.split() for line in output.splitlines()]
        return [Stored(name, digest) for name, digest in pairs if "<none>" not in name]

    def loading(self, archive: str, name: str) -> list[str]:
        return [*self.command, "image", "load", "--quiet", "--input", archive]

    def removing(self, names: list[str]) -> list[str]:
        return [*self.command, "image", "rm", *names]


# What fills the store of podman, skopeo, buildah and CRI-O; {archive} and {name} are replaced.
LOADERS = {
    "podman": ("load", "--quiet", "--input", "{archive}"),
    "skopeo": ("copy", "--quiet", "docker-archive:{archive}", "containers-storage:{name}"),
    "buildah": ("pull", "--quiet", "docker-archive:{archive}"),
}


class Crictl:
    """CRI-O; `loader` is the path of one of LOADERS."""

    title = "CRI-O"

    def __init__(self, command: list[str], loader: str) -> None:
        self.command = command
        self.loader = loader

    def listing(self) -> list[str]:
        return [*self.command, "images", "--output", "json"]

    def stored(self, output: str) -> list[Stored]:
        images = json.loads(output).get("images") or []
        return [Stored(name, image["id"]) for image in images for name in image.get("repoTags") or []]

    def loading(self, archive: str, name: str) -> list[str]:
        words = LOADERS[os.path.basename(self.loader)]
        return [self.loader, *(word.format(archive=archive, name=name) for word in words)]

    def removing(self, names: list[str]) -> list[str]:
        return [*self.command, "rmi", *names]
