#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: loadbalancer_release
short_description: Take back the addresses that Lantern gave to Services
version_added: 0.1.0
description:
  - Empties C(status.loadBalancer) of every Service that bears Lantern's annotation
    C(metallb.io/ip-allocated-from-pool),
    and takes that annotation off. The Services are pending again, as before Lantern came.
  - The controller must be gone before, or it gives the addresses out again.
author:
  - Lantern contributors (@homelab-lantern)
extends_documentation_fragment:
  - homelab.lantern.cluster
attributes:
  check_mode:
    description: Tells which Services would lose their addresses.
    support: full
  diff_mode:
    description: Shows the addresses of each such Service.
    support: full
options: {}
"""

EXAMPLES = r"""
---
- name: Leave no address behind
  homelab.lantern.loadbalancer_release:
    kubeconfig: ~/.kube/config
  delegate_to: localhost
"""

RETURN = r"""
services:
  description: Namespace and name of each Service that lost its addresses.
  returned: always
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils._cluster import services
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.connection import (
    MUTUALLY_EXCLUSIVE,
    argument_spec,
    connect,
    finish,
)

PATCH: dict[str, t.Any] = {
    "metadata": {"annotations": {services.POOL_ANNOTATION: None}},
    "status": {"loadBalancer": {"ingress": None}},
}


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """What exit_json gets."""
    cluster = connect(module)
    released, differences = [], []
    for service in cluster.list("v1", "Service"):
        if not services.assigned_by_us(service):
            continue
        metadata = service["metadata"]
        name = f"{metadata['namespace']}/{metadata['name']}"
        cluster.merge(service, PATCH, subresource="status", dry_run=module.check_mode)
        released.append(name)
        differences.append(
            {
                "before_header": f"Service {name}",
                "after_header": f"Service {name}",
                "before": ", ".join(services.addresses(service)) + "\n",
                "after": "pending\n",
            }
        )
    result: dict[str, t.Any] = {"changed": bool(released), "services": released}
    if module._diff:
        result["diff"] = differences
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(), mutually_exclusive=MUTUALLY_EXCLUSIVE, supports_check_mode=True
    )
    finish(module, lambda: work(module))


if __name__ == "__main__":
    main()
