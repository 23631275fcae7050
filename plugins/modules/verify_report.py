#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: verify_report
short_description: Show the verdicts about LoadBalancer Services as a table
version_added: 0.1.0
description:
  - Prints one line for each hop, and fails if a verdict is bad, naming the hop and what to do.
  - In check mode it never fails, as what it looks at may be waiting for the real run.
author:
  - Lantern contributors (@homelab-lantern)
attributes:
  check_mode:
    description: Prints, but does not fail.
    support: full
  diff_mode:
    description: Nothing is changed.
    support: none
options:
  info:
    description: The result of M(homelab.lantern.loadbalancer_services_info).
    type: dict
    required: true
  probes:
    description: Results of M(homelab.lantern.service_probe).
    type: list
    elements: dict
    default: []
notes:
  - It is an action plugin and runs on the machine that runs Ansible.
"""

EXAMPLES = r"""
---
- name: Show what was seen
  homelab.lantern.verify_report:
    info: "{{ services }}"
    probes: "{{ probes.results }}"
"""

RETURN = r"""
table:
  description: The lines of the table.
  returned: if the task does not fail
  type: list
  elements: str
"""
