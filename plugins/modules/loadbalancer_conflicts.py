#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: loadbalancer_conflicts
short_description: Refuse a cluster where something else already serves LoadBalancer Services
version_added: 0.1.0
description:
  - Looks for MetalLB, kube-vip with its Services function, k3s ServiceLB, PureLB, OpenELB and Cilium LB-IPAM.
  - Two implementations overwrite each other's addresses and both answer ARP for them, so the task fails, naming what it
    found, where, and how to end it.
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
  allow:
    description: Implementations that may be there, for instance because each serves a loadBalancerClass of its own.
    type: list
    elements: str
    choices: [metallb, kube-vip, servicelb, purelb, openelb, cilium]
    default: []
"""

EXAMPLES = r"""
---
- name: Nothing else may serve LoadBalancer Services
  homelab.lantern.loadbalancer_conflicts:
    kubeconfig: ~/.kube/config
  delegate_to: localhost
"""

RETURN = r"""
found:
  description: The implementations found, those allowed included.
  returned: always
  type: list
  elements: dict
  contains:
    key:
      description: The name that O(allow) takes.
      type: str
      sample: servicelb
    evidence:
      description: Where it was seen.
      type: str
    remedy:
      description: How to end it.
      type: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils._cluster import implementations
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.connection import (
    MUTUALLY_EXCLUSIVE,
    argument_spec,
    connect,
    finish,
)
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.errors import ClusterError

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.homelab.lantern.plugins.module_utils._cluster.api import Cluster

CILIUM_VERSIONS = ("cilium.io/v2", "cilium.io/v2alpha1")


def read(cluster: Cluster) -> implementations.Snapshot:
    """What the rules look at."""

    def cilium(kind: str) -> list[dict[str, t.Any]]:
        for version in CILIUM_VERSIONS:
            found = cluster.list(version, kind)
            if found:
                return found
        return []

    return implementations.Snapshot(
        workloads=cluster.list("apps/v1", "Deployment") + cluster.list("apps/v1", "DaemonSet"),
        pods=cluster.list("v1", "Pod"),
        nodes=cluster.list("v1", "Node"),
        cilium_pools=cilium("CiliumLoadBalancerIPPool"),
        cilium_policies=cilium("CiliumL2AnnouncementPolicy"),
    )


def judge(found: list[implementations.Finding], allow: list[str]) -> dict[str, t.Any]:
    """What exit_json gets; ClusterError if something was found that is not allowed."""
    refused = [finding for finding in found if finding.key not in allow]
    if refused:
        sentences = [finding.sentence() for finding in refused]
        # Not MetalLB: it has the same kinds and names.
        keys = ", ".join(dict.fromkeys(finding.key for finding in refused if finding.key != "metallb"))
        if keys:
            sentences.append(f"If they are meant to live side by side: deploy_allow_other_implementations: [{keys}]")
        raise ClusterError("\n".join(sentences))
    return {"changed": False, "found": [dict(finding._asdict()) for finding in found]}


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(
            allow={"type": "list", "elements": "str", "choices": list(implementations.KEYS), "default": []},
        ),
        mutually_exclusive=MUTUALLY_EXCLUSIVE,
        supports_check_mode=True,
    )
    finish(module, lambda: judge(implementations.findings(read(connect(module))), module.params["allow"]))


if __name__ == "__main__":
    main()
