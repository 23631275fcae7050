# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps from source to image archives, each done once. PRIVATE to the homelab.lantern collection.

cache_dir/wheels/cp311-arm64/*.whl         by download
cache_dir/wheels/debian-arm/*.deb          by download, where there are no wheels
cache_dir/base/<image>-arm64.tar           by pull, unless archives are given
cache_dir/images/lantern-<tag>-arm64.tar   the result
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import typing as t

from . import archive, builders, debian, source, wheels
from .errors import ImageError


class Wish(t.NamedTuple):
    """What image is wanted, from what, and where everything is kept. `base_image_arm` is for the architecture arm."""

    source: str
    cache_dir: str
    architectures: list[str]
    base_image: str
    base_image_arm: str
    base_image_archive: str | None
    builder: str
    python_version: str
    debian_mirrors: t.Sequence[str] = debian.MIRRORS


class Target(t.NamedTuple):
    """One architecture: what its image is made from, and where the result goes."""

    architecture: str
    archive: str
    base_image: str
    base_archive: str
    python_version: str
    wheels: wheels.Lock
    wheel_folder: str
    debian: debian.Lock | None
    debian_folder: str


class Plan(t.NamedTuple):
    """What follows from a Wish before anything is done."""

    source: source.Source
    name: str
    tag: str
    targets: list[Target]

    @property
    def archives(self) -> dict[str, str]:
        """Where each architecture's image goes."""
        return {target.architecture: target.archive for target in self.targets}

    def unbuilt(self) -> list[Target]:
        return [target for target in self.targets if not os.path.exists(target.archive)]


def plan(wish: Wish) -> Plan:
    """Names and paths; ImageError if the source is incomplete or a given archive does not fit."""
    found = source.Source(wish.source)
    tag = found.tag(source.base_identity([wish.base_image, wish.base_image_arm], wish.base_image_archive))
    return Plan(
        source=found,
        name=f"{source.IMAGE}:{tag}",
        tag=tag,
        targets=[_target(wish, found, tag, architecture) for architecture in wish.architectures],
    )


def _target(wish: Wish, found: source.Source, tag: str, architecture: str) -> Target:
    image, python, packages = wish.base_image, wish.python_version, None
    if architecture == "arm":
        packages = debian.read(found.debian_lock)
        image, python = wish.base_image_arm, packages.python
    if wish.base_image_archive:
        base = source.base_archive_for(wish.base_image_archive, architecture)
    else:
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", image)
        base = os.path.join(wish.cache_dir, "base", f"{name}-{architecture}.tar")
    return Target(
        architecture=architecture,
        archive=os.path.join(wish.cache_dir, "images", f"lantern-{tag}-{architecture}.tar"),
        base_image=image,
        base_archive=base,
        python_version=python,
        wheels=wheels.Lock(found.lock, packages.requirements() if packages else ()),
        wheel_folder=os.path.join(wish.cache_dir, "wheels", f"cp{python.replace('.', '')}-{architecture}"),
        debian=packages,
        debian_folder=os.path.join(wish.cache_dir, "wheels", f"debian-{architecture}"),
    )


def unfetched(wish: Wish, made: Plan) -> list[str]:
    """What would have to be downloaded before the images that are not built yet can be built."""
    lacking = []
    for target in made.unbuilt():
        if _lacks_packages(target):
            lacking.append(f"Python packages for {target.architecture}")
        if not os.path.exists(target.base_archive):
            if wish.base_image_archive:
                raise ImageError(
                    f"The archive of the base image for {target.architecture}, {target.base_archive}, does not "
                    "exist: correct deploy_base_image_archive ({arch} in it stands for the architecture)."
                )
            lacking.append(f"{target.base_image} for {target.architecture}")
    return lacking


def _lacks_packages(target: Target) -> bool:
    if wheels.missing(target.wheels, target.wheel_folder):
        return True
    return target.debian is not None and bool(debian.missing(target.debian, target.debian_folder))


def fetch(wish: Wish, made: Plan) -> list[str]:
    """Download what is lacking; returns what was. ImageError naming the thing and what to do."""
    lacking = unfetched(wish, made)
    for target in made.unbuilt():
        wheels.download(target.wheels, target.wheel_folder, target.architecture, target.python_version)
        if target.debian is not None:
            debian.download(target.debian, target.debian_folder, wish.debian_mirrors)
        if not os.path.exists(target.base_archive):
            _pull(wish, target)
    return lacking


def build(wish: Wish, made: Plan) -> list[str]:
    """Build what is not built yet from what was fetched; returns the architectures. ImageError if that fails."""
    todo = made.unbuilt()
    if not todo:
        return []
    program = builders.choose(wish.builder)
    for target in todo:
        actual = archive.read(target.base_archive).architecture
        if actual != target.architecture:
            raise ImageError(
                f"The base image in {target.base_archive} is for {actual or 'an unnamed architecture'}, but a node "
                f"needs {target.architecture}: "
                "give an archive for each architecture and write {arch} into deploy_base_image_archive."
            )
        _build_one(wish, made, target, program)
    return [target.architecture for target in todo]


def _build_one(wish: Wish, made: Plan, target: Target, program: str) -> None:
    os.makedirs(os.path.dirname(target.archive), exist_ok=True)
    context = tempfile.mkdtemp(prefix="context-", dir=wish.cache_dir)
    builder = builders.opened(program, wish.cache_dir)
    part = f"{target.archive}.part"
    try:
        fill_context(made.source, target, context)
        _forget(part)
        builder.build(context, target.base_archive, target.architecture, made.name, part)
        os.replace(part, target.archive)
    except ImageError as exc:
        raise ImageError(
            f"The image for {target.architecture} cannot be built with {program}: {str(exc).rstrip('.')}."
        ) from exc
    finally:
        builder.close()
        shutil.rmtree(context, ignore_errors=True)
        _forget(part)


def fill_context(found: source.Source, target: Target, context: str) -> None:
    """Lay out what the Containerfile copies: site/ with the packages' contents and Lantern's own, links followed."""
    site = os.path.join(context, "site")
    wheels.unpack(target.wheels, target.wheel_folder, target.architecture, target.python_version, site)
    if target.debian is not None:
        debian.unpack(target.debian, target.debian_folder, site)
    # Console scripts name this machine's Python and are not used in the image.
    shutil.rmtree(os.path.join(site, "bin"), ignore_errors=True)
    found.copy_package(os.path.join(site, "lantern"))
    shutil.copyfile(found.containerfile, os.path.join(context, source.CONTAINERFILE))
    _compile(site, target.python_version)
    _open_to_all(context)


def _compile(site: str, python_version: str) -> None:
    """Lay byte code beside each file, if there is the right Python here: it depends on the version, not on the machine.

    The container's file system is read-only: without this a small board would compile everything at every start.
    """
    own = f"{sys.version_info[0]}.{sys.version_info[1]}" == python_version
    python = sys.executable if own else shutil.which(f"python{python_version}")
    if python:
        options = ["-q", "-q", "-s", site, "-p", "/opt/lantern", "--invalidation-mode", "unchecked-hash"]
        # A file for another version of Python that is not used does not compile, and need not.
        subprocess.run([python, "-m", "compileall", *options, site], capture_output=True, check=False)


def _open_to_all(folder: str) -> None:
    """Readable for the container's user 65534, whatever this user's umask is."""
    for place, _folders, names in os.walk(folder):
        os.chmod(place, 0o755)
        for name in names:
            os.chmod(os.path.join(place, name), 0o644)


def _pull(wish: Wish, target: Target) -> None:
    program = builders.choose(wish.builder)
    os.makedirs(os.path.dirname(target.base_archive), exist_ok=True)
    builder = builders.opened(program, wish.cache_dir)
    part = f"{target.base_archive}.part"
    try:
        _forget(part)
        builder.pull(target.base_image, target.architecture, part)
        os.replace(part, target.base_archive)
    except ImageError as exc:
        raise ImageError(
            f"The base image {target.base_image} for {target.architecture} cannot be fetched: {exc}. This machine "
            "needs the Internet for that once: run playbooks/fetch.yml while it has it, or give an archive by "
            "deploy_base_image_archive."
        ) from exc
    finally:
        builder.close()
        _forget(part)


def _forget(path: str) -> None:
    if os.path.exists(path):
        os.unlink(path)
