# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built images in a registry, as one image for all architectures. PRIVATE to the homelab.lantern collection."""

from __future__ import annotations

import json
import os
import typing as t

from . import builders
from .errors import ImageError


def address(registry: str, tag: str, secure: bool) -> builders.Address:
    """Where the image of this tag lies; `registry` is a host with port and path as need be."""
    if "://" in registry or any(letter.isspace() for letter in registry):
        raise ImageError(
            f'"{registry}" names no registry: write its host, with a port and a path if it needs them, such as '
            "registry.home:5000 or ghcr.io/me (deploy_registry)."
        )
    return builders.Address(f"{registry.rstrip('/')}/lantern:{tag}", secure)


def architectures(manifest: str) -> set[str]:
    """For which architectures a registry's manifest has an image; empty if it is none for several."""
    try:
        entries = json.loads(manifest).get("manifests") or []
    except (ValueError, AttributeError):
        return set()
    return {(entry.get("platform") or {}).get("architecture", "") for entry in entries}


def lacks(program: str, cache_dir: str, wanted: builders.Address, names: t.Collection[str]) -> bool:
    """Whether the registry lacks the image for one of these architectures. What cannot be asked is lacking."""
    if not os.path.isdir(cache_dir):
        return True
    builder = builders.opened(program, cache_dir)
    try:
        return not set(names) <= architectures(builder.published(wanted))
    except ImageError:
        return True
    finally:
        builder.close()


def publish(program: str, cache_dir: str, wanted: builders.Address, name: str, archives: t.Mapping[str, str]) -> None:
    """Push the images, each called `name` in its archive; ImageError naming the registry and what to do."""
    builder = builders.opened(program, cache_dir)
    try:
        builder.publish(archives, name, wanted)
    except ImageError as exc:
        raise ImageError(
            f"The image cannot be pushed to {wanted.name}: {str(exc).rstrip('.')}. If the registry wants a login, run "
            f"`{program} login {wanted.host}` as the user that runs Ansible; if it speaks plain HTTP or has a "
            "certificate of its own, set deploy_registry_secure: false."
        ) from exc
    finally:
        builder.close()
