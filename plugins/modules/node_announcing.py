#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: node_announcing
short_description: Keep a node from announcing addresses, and let it do so again
version_added: 0.1.0
description:
  - Sets the label C(node.kubernetes.io/exclude-from-external-load-balancers), so that other nodes take the addresses
    over.
  - A label that somebody else has set is left alone.
author:
  - Lantern contributors (@homelab-lantern)
extends_documentation_fragment:
  - homelab.lantern.cluster
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Nothing that a text could show is changed.
    support: none
options:
  node:
    description: Name of the node. Required with O(state=withheld).
    type: str
  state:
    description:
      - V(withheld) keeps the node from announcing.
      - V(allowed) lets it announce again if this module kept it from that. Without O(node), all such nodes.
    type: str
    choices: [allowed, withheld]
    default: withheld
"""

EXAMPLES = r"""
---
- name: Other nodes take over what node2 announces
  homelab.lantern.node_announcing:
    kubeconfig: ~/.kube/config
    node: node2
  delegate_to: localhost
"""

RETURN = r"""
nodes:
  description: The nodes that were changed.
  returned: success
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.connection import (
    MUTUALLY_EXCLUSIVE,
    argument_spec,
    connect,
    finish,
)
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.eligibility import EXCLUDE_LABEL
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.errors import ClusterError

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.homelab.lantern.plugins.module_utils._cluster.api import Cluster

WITHHELD = "homelab.lantern/withheld-from-announcing"


def patch(node: dict[str, t.Any], state: str) -> dict[str, t.Any] | None:
    """The merge patch that brings the node into the state; None if nothing is to be done."""
    metadata = node["metadata"]
    labelled = EXCLUDE_LABEL in (metadata.get("labels") or {})
    ours = WITHHELD in (metadata.get("annotations") or {})
    if state == "withheld" and not labelled:
        return {"metadata": {"labels": {EXCLUDE_LABEL: ""}, "annotations": {WITHHELD: "true"}}}
    if state == "allowed" and ours:
        return {"metadata": {"labels": {EXCLUDE_LABEL: None}, "annotations": {WITHHELD: None}}}
    return None


def bring(cluster: Cluster, name: str | None, state: str, check: bool) -> dict[str, t.Any]:
    """What exit_json gets. No `name`: all nodes."""
    if name is None and state == "withheld":
        raise ClusterError("state withheld takes one node away: say which one by node.")
    nodes = cluster.list("v1", "Node")
    if name is not None:
        nodes = [node for node in nodes if node["metadata"]["name"] == name]
        if not nodes:
            raise ClusterError(f"The cluster has no node {name}: `kubectl get nodes` lists those that it has.")
    changed = []
    for node in nodes:
        wanted = patch(node, state)
        if wanted is not None:
            cluster.merge(node, wanted, dry_run=check)
            changed.append(node["metadata"]["name"])
    return {"changed": bool(changed), "nodes": changed}


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(
            node={"type": "str"},
            state={"type": "str", "choices": ["allowed", "withheld"], "default": "withheld"},
        ),
        mutually_exclusive=MUTUALLY_EXCLUSIVE,
        supports_check_mode=True,
    )
    finish(module, lambda: bring(connect(module), module.params["node"], module.params["state"], module.check_mode))


if __name__ == "__main__":
    main()
