#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: node_drain
short_description: Send pods away from a node, and let them come back
version_added: 0.1.0
author:
  - Lantern contributors (@homelab-lantern)
description:
  - Makes a node unschedulable and evicts the pods that something makes anew elsewhere, as disruption budgets allow.
  - Pods of DaemonSets, static pods, and pods that nothing would make anew stay.
extends_documentation_fragment:
  - homelab.lantern.cluster
options:
  state:
    description:
      - V(drained) makes it unschedulable and waits until the pods have left.
      - V(restored) makes it schedulable again if this module made it unschedulable. Without O(node), all such nodes.
    type: str
    choices: [drained, restored]
    default: drained
  node:
    description: Names or addresses of the node; the first one that the cluster knows counts.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds until the pods have to be gone.
    type: int
    default: 120
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Nothing that a text could show is changed.
    support: none
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
---
- name: Nobody misses node2 while it reboots
  homelab.lantern.node_drain:
    kubeconfig: ~/.kube/config
    node: [node2]
  delegate_to: localhost
"""

RETURN = r"""
evicted:
  description: Namespace and name of the pods that were sent away.
  returned: success
  type: list
  elements: str
nodes:
  description: The nodes that were changed.
  returned: success
  type: list
  elements: str
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils._cluster import draining
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.connection import (
    MUTUALLY_EXCLUSIVE,
    argument_spec,
    connect,
    finish,
)
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.errors import ClusterError

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.homelab.lantern.plugins.module_utils._cluster.api import Cluster

POLL_SECONDS = 1.0


def drain(cluster: Cluster, options: dict[str, t.Any], check: bool) -> dict[str, t.Any]:
    """State drained."""
    node = draining.find(cluster.list("v1", "Node"), options["node"])
    if node is None:
        raise ClusterError(f"The cluster knows no node {' or '.join(options['node'])}: take it out of group nodes.")
    name, changed = node["metadata"]["name"], False
    if not (node.get("spec") or {}).get("unschedulable"):
        cluster.merge(node, draining.cordon_patch(True), dry_run=check)
        changed = True
    deadline, evicted = time.monotonic() + options["timeout"], set()
    while True:
        left = draining.leaving(cluster.list("v1", "Pod", field_selector=f"spec.nodeName={name}"))
        if check:
            evicted.update(left)
        if not left or check:
            break
        if time.monotonic() >= deadline:
            # It stays as it was found: a node that keeps its pods must not stay unschedulable.
            if changed:
                cluster.merge(node, draining.cordon_patch(False))
            raise ClusterError(refusal(name, left, options["timeout"]))
        evicted.update(pod for pod in left if pod not in evicted and cluster.evict(*pod))
        time.sleep(POLL_SECONDS)
    return {
        "changed": changed or bool(evicted),
        "evicted": sorted("/".join(pod) for pod in evicted),
        "nodes": [name] if changed else [],
    }


def refusal(name: str, left: list[tuple[str, str]], seconds: int) -> str:
    pods = ", ".join("/".join(pod) for pod in left)
    return (
        f"{pods} did not leave {name} within {seconds} s: a PodDisruptionBudget forbids it (kubectl get pdb -A), or it "
        "does not end. Give it more replicas, raise prepare_drain_timeout, or set prepare_drain: false."
    )


def restore(cluster: Cluster, options: dict[str, t.Any], check: bool) -> dict[str, t.Any]:
    """State restored."""
    nodes = cluster.list("v1", "Node")
    if options["node"]:
        found = draining.find(nodes, options["node"])
        nodes = [found] if found else []
    ours = [node for node in nodes if draining.is_cordoned_by_us(node)]
    for node in ours:
        cluster.merge(node, draining.cordon_patch(False), dry_run=check)
    return {"changed": bool(ours), "evicted": [], "nodes": [node["metadata"]["name"] for node in ours]}


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(
            state={"type": "str", "choices": ["drained", "restored"], "default": "drained"},
            node={"type": "list", "elements": "str", "default": []},
            timeout={"type": "int", "default": 120},
        ),
        mutually_exclusive=MUTUALLY_EXCLUSIVE,
        required_if=[("state", "drained", ["node"])],
        supports_check_mode=True,
    )
    work = drain if module.params["state"] == "drained" else restore
    finish(module, lambda: work(connect(module), module.params, module.check_mode))


if __name__ == "__main__":
    main()
