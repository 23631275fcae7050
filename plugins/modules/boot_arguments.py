#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: boot_arguments
short_description: Add words to a Raspberry Pi's boot command line, and take them out again
version_added: 0.1.0
author:
  - Lantern contributors (@homelab-lantern)
description:
  - Edits the one line that the firmware hands to the kernel, word by word. The file lies in C(/boot/firmware), or in
    C(/boot) before Raspberry Pi OS 12; what newer systems leave at the old place is recognized and not touched.
  - Words with the opposite meaning are taken out, such as C(cgroup_disable=memory) for C(cgroup_enable=memory).
  - A host without such a file is left alone.
options:
  state:
    description: V(present) adds O(arguments), V(absent) undoes what was done before.
    type: str
    choices: [present, absent]
    default: present
  arguments:
    description: The words. Those that were added before and are no longer wanted are taken out.
    type: list
    elements: str
    default: []
  record:
    description: Where it is remembered what was done.
    type: path
    default: /var/lib/lantern/boot_arguments.json
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Shows the line.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
---
- name: Memory limits for pods
  homelab.lantern.boot_arguments:
    arguments:
      - cgroup_enable=memory
      - cgroup_memory=1
  become: true
"""

RETURN = r"""
path:
  description: The file, empty if the host has none.
  returned: success
  type: str
  sample: /boot/firmware/cmdline.txt
reboot_required:
  description: Whether the line was changed since the host started.
  returned: success
  type: bool
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils import _record
from ansible_collections.homelab.lantern.plugins.module_utils._node import command_line, host, survey


def wanted(before: str, arguments: list[str], record: dict[str, t.Any]) -> tuple[str, dict[str, t.Any]]:
    """The line as it should be, and the record of what was done to it in all, without boot_id.

    First undoes what is no longer wanted, so that words come and go with the inventory.
    """
    added, removed = record.get("added", []), record.get("removed", [])
    if [word for word in added if word not in arguments]:
        before, added, removed = command_line.undo(before, added, removed), [], []
    edit = command_line.add(before, arguments)
    added = added + [word for word in edit.added if word not in added]
    removed = removed + [word for word in edit.removed if word not in removed]
    return edit.text, {"added": added, "removed": removed} if added or removed else {}


def write(module: AnsibleModule, path: str, text: str) -> None:
    """Replaces the file in one step; beside it, as the folder is a file system of its own that keeps no owners."""
    scratch = path + ".lantern"
    module.add_cleanup_file(scratch)
    try:
        with open(scratch, "w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
    except OSError as error:
        message = f"{path} cannot be changed: {error.strerror}. Is {os.path.dirname(path)} full, or mounted read-only?"
        module.fail_json(msg=message)
    module.atomic_move(scratch, path)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "arguments": {"type": "list", "elements": "str", "default": []},
            "record": {"type": "path", "default": "/var/lib/lantern/boot_arguments.json"},
        },
        supports_check_mode=True,
    )
    node = host.of(module)
    path, boot = command_line.find(node), node.text(survey.BOOT_ID).strip()
    try:
        record = _record.load(module.params["record"])
    except ValueError as error:
        module.fail_json(msg=str(error))
    if not path:
        module.exit_json(changed=False, path="", reboot_required=False)
    before = node.text(path)
    arguments = module.params["arguments"] if module.params["state"] == "present" else []
    after, new_record = wanted(before, arguments, record)
    if new_record:
        new_record["boot_id"] = boot if before != after else record.get("boot_id", "")
    changed = before != after or record != new_record
    if changed and not module.check_mode:
        # First the record: whatever happens next can then still be undone.
        if new_record:
            _record.save(module.params["record"], new_record)
        if before != after:
            write(module, node.path(path), after)
        _record.save(module.params["record"], new_record)
    module.exit_json(
        changed=changed,
        path=path,
        reboot_required=bool(boot) and new_record.get("boot_id") == boot,
        diff={"before_header": path, "after_header": path, "before": before, "after": after},
    )


if __name__ == "__main__":
    main()
