# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in an image archive as `podman save`, `docker save` and buildah write it. PRIVATE to homelab.lantern."""

from __future__ import annotations

import hashlib
import json
import tarfile
import typing as t

from .errors import ImageError


class Contents(t.NamedTuple):
    """The first image of an archive: its names, architecture (such as `amd64`) and the digest that stands for it."""

    names: list[str]
    architecture: str
    digest: str
    layers: list[str]


def read(path: str) -> Contents:
    """The contents of a docker-archive; ImageError naming `path` if it is none."""
    try:
        with tarfile.open(path) as tar:
            manifest = json.loads(_member(tar, "manifest.json"))[0]
            config_text = _member(tar, manifest["Config"])
    except (OSError, tarfile.TarError, KeyError, ValueError, IndexError) as exc:
        raise ImageError(
            f"{path} is not an image archive ({exc}): make it with `podman save --format docker-archive` or "
            "`docker save`."
        ) from exc
    config = json.loads(config_text)
    return Contents(
        names=manifest.get("RepoTags") or [],
        architecture=config.get("architecture", ""),
        # The configuration lists the digest of every layer: its own digest stands for the whole image.
        digest=hashlib.sha256(config_text).hexdigest(),
        layers=manifest.get("Layers") or [],
    )


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    stream = tar.extractfile(name)
    if stream is None:
        raise KeyError(f"{name} is not a file")
    return stream.read()
