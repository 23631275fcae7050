#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dnsmasq_reservation
short_description: Keep address ranges out of the reach of dnsmasq's DHCP server
version_added: 0.1.0
author:
  - Lantern contributors (@homelab-lantern)
description:
  - Shortens or splits every C(dhcp-range) that holds an address to reserve, in the file where it stands. The original
    line is kept beside it in a comment, so that O(state=absent) restores the file byte for byte.
  - Follows C(conf-file) and C(conf-dir), also those of the running service's command line.
  - Refuses when a host has a fixed address in the ranges, when a host holds a lease there (O(active_leases)), or when
    no address would be left to hand out.
  - Tests the new configuration before it replaces anything, restarts the service only when something changed, waits
    until it serves again, and puts the former files back when it does not.
  - Ranges for IPv6, router advertisements, and the modes V(static) and V(proxy) are left alone.
options:
  state:
    description:
      - V(present) keeps O(ranges) free; V(absent) restores what was there before.
    type: str
    choices: [present, absent]
    default: present
  ranges:
    description:
      - The addresses to keep free, as CIDRs or C(first-last). IPv6 ranges are ignored.
      - Required if O(state=present). Ranges reserved earlier and not in this list are given back.
    type: list
    elements: str
    default: []
  network:
    description:
      - The LAN in CIDR notation. At least one address in it must stay free to be handed out.
    type: str
  config_file:
    description:
      - dnsmasq's main configuration file, used unless the service's command line names another.
    type: path
    default: /etc/dnsmasq.conf
  lease_file:
    description:
      - Where dnsmasq keeps its leases. By default taken from its configuration, else looked for in the usual places.
    type: path
  active_leases:
    description:
      - What to do when a host holds a lease in O(ranges).
      - V(refuse) changes nothing and lists these hosts. V(ignore) reserves anyway; the hosts get another address when
        they renew.
    type: str
    choices: [refuse, ignore]
    default: refuse
  service:
    description:
      - Name of the service that runs dnsmasq.
    type: str
    default: dnsmasq
  timeout:
    description:
      - How many seconds dnsmasq has to serve again after a restart.
    type: int
    default: 15
  backup_dir:
    description:
      - Where the untouched files are kept while there is a reservation.
    type: path
    default: /var/lib/lantern/dnsmasq
attributes:
  check_mode:
    description: Can run in check mode; refusals happen there too.
    support: full
  diff_mode:
    description: Shows each changed file.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
---
- name: Keep the upper half of the LAN for LoadBalancer Services
  homelab.lantern.dnsmasq_reservation:
    ranges:
      - 192.168.2.128/25
    network: 192.168.2.0/24

- name: Give everything back
  homelab.lantern.dnsmasq_reservation:
    state: absent
"""

RETURN = r"""
files:
  description: The files that were changed.
  returned: success
  type: list
  elements: str
  sample: [/etc/dnsmasq.conf]
backups:
  description: Copies of the untouched files.
  returned: if O(state) is V(present)
  type: list
  elements: str
  sample: [/var/lib/lantern/dnsmasq/etc__dnsmasq.conf]
handed_out:
  description: The ranges that clients get addresses from.
  returned: success
  type: list
  elements: str
  sample: [192.168.2.2-192.168.2.127]
active_leases:
  description: Leases inside O(ranges).
  returned: success, and when they are the reason to refuse
  type: list
  elements: dict
  contains:
    address:
      description: The leased address.
      type: str
    mac:
      description: The client's MAC address.
      type: str
    name:
      description: The name that the client gave, may be empty.
      type: str
    expires:
      description: End of the lease in local time, or V(never).
      type: str
restarted:
  description: Whether dnsmasq was started anew.
  returned: success
  type: bool
