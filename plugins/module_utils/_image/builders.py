# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""podman, buildah or docker: load a base image, build, save, pull. PRIVATE to the homelab.lantern collection.

podman and buildah work in a storage of their own below the cache, removed afterwards: the user's images stay untouched,
and no special file system is needed. docker has one storage only; what is put there is taken out again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import typing as t

from .errors import ImageError

ORDER = ("podman", "buildah", "docker")
# What an image index tells besides the architecture (OCI image specification, "Platform Variants").
VARIANTS = {"arm": "v7"}


class Builder(t.Protocol):
    """What making.py needs of a program."""

    def build(self, context: str, base_archive: str, architecture: str, name: str, target: str) -> None:
        """Build `context` on the image in `base_archive`, name it `name`, save it as docker-archive `target`."""

    def pull(self, image: str, architecture: str, target: str) -> None:
        """Fetch `image` for an architecture from its registry and save it as docker-archive `target`."""

    def close(self) -> None:
        """Leave nothing behind."""


def choose(wanted: str) -> str:
    """The program to use: `wanted`, or for `auto` the first of ORDER on PATH. ImageError if there is none."""
    candidates = ORDER if wanted == "auto" else (wanted,)
    for name in candidates:
        if shutil.which(name):
            return name
    raise ImageError(
        f"No {' or '.join(candidates)} is on the machine that runs Ansible, and one is needed to build Lantern's "
        "image: "
        "install buildah or podman there (apt install buildah), or set deploy_image to an image in a registry."
    )


def opened(name: str, cache_dir: str) -> Builder:
    """A Builder that uses the program `name`."""
    return Docker() if name == "docker" else OwnStorage(name, cache_dir)


def run(command: list[str]) -> str:
    """The command's output; ImageError with the last lines of its complaints if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        told = "; ".join(lines[-4:]) or "it says nothing"
        raise ImageError(f"`{os.path.basename(command[0])}` ended with {done.returncode}: {told}")
    return done.stdout


def _platform(architecture: str) -> list[str]:
    """podman's and buildah's options for an architecture."""
    variant = VARIANTS.get(architecture)
    return ["--arch", architecture, *(["--variant", variant] if variant else [])]


def _docker_platform(architecture: str) -> str:
    variant = VARIANTS.get(architecture)
    return f"linux/{architecture}" + (f"/{variant}" if variant else "")


class OwnStorage:
    """podman and buildah, which take almost the same arguments."""

    def __init__(self, program: str, cache_dir: str) -> None:
        os.makedirs(cache_dir, exist_ok=True)
        self.program = program
        self.storage = tempfile.mkdtemp(prefix="storage-", dir=cache_dir)
        # vfs copies whole layers, but works everywhere: in containers, on overlay file systems, without root.
        options = ["--root", f"{self.storage}/root", "--runroot", f"{self.storage}/run", "--storage-driver", "vfs"]
        self.command = [program, *options]

    def build(self, context: str, base_archive: str, architecture: str, name: str, target: str) -> None:
        base = run([*self.command, "pull", "--quiet", f"docker-archive:{base_archive}"]).split()[-1]
        options = ["--isolation", "chroot", *_platform(architecture), "--pull=never", "--timestamp", "0"]
        options += ["--build-arg", f"BASE_IMAGE={base}", "--tag", name, "--file", f"{context}/Containerfile"]
        run([*self.command, "build", *options, context])
        self._save(name, target)

    def pull(self, image: str, architecture: str, target: str) -> None:
        run([*self.command, "pull", "--quiet", *_platform(architecture), f"docker://{image}"])
        self._save(image, target)

    def _save(self, name: str, target: str) -> None:
        if self.program == "podman":
            run([*self.command, "save", "--quiet", "--format", "docker-archive", "--output", target, name])
        else:
            run([*self.command, "push", "--quiet", name, f"docker-archive:{target}:{name}"])

    def close(self) -> None:
        if os.geteuid() == 0:
            shutil.rmtree(self.storage, ignore_errors=True)
        else:  # files in it belong to user ids that only the user namespace may remove
            subprocess.run([self.program, "unshare", "rm", "-rf", self.storage], capture_output=True, check=False)


class Docker:
    """docker, in its only storage."""

    def __init__(self) -> None:
        self.loaded: list[str] = []

    def build(self, context: str, base_archive: str, architecture: str, name: str, target: str) -> None:
        answer = run(["docker", "load", "--quiet", "--input", base_archive]).strip()
        base = answer.split(": ", 1)[-1]
        self.loaded += [base, name]
        options = ["--platform", _docker_platform(architecture), "--build-arg", f"BASE_IMAGE={base}", "--tag", name]
        run(["docker", "build", "--quiet", *options, "--file", f"{context}/Containerfile", context])
        run(["docker", "save", "--output", target, name])

    def pull(self, image: str, architecture: str, target: str) -> None:
        run(["docker", "pull", "--quiet", "--platform", _docker_platform(architecture), image])
        self.loaded.append(image)
        run(["docker", "save", "--output", target, image])

    def close(self) -> None:
        if self.loaded:
            subprocess.run(["docker", "image", "rm", *self.loaded], capture_output=True, check=False)
