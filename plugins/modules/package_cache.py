#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: package_cache
short_description: Fetch packages with all they depend on, for hosts without Internet
version_added: 0.1.0
author:
  - Lantern contributors (@homelab-lantern)
description:
  - Fills a folder with packages for a distribution, release and processor, which need not be those of this machine.
  - A folder that was filled for the same request is left alone, without asking any package source.
  - Debian and its relatives need C(apt-get) and C(dpkg-deb) on this machine; Red Hat and its relatives need C(dnf) with
    its plugin C(download).
options:
  folder:
    description: Where the packages go.
    type: path
    required: true
  names:
    description: The packages.
    type: list
    elements: str
    required: true
  family:
    description: Kind of packages.
    type: str
    choices: [Debian, RedHat]
    required: true
  distribution:
    description: Name of the distribution in lower case.
    type: str
    required: true
  release:
    description: Code name or major version of its release.
    type: str
    required: true
  architecture:
    description: Processor, in the words of the distribution, such as V(arm64).
    type: str
    required: true
  sources:
    description:
      - Lines for C(sources.list), for Debian and its relatives.
      - By default this machine's own package sources, which is only possible when it runs the same distribution and
        release.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Shows nothing.
    support: none
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
---
- name: Packages for Raspberry Pis that cannot reach the Internet
  homelab.lantern.package_cache:
    folder: ~/.cache/lantern/packages/debian-bookworm-arm64
    names: [conntrack, iptables]
    family: Debian
    distribution: debian
    release: bookworm
    architecture: arm64
"""

RETURN = r"""
packages:
  description: The package files in the folder.
  returned: success
  type: list
  elements: str
"""

import os
import shutil
from typing import NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils import _packages, _record

RECORD = "lantern.json"


def fail(module: AnsibleModule, reason: str) -> NoReturn:
    """Ends the module with what to do about it."""
    message = (
        "Packages for {distribution} {release} ({architecture}) cannot be fetched on this machine: {reason}. "
        "Fetch them on a machine with Internet and the same kind of package manager, and copy the folder to {folder}."
    )
    module.fail_json(msg=message.format(reason=reason.strip().rstrip("."), **module.params))


def run(module: AnsibleModule, command: list[str]) -> str:
    """Output of a command that has to succeed."""
    if not module.get_bin_path(command[0]):
        fail(module, f"{command[0]} was not found")
    status, output, error = module.run_command(command, environ_update=_packages.ENVIRONMENT)
    if status != 0:
        fail(module, error or output)
    return output


def own_release() -> list[str]:
    """Distribution and release of this machine, ["", ""] when it does not say."""
    values = {}
    if os.path.exists("/etc/os-release"):
        with open("/etc/os-release", encoding="utf-8") as handle:
            for line in handle:
                name, _equals, value = line.strip().partition("=")
                values[name] = value.strip('"')
    return [values.get("ID", ""), values.get("VERSION_CODENAME", "")]


def fetch_debian(module: AnsibleModule, target: str) -> None:
    """Downloads with a private apt that believes nothing to be installed, so that every dependency comes along."""
    params = module.params
    scratch = os.path.join(module.tmpdir, "apt")
    for name in ("lists/partial", "archives/partial", "cache"):
        os.makedirs(os.path.join(scratch, name), exist_ok=True)
    status_file = os.path.join(scratch, "status")
    with open(status_file, "w", encoding="utf-8"):
        pass
    options = _packages.apt_private(scratch) + [
        ("Dir::State::Status", status_file),
        ("APT::Architecture", params["architecture"]),
        ("APT::Architectures", params["architecture"]),
        ("APT::Sandbox::User", "root"),
    ]
    if params["sources"]:
        source_list = os.path.join(scratch, "sources.list")
        with open(source_list, "w", encoding="utf-8") as handle:
            handle.write("".join(line + "\n" for line in params["sources"]))
        options += [("Dir::Etc::SourceList", source_list), ("Dir::Etc::SourceParts", "/dev/null")]
    elif own_release() != [params["distribution"], params["release"]]:
        fail(
            module,
            "this machine runs {}; name package sources in prepare_fetch_sources".format(
                " ".join(own_release()).strip() or "something else"
            ),
        )
    run(module, _packages.apt(options, "update"))
    run(module, _packages.apt(options, "install", "--download-only", "--no-install-recommends", *params["names"]))
    entries = []
    for name in sorted(os.listdir(os.path.join(scratch, "archives"))):
        if name.endswith(".deb"):
            path = os.path.join(scratch, "archives", name)
            entries.append(
                _packages.index_entry(
                    run(module, ["dpkg-deb", "--field", path]), name, os.path.getsize(path), _packages.sha256(path)
                )
            )
            shutil.move(path, os.path.join(target, name))
    with open(os.path.join(target, "Packages"), "w", encoding="utf-8") as handle:
        handle.write("\n".join(entries))


def fetch_redhat(module: AnsibleModule, target: str) -> None:
    """Downloads with what is not on this machine already."""
    command = [
        "dnf",
        "download",
        "--resolve",
        "--destdir",
        target,
        "--arch",
        module.params["architecture"],
        "--arch",
        "noarch",
    ]
    run(module, command + module.params["names"])


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec=dict(
            folder=dict(type="path", required=True),
            names=dict(type="list", elements="str", required=True),
            family=dict(type="str", choices=["Debian", "RedHat"], required=True),
            distribution=dict(type="str", required=True),
            release=dict(type="str", required=True),
            architecture=dict(type="str", required=True),
            sources=dict(type="list", elements="str", default=[]),
        ),
        supports_check_mode=True,
    )
    params = module.params
    folder = params["folder"]
    wanted = _packages.request(params["names"], params["distribution"], params["release"], params["architecture"])
    try:
        changed = _record.load(os.path.join(folder, RECORD)) != wanted
    except ValueError:
        changed = True
    if changed and not module.check_mode:
        # Filled beside its place and moved when complete: an interrupted run leaves no half folder behind.
        target = folder.rstrip("/") + ".new"
        shutil.rmtree(target, ignore_errors=True)
        os.makedirs(target)
        (fetch_debian if params["family"] == "Debian" else fetch_redhat)(module, target)
        _record.save(os.path.join(target, RECORD), wanted)
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(target, folder)
    module.exit_json(changed=changed, packages=sorted(os.listdir(folder)) if os.path.isdir(folder) else [])


if __name__ == "__main__":
    main()