"""

import os
import time
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange, Problem, parse_range
from ansible_collections.homelab.lantern.plugins.module_utils._routers import dnsmasq
from ansible_collections.homelab.lantern.plugins.module_utils._routers import dnsmasq_daemon as daemons

ARGUMENT_SPEC = dict(
    state=dict(type="str", choices=["present", "absent"], default="present"),
    ranges=dict(type="list", elements="str", default=[]),
    network=dict(type="str"),
    config_file=dict(type="path", default="/etc/dnsmasq.conf"),
    lease_file=dict(type="path"),
    active_leases=dict(type="str", choices=["refuse", "ignore"], default="refuse"),
    service=dict(type="str", default="dnsmasq"),
    timeout=dict(type="int", default=15),
    backup_dir=dict(type="path", default="/var/lib/lantern/dnsmasq"),
)


class Reservation:
    """One run of the module."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.present = module.params["state"] == "present"
        self.daemon = daemons.Daemon(self._run, self._bin_path, module.params["service"], module.params["config_file"])
        self.pid = self.daemon.pid()
        self.sources = self._sources()
        self.ranges, self.lan = self._ranges()

    def _run(self, command: list[str]) -> Any:
        return self.module.run_command(command, environ_update={"LC_ALL": "C"})

    def _bin_path(self, name: str) -> str | None:
        return self.module.get_bin_path(name)

    def _refuse(self, problems: list[str], **result: Any) -> NoReturn:
        self.module.fail_json(msg="\n".join(problems), **result)

    def _sources(self) -> daemons.Sources:
        try:
            return daemons.read_sources(self.module.params["config_file"], self.daemon.arguments(self.pid))
        except OSError as error:
            if not self.present and isinstance(error, FileNotFoundError):
                return daemons.Sources()  # dnsmasq is gone, and with it what would have to be restored
            message = (
                "dnsmasq's configuration cannot be read: {0}. Is dnsmasq installed on this host, is config_file right, "
                "and does this task run as root (become)?"
            )
            self._refuse([message.format(error)])

    def _ranges(self) -> Any:
        parsed = [parse_range(text, "ranges") for text in self.module.params["ranges"]]
        network = parse_range(self.module.params["network"], "network") if self.module.params["network"] else None
        wrong = [item.message for item in [*parsed, network] if isinstance(item, Problem)]
        if self.present and not parsed:
            wrong.append("ranges is empty. Name the addresses to reserve, or use state: absent to give all back.")
        if wrong:
            self._refuse(wrong)
        return [item for item in parsed if isinstance(item, AddressRange) and item.version == 4], network

    def active_leases(self) -> list[dict[str, str]]:
        """Leases inside the ranges, for people."""
        path = self.module.params["lease_file"] or daemons.lease_file(self.sources)
        if not path or not os.path.isfile(path):
            return []
        found = dnsmasq.leases(daemons.read_text(path), time.time())
        return [
            {
                "address": str(item.address),
                "mac": item.mac,
                "name": item.name,
                "expires": time.strftime("%Y-%m-%d %H:%M", time.localtime(item.expiry)) if item.expiry else "never",
            }
            for item in found
            if any(item.address in part for part in self.ranges)
        ]

    def wanted(self, leases: list[dict[str, str]]) -> dict[str, str]:
        """All option files as they should be. Ends the module when there is a reason to refuse."""
        files = {path: text for path, text in self.sources.options.items() if path != daemons.COMMAND_LINE}
        if not self.present:
            return dnsmasq.release(files)
        outcome = dnsmasq.reserve(files, self.ranges, self.lan)
        problems = [item.message for item in outcome.problems]
        fixed = dnsmasq.fixed_leases(self.sources.options, self.sources.hosts, self.sources.ethers)
        problems += [item.message for item in dnsmasq.fixed_lease_problems(fixed, self.ranges)]
        for _where, item in dnsmasq.dynamic_ranges({"": self.sources.options.get(daemons.COMMAND_LINE, "")}):
            if any(item.addresses.overlaps(part) for part in self.ranges):
                problems.append(
                    f"dnsmasq is started with --dhcp-range={item.addresses}, which holds reserved addresses. "
                    f"Move this option into {self.module.params['config_file']}."
                )
        if leases and self.module.params["active_leases"] == "refuse":
            problems += [
                'Address {address} in the pools is leased to {mac} (name "{name}") until {expires}.'.format(**item)
                for item in leases
            ]
            problems.append(
                "Move the pools, or reserve in spite of these leases (reserve_active_leases: ignore): "
                "the hosts then get another address when they renew."
            )
        if problems:
            self._refuse(problems, active_leases=leases)
        for text in outcome.warnings:
            self.module.warn(text)
        return outcome.files

    def backup_path(self, path: str) -> str:
        """Where the untouched copy of a file is kept."""
        return os.path.join(self.module.params["backup_dir"], path.strip("/").replace("/", "__"))

    def write(self, path: str, text: str) -> None:
        """Replaces a file in one step; owner, mode and security context stay."""
        scratch = os.path.join(self.module.tmpdir, os.path.basename(path))
        with open(scratch, "w", encoding="utf-8", errors="surrogateescape", newline="") as handle:
            handle.write(text)
        self.module.atomic_move(scratch, os.path.realpath(path))

    def keep_backups(self, changed: dict[str, str]) -> None:
        """Copies of the files as they were before the first reservation; an older copy is never replaced."""
        for path in changed:
            backup = self.backup_path(path)
            if not os.path.exists(backup):
                os.makedirs(os.path.dirname(backup), mode=0o755, exist_ok=True)
                self.write(backup, dnsmasq.release_text(self.sources.options[path]))

    def drop_backups(self, wanted: dict[str, str]) -> None:
        """Removes the copies that are the same as the restored files, and says so for the others."""
        for path, text in wanted.items():
            backup = self.backup_path(path)
            if not os.path.exists(backup):
                continue
            if daemons.read_text(backup) == text:
                os.unlink(backup)
            else:
                self.module.warn(
                    f"{path} was also edited by somebody else meanwhile; {backup} is a copy of how it was before."
                )
        for folder in (self.module.params["backup_dir"], os.path.dirname(self.module.params["backup_dir"])):
            if os.path.isdir(folder) and not os.listdir(folder):
                os.rmdir(folder)

    def apply(self, changed: dict[str, str]) -> None:
        """Writes, restarts, waits. Ends the module with everything put back when dnsmasq does not serve."""
        scratch = os.path.join(self.module.tmpdir, "dnsmasq-candidate.conf")
        for replaced, which in (({}, "its present configuration"), (changed, "the new configuration")):
            objection = self.daemon.test(self.sources, replaced, scratch)
            if objection:
                self._refuse([f"dnsmasq does not accept {which}, so nothing was changed: {objection}"])
        if self.present:
            self.keep_backups(changed)
        begin = time.time()
        for path, text in changed.items():
            self.write(path, text)
        port = daemons.dhcp_port(self.sources)
        wrong = self.daemon.restart()
        if not wrong and self.daemon.wait(port, self.module.params["timeout"]):
            return
        said = self.daemon.said(begin) or wrong or "(nothing)"
        for path in changed:
            self.write(path, self.sources.options[path])
        outcome = "dnsmasq was not started with its configuration unchanged"
        if changed:
            again = self.daemon.restart()
            recovered = not again and self.daemon.wait(port, self.module.params["timeout"])
            outcome = "The former files were put back, and with them dnsmasq {}".format(
                "serves again" if recovered else "does not start either"
            )
        message = "dnsmasq did not serve within {0} s. {1}. It said: {2}"
        self._refuse([message.format(self.module.params["timeout"], outcome, said)])


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    run = Reservation(module)
    leases = run.active_leases() if run.present else []
    wanted = run.wanted(leases)
    before = run.sources.options
    changed = {path: text for path, text in wanted.items() if text != before[path]}
    # A stopped or outdated dnsmasq is part of what has to be in order: it is the process that hands out addresses.
    restart = bool(changed) or (run.present and (run.pid is None or run.daemon.is_stale(run.pid, list(wanted))))
    result: dict[str, Any] = {
        "changed": restart,
        "files": sorted(changed),
        "restarted": restart,
        "active_leases": leases,
        "handed_out": [str(item.addresses) for _where, item in dnsmasq.dynamic_ranges(wanted)],
        "diff": [
            {"before_header": path, "after_header": path, "before": before[path], "after": changed[path]}
            for path in sorted(changed)
        ],
    }
    if run.present:
        result["backups"] = [
            run.backup_path(path) for path in sorted(wanted) if path in changed or os.path.exists(run.backup_path(path))
        ]
    if not module.check_mode:
        if restart:
            run.apply(changed)
        if not run.present:
            run.drop_backups(wanted)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
