# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter homelab.lantern.cluster_hosts: the hosts of a group that belong to the cluster a run is about."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.homelab.lantern.plugins.module_utils import _clusters

DOCUMENTATION = r"""
name: cluster_hosts
author: Lantern contributors
version_added: 0.1.0
short_description: The hosts of a group that belong to one cluster
description:
  - Where an inventory describes one cluster, these are all hosts of the group.
  - Where it describes several, each a group with one host that is also in group C(ansible_controller), they are those
    of the cluster that is named.
positional: _input, role
options:
  _input:
    description: Ansible's variable C(groups).
    type: dict
    required: true
  role:
    description: The group, such as V(nodes).
    type: str
    required: true
  cluster:
    description: Name of the cluster. Needed if there are several.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: The nodes that this run is about
  ansible.builtin.debug:
    msg: "{{ groups | homelab.lantern.cluster_hosts('nodes', lantern_cluster | default('')) }}"
"""

RETURN = r"""
_value:
  description: Names of hosts, in the inventory's order.
  type: list
  elements: str
  sample: [attic1, attic2]
"""


def cluster_hosts(groups: Mapping[str, Sequence[str]], role: str, cluster: Any = "") -> list[str]:
    """See DOCUMENTATION."""
    try:
        return _clusters.hosts(groups, role, str(cluster or ""))
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name and function of each filter."""
        return {"cluster_hosts": cluster_hosts}
