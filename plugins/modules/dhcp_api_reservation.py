#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dhcp_api_reservation
short_description: Keep address ranges out of the reach of a DHCP server that has an HTTP API
version_added: 0.1.0
author:
  - Lantern contributors (@homelab-lantern)
description:
  - Shortens or splits every range of the DHCP server that holds an address to reserve. Runs on any host that reaches
    the API, usually the one that runs Ansible.
  - Kea is tested against the real server. Pi-hole 6, RouterOS and OPNsense are written from their documentation and
    tested against stand-ins, not seen on hardware.
  - Refuses when a host has a fixed address in the ranges, when a host holds a lease there (O(active_leases)), or when
    no address would be left to hand out.
  - What was there before is kept in a file in O(record_dir), with Kea in the configuration itself. O(state=absent)
    brings it back; what somebody else changed meanwhile is left as it is.
  - Host names in O(names) are for O(server=pihole) only.
  - Looks whether the settings are in place afterwards, and puts the former ones back when they are not.
extends_documentation_fragment:
  - homelab.lantern.reservation
  - homelab.lantern.reservation.names
options:
  server:
    description:
      - What the API belongs to.
      - V(kea_api) is Kea's control agent, or the HTTP socket that Kea has itself since 2.7. Leases are seen if its hook
        C(libdhcp_lease_cmds.so) is loaded.
      - V(pihole) is Pi-hole 6, V(routeros) is MikroTik RouterOS 7 with service C(www-ssl) on, V(opnsense) is OPNsense
        with dnsmasq or Kea.
    type: str
    choices: [kea_api, pihole, routeros, opnsense]
    required: true
  url:
    description:
      - Where the API is, such as C(https://192.168.2.1) or C(http://127.0.0.1:8000).
    type: str
    required: true
  username:
    description:
      - The user, with O(server=opnsense) the API key. Not used with O(server=pihole).
    type: str
    default: ''
  password:
    description:
      - The password, with O(server=opnsense) the API secret.
    type: str
    default: ''
  validate_certs:
    description:
      - Whether the router's certificate must be valid.
    type: bool
    default: true
  timeout:
    description:
      - How many seconds the settings have to be in place.
    type: int
    default: 20
  record_dir:
    description:
      - Folder on the host where the module runs for what was there before. Without its file a reservation cannot be
        undone by this module.
    type: path
    default: ~/.local/state/lantern
attributes:
  diff_mode:
    description: Shows the changed settings as JSON.
    support: full
seealso:
  - module: homelab.lantern.dhcp_reservation
  - module: homelab.lantern.reservation_proof
"""

EXAMPLES = r"""
---
- name: Keep the upper half of the LAN for LoadBalancer Services
  homelab.lantern.dhcp_api_reservation:
    server: routeros
    url: https://192.168.2.1
    username: lantern
    password: "{{ vault_router_password }}"
    ranges:
      - 192.168.2.128/25
    network: 192.168.2.0/24
  delegate_to: localhost

- name: Give everything back
  homelab.lantern.dhcp_api_reservation:
    server: routeros
    url: https://192.168.2.1
    username: lantern
    password: "{{ vault_router_password }}"
    state: absent
  delegate_to: localhost
"""

RETURN = r"""
settings:
  description: Names of the settings that were changed.
  returned: success
  type: list
  elements: str
  sample: [/ip/pool]
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
"""

import os
import re
import time
from typing import Any
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils import _record
from ansible_collections.homelab.lantern.plugins.module_utils._routers import DRIVERS, applying, contract
from ansible_collections.homelab.lantern.plugins.module_utils._routers.documents import load, text
from ansible_collections.homelab.lantern.plugins.module_utils._routers.http_api import Api, ApiError
from ansible_collections.homelab.lantern.plugins.module_utils._routers.request import (
    NAMES,
    OPTIONS,
    RequestError,
    Reserved,
    host_names,
    reserved,
)

ARGUMENT_SPEC = dict(
    server=dict(type="str", choices=["kea_api", "pihole", "routeros", "opnsense"], required=True),
    url=dict(type="str", required=True),
    username=dict(type="str", default=""),
    password=dict(type="str", default="", no_log=True),
    validate_certs=dict(type="bool", default=True),
    **OPTIONS,
    **NAMES,
    timeout=dict(type="int", default=20),
    record_dir=dict(type="path", default="~/.local/state/lantern"),
)


class Reservation:
    """One run of the module."""

    def __init__(self, module: AnsibleModule, api: Api, what: Reserved) -> None:
        self.module = module
        self.api = api
        self.what = what
        self.driver: Any = DRIVERS[module.params["server"]]
        self.present = module.params["state"] == "present"
        host = re.sub(r"[^A-Za-z0-9.-]", "_", urlsplit(module.params["url"]).netloc or module.params["url"])
        self.record_file = os.path.join(module.params["record_dir"], f"{module.params['server']}-{host}.json")
        self.record = _record.load(self.record_file)
        self.leases: list[dict[str, str]] = []

    def _with_record(self, documents: dict[str, str]) -> dict[str, str]:
        return {**documents, contract.RECORD: text(self.record)} if self.record else documents

    def wanted(self, before: dict[str, str]) -> dict[str, str]:
        """The texts as they should be."""
        if not self.present:
            return self.driver.release(before)
        outcome = self.driver.reserve(before, self.what.ranges, self.what.lan)
        names = host_names(self.module.params["names"])
        return self.driver.with_names(outcome.files, names) if names else outcome.files

    def refuse_if_needed(self, before: dict[str, str]) -> None:
        """Ends the module when there is a reason to change nothing."""
        outcome = self.driver.reserve(before, self.what.ranges, self.what.lan)
        found, unseen = self.api.leases(time.time())
        self.leases = applying.shown_leases(found, self.what.ranges)
        fixed = self.driver.fixed_leases(before)
        problems = applying.refusals(outcome, fixed, self.what.ranges, self.leases, self.module.params["active_leases"])
        if problems:
            self.module.fail_json(msg="\n".join(problems), active_leases=self.leases)
        for warning in outcome.warnings + unseen:
            self.module.warn(warning)

    def run(self) -> dict[str, Any]:
        """What exit_json gets. Raises ApiError."""
        documents = self.api.documents()
        before = self._with_record(documents)
        if self.present:
            self.refuse_if_needed(before)
        wanted = self.wanted(before)
        record = load(wanted, contract.RECORD, {})
        after = {name: value for name, value in wanted.items() if name != contract.RECORD}
        changed = contract.changes(documents, after)
        if not self.module.check_mode:
            self._save(record if self.present else self.record)  # first, so that an interrupted run can be undone
            if changed:
                self._apply(documents, after)
            self._save(record)
        return {
            "changed": bool(changed),
            "settings": sorted(changed),
            "active_leases": self.leases,
            "handed_out": [str(item) for _where, item in self.driver.handed_out(after)],
            "diff": applying.diffs(documents, after),
        }

    def _apply(self, before: dict[str, str], after: dict[str, str]) -> None:
        def settled(documents: dict[str, str]) -> bool:
            # New entries have got ids by now, so the states themselves may differ: what counts is that nothing is left
            # to be changed.
            now = self._with_record(documents)
            again = self.wanted(now)
            return not any(name != contract.RECORD for name in contract.changes(now, again))

        former = self.record
        self.record = _record.load(self.record_file)
        try:
            self.api.bring(before, after, settled, self.module.params["timeout"])
        except ApiError:
            self._save(former)
            raise

    def _save(self, record: dict[str, Any]) -> None:
        if record != _record.load(self.record_file):
            _record.save(self.record_file, record)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    options = module.params
    if options["names"] and options["server"] != "pihole":
        module.warn(f"Names are not written to a router of type {options['server']}; write them there yourself.")
        options["names"] = []
    try:
        what = reserved(options["ranges"], options["network"], options["state"] == "present")
        api = Api(
            DRIVERS[options["server"]],
            options["url"],
            username=options["username"],
            password=options["password"],
            validate_certs=options["validate_certs"],
            session=options["server"] == "pihole",
        )
        with api:
            result = Reservation(module, api, what).run()
    except (ApiError, RequestError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
