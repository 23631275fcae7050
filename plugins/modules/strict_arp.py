#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: strict_arp
short_description: Switch on kube-proxy's strictARP where its mode needs it
version_added: 0.1.0
author:
  - Lantern contributors (@homelab-lantern)
description:
  - In ipvs mode kube-proxy puts the address of every Service onto every node, and all nodes answer for it. With
    strictARP they are silent, so that only the announcing node answers.
  - Changes the ConfigMap C(kube-system/kube-proxy) that kubeadm made, and has the DaemonSet restart its pods one after
    the other. In any other mode nothing is changed.
extends_documentation_fragment:
  - homelab.lantern.cluster
options:
  state:
    description: V(present) switches it on, V(absent) puts back what was there before.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Shows kube-proxy's settings.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

EXAMPLES = r"""
---
- name: Only the announcing node answers for a Service's address
  homelab.lantern.strict_arp:
    kubeconfig: ~/.kube/config
  delegate_to: localhost
"""

RETURN = r"""
mode:
  description: kube-proxy's mode by its settings, empty if they are not in the cluster.
  returned: success
  type: str
  sample: ipvs
reason:
  description: Why it was or was not changed.
  returned: success
  type: str
restarted:
  description: Whether kube-proxy's pods are being restarted. Module M(homelab.lantern.rollout) waits for them.
  returned: success
  type: bool
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils._cluster import kube_proxy
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.connection import (
    MUTUALLY_EXCLUSIVE,
    argument_spec,
    connect,
    finish,
)

CONFIG_MAP = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": kube_proxy.NAME, "namespace": kube_proxy.NAMESPACE},
}
DAEMON_SET = dict(CONFIG_MAP, apiVersion="apps/v1", kind="DaemonSet")


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """What exit_json gets."""
    cluster = connect(module)
    config_map = cluster.get("v1", "ConfigMap", kube_proxy.NAME, kube_proxy.NAMESPACE)
    daemon_set = cluster.get("apps/v1", "DaemonSet", kube_proxy.NAME, kube_proxy.NAMESPACE)
    present = module.params["state"] == "present"
    plan = (kube_proxy.plan if present else kube_proxy.undo)(config_map, daemon_set)
    restart = plan.restart and daemon_set is not None
    if plan.text is not None:
        patch = {
            "data": {kube_proxy.SETTINGS: plan.text},
            "metadata": {"annotations": {kube_proxy.BEFORE: plan.before}},
        }
        cluster.merge(CONFIG_MAP, patch, dry_run=module.check_mode)
    if restart:
        value = "true" if present else None
        cluster.merge(DAEMON_SET, kube_proxy.restart_patch(value), dry_run=module.check_mode)
    result: dict[str, t.Any] = {
        "changed": plan.text is not None or restart,
        "mode": plan.mode,
        "reason": plan.reason,
        "restarted": restart and not module.check_mode,
    }
    if module._diff and config_map is not None and plan.text is not None:
        header = f"ConfigMap {kube_proxy.NAMESPACE}/{kube_proxy.NAME}"
        before = config_map["data"][kube_proxy.SETTINGS]
        result["diff"] = {"before_header": header, "after_header": header, "before": before, "after": plan.text}
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
        ),
        mutually_exclusive=MUTUALLY_EXCLUSIVE,
        supports_check_mode=True,
    )
    finish(module, lambda: work(module))


if __name__ == "__main__":
    main()
