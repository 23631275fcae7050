#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: firewall_openings
short_description: Let hosts reach ports of this one, in whichever firewall is in charge
version_added: 0.1.0
author:
  - Lantern contributors (@homelab-lantern)
description:
  - Finds out whether firewalld, ufw or a rule set of nftables decides what comes in, and adds rules there, for now and
    for the next boot. Nothing is reloaded, so that rules of others stay as they are.
  - Rules that were added before and are no longer wanted are removed.
options:
  state:
    description: V(present) adds rules, V(absent) removes all that this module has added.
    type: str
    choices: [present, absent]
    default: present
  openings:
    description: Which hosts may reach which ports.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: The port.
        type: int
        required: true
      protocol:
        description: The protocol.
        type: str
        choices: [tcp, udp]
        default: tcp
      sources:
        description: Addresses or networks in CIDR notation.
        type: list
        elements: str
        required: true
      purpose:
        description: What it is for, in a few words. It stands in comments.
        type: str
        default: ""
  address:
    description:
      - This host's address in the LAN. It decides which of firewalld's zones the rules belong to, and is left out of
        the sources.
    type: str
    default: ""
  record:
    description: Where it is remembered what was added.
    type: path
    default: /var/lib/lantern/openings.json
  nftables_file:
    description: The file with rules that nftables' own configuration is made to include.
    type: path
    default: /etc/nftables-lantern.nft
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Shows the rules.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
---
- name: Let the other nodes' speakers in
  homelab.lantern.firewall_openings:
    address: 192.168.2.11
    openings:
      - {port: 7946, protocol: tcp, sources: [192.168.2.12, 192.168.2.13], purpose: gossip}
      - {port: 7946, protocol: udp, sources: [192.168.2.12, 192.168.2.13], purpose: gossip}
  become: true
"""

RETURN = r"""
manager:
  description: Which firewall is in charge.
  returned: success
  type: str
  sample: firewalld
added:
  description: Rules that were added.
  returned: success
  type: list
  elements: str
removed:
  description: Rules that were removed.
  returned: success
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils import _record
from ansible_collections.homelab.lantern.plugins.module_utils._node import filtering, firewalls, host, survey


def wanted(options: dict[str, t.Any]) -> list[filtering.Opening]:
    """The openings without the host itself among the sources; ValueError names a source that is none."""
    if options["state"] == "absent":
        return []
    found = []
    for one in options["openings"]:
        sources = tuple(
            filtering.normal(source) for source in one["sources"] if source and source != options["address"]
        )
        if sources:
            found.append(filtering.Opening(one["port"], one["protocol"], sources, one["purpose"]))
    return found


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "openings": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "port": {"type": "int", "required": True},
                    "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
                    "sources": {"type": "list", "elements": "str", "required": True},
                    "purpose": {"type": "str", "default": ""},
                },
            },
            "address": {"type": "str", "default": ""},
            "record": {"type": "path", "default": "/var/lib/lantern/openings.json"},
            "nftables_file": {"type": "path", "default": "/etc/nftables-lantern.nft"},
        },
        supports_check_mode=True,
    )
    options, node = module.params, host.of(module)
    seen = filtering.survey(node, survey.processes(node))
    try:
        record = _record.load(options["record"])
        firewall = firewalls.of(node, seen, record, address=options["address"], nft_file=options["nftables_file"])
        plan = firewall.plan(wanted(options), record)
        if plan.changed and not module.check_mode:
            # First the record: whatever happens next can then still be undone.
            _record.save(options["record"], firewalls.merged(record, plan.record))
            firewall.carry_out(plan)
            _record.save(options["record"], plan.record)
    except ValueError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=plan.changed,
        manager=seen["manager"],
        added=plan.added,
        removed=plan.removed,
        diff={
            "before_header": seen["manager"],
            "after_header": seen["manager"],
            "before": "".join(rule + "\n" for rule in plan.removed),
            "after": "".join(rule + "\n" for rule in plan.added),
        },
    )


if __name__ == "__main__":
    main()
