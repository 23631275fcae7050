# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks into an image archive."""

from __future__ import annotations

import json
import tarfile
from typing import NamedTuple


class Entry(NamedTuple):
    """One regular file of a layer."""

    mode: int
    content: bytes


def opened(path: str) -> tuple[dict, dict[str, Entry]]:
    """(image configuration with `names` put in, the regular files of its last layer)"""
    with tarfile.open(path) as tar:
        (manifest,) = json.load(tar.extractfile("manifest.json"))
        config = dict(json.load(tar.extractfile(manifest["Config"])), names=manifest["RepoTags"])
        with tarfile.open(fileobj=tar.extractfile(manifest["Layers"][-1])) as layer:
            files = {m.name: Entry(m.mode, layer.extractfile(m).read()) for m in layer.getmembers() if m.isfile()}
    return config, files
