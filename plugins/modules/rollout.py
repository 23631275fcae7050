#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: rollout
short_description: Wait until Deployments and DaemonSets are ready, telling how far they are
version_added: 0.1.0
description:
  - Waits until all given workloads run what their manifests say, by the rules of C(kubectl rollout status).
  - Prints a line whenever the state changes.
  - If the time is over, the error tells the state of the pods that are not ready, their events, the last lines of
    their logs, and what to do.
author:
  - Lantern contributors (@homelab-lantern)
extends_documentation_fragment:
  - homelab.lantern.cluster
attributes:
  check_mode:
    description: Nothing was changed that could be waited for; the task ends at once.
    support: full
  diff_mode:
    description: Nothing is changed.
    support: none
options:
  workloads:
    description: What to wait for.
    type: list
    elements: dict
    required: true
    suboptions:
      kind:
        description: Kind of the workload.
        type: str
        choices: [Deployment, DaemonSet]
        required: true
      name:
        description: Name of the workload.
        type: str
        required: true
      namespace:
        description: Namespace of the workload.
        type: str
        required: true
  timeout:
    description: Seconds to wait at most.
    type: int
    default: 180
  previous_progress:
    description:
      - If set, return as soon as RV(progress) differs from it instead of waiting for the end.
      - The action plugin of the same name uses it to print progress; it is of no use in a playbook.
    type: str
"""

EXAMPLES = r"""
---
- name: Wait for the load balancer
  homelab.lantern.rollout:
    kubeconfig: ~/.kube/config
    workloads:
      - {kind: Deployment, name: controller, namespace: metallb-system}
      - {kind: DaemonSet, name: speaker, namespace: metallb-system}
  delegate_to: localhost
"""

RETURN = r"""
ready:
  description: Whether all workloads are ready.
  returned: always, except in check mode
  type: bool
progress:
  description: How far each workload is.
  returned: always, except in check mode
  type: str
  sample: controller 1 of 1 ready, speaker 3 of 3 ready
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils._cluster import rollout
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

Workload = t.Dict[str, str]
Look = t.Tuple[t.List[rollout.State], t.Dict[str, t.List[t.Dict[str, t.Any]]]]


def look(cluster: Cluster, workloads: list[Workload]) -> Look:
    """(state of each workload, the pods of each workload that is not ready by its name)."""
    states, pods = [], {}
    for one in workloads:
        found = cluster.get("apps/v1", one["kind"], one["name"], one["namespace"])
        state = rollout.state(one["kind"], one["name"], found)
        states.append(state)
        if found is not None and not state.ready:
            pods[one["name"]] = cluster.list("v1", "Pod", one["namespace"], label_selector=rollout.selector(found))
    return states, pods


def complain(cluster: Cluster, workloads: list[Workload], seen: Look) -> str:
    """The message about all workloads that are not ready."""
    states, pods = seen
    texts = []
    for one, state in zip(workloads, states):
        if state.ready:
            continue
        own = pods.get(one["name"], [])
        logs = {}
        for pod in rollout.failing(own)[: rollout.SHOWN_PODS]:
            container, previous = rollout.container_for_log(pod)
            if container:
                name = pod["metadata"]["name"]
                logs[name] = cluster.log(one["namespace"], name, container, rollout.LOG_LINES, previous)
        events = cluster.list("v1", "Event", one["namespace"])
        texts.append(rollout.report(state, one["kind"], one["namespace"], own, events, logs))
    return "\n".join(texts)


def wait(cluster: Cluster, options: dict[str, t.Any]) -> dict[str, t.Any]:
    """What exit_json gets; ClusterError when the time is over."""
    started = time.monotonic()
    while True:
        states, pods = look(cluster, options["workloads"])
        line = rollout.progress(states, pods)
        ready = all(state.ready for state in states)
        news = options["previous_progress"] is not None and line != options["previous_progress"]
        if ready or news:
            return {"changed": False, "ready": ready, "progress": line}
        if time.monotonic() - started >= options["timeout"]:
            raise ClusterError(complain(cluster, options["workloads"], (states, pods)))
        time.sleep(POLL_SECONDS)


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(
            workloads={
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "kind": {"type": "str", "choices": ["Deployment", "DaemonSet"], "required": True},
                    "name": {"type": "str", "required": True},
                    "namespace": {"type": "str", "required": True},
                },
            },
            timeout={"type": "int", "default": 180},
            previous_progress={"type": "str"},
        ),
        mutually_exclusive=MUTUALLY_EXCLUSIVE,
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False)
    finish(module, lambda: wait(connect(module), module.params))


if __name__ == "__main__":
    main()
