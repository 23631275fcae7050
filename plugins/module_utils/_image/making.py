# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps from source to image archives, each done once. PRIVATE to the homelab.lantern collection.

cache_dir/wheels/cp311-arm64/*.whl         by download
cache_dir/base/<image>-arm64.tar           by pull, unless archives are given
cache_dir/images/lantern-<tag>-arm64.tar   the result
"""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import shutil
import sys
import tempfile
import typing as t

from . import archive, builders, source, wheels
from .errors import ImageError


class Wish(t.NamedTuple):
    """What image is wanted, from what, and where everything is kept."""

    source: str
    cache_dir: str
    architectures: list[str]
    base_image: str
    base_image_archive: str | None
    builder: str
    python_version: str


class Plan(t.NamedTuple):
    """What follows from a Wish before anything is done. The mappings are by architecture."""

    source: source.Source
    name: str
    tag: str
    archives: dict[str, str]
    wheel_folders: dict[str, str]
    base_archives: dict[str, str]

    def unbuilt(self) -> list[str]:
        return [architecture for architecture, path in self.archives.items() if not os.path.exists(path)]


def plan(wish: Wish) -> Plan:
    """Names and paths; ImageError if the source is incomplete or a given archive does not fit."""
    found = source.Source(wish.source)
    tag = found.tag(source.base_identity(wish.base_image, wish.base_image_archive))
    python = "cp" + wish.python_version.replace(".", "")
    base_name = re.sub(r"[^A-Za-z0-9._-]+", "_", wish.base_image)
    base = {}
    for architecture in wish.architectures:
        if wish.base_image_archive:
            base[architecture] = source.base_archive_for(wish.base_image_archive, architecture)
        else:
            base[architecture] = os.path.join(wish.cache_dir, "base", f"{base_name}-{architecture}.tar")
    return Plan(
        source=found,
        name=f"{source.IMAGE}:{tag}",
        tag=tag,
        archives={a: os.path.join(wish.cache_dir, "images", f"lantern-{tag}-{a}.tar") for a in wish.architectures},
        wheel_folders={a: os.path.join(wish.cache_dir, "wheels", f"{python}-{a}") for a in wish.architectures},
        base_archives=base,
    )


def unfetched(wish: Wish, made: Plan) -> list[str]:
    """What would have to be downloaded before the images that are not built yet can be built."""
    lacking = []
    for architecture in made.unbuilt():
        if wheels.missing(made.source.lock, made.wheel_folders[architecture]):
            lacking.append(f"Python packages for {architecture}")
        if not os.path.exists(made.base_archives[architecture]):
            if wish.base_image_archive:
                raise ImageError(
                    f"The archive of the base image for {architecture}, {made.base_archives[architecture]}, does not "
                    "exist: correct deploy_base_image_archive ({arch} in it stands for the architecture)."
                )
            lacking.append(f"{wish.base_image} for {architecture}")
    return lacking


def fetch(wish: Wish, made: Plan) -> list[str]:
    """Download what is lacking; returns what was. ImageError naming the thing and what to do."""
    lacking = unfetched(wish, made)
    for architecture in made.unbuilt():
        wheels.download(made.source.lock, made.wheel_folders[architecture], architecture, wish.python_version)
        if not os.path.exists(made.base_archives[architecture]):
            _pull(wish, architecture, made.base_archives[architecture])
    return lacking


def build(wish: Wish, made: Plan) -> list[str]:
    """Build what is not built yet from what was fetched; returns the architectures. ImageError if that fails."""
    todo = made.unbuilt()
    if not todo:
        return []
    program = builders.choose(wish.builder)
    for architecture in todo:
        base = made.base_archives[architecture]
        actual = archive.read(base).architecture
        if actual != architecture:
            raise ImageError(
                f"The base image in {base} is for {actual or 'an unnamed architecture'}, but a node needs "
                f"{architecture}: "
                "give an archive for each architecture and write {arch} into deploy_base_image_archive."
            )
        _build_one(wish, made, architecture, base, program)
    return todo


def _build_one(wish: Wish, made: Plan, architecture: str, base: str, program: str) -> None:
    target = made.archives[architecture]
    os.makedirs(os.path.dirname(target), exist_ok=True)
    context = tempfile.mkdtemp(prefix="context-", dir=wish.cache_dir)
    builder = builders.opened(program, wish.cache_dir)
    part = f"{target}.part"
    try:
        fill_context(made, architecture, wish.python_version, context)
        _forget(part)
        builder.build(context, base, architecture, made.name, part)
        os.replace(part, target)
    except ImageError as exc:
        raise ImageError(f"The image for {architecture} cannot be built with {program}: {exc}.") from exc
    finally:
        builder.close()
        shutil.rmtree(context, ignore_errors=True)
        _forget(part)


def fill_context(made: Plan, architecture: str, python_version: str, context: str) -> None:
    """Lay out what the Containerfile copies: site/ with the wheels' contents and the package, links followed."""
    site = os.path.join(context, "site")
    wheels.unpack(made.source.lock, made.wheel_folders[architecture], architecture, python_version, site)
    # Console scripts name this machine's Python and are not used in the image.
    shutil.rmtree(os.path.join(site, "bin"), ignore_errors=True)
    made.source.copy_package(os.path.join(site, "lantern"))
    shutil.copyfile(made.source.containerfile, os.path.join(context, source.CONTAINERFILE))
    if f"{sys.version_info[0]}.{sys.version_info[1]}" == python_version:
        # The container's file system is read-only: without this a small board would compile everything at every start.
        # Byte code depends on the Python version only, not on the machine.
        compileall.compile_dir(
            site,
            quiet=2,
            stripdir=site,
            prependdir="/opt/lantern",
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    _open_to_all(context)


def _open_to_all(folder: str) -> None:
    """Readable for the container's user 65534, whatever this user's umask is."""
    for place, _folders, names in os.walk(folder):
        os.chmod(place, 0o755)
        for name in names:
            os.chmod(os.path.join(place, name), 0o644)


def _pull(wish: Wish, architecture: str, target: str) -> None:
    program = builders.choose(wish.builder)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    builder = builders.opened(program, wish.cache_dir)
    part = f"{target}.part"
    try:
        _forget(part)
        builder.pull(wish.base_image, architecture, part)
        os.replace(part, target)
    except ImageError as exc:
        raise ImageError(
            f"The base image {wish.base_image} for {architecture} cannot be fetched: {exc}. This machine needs "
            "the Internet "
            "for that once: run playbooks/fetch.yml while it has it, or give an archive by deploy_base_image_archive."
        ) from exc
    finally:
        builder.close()
        _forget(part)


def _forget(path: str) -> None:
    if os.path.exists(path):
        os.unlink(path)
