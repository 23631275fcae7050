#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: metallb_takeover
short_description: Clear the way for Lantern where MetalLB runs or ran
version_added: 0.1.0
description:
  - Deletes the controller and the DaemonSet of a MetalLB that was installed by its manifests. The speakers' pods stay
    and go on announcing, until Lantern's DaemonSet of the same name replaces them node by node. Services keep their
    addresses.
  - Deletes MetalLB's validating webhooks. Without its controller nobody answers these, and the API server refuses to
    write any pool. This is all that happens where MetalLB is gone already.
  - Pools, other custom resources and the speakers' key stay.
  - Fails, before anything is changed, if MetalLB was installed otherwise (Helm) or announces by BGP.
author:
  - Lantern contributors (@homelab-lantern)
extends_documentation_fragment:
  - homelab.lantern.cluster
attributes:
  check_mode:
    description: Tells what would be deleted.
    support: full
  diff_mode:
    description: Shows each object that is deleted.
    support: full
options:
  namespace:
    description: Where MetalLB is, and Lantern will be.
    type: str
    default: metallb-system
  timeout:
    description: Seconds to wait until something that was deleted is gone.
    type: int
    default: 60
"""

EXAMPLES = r"""
---
- name: Clear the way
  homelab.lantern.metallb_takeover:
    kubeconfig: ~/.kube/config
  delegate_to: localhost
"""

RETURN = r"""
objects:
  description: Kind, namespace and name of each object that was deleted.
  returned: always
  type: list
  elements: str
  sample: [Deployment metallb-system/controller, DaemonSet metallb-system/speaker]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils._cluster import metallb, objects
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.connection import (
    MUTUALLY_EXCLUSIVE,
    argument_spec,
    connect,
    finish,
)


def work(module: AnsibleModule) -> dict[str, t.Any]:
    """What exit_json gets."""
    options = module.params
    outcomes = metallb.take_over(
        connect(module), options["namespace"], seconds=options["timeout"], dry_run=module.check_mode
    )
    changed = [outcome for outcome in outcomes if outcome.changed]
    result: dict[str, t.Any] = {"changed": bool(changed), "objects": [outcome.subject for outcome in changed]}
    if module._diff:
        result["diff"] = objects.differences(changed)
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(
            namespace={"type": "str", "default": "metallb-system"},
            timeout={"type": "int", "default": 60},
        ),
        mutually_exclusive=MUTUALLY_EXCLUSIVE,
        supports_check_mode=True,
    )
    finish(module, lambda: work(module))


if __name__ == "__main__":
    main()
