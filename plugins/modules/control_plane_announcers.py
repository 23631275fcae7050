#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: control_plane_announcers
short_description: Decide whether control plane nodes may announce addresses
version_added: 0.1.0
description:
  - kubeadm labels control plane nodes C(node.kubernetes.io/exclude-from-external-load-balancers). A node with that
    label
    announces no address, so that a cluster of one node would announce none at all.
  - Takes the label off, keeping its value in the annotation C(homelab.lantern/taken-off-exclude-label), or puts it
    back.
author:
  - Lantern contributors (@homelab-lantern)
extends_documentation_fragment:
  - homelab.lantern.cluster
attributes:
  check_mode:
    description: Tells what would be done.
    support: full
  diff_mode:
    description: Shows the label of each changed node.
    support: full
options:
  serve:
    description:
      - With V(auto) control plane nodes serve only if no other schedulable node is free of the label.
      - With V(true) they always serve.
      - With V(false) a label that was taken off before is put back.
    type: str
    choices: [auto, 'true', 'false']
    default: auto
"""

EXAMPLES = r"""
---
- name: Let a cluster of one node serve
  homelab.lantern.control_plane_announcers:
    kubeconfig: ~/.kube/config
    serve: auto
  delegate_to: localhost
"""

RETURN = r"""
done:
  description: One sentence for each node that was changed.
  returned: always
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils._cluster import eligibility
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.connection import (
    MUTUALLY_EXCLUSIVE,
    argument_spec,
    connect,
    finish,
)


def shown(value: str | None) -> str:
    return "not labelled\n" if value is None else f"{eligibility.EXCLUDE_LABEL}={value}\n"


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """What exit_json gets."""
    cluster = connect(module)
    changes = eligibility.changes(cluster.list("v1", "Node"), module.params["serve"])
    for change in changes:
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": change.node}}
        cluster.merge(node, change.patch(), dry_run=module.check_mode)
    result: dict[str, t.Any] = {"changed": bool(changes), "done": [change.sentence for change in changes]}
    if module._diff:
        result["diff"] = [
            {
                "before_header": f"Node {change.node}",
                "after_header": f"Node {change.node}",
                "before": shown(change.annotation),
                "after": shown(change.label),
            }
            for change in changes
        ]
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(
            serve={"type": "str", "choices": ["auto", "true", "false"], "default": "auto"},
        ),
        mutually_exclusive=MUTUALLY_EXCLUSIVE,
        supports_check_mode=True,
    )
    finish(module, lambda: work(module))


if __name__ == "__main__":
    main()
