#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sysctls
short_description: Set kernel settings for now and for the next boot, and put them back
version_added: 0.1.0
author:
  - Lantern contributors (@homelab-lantern)
description:
  - Writes a file under C(/etc/sysctl.d) and changes those live values that differ.
  - Remembers the live values it found, so that O(state=absent) puts them back.
options:
  state:
    description:
      - V(present) sets O(values). V(absent) removes the file and restores the live values, unless somebody has changed
        them since.
    type: str
    choices: [present, absent]
    default: present
  values:
    description:
      - Names and values, such as C(net.ipv4.ip_forward) and V(1), in the order in which they are set now and at boot.
      - Settings that were here before and are no longer are put back.
    type: dict
    default: {}
  path:
    description:
      - The file that sets the values at boot. It belongs to this module alone.
    type: path
    default: /etc/sysctl.d/60-lantern.conf
  record:
    description:
      - Where the values found are remembered.
    type: path
    default: /var/lib/lantern/sysctls.json
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Shows the file and the live values.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
---
- name: Forward packets to pods
  homelab.lantern.sysctls:
    values:
      net.ipv4.ip_forward: "1"
"""

RETURN = r"""
live:
  description: The live values that were changed, with the new value.
  returned: success
  type: dict
  sample: {net.ipv4.ip_forward: "1"}
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils import _files, _record

HEADER = "# Managed by Lantern (role homelab.lantern.prepare).\n"
ROOT = "/proc/sys"


def live_path(name: str, root: str = ROOT) -> str:
    """File of a setting. The first separator decides: in net/ipv4/conf/eth0.100/x dots belong to names."""
    dot, slash = name.find("."), name.find("/")
    if slash != -1 and (dot == -1 or slash < dot):
        return os.path.join(root, name)
    return os.path.join(root, name.replace("/", "\0").replace(".", "/").replace("\0", "."))


def normal(text: Any) -> str:
    """A value without differences of white space, as the kernel separates several numbers by tabs."""
    return " ".join(str(text).split())


def file_text(values: dict[str, str]) -> str:
    """The file that sets these values at boot; "" for none."""
    return HEADER + "".join(f"{name} = {value}\n" for name, value in values.items()) if values else ""


def live_changes(values: dict[str, str], live: dict[str, str | None], record: dict[str, Any]) -> dict[str, str]:
    """Which live values to set. One that is wanted no more returns to what it was, if it still is as we had set it."""
    changes = {name: value for name, value in values.items() if live[name] != value}
    for name, entry in record.items():
        if name not in values and live.get(name) == entry["set"] and entry["before"] != entry["set"]:
            changes[name] = entry["before"]
    return changes


def new_record(values: dict[str, str], live: dict[str, str | None], record: dict[str, Any]) -> dict[str, Any]:
    """What was found before the first change of each setting, and what we set."""
    return {
        name: {"before": record[name]["before"] if name in record else live[name], "set": value}
        for name, value in values.items()
    }


def read_live(name: str) -> str | None:
    """The live value, None when the kernel has no such setting."""
    try:
        with open(live_path(name), encoding="utf-8") as handle:
            return normal(handle.read())
    except OSError:
        return None


def write_file(module: AnsibleModule, path: str, text: str) -> None:
    """Replaces the file in one step; removes it when there is nothing to say."""
    if not text:
        if os.path.exists(path):
            os.unlink(path)
        return
    _files.replace(module, path, text)


def write_live(module: AnsibleModule, name: str, value: str) -> None:
    """Changes one live value."""
    try:
        with open(live_path(name), "w", encoding="utf-8") as handle:
            handle.write(value)
    except OSError as error:
        message = (
            "The kernel setting {0} cannot be set to {1}: {2}. In a container, set it on the machine that runs it."
        )
        module.fail_json(msg=message.format(name, value, error.strerror))


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            state=dict(type="str", choices=["present", "absent"], default="present"),
            values=dict(type="dict", default={}),
            path=dict(type="path", default="/etc/sysctl.d/60-lantern.conf"),
            record=dict(type="path", default="/var/lib/lantern/sysctls.json"),
        ),
        supports_check_mode=True,
    )
    path, record_path = module.params["path"], module.params["record"]
    values = (
        {name: normal(value) for name, value in module.params["values"].items()}
        if module.params["state"] == "present"
        else {}
    )
    try:
        record = _record.load(record_path)
    except ValueError as error:
        module.fail_json(msg=str(error))
    live = {name: read_live(name) for name in list(values) + list(record)}
    unknown = [name for name in values if live[name] is None]
    if unknown:
        message = (
            "This kernel has no setting {0}. Remove it from prepare_sysctls, or load the kernel module that brings it."
        )
        module.fail_json(msg=message.format(", ".join(unknown)))
    changes = live_changes(values, live, record)
    wanted_record = new_record(values, live, record)
    before = ""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as handle:
            before = handle.read()
    after = file_text(values)
    changed = bool(changes) or before != after or record != wanted_record
    diff = [{"before_header": path, "after_header": path, "before": before, "after": after}] if before != after else []
    if changes:
        diff.append(
            {
                "before_header": "live values",
                "after_header": "live values",
                "before": "".join(f"{name} = {live[name]}\n" for name in sorted(changes)),
                "after": "".join(f"{name} = {changes[name]}\n" for name in sorted(changes)),
            }
        )
    if changed and not module.check_mode:
        # First the record: whatever happens next can then still be undone.
        if values:
            _record.save(record_path, wanted_record)
        write_file(module, path, after)
        for name, value in changes.items():
            write_live(module, name, value)
        _record.save(record_path, wanted_record)
    module.exit_json(changed=changed, live=changes, diff=diff)


if __name__ == "__main__":
    main()
