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
  - Host names in O(names) are written at the end of O(config_file); one without a dot is also answered with dnsmasq's
    domain.
  - Ranges for IPv6, router advertisements, and the modes V(static) and V(proxy) are left alone.
extends_documentation_fragment:
  - homelab.lantern.reservation
  - homelab.lantern.reservation.names
options:
  config_file:
    description:
      - dnsmasq's main configuration file, used unless the service's command line names another.
    type: path
    default: /etc/dnsmasq.conf
  lease_file:
    description:
      - Where dnsmasq keeps its leases. By default taken from its configuration, else looked for in the usual places.
    type: path
  service:
    description:
      - Name of the service that runs dnsmasq.
    type: str
    default: dnsmasq
  layout:
    description:
      - How the configuration is laid out. V(pihole5) is Pi-hole 5, whose settings in C(/etc/pihole/setupVars.conf) are
        changed as well, so that the pools stay out when Pi-hole writes its files anew. Its O(service) is V(pihole-FTL).
    type: str
    choices: [plain, pihole5]
    default: plain
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
  diff_mode:
    description: Shows each changed file.
    support: full
"""

EXAMPLES = r"""
---
- name: Keep the upper half of the LAN for LoadBalancer Services
  homelab.lantern.dnsmasq_reservation:
    ranges:
      - 192.168.2.128/25
    network: 192.168.2.0/24

- name: Pi-hole 5, with a name for one of the Services
  homelab.lantern.dnsmasq_reservation:
    layout: pihole5
    service: pihole-FTL
    ranges:
      - 192.168.2.128/25
    names:
      - name: web.home
        addresses: [192.168.2.130]

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
from ansible_collections.homelab.lantern.plugins.module_utils._routers import applying, contract, dnsmasq, pihole5
from ansible_collections.homelab.lantern.plugins.module_utils._routers import dnsmasq_daemon as daemons
from ansible_collections.homelab.lantern.plugins.module_utils._routers.request import (
    NAMES,
    OPTIONS,
    RequestError,
    host_names,
    reserved,
)
from ansible_collections.homelab.lantern.plugins.module_utils._routers.service import read_text

ARGUMENT_SPEC = dict(
    **OPTIONS,
    **NAMES,
    config_file=dict(type="path", default="/etc/dnsmasq.conf"),
    lease_file=dict(type="path"),
    service=dict(type="str", default="dnsmasq"),
    layout=dict(type="str", choices=["plain", "pihole5"], default="plain"),
    timeout=dict(type="int", default=15),
    backup_dir=dict(type="path", default="/var/lib/lantern/dnsmasq"),
)


class Dnsmasq:
    """The server as `applying` sees it."""

    title = "dnsmasq"

    def __init__(self, daemon: daemons.Daemon, sources: daemons.Sources, scratch: str, port: int | None) -> None:
        self._daemon = daemon
        self._sources = sources
        self._scratch = scratch
        self._port = port

    def objection(self, files: dict[str, str]) -> str:
        return self._daemon.test(self._sources, files, self._scratch)

    def restart(self) -> str:
        return self._daemon.service.restart()

    def serves(self, seconds: float) -> bool:
        return self._daemon.service.wait(self._port, seconds)

    def said(self, since: float) -> str:
        return self._daemon.service.said(since)


