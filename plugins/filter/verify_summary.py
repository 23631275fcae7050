# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter homelab.lantern.verify_summary: what a run of the verify stage found, as data."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils._wire import report

DOCUMENTATION = r"""
name: verify_summary
author: Lantern contributors
version_added: 0.1.0
short_description: Put together what the verify stage found
description:
  - Joins what the cluster says and what was seen on the wire, for a file that programs read, or for
    P(homelab.lantern.lan_picture#filter).
positional: _input, probes
options:
  _input:
    description: The result of M(homelab.lantern.loadbalancer_services_info).
    type: dict
    required: true
  probes:
    description: Results of M(homelab.lantern.service_probe).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Keep the report
  ansible.builtin.copy:
    content: "{{ services | homelab.lantern.verify_summary(probes.results) | to_nice_json }}"
    dest: verify.json
    mode: "0644"
"""

RETURN = r"""
_value:
  description: The report.
  type: dict
  contains:
    good:
      description: Whether nothing is broken.
      type: bool
    rows:
      description: Every hop, with C(subject), C(address) and the keys of a verdict of M(homelab.lantern.service_probe).
      type: list
      elements: dict
    broken:
      description: The first bad hop of each address, as in RV(_value.rows).
      type: list
      elements: dict
    probes:
      description: Each address that was tried, with who announces it and who answers for it.
      type: list
      elements: dict
    services:
      description: As in the input.
      type: list
      elements: dict
    nodes:
      description: As in the input.
      type: list
      elements: dict
    pools:
      description: As in the input.
      type: list
      elements: dict
"""


def verify_summary(info: Mapping[str, Any], probes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """See DOCUMENTATION."""
    return report.summary(dict(info), [dict(probe) for probe in probes])


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name and function of each filter."""
        return {"verify_summary": verify_summary}
