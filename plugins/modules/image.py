#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image
short_description: Build Lantern's container image on the machine that runs Ansible
version_added: 0.1.0
description:
  - Downloads the Python packages and the base image for each architecture, builds the image and keeps it as an archive.
  - The tag follows from all that the image is made from. What is in the cache already is not made again, and needs
    no network.
  - Images for other architectures are built without emulation, as the Containerfile copies and runs nothing.
author:
  - Lantern contributors (@homelab-lantern)
attributes:
  check_mode:
    description: Tells what would be downloaded and built.
    support: full
  diff_mode:
    description: The result is a file, not text.
    support: none
options:
  source:
    description: The directory C(speaker) of the collection.
    type: path
    required: true
  cache_dir:
    description: Directory for downloads and images.
    type: path
    required: true
  architectures:
    description: Architectures to build for.
    type: list
    elements: str
    choices: [amd64, arm64, arm]
    required: true
  base_image:
    description: >-
      The image to build on, with Python of O(python_version). Fetched from its registry once for each
      architecture.
    type: str
    default: docker.io/library/python:3.11-slim-bookworm
  base_image_arm:
    description:
      - The same for V(arm), 32-bit ARM from ARMv7 on, which Debian calls armhf.
      - It has to bring the Python that C(debian-arm.lock) in O(source) names, as compiled packages come from Debian
        there.
    type: str
    default: docker.io/library/python:3.14-slim-trixie
  base_image_archive:
    description:
      - A file made by C(podman save --format docker-archive) or C(docker save), used instead of O(base_image).
      - "C({arch}) in the path stands for the architecture."
    type: path
  builder:
    description: The program that builds. With V(auto) the first of podman, buildah and docker that is installed.
    type: str
    choices: [auto, podman, buildah, docker]
    default: auto
  python_version:
    description: Version of the Python in O(base_image).
    type: str
    default: '3.11'
  debian_mirrors:
    description:
      - Where packages of Debian are fetched from, one after the other until one has the package. Only V(arm) needs it.
      - "C({snapshot}) stands for the day of the lock file."
    type: list
    elements: str
    default:
      - https://deb.debian.org/debian
      - https://snapshot.debian.org/archive/debian/{snapshot}
  registry:
    description:
      - A registry that the image is pushed to, as one image for all O(architectures), such as V(registry.home:5000) or
        V(ghcr.io/me). What it has already is not pushed again.
      - A login is taken from where O(builder) keeps it (C(podman login), C(buildah login), C(docker login)).
    type: str
  registry_secure:
    description: Whether O(registry) is spoken to by TLS only, with a certificate that this machine trusts.
    type: bool
    default: true
  state:
    description:
      - With V(present) everything is downloaded and built that is not in the cache.
      - With V(fetched) it is only downloaded.
    type: str
    choices: [present, fetched]
    default: present
requirements:
  - pip
  - podman, buildah or docker
"""

EXAMPLES = r"""
---
- name: Build for a PC and Raspberry Pis
  homelab.lantern.image:
    source: ~/lantern/speaker
    cache_dir: ~/.cache/lantern
    architectures: [amd64, arm64, arm]
  register: image
  delegate_to: localhost
"""

RETURN = r"""
name:
  description: The image's name with its tag, in O(registry) if that is given.
  returned: always
  type: str
  sample: localhost/lantern:0.1.0-2f6c0f1e9a3b
archives:
  description: Path of the image archive for each architecture.
  returned: always
  type: dict
  sample: {arm64: /home/me/.cache/lantern/images/lantern-0.1.0-2f6c0f1e9a3b-arm64.tar}
downloaded:
  description: What was downloaded.
  returned: always
  type: list
  elements: str
built:
  description: The architectures for which the image was built.
  returned: always
  type: list
  elements: str
pushed:
  description: Whether it was pushed to O(registry).
  returned: always
  type: bool
"""

import errno
import os
import tempfile
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils._image import (
    builders,
    debian,
    making,
    publishing,
    source,
)
from ansible_collections.homelab.lantern.plugins.module_utils._image.errors import ImageError


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """What exit_json gets."""
    options = module.params
    wish = making.Wish(
        source=options["source"],
        cache_dir=os.path.abspath(options["cache_dir"]),
        architectures=list(dict.fromkeys(options["architectures"])),
        base_image=options["base_image"],
        base_image_arm=options["base_image_arm"],
        base_image_archive=options["base_image_archive"],
        builder=options["builder"],
        python_version=options["python_version"],
        debian_mirrors=options["debian_mirrors"],
    )
    made = making.plan(wish)
    present = options["state"] == "present"
    if module.check_mode:
        downloaded = making.unfetched(wish, made)
        built = [target.architecture for target in made.unbuilt()] if present else []
    else:
        downloaded = making.fetch(wish, made)
        built = making.build(wish, made) if present else []
    name, pushed = made.name, False
    if options["registry"] and present:
        wanted = publishing.address(options["registry"], made.tag, options["registry_secure"])
        name, pushed = wanted.name, push(wish, made, wanted, check_mode=module.check_mode)
    return {
        "changed": bool(downloaded or built or pushed),
        "name": name,
        "archives": made.archives,
        "downloaded": downloaded,
        "built": built,
        "pushed": pushed,
    }


def push(wish: making.Wish, made: making.Plan, wanted: builders.Address, *, check_mode: bool) -> bool:
    """Whether the registry lacks the image; outside check mode it does not any more."""
    program = builders.choose(wish.builder)
    lacking = publishing.lacks(program, wish.cache_dir, wanted, list(made.archives))
    if lacking and not check_mode:
        publishing.publish(program, wish.cache_dir, wanted, made.name, made.archives)
    return lacking


def sentence(problem: Exception, cache_dir: str) -> str:
    """What is said of a problem. On a full disk, programs say much more than that, such as a line for each file."""
    if os.strerror(errno.ENOSPC).lower() not in str(problem).lower():
        return str(problem)
    return (
        f"{os.strerror(errno.ENOSPC)}, where the image is made: that takes room in {cache_dir} (lantern_cache_dir), in "
        f"{tempfile.gettempdir()} and where the builder keeps its images. Make some, and run this again."
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "path", "required": True},
            "cache_dir": {"type": "path", "required": True},
            "architectures": {
                "type": "list",
                "elements": "str",
                "choices": list(source.ARCHITECTURES),
                "required": True,
            },
            "base_image": {"type": "str", "default": "docker.io/library/python:3.11-slim-bookworm"},
            "base_image_arm": {"type": "str", "default": "docker.io/library/python:3.14-slim-trixie"},
            "base_image_archive": {"type": "path"},
            "builder": {"type": "str", "choices": ["auto", "podman", "buildah", "docker"], "default": "auto"},
            "python_version": {"type": "str", "default": "3.11"},
            "debian_mirrors": {"type": "list", "elements": "str", "default": list(debian.MIRRORS)},
            "registry": {"type": "str"},
            "registry_secure": {"type": "bool", "default": True},
            "state": {"type": "str", "choices": ["present", "fetched"], "default": "present"},
        },
        supports_check_mode=True,
    )
    try:
        result = work(module)
    except (ImageError, OSError) as exc:
        module.fail_json(msg=sentence(exc, module.params["cache_dir"]))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
