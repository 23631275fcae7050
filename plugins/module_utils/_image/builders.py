# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""podman, buildah or docker: load a base image, build, save, pull, publish. PRIVATE to homelab.lantern.

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
# What the images of all architectures are gathered under; the storage is removed afterwards.
INDEX = "localhost/lantern-index"


class Address(t.NamedTuple):
    """An image in a registry. `secure`: by TLS with a certificate that this machine trusts."""

    name: str
    secure: bool = True

    @property
    def host(self) -> str:
        """The registry's host and port."""
        return self.name.partition("/")[0]


class Builder(t.Protocol):
    """What making.py needs of a program."""

    def build(self, context: str, base_archive: str, architecture: str, name: str, target: str) -> None:
        """Build `context` on the image in `base_archive`, name it `name`, save it as docker-archive `target`."""

    def pull(self, image: str, architecture: str, target: str) -> None:
        """Fetch `image` for an architecture from its registry and save it as docker-archive `target`."""

    def publish(self, archives: t.Mapping[str, str], name: str, address: Address) -> None:
        """Push the images in archives, by architecture and each called `name`, as one image for all of them."""

    def published(self, address: Address) -> str:
        """The registry's manifest for an address; ImageError if it has none, or does not answer."""

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


def run(command: list[str], **environment: str) -> str:
    """The command's output; ImageError with the last lines of its complaints if it fails."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment} if environment else None
    )
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
        # Sockets lie in it, so podman refuses one whose path is longer than 50 characters.
        self.state = tempfile.mkdtemp(prefix="lantern-")
        # vfs copies whole layers, but works everywhere: in containers, on overlay file systems, without root.
        options = ["--root", f"{self.storage}/root", "--runroot", self.state, "--storage-driver", "vfs"]
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

    def publish(self, archives: t.Mapping[str, str], name: str, address: Address) -> None:
        run([*self.command, "manifest", "create", INDEX])
        for archive in archives.values():
            run([*self.command, "manifest", "add", INDEX, f"docker-archive:{archive}"])
        options = ["--all", *([] if address.secure else ["--tls-verify=false"])]
        run([*self.command, "manifest", "push", *options, INDEX, f"docker://{address.name}"])

    def published(self, address: Address) -> str:
        asked = ["manifest", "inspect", address.name]
        if address.secure:
            return run([*self.command, *asked])
        # Older versions have no --tls-verify here; one looks at the option, the other at the environment.
        settings = os.path.join(self.state, "registries.conf")
        with open(settings, "w", encoding="utf-8") as stream:
            stream.write(f'[[registry]]\nlocation = "{address.host}"\ninsecure = true\n')
        options = ["--registries-conf", settings] if self.program == "buildah" else []
        return run([*self.command, *options, *asked], CONTAINERS_REGISTRIES_CONF=settings)

    def _save(self, name: str, target: str) -> None:
        if self.program == "podman":
            run([*self.command, "save", "--quiet", "--format", "docker-archive", "--output", target, name])
        else:
            run([*self.command, "push", "--quiet", name, f"docker-archive:{target}:{name}"])

    def close(self) -> None:
        folders = [self.storage, self.state]
        if os.geteuid() == 0:
            for folder in folders:
                shutil.rmtree(folder, ignore_errors=True)
        else:  # files in them belong to user ids that only the user namespace may remove
            subprocess.run([self.program, "unshare", "rm", "-rf", *folders], capture_output=True, check=False)


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

    def publish(self, archives: t.Mapping[str, str], name: str, address: Address) -> None:
        insecure = [] if address.secure else ["--insecure"]
        parts = []
        for architecture, archive in archives.items():
            part = f"{address.name}-{architecture}"
            run(["docker", "load", "--quiet", "--input", archive])
            run(["docker", "tag", name, part])
            self.loaded += [name, part]
            run(["docker", "push", "--quiet", part])
            parts.append(part)
        run(["docker", "manifest", "create", *insecure, address.name, *parts])
        run(["docker", "manifest", "push", "--purge", *insecure, address.name])

    def published(self, address: Address) -> str:
        return run(["docker", "manifest", "inspect", *([] if address.secure else ["--insecure"]), address.name])

    def close(self) -> None:
        if self.loaded:
            subprocess.run(["docker", "image", "rm", *self.loaded], capture_output=True, check=False)
