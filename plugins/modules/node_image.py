#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: node_image
short_description: Put an image into a Kubernetes node's container runtime, or take it out
version_added: 0.1.0
description:
  - Works on containerd as Kubernetes' usual distributions, k3s and RKE2 run it, on CRI-O, and on docker where
    Kubernetes uses it by cri-dockerd. No registry is needed.
  - CRI-O imports nothing itself, so C(podman), C(skopeo) or C(buildah) has to be on the node beside C(crictl).
  - For k3s and RKE2 the archive is also kept in their folder C(agent/images), from which they import it whenever they
    start, and taken out of it with the last tag.
author:
  - Lantern contributors (@homelab-lantern)
attributes:
  check_mode:
    description: Tells what would be done. O(archive) need not exist for that.
    support: full
  diff_mode:
    description: Shows the names of the images and archives that come or go.
    support: full
options:
  name:
    description:
      - With O(state=present) the image's name with its tag.
      - With O(state=absent) its name without a tag; all tags are removed.
    type: str
    required: true
  archive:
    description: Path of the image archive on the node. Needed if the image is not there yet.
    type: path
  archives:
    description:
      - With O(state=absent) which files are removed as well, as a pattern such as V(/var/tmp/lantern-*.tar).
      - These are archives that a run copied to the node and that was broken off before it removed them.
    type: path
  keep:
    description: With O(state=absent) names with tags that stay.
    type: list
    elements: str
    default: []
  state:
    description: Whether the image shall be there.
    type: str
    choices: [present, absent]
    default: present
notes:
  - Asking a container runtime needs root, so use C(become).
"""

EXAMPLES = r"""
---
- name: Load an image
  homelab.lantern.node_image:
    name: localhost/lantern:0.1.0-2f6c0f1e9a3b
    archive: /var/tmp/lantern.tar
  become: true

- name: Remove older versions
  homelab.lantern.node_image:
    name: localhost/lantern
    keep: [localhost/lantern:0.1.0-2f6c0f1e9a3b]
    archives: /var/tmp/lantern-*.tar
    state: absent
  become: true
"""

RETURN = r"""
lacking:
  description: Whether the image was not there before.
  returned: if O(state) is V(present)
  type: bool
removed:
  description: The references that were removed.
  returned: if O(state) is V(absent)
  type: list
  elements: str
removed_archives:
  description: The files that were removed.
  returned: if O(state) is V(absent)
  type: list
  elements: str
"""

import glob
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils._image import runtime
from ansible_collections.homelab.lantern.plugins.module_utils._image.errors import ImageError, NoRuntimeError


def store_of(module: AnsibleModule) -> runtime.Store:
    """The node's image store."""

    def which(program: str) -> str | None:
        return module.get_bin_path(program, opt_dirs=runtime.PROGRAM_FOLDERS)

    def run(command: list[str]) -> tuple[int, str, str]:
        return module.run_command(command)

    return runtime.Store(runtime.find(os.path.exists, which), run)


def diff(before: list[str], after: list[str]) -> dict[str, str]:
    return {"before": "".join(f"{name}\n" for name in before), "after": "".join(f"{name}\n" for name in after)}


def take_out(store: runtime.Store, options: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """What exit_json gets with state absent."""
    names = store.unwanted(options["name"], options["keep"])
    archives = sorted(glob.glob(options["archives"] or ""))
    in_store = bool(names) or store.keeps_archive(options["name"], options["keep"])
    if not check_mode:
        if in_store:
            store.remove(options["name"], options["keep"])
        for archive in archives:
            os.remove(archive)
    return {
        "changed": in_store or bool(archives),
        "removed": names,
        "removed_archives": archives,
        "diff": diff(names + archives, []),
    }


def work(store: runtime.Store, options: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """What exit_json gets."""
    if options["state"] == "absent":
        return take_out(store, options, check_mode)
    if store.has(options["name"]):
        return {"changed": False, "lacking": False}
    if not check_mode:
        if not options["archive"]:
            raise ImageError(f"{options['name']} is not on this node and no archive of it was given.")
        store.load(options["archive"], options["name"])
    return {"changed": True, "lacking": True, "diff": diff([], [options["name"]])}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "archive": {"type": "path"},
            "archives": {"type": "path"},
            "keep": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    try:
        result = work(store_of(module), module.params, module.check_mode)
    except NoRuntimeError as exc:
        if module.params["state"] == "absent":  # nothing can have been put there
            module.exit_json(changed=False, removed=[], removed_archives=[])
        module.fail_json(msg=str(exc))
    except (ImageError, OSError) as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
