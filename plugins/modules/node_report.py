#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: node_report
short_description: Show what all nodes are and lack, as a table
version_added: 0.1.0
author:
  - Lantern contributors (@homelab-lantern)
description:
  - Prints what M(homelab.lantern.node_info) saw on each node, and below it what is wrong and what is done about it.
  - An action plugin; nothing runs on any host.
options:
  nodes:
    description: The results of M(homelab.lantern.node_info), by the nodes' names.
    type: dict
    required: true
attributes:
  check_mode:
    description: Only prints.
    support: full
  diff_mode:
    description: Nothing is changed.
    support: none
  idempotent:
    description: Nothing is changed.
    support: full
"""

EXAMPLES = r"""
---
- name: Show the nodes
  homelab.lantern.node_report:
    nodes:
      node1: "{{ hostvars['node1'].node }}"
  run_once: true
"""

RETURN = r"""
table:
  description: The lines of the table.
  returned: success
  type: list
  elements: str
complaints:
  description: One line for each thing that is wrong.
  returned: success
  type: list
  elements: str
"""
