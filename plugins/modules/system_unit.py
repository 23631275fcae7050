#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: system_unit
short_description: Keep a systemd unit with the files it needs, running and enabled, or take all of it away
version_added: 0.1.0
description:
  - Writes the files, has systemd read them, and sees to it that the unit is enabled and runs with what is in them.
  - One call for what would be a copy for each file, a handler and a service task, as every call costs a node a second.
author:
  - Lantern contributors (@homelab-lantern)
attributes:
  check_mode:
    description: Looks at files and unit, and tells what would change.
    support: full
  diff_mode:
    description: Shows each file that changes.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
options:
  name:
    description: The unit, with its type, such as V(lantern-quiet.service).
    type: str
    required: true
  files:
    description: The unit's own file, and all others that are its business alone.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Where the file is. Folders that are missing are made.
        type: path
        required: true
      content:
        description: What is in it. Not needed to take it away.
        type: str
        default: ''
  restart:
    description: Start the unit anew even if no file has changed, as when its work was undone by somebody else.
    type: bool
    default: false
  state:
    description:
      - With V(present) the files are there and the unit is enabled and active.
      - With V(absent) the unit is stopped and disabled, and the files go, and with them a folder of additions to
        another unit (C(*.d)) that has nothing else in it.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: ansible.builtin.systemd_service
"""

EXAMPLES = r"""
---
- name: Have an interface hear all frames, now and after each boot
  homelab.lantern.system_unit:
    name: promiscuous-eth0.service
    files:
      - path: /etc/systemd/system/promiscuous-eth0.service
        content: |
          [Service]
          Type=oneshot
          RemainAfterExit=yes
          ExecStart=/sbin/ip link set dev eth0 promisc on
          [Install]
          WantedBy=multi-user.target
  become: true
"""

RETURN = r"""
files:
  description: The files that were written or removed.
  returned: success
  type: list
  elements: str
  sample: [/etc/systemd/system/lantern-shutdown.service]
unit:
  description: What was done to the unit.
  returned: success
  type: list
  elements: str
  sample: [enabled, started]
"""

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils import _files

UNIT_FOLDERS = ("/etc/systemd/", "/lib/systemd/", "/usr/lib/systemd/")


class Wanted(t.NamedTuple):
    """One file: what is in it now (None: there is none), and what shall be."""

    path: str
    before: str | None
    after: str | None

    @property
    def changes(self) -> bool:
        return self.before != self.after

    def diff(self) -> dict[str, str]:
        return {
            "before_header": self.path,
            "after_header": self.path,
            "before": self.before or "",
            "after": self.after or "",
        }


def actions(files: t.Sequence[Wanted], *, enabled: bool, active: bool, restart: bool) -> list[str]:
    """What is to be done to a unit that shall be there: enabled, restarted, started."""
    found = [] if enabled else ["enabled"]
    if not active:
        return [*found, "started"]
    return [*found, "restarted"] if restart or any(item.changes for item in files) else found


def endings(*, enabled: bool, active: bool) -> list[str]:
    """What is to be done to a unit that shall go."""
    return [*(["stopped"] if active else []), *(["disabled"] if enabled else [])]


def read(path: str) -> str | None:
    """None when there is no such file."""
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def remove(item: Wanted) -> None:
    """The file, and the folder of additions that it leaves empty."""
    os.unlink(item.path)
    folder = os.path.dirname(item.path)
    if folder.endswith(".d") and not os.listdir(folder):
        os.rmdir(folder)


class Systemd:
    """What systemctl says and does about one unit."""

    def __init__(self, module: AnsibleModule, name: str) -> None:
        self._module = module
        self._name = name

    def says(self, question: str) -> bool:
        """`is-active` or `is-enabled`; False also for a unit that systemd does not know."""
        status, _text, _errors = self._module.run_command(["systemctl", "--quiet", question, self._name])
        return status == 0

    def do(self, verb: str, *what: str) -> None:
        """Fails with what the unit itself logged, as systemctl only tells where to look for it."""
        status, _text, errors = self._module.run_command(["systemctl", verb, *what])
        if status == 0:
            return
        _status, log, _errors = self._module.run_command(
            ["journalctl", "--unit", self._name, "--lines=5", "--output=cat", "--no-pager"]
        )
        said = "; ".join(line for line in (*errors.splitlines(), *log.splitlines()) if line.strip())
        self._module.fail_json(msg=f"systemctl {verb} {' '.join(what)} failed: {said}")

    def reload(self, files: t.Sequence[Wanted]) -> None:
        """Has systemd read its files again if one of them has changed."""
        if any(item.changes and item.path.startswith(UNIT_FOLDERS) for item in files):
            self.do("daemon-reload")


def put(module: AnsibleModule, systemd: Systemd, files: t.Sequence[Wanted], done: t.Sequence[str]) -> None:
    name = module.params["name"]
    for item in files:
        if item.changes:
            _files.replace(module, item.path, item.after or "")
    systemd.reload(files)
    if "enabled" in done:
        systemd.do("enable", name)
    if "restarted" in done or "started" in done:
        systemd.do("restart", name)


def take(module: AnsibleModule, systemd: Systemd, files: t.Sequence[Wanted], done: t.Sequence[str]) -> None:
    name = module.params["name"]
    if "stopped" in done:
        systemd.do("stop", name)
    if "disabled" in done:
        systemd.do("disable", name)
    for item in files:
        if item.changes:
            remove(item)
    systemd.reload(files)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "path", "required": True},
                    "content": {"type": "str", "default": ""},
                },
            },
            "restart": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    present = module.params["state"] == "present"
    files = [
        Wanted(item["path"], read(item["path"]), item["content"] if present else None)
        for item in module.params["files"]
    ]
    systemd = Systemd(module, module.params["name"])
    enabled, active = systemd.says("is-enabled"), systemd.says("is-active")
    if present:
        done = actions(files, enabled=enabled, active=active, restart=module.params["restart"])
    else:
        done = endings(enabled=enabled, active=active)
    if not module.check_mode:
        (put if present else take)(module, systemd, files, done)
    changed = [item for item in files if item.changes]
    module.exit_json(
        changed=bool(changed or done),
        files=[item.path for item in changed],
        unit=done,
        diff=[item.diff() for item in changed],
    )


if __name__ == "__main__":
    main()
