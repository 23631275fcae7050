# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter homelab.lantern.cluster_neighbours: other clusters of the inventory in the same LAN."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence

from ansible_collections.homelab.lantern.plugins.filter.host_addresses import host_addresses
from ansible_collections.homelab.lantern.plugins.module_utils import _clusters

DOCUMENTATION = r"""
name: cluster_neighbours
author: Lantern contributors
version_added: 0.1.0
short_description: Other clusters of the inventory in the same LAN
description:
  - Their pools have to be kept out of DHCP's reach by whoever sets the router, and no two pools may overlap.
  - Clusters share a LAN if their hosts in group C(router) have the same C(ansible_host), or, where one has no such
    host, if C(lantern_lan) and C(lantern_router) are the same.
positional: _input, hostvars
options:
  _input:
    description: Ansible's variable C(groups).
    type: dict
    required: true
  hostvars:
    description: Ansible's variable C(hostvars).
    type: dict
    required: true
  cluster:
    description: Name of the cluster that the run is about; empty if the inventory has one only.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Who else is in this LAN
  ansible.builtin.debug:
    msg: "{{ groups | homelab.lantern.cluster_neighbours(hostvars, lantern_cluster | default('')) }}"
"""

RETURN = r"""
_value:
  description: Name, pools, pins and nodes of each, as the inventory has them.
  type: list
  elements: dict
  contains:
    cluster:
      description: Its name.
      type: str
      sample: cellar
    pools:
      description: Its C(lantern_pools).
      type: raw
    pins:
      description: Its C(lantern_pins).
      type: raw
    nodes:
      description: Name and address of each node; an empty address when it is not known.
      type: dict
"""


def cluster_neighbours(
    groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Mapping[str, Any]], cluster: Any = ""
) -> list[dict[str, Any]]:
    """See DOCUMENTATION."""
    found = _clusters.neighbours(groups, hostvars, str(cluster or ""))
    return [dict(one._asdict(), nodes=host_addresses(one.nodes, hostvars)) for one in found]


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name and function of each filter."""
        return {"cluster_neighbours": cluster_neighbours}
