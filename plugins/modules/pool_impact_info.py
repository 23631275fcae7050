#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: pool_impact_info
short_description: Tell which Services a change of address pools would move
version_added: 0.1.0
description:
  - Compares the pools that are about to be applied with what Services of type LoadBalancer have.
  - A Service whose address is in none of the pools afterwards gets another one, or waits if there is none.
  - Tells as well which ranges would be in two pools, as some pools were not made by Lantern.
author:
  - Lantern contributors (@homelab-lantern)
extends_documentation_fragment:
  - homelab.lantern.cluster
attributes:
  check_mode:
    description: Only reads.
    support: full
  diff_mode:
    description: Nothing is changed.
    support: none
options:
  pools:
    description: The IPAddressPool manifests that are about to be applied.
    type: list
    elements: dict
    required: true
  namespace:
    description: Namespace that holds the pools.
    type: str
    default: metallb-system
"""

EXAMPLES = r"""
---
- name: Who would lose an address?
  homelab.lantern.pool_impact_info:
    kubeconfig: ~/.kube/config
    pools:
      - apiVersion: metallb.io/v1beta1
        kind: IPAddressPool
        metadata:
          name: home
          namespace: metallb-system
        spec:
          addresses: [192.168.2.200-192.168.2.220]
  register: impact
  delegate_to: localhost
"""

RETURN = r"""
removed:
  description: Pools made by Lantern that are not among O(pools).
  returned: always
  type: list
  elements: str
overlaps:
  description: A sentence for each range that would be in two pools. Lantern takes no pools of which that is true.
  returned: always
  type: list
  elements: str
services:
  description: Services whose address is in none of the pools afterwards.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Namespace and name.
      type: str
      sample: default/web
    addresses:
      description: The addresses that they lose.
      type: list
      elements: str
    pool:
      description: The pool that the addresses came from.
      type: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils._cluster import impact
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.connection import (
    MUTUALLY_EXCLUSIVE,
    argument_spec,
    connect,
    finish,
)


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """What exit_json gets."""
    cluster = connect(module)
    planned = module.params["pools"]
    present = cluster.list("metallb.io/v1beta1", "IPAddressPool", module.params["namespace"])
    pools = impact.after(present, planned)
    return {
        "changed": False,
        "removed": impact.removed(present, planned),
        "overlaps": impact.overlaps(pools),
        "services": impact.touched(cluster.list("v1", "Service"), pools),
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(
            pools={"type": "list", "elements": "dict", "required": True},
            namespace={"type": "str", "default": "metallb-system"},
        ),
        mutually_exclusive=MUTUALLY_EXCLUSIVE,
        supports_check_mode=True,
    )
    finish(module, lambda: work(module))


if __name__ == "__main__":
    main()
