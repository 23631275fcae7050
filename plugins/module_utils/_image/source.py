# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the image is made from, and the tag that follows from it. PRIVATE to the homelab.lantern collection."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import typing as t

from . import archive
from .errors import ImageError

IMAGE = "localhost/lantern"
CONTAINERFILE = "Containerfile"
LOCK = "requirements.lock"
DEBIAN_LOCK = "debian-arm.lock"
PACKAGE = os.path.join("src", "lantern")
# By the names that container images and Kubernetes use. arm is 32 bits, ARMv7 or later; Debian calls it armhf.
ARCHITECTURES = ("amd64", "arm64", "arm")
HASH_DIGITS = 12


class Source:
    """The directory speaker/ of a clone or of the installed collection. Links in it are followed everywhere."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self.containerfile = os.path.join(self.path, CONTAINERFILE)
        self.lock = os.path.join(self.path, LOCK)
        self.debian_lock = os.path.join(self.path, DEBIAN_LOCK)
        self.package = os.path.join(self.path, PACKAGE)
        for wanted in (self.containerfile, self.lock, self.debian_lock, os.path.join(self.package, "__init__.py")):
            if not os.path.exists(wanted):
                raise ImageError(
                    f"The source of the image lacks {wanted}: install the collection again, or point deploy_source at "
                    "the directory speaker/ of a complete checkout."
                )

    def files(self) -> list[str]:
        """Paths of the package's files relative to `package`, sorted; nothing that Python generates."""
        found = []
        for folder, folders, names in os.walk(self.package, followlinks=True):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            for name in names:
                if not name.endswith((".pyc", ".pyo")):
                    found.append(os.path.relpath(os.path.join(folder, name), self.package))
        return sorted(found)

    def version(self) -> str:
        """The program's version as its package states it."""
        init = os.path.join(self.package, "__init__.py")
        with open(init, encoding="utf-8") as stream:
            found = re.search(r"^__version__ = [\"']([^\"']+)[\"']", stream.read(), re.MULTILINE)
        if found is None:
            raise ImageError(f"{init} states no __version__: install the collection again.")
        return found.group(1)

    def copy_package(self, target: str) -> None:
        """Copy the package to `target` as plain files."""
        for relative in self.files():
            place = os.path.join(target, relative)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            shutil.copyfile(os.path.join(self.package, relative), place)

    def digest(self, base: str) -> str:
        """A digest of all that the image is made from; `base` identifies the base image."""
        total = hashlib.sha256(base.encode())
        named = [(CONTAINERFILE, self.containerfile), (LOCK, self.lock), (DEBIAN_LOCK, self.debian_lock)]
        named += [(os.path.join(PACKAGE, name), os.path.join(self.package, name)) for name in self.files()]
        for name, path in named:
            with open(path, "rb") as stream:
                content = hashlib.sha256(stream.read()).hexdigest()
            total.update(f"\n{name} {content}".encode())
        return total.hexdigest()

    def tag(self, base: str) -> str:
        """`0.1.0-0123456789ab`: the same inputs give the same tag on every machine."""
        return f"{self.version()}-{self.digest(base)[:HASH_DIGITS]}"


def base_archive_for(pattern: str, architecture: str) -> str:
    """The path of the base image's archive for an architecture; `{arch}` in the pattern stands for it."""
    return os.path.expanduser(pattern.replace("{arch}", architecture))


def base_identity(images: t.Iterable[str], pattern: str | None) -> str:
    """What stands for the base images in the tag: their references, or the digests of the archives given instead.

    All architectures share one tag, as a DaemonSet has one image for all nodes: every archive that exists counts,
    whichever architectures the nodes have today.
    """
    if not pattern:
        return " ".join(dict.fromkeys(images))
    paths = sorted({base_archive_for(pattern, architecture) for architecture in ARCHITECTURES})
    present = [path for path in paths if os.path.exists(path)]
    if not present:
        raise ImageError(
            f"The archive of the base image, {' or '.join(paths)}, does not exist: correct deploy_base_image_archive."
        )
    return " ".join(archive.read(path).digest for path in present)
