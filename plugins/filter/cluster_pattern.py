# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter homelab.lantern.cluster_pattern: what a play writes as its hosts."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.homelab.lantern.plugins.module_utils import _clusters

DOCUMENTATION = r"""
name: cluster_pattern
author: Lantern contributors
version_added: 0.1.0
short_description: The hosts of a play that is about one cluster
description:
  - As filter P(homelab.lantern.cluster_hosts#filter), but as a pattern for C(hosts) of a play.
positional: _input, role
options:
  _input:
    description: Ansible's variable C(groups).
    type: dict
    required: true
  role:
    description:
      - V(nodes) or V(router) for all hosts of the cluster in the group of that name.
      - V(controller) for the one that stands for the machine that runs Ansible, C(localhost) if there is one cluster.
      - V(probe) for the first host of group C(probe), and the controller if there is none.
    type: str
    choices: [nodes, router, controller, probe]
    required: true
  cluster:
    description: Name of the cluster. Needed if there are several.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: From a host in the LAN
  hosts: "{{ groups | homelab.lantern.cluster_pattern('probe', lantern_cluster | default('')) }}"
  gather_facts: false
  tasks:
    - name: See who this is
      ansible.builtin.debug:
        var: inventory_hostname
"""

RETURN = r"""
_value:
  description: A pattern of hosts.
  type: str
  sample: nodes:&attic
"""


def cluster_pattern(groups: Mapping[str, Sequence[str]], role: str, cluster: Any = "") -> str:
    """See DOCUMENTATION."""
    try:
        return _clusters.pattern(groups, role, str(cluster or ""))
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name and function of each filter."""
        return {"cluster_pattern": cluster_pattern}
