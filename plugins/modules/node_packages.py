#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_packages
short_description: Install packages that a node lacks, also without Internet, and remove exactly those again
version_added: 0.1.0
author:
  - Lantern contributors (@homelab-lantern)
description:
  - Installs packages by C(apt-get) or C(dnf) when they are missing, and remembers every package that came with them.
  - With O(folder), packages come from files on the node instead of its own package sources.
options:
  state:
    description:
      - V(present) installs what is missing of O(names). V(absent) removes what this module has installed, except what
        others need now.
    type: str
    choices: [present, absent]
    default: present
  names:
    description: The packages.
    type: list
    elements: str
    default: []
  folder:
    description:
      - A folder on the node that module M(homelab.lantern.package_cache) has filled on another machine.
    type: path
  record:
    description: Where it is remembered which packages were installed.
    type: path
    default: /var/lib/lantern/packages.json
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Shows the packages that are installed or removed; those that come along are only known afterwards.
    support: partial
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
---
- name: Tools for looking at connections
  homelab.lantern.node_packages:
    names:
      - conntrack
"""

RETURN = r"""
missing:
  description: The packages of O(names) that were not installed.
  returned: if O(state) is V(present)
  type: list
  elements: str
packages:
  description: The packages that were installed or removed; in check mode without those that come along.
  returned: success
  type: list
  elements: str
"""

import glob
import os
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils import _packages, _record


class Apt:
    """Debian and its relatives."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module

    def _run(self, command: list[str]) -> tuple[int, str, str]:
        return self.module.run_command(command, environ_update=_packages.ENVIRONMENT)

    def installed(self) -> set[str]:
        """Names of all installed packages."""
        return _packages.dpkg_installed(self._run(["dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package}\\n"])[1])

    def missing(self, names: list[str]) -> list[str]:
        """Which of these are not installed."""
        there = self.installed()
        return [name for name in names if name not in there]

    def install(self, names: list[str], folder: str) -> str:
        """Returns what went wrong, "" when nothing did."""
        options: list[tuple[str, str]] = []
        if folder:
            source_list = os.path.join(self.module.tmpdir, "sources.list")
            with open(source_list, "w", encoding="utf-8") as handle:
                handle.write(_packages.source_line(folder))
            options = _packages.apt_only_folder(self.module.tmpdir, source_list)
            for name in ("lists", "archives"):
                os.makedirs(os.path.join(self.module.tmpdir, name, "partial"), exist_ok=True)
        status, output, error = self._run(_packages.apt(options, "update"))
        if status == 0:
            status, output, error = self._run(_packages.apt(options, "install", "--no-install-recommends", *names))
        return "" if status == 0 else (error or output).strip()

    def remove(self, names: list[str]) -> str:
        """Returns why they were kept, "" when they were removed."""
        others = _packages.apt_removals(self._run(_packages.apt([], "--simulate", "purge", *names))[1]) - set(names)
        if others:
            return "needed by {}".format(", ".join(sorted(others)))
        status, output, error = self._run(_packages.apt([], "purge", *names))
        return "" if status == 0 else (error or output).strip()


class Dnf:
    """Red Hat and its relatives."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module

    def _run(self, command: list[str]) -> tuple[int, str, str]:
        return self.module.run_command(command, environ_update=_packages.ENVIRONMENT)

    def installed(self) -> set[str]:
        """Names of all installed packages."""
        return set(self._run(["rpm", "-qa", "--queryformat", "%{NAME}\\n"])[1].split())

    def missing(self, names: list[str]) -> list[str]:
        """Which of these are not installed, under this name or as a part of another package."""
        return [name for name in names if self._run(["rpm", "-q", "--whatprovides", name])[0] != 0]

    def install(self, names: list[str], folder: str) -> str:
        """Returns what went wrong, "" when nothing did."""
        command = ["dnf", "--assumeyes", "--quiet", "--setopt=install_weak_deps=False", "install"]
        if folder:
            # dnf has verified the files when they were fetched.
            files = sorted(glob.glob(os.path.join(folder, "*.rpm")))
            status, output, error = self._run(command + ["--disablerepo=*", "--nogpgcheck"] + files)
        else:
            status, output, error = self._run(command + names)
        return "" if status == 0 else (error or output).strip()

    def remove(self, names: list[str]) -> str:
        """Returns why they were kept, "" when they were removed."""
        status, output, error = self._run(["rpm", "--erase"] + names)
        return "" if status == 0 else (error or output).strip()


def fail(module: AnsibleModule, names: list[str], folder: str, reason: str) -> NoReturn:
    """Ends the module with what to do about it."""
    where = f"the files in {folder}" if folder else "this host's package sources"
    message = "{0} cannot be installed from {1}: {2}"
    module.fail_json(msg=message.format(", ".join(names), where, reason), missing=names)


def install(module: AnsibleModule, manager: Any, record: dict[str, Any]) -> dict[str, Any]:
    """State present."""
    names, folder = module.params["names"], module.params["folder"] or ""
    missing = manager.missing(names)
    result: dict[str, Any] = {"changed": bool(missing), "missing": missing, "packages": missing}
    if missing and not module.check_mode:
        before = manager.installed()
        wrong = manager.install(missing, folder)
        if wrong:
            fail(module, missing, folder, wrong)
        added = sorted(manager.installed() - before)
        _record.save(module.params["record"], {"installed": sorted(set(record.get("installed", [])) | set(added))})
        result["packages"] = added
    result["diff"] = {"before": "", "after": "".join(name + "\n" for name in result["packages"])}
    return result


def remove(module: AnsibleModule, manager: Any, record: dict[str, Any]) -> dict[str, Any]:
    """State absent."""
    there = manager.installed()
    packages = [name for name in record.get("installed", []) if name in there]
    result: dict[str, Any] = {"changed": bool(packages), "packages": packages}
    result["diff"] = {"before": "".join(name + "\n" for name in packages), "after": ""}
    if not module.check_mode:
        kept = manager.remove(packages) if packages else ""
        if kept:
            module.warn("Packages that Lantern had installed stay ({}): {}".format(", ".join(packages), kept))
            result.update(changed=False, packages=[])
        _record.save(module.params["record"], {})
    return result


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            state=dict(type="str", choices=["present", "absent"], default="present"),
            names=dict(type="list", elements="str", default=[]),
            folder=dict(type="path"),
            record=dict(type="path", default="/var/lib/lantern/packages.json"),
        ),
        supports_check_mode=True,
    )
    try:
        record = _record.load(module.params["record"])
    except ValueError as error:
        module.fail_json(msg=str(error))
    if module.get_bin_path("dpkg-query"):
        manager: Any = Apt(module)
    elif module.get_bin_path("rpm"):
        manager = Dnf(module)
    else:
        module.fail_json(
            msg="This host has neither dpkg nor rpm. Set prepare_packages_by_family to {}, and install by hand: "
            + ", ".join(module.params["names"])
        )
    module.exit_json(**(install if module.params["state"] == "present" else remove)(module, manager, record))


if __name__ == "__main__":
    main()
