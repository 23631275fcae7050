#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cluster_objects
short_description: Keep objects of a Kubernetes cluster as a list of manifests says
version_added: 0.1.0
description:
  - Applies manifests by server-side apply as field manager C(lantern), in their order, or removes them in reverse
    order.
  - A field that a manifest sets is put back if somebody changed it. A field that only others set is left alone.
  - C(changed) is true only if an object differs afterwards, apart from what the API server writes by itself.
author:
  - Lantern contributors (@homelab-lantern)
extends_documentation_fragment:
  - homelab.lantern.cluster
attributes:
  check_mode:
    description: Asks the API server by a dry run, so that its own validation is part of the answer.
    support: full
  diff_mode:
    description: Shows each changed object before and after, without the contents of Secrets.
    support: full
options:
  manifests:
    description: The objects, each with C(apiVersion), C(kind) and C(metadata.name).
    type: list
    elements: dict
    required: true
  state:
    description:
      - With V(present) the objects are applied.
      - With V(absent) they are deleted together with everything they own, and their end is waited for.
    type: str
    choices: [present, absent]
    default: present
  create_only:
    description: Create objects that do not exist, and never touch one that does. For generated keys.
    type: bool
    default: false
  owned_only:
    description:
      - With O(state=absent) leave objects alone that are not Lantern's own.
      - An object that was there when Lantern first applied its manifest bears the annotation
        C(homelab.lantern/adopted).
    type: bool
    default: false
  prune:
    description:
      - Kinds of which objects are deleted that bear the label C(app.kubernetes.io/managed-by=lantern) and are not
        in O(manifests).
    type: list
    elements: dict
    default: []
    suboptions:
      api_version:
        description: Group and version of the kind.
        type: str
        required: true
      kind:
        description: Name of the kind.
        type: str
        required: true
      namespace:
        description: Namespace to look in.
        type: str
        required: true
  timeout:
    description:
      - Seconds to wait until a kind is served whose definition was applied a moment ago.
      - With O(state=absent) the seconds until all objects must be gone.
    type: int
    default: 60
"""

EXAMPLES = r"""
---
- name: Give the cluster a pool of addresses
  homelab.lantern.cluster_objects:
    kubeconfig: ~/.kube/config
    manifests:
      - apiVersion: metallb.io/v1beta1
        kind: IPAddressPool
        metadata:
          name: home
          namespace: metallb-system
        spec:
          addresses: [192.168.2.128/25]
  delegate_to: localhost

- name: Create a key once, keep it ever after
  homelab.lantern.cluster_objects:
    kubeconfig: ~/.kube/config
    create_only: true
    manifests:
      - apiVersion: v1
        kind: Secret
        metadata:
          name: memberlist
          namespace: metallb-system
        stringData:
          secretkey: "{{ lookup('ansible.builtin.password', '/dev/null', length=128) }}"
  no_log: true
  delegate_to: localhost
"""

RETURN = r"""
objects:
  description: What became of each manifest, in the order of the work.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Kind, namespace and name.
      type: str
      sample: Deployment metallb-system/controller
    changed:
      description: Whether this object differs afterwards.
      type: bool
    note:
      description: Why it was left alone, or nothing.
      type: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils._cluster import objects
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.connection import (
    MUTUALLY_EXCLUSIVE,
    argument_spec,
    connect,
    finish,
)


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """What exit_json gets."""
    options = module.params
    cluster = connect(module)
    if options["state"] == "present":
        outcomes = objects.apply(
            cluster,
            options["manifests"],
            create_only=options["create_only"],
            kind_seconds=options["timeout"],
            dry_run=module.check_mode,
        )
    else:
        outcomes = objects.remove(
            cluster,
            options["manifests"],
            owned_only=options["owned_only"],
            seconds=options["timeout"],
            dry_run=module.check_mode,
        )
    outcomes += objects.prune(cluster, options["manifests"], options["prune"], dry_run=module.check_mode)
    result: dict[str, t.Any] = {
        "changed": any(outcome.changed for outcome in outcomes),
        "objects": [{"name": o.subject, "changed": o.changed, "note": o.note} for o in outcomes],
    }
    if module._diff:
        result["diff"] = objects.differences(outcomes)
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(
            manifests={"type": "list", "elements": "dict", "required": True},
            state={"type": "str", "choices": ["present", "absent"], "default": "present"},
            create_only={"type": "bool", "default": False},
            owned_only={"type": "bool", "default": False},
            prune={
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {name: {"type": "str", "required": True} for name in ("api_version", "kind", "namespace")},
            },
            timeout={"type": "int", "default": 60},
        ),
        mutually_exclusive=MUTUALLY_EXCLUSIVE,
        supports_check_mode=True,
    )
    finish(module, lambda: work(module))


if __name__ == "__main__":
    main()