class Reservation:
    """One run of the module."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.present = module.params["state"] == "present"
        self.driver = pihole5 if module.params["layout"] == "pihole5" else dnsmasq
        self.daemon = daemons.Daemon(self._run, module.get_bin_path, module.params["service"], self._config_file())
        self.pid = self.daemon.service.pid()
        self.sources = self._sources()
        self.before = {path: text for path, text in self.sources.options.items() if path != daemons.COMMAND_LINE}
        if self.driver is pihole5 and os.path.isfile(pihole5.SETTINGS):
            self.before[pihole5.SETTINGS] = read_text(pihole5.SETTINGS)
        self.files = applying.Files(module, module.params["backup_dir"])
        try:
            self.ranges, self.lan = reserved(module.params["ranges"], module.params["network"], self.present)
        except RequestError as error:
            self._refuse([str(error)])

    def _config_file(self) -> str:
        return str(self.module.params["config_file"])

    def _run(self, command: list[str]) -> Any:
        return self.module.run_command(command, environ_update={"LC_ALL": "C"})

    def _refuse(self, problems: list[str], **result: Any) -> NoReturn:
        self.module.fail_json(msg="\n".join(problems), **result)

    def _sources(self) -> daemons.Sources:
        try:
            return daemons.read_sources(self._config_file(), self.daemon.arguments(self.pid))
        except OSError as error:
            if not self.present and isinstance(error, FileNotFoundError):
                return daemons.Sources()  # dnsmasq is gone, and with it what would have to be restored
            message = (
                "dnsmasq's configuration cannot be read: {0}. Is dnsmasq installed on this host, is config_file right, "
                "and does this task run as root (become)?"
            )
            self._refuse([message.format(error)])

    def active_leases(self) -> list[dict[str, str]]:
        """Leases inside the ranges, for people."""
        path = self.module.params["lease_file"] or daemons.lease_file(self.sources)
        if not path or not os.path.isfile(path):
            return []
        return applying.shown_leases(dnsmasq.leases(read_text(path), time.time()), self.ranges)

    def wanted(self, leases: list[dict[str, str]]) -> dict[str, str]:
        """All files as they should be. Ends the module when there is a reason to refuse."""
        if not self.present:
            return self.driver.release(self.before)
        outcome = self.driver.reserve(self.before, self.ranges, self.lan)
        fixed = dnsmasq.fixed_leases(self.sources.options, self.sources.hosts, self.sources.ethers)
        problems = applying.refusals(outcome, fixed, self.ranges, leases, self.module.params["active_leases"])
        for _where, item in dnsmasq.handed_out({"": self.sources.options.get(daemons.COMMAND_LINE, "")}):
            if any(item.overlaps(part) for part in self.ranges):
                problems.append(
                    f"dnsmasq is started with --dhcp-range={item}, which holds reserved addresses. "
                    f"Move this option into {self._config_file()}."
                )
        if problems:
            self._refuse(problems, active_leases=leases)
        for text in outcome.warnings:
            self.module.warn(text)
        return self._with_names(outcome.files)

    def _with_names(self, files: dict[str, str]) -> dict[str, str]:
        names = host_names(self.module.params["names"])
        if names and not dnsmasq.answers_dns(files):
            self.module.warn("dnsmasq answers no DNS here (port=0), so the names of pinned Services are left out.")
            return files
        path = self._config_file() if self._config_file() in files else next(iter(files))
        return dnsmasq.with_names(files, path, names)

    def apply(self, wanted: dict[str, str]) -> None:
        """Writes, restarts, waits. Ends the module with everything put back when dnsmasq does not serve."""
        scratch = os.path.join(self.module.tmpdir, "dnsmasq-candidate.conf")
        server = Dnsmasq(self.daemon, self.sources, scratch, daemons.dhcp_port(self.sources))
        if self.present:
            self.files.keep_backups(self.driver.release(self.before), contract.changes(self.before, wanted))
        try:
            self.files.apply(server, self.before, wanted, self.module.params["timeout"])
        except applying.ApplyError as error:
            self._refuse([str(error)])


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    run = Reservation(module)
    leases = run.active_leases() if run.present else []
    wanted = run.wanted(leases)
    changed = contract.changes(run.before, wanted)
    # A stopped or outdated dnsmasq is part of what has to be in order: it is the process that hands out addresses.
    outdated = run.pid is None or run.daemon.service.is_stale(run.pid, list(wanted))
    restart = bool(changed) or (run.present and outdated)
    result: dict[str, Any] = {
        "changed": restart,
        "files": sorted(changed),
        "restarted": restart,
        "active_leases": leases,
        "handed_out": [str(item) for _where, item in run.driver.handed_out(wanted)],
        "diff": applying.diffs(run.before, wanted),
    }
    if run.present:
        result["backups"] = run.files.backups(list(wanted), changed)
    if not module.check_mode:
        if restart:
            run.apply(wanted)
        if not run.present:
            run.files.drop_backups(wanted)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
