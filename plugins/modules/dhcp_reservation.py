#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dhcp_reservation
short_description: Keep address ranges out of the reach of Kea, ISC dhcpd or systemd-networkd
version_added: 0.1.0
author:
  - Lantern contributors (@homelab-lantern)
description:
  - Shortens or splits every range of the DHCP server that holds an address to reserve, in the file where it stands. The
    original lines are kept beside it in comments, so that O(state=absent) restores the files byte for byte.
  - Follows included files, and uses the configuration file that the running server was started with.
  - Refuses when a host has a fixed address in the ranges, when a host holds a lease there (O(active_leases)), or when
    no address would be left to hand out.
  - Has the server test the new configuration before it replaces anything, restarts it only when something changed,
    waits until it serves again, and puts the former files back when it does not.
  - systemd-networkd hands out one run of addresses for each interface and knows no exclusions. The largest run that the
    reserved addresses leave over is set in a drop-in file of its own; what is lost besides is said in a warning. It has
    no test for its files, and forgets its leases when it reads them anew.
  - Host reservations that Kea keeps in a database are not seen.
extends_documentation_fragment:
  - homelab.lantern.reservation
options:
  server:
    description:
      - The DHCP server on this host.
    type: str
    choices: [kea, isc_dhcpd, networkd]
    required: true
  config_file:
    description:
      - The server's main configuration file, used unless the running server's command line names another.
      - Empty for C(/etc/kea/kea-dhcp4.conf) or C(/etc/dhcp/dhcpd.conf). Not used with O(server=networkd).
    type: str
    default: ''
  lease_file:
    description:
      - Where the server keeps its leases. By default taken from its configuration, else looked for in the usual places.
    type: str
    default: ''
  service:
    description:
      - Name of the service. Empty for the one of Debian or Red Hat that exists here.
    type: str
    default: ''
  timeout:
    description:
      - How many seconds the server has to serve again after a restart.
    type: int
    default: 15
  backup_dir:
    description:
      - Where the untouched files are kept while there is a reservation.
    type: path
    default: /var/lib/lantern/dhcp
attributes:
  diff_mode:
    description: Shows each changed file.
    support: full
seealso:
  - module: homelab.lantern.dnsmasq_reservation
  - module: homelab.lantern.openwrt_reservation
  - module: homelab.lantern.dhcp_api_reservation
  - module: homelab.lantern.reservation_proof
"""

EXAMPLES = r"""
---
- name: Keep the upper half of the LAN for LoadBalancer Services
  homelab.lantern.dhcp_reservation:
    server: kea
    ranges:
      - 192.168.2.128/25
    network: 192.168.2.0/24

- name: Give everything back
  homelab.lantern.dhcp_reservation:
    server: kea
    state: absent
"""

RETURN = r"""
files:
  description: The files that were changed.
  returned: success
  type: list
  elements: str
  sample: [/etc/kea/kea-dhcp4.conf]
backups:
  description: Copies of the untouched files.
  returned: if O(state) is V(present)
  type: list
  elements: str
  sample: [/var/lib/lantern/dhcp/etc__kea__kea-dhcp4.conf]
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
  description: Whether the server was started anew.
  returned: success
  type: bool
"""

import time
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils._routers import applying, contract
from ansible_collections.homelab.lantern.plugins.module_utils._routers.file_servers import FileServer
from ansible_collections.homelab.lantern.plugins.module_utils._routers.kea import KeaSyntaxError
from ansible_collections.homelab.lantern.plugins.module_utils._routers.request import (
    OPTIONS,
    RequestError,
    Reserved,
    reserved,
)

ARGUMENT_SPEC = dict(
    server=dict(type="str", choices=["kea", "isc_dhcpd", "networkd"], required=True),
    **OPTIONS,
    config_file=dict(type="str", default=""),
    lease_file=dict(type="str", default=""),
    service=dict(type="str", default=""),
    timeout=dict(type="int", default=15),
    backup_dir=dict(type="path", default="/var/lib/lantern/dhcp"),
)


def refuse(module: AnsibleModule, problems: list[str], **result: Any) -> NoReturn:
    module.fail_json(msg="\n".join(problems), **result)


def present_files(module: AnsibleModule, server: FileServer) -> dict[str, str]:
    """What the server reads now. Ends the module when that cannot be read."""
    try:
        return server.read()
    except FileNotFoundError as error:
        if module.params["state"] == "absent":
            return {}  # the server is gone, and with it what would have to be restored
        refuse(module, [_unreadable(server, error)])
    except (OSError, KeaSyntaxError) as error:
        refuse(module, [_unreadable(server, error)])


def _unreadable(server: FileServer, error: Exception) -> str:
    return (
        f"The configuration of {server.title} cannot be read: {error}. Is {server.title} installed on this host, is "
        "config_file right, and does this task run as root (become)?"
    )


def wanted_files(
    module: AnsibleModule, server: FileServer, before: dict[str, str], what: Reserved, leases: list[dict[str, str]]
) -> dict[str, str]:
    """All files as they should be. Ends the module when there is a reason to refuse."""
    outcome = server.driver.reserve(before, what.ranges, what.lan)
    fixed = server.driver.fixed_leases(before)
    problems = applying.refusals(outcome, fixed, what.ranges, leases, module.params["active_leases"])
    if problems:
        refuse(module, problems, active_leases=leases)
    for text in outcome.warnings:
        module.warn(text)
    return outcome.files


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    options = module.params
    present = options["state"] == "present"
    try:
        what = reserved(options["ranges"], options["network"], present)
    except RequestError as error:
        module.fail_json(msg=str(error))

    def run(command: list[str]) -> Any:
        return module.run_command(command, environ_update={"LC_ALL": "C"})

    server = FileServer(
        options["server"],
        run,
        module.get_bin_path,
        service=options["service"],
        config_file=options["config_file"],
        lease_file=options["lease_file"],
    )
    before = present_files(module, server)
    try:
        leases = applying.shown_leases(server.leases(before, time.time()), what.ranges) if present else []
        wanted = wanted_files(module, server, before, what, leases) if present else server.driver.release(before)
        handed_out = [str(item) for _where, item in server.driver.handed_out(wanted)] if wanted else []
    except KeaSyntaxError as error:
        refuse(module, [_unreadable(server, error)])
    changed = contract.changes(before, wanted)
    # A stopped or outdated server is part of what has to be in order: it is the process that hands out addresses.
    restart = bool(changed) or (present and server.is_outdated(before))
    files = applying.Files(module, options["backup_dir"])
    result: dict[str, Any] = {
        "changed": restart,
        "files": sorted(changed),
        "restarted": restart,
        "active_leases": leases,
        "handed_out": handed_out,
        "diff": applying.diffs(before, wanted),
    }
    if present:
        result["backups"] = files.backups(list(before), changed)
    if not module.check_mode:
        if restart:
            if present:
                files.keep_backups(server.driver.release(before), changed)
            try:
                files.apply(server, before, wanted, options["timeout"])
            except applying.ApplyError as error:
                refuse(module, [str(error)])
        if not present:
            files.drop_backups(wanted)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
